//! The least HTTP client: one request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The problem document of an error.
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(
            (self.status, self.header("content-type")),
            (status, Some("application/problem+json")),
            "{}",
            self.text()
        );
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem
    }
}

fn open(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: floor\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).expect("sent");
    BufReader::new(stream)
}

fn read_head(reader: &mut BufReader<TcpStream>) -> (u16, Vec<(String, String)>) {
    let mut lines = reader.by_ref().lines().map(|line| line.expect("a line"));
    let status = lines.next().expect("a status line");
    let headers = lines.take_while(|line| !line.is_empty());
    let headers = headers.filter_map(|line| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()))).collect();
    (status.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"), headers)
}

pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut reader = open(address, method, path, headers, body);
    let (status, headers) = read_head(&mut reader);
    let mut body = Vec::new();
    reader.read_to_end(&mut body).expect("the body");
    if headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked") {
        body = unchunk(&body);
    }
    Answer { status, headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).expect("digits"), 16).expect("a number");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

/// A stream of server-sent events; chunk sizes and comments are passed over.
pub struct Events(BufReader<TcpStream>);

/// id, name, data
pub type Event = (String, String, String);

impl Events {
    pub fn open(address: SocketAddr, headers: &[(&str, &str)]) -> Self {
        let mut reader = open(address, "GET", "/api/v1/events", headers, "");
        assert_eq!(read_head(&mut reader).0, 200);
        Self(reader)
    }

    /// The next event; `None` where the stream ends.
    pub fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("a line") == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some(("id", value)) => event.0 = value.trim().to_owned(),
                Some(("event", value)) => event.1 = value.trim().to_owned(),
                Some(("data", value)) => event.2 = value.trim().to_owned(),
                _ if line == "\n" && !event.2.is_empty() => return Some(event),
                _ => {}
            }
        }
    }
}
