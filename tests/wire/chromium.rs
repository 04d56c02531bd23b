//! Chromium with JsSIP as an agent's phone: it registers by `/ws`, calls, and is called; ICE, DTLS-SRTP, tones both ways.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tempfile::TempDir;
use trunkline::records::Disposition;

use super::baresip::write_tone;
use super::daemon::{Daemon, PATIENCE, wait};
use super::{queue, tone};

const PHONE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/node_modules/.phone/phone.js");
/// What the browser's microphone hears. Its fake device plays files at 48 kHz and finds 8 kHz ones, too.
const BROWSER_HZ: u32 = 1_000;

/// What the page has told, and what it is to do next.
#[derive(Default)]
struct Desk {
    told: Vec<String>,
    wish: String,
}

/// Chromium with the phone's page open.
struct Browser {
    child: Child,
    desk: Arc<Mutex<Desk>>,
    folder: TempDir,
}

impl Browser {
    fn open(daemon: &Daemon, user: &str) -> Self {
        let (folder, desk) = (tempfile::tempdir().expect("a folder"), Arc::new(Mutex::new(Desk::default())));
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let page = server.local_addr().expect("bound");
        let shared = Arc::clone(&desk);
        // It ends with the tests' process: there is nobody left to ask it then.
        std::thread::spawn(move || server.incoming().flatten().for_each(|stream| serve(stream, &shared)));
        let microphone = folder.path().join("tone.wav");
        write_tone(&microphone, BROWSER_HZ);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
            .arg(format!("--use-file-for-fake-audio-capture={}", microphone.display()))
            .args(["--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection"])
            .args(["--disable-background-networking", "--disable-component-update", "--mute-audio"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("http://{page}/?ws=ws://{}/ws&uri=sip:{user}@{}&password=demo", daemon.http, daemon.host))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        let child = child.expect("chromium runs (Debian package chromium)");
        Self { child, desk, folder }
    }

    fn wish(&self, wish: &str) {
        wish.clone_into(&mut self.desk.lock().expect("sound").wish);
    }

    fn told(&self) -> Vec<String> {
        self.desk.lock().expect("sound").told.clone()
    }

    /// Waits until the page has told something after what it has told before.
    fn expect(&self, what: &str, told: impl Fn(&str) -> bool) {
        wait(|| self.told().iter().any(|one| told(one)), || format!("no {what} in {:?}\n{}", self.told(), self.log()));
        self.desk.lock().expect("sound").told.clear();
    }

    /// Waits until it hears a tone, give or take what its ear can tell apart.
    fn expect_tone(&self, hz: u32) {
        let near = |told: &str| told.strip_prefix("heard ").and_then(|heard| heard.parse::<u32>().ok());
        self.expect(&format!("tone of {hz} Hz"), |told| near(told).is_some_and(|heard| heard.abs_diff(hz) <= 15));
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- chromium ---\n{:?}\n{}", self.told(), self.log());
        }
    }
}

/// Answers one request of the page.
fn serve(mut stream: TcpStream, desk: &Mutex<Desk>) {
    let Some((path, body)) = request(&stream) else { return };
    let (kind, answer) = match path.split('?').next().unwrap_or_default() {
        "/" => ("text/html", b"<!doctype html><meta charset=utf-8><script src=/phone.js defer></script>".to_vec()),
        "/phone.js" => ("text/javascript", std::fs::read(PHONE).expect("tests/install.sh builds tests/browser")),
        "/tell" => {
            desk.lock().expect("sound").told.push(body);
            ("text/plain", Vec::new())
        }
        "/wish" => ("text/plain", std::mem::take(&mut desk.lock().expect("sound").wish).into_bytes()),
        _ => ("text/plain", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    // A page that is closed meanwhile needs no answer.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer));
}

/// The path and the body of a request; `None` where the browser only tries the connection.
fn request(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, String::from_utf8(body).ok()?))
}

#[test]
fn a_browser_calls_and_is_called_and_both_sides_hear_each_other() {
    let mut daemon = Daemon::start();
    let browser = Browser::open(&daemon, "1001");
    browser.expect("registration", |told| told == "registered");
    // The echo: its own tone, there and back.
    browser.wish("4002");
    browser.expect("answer", |told| told == "confirmed");
    browser.expect_tone(BROWSER_HZ);
    browser.wish("hang up");
    browser.expect("end", |told| told.starts_with("ended"));
    daemon.until_idle();
    // As an agent, out of the queue, with a caller on plain RTP.
    let mut caller = queue::caller(&daemon);
    caller.call("4001");
    browser.expect("answer", |told| told == "confirmed");
    browser.expect_tone(queue::CALLER_HZ as u32);
    let since = Instant::now();
    while tone::share(&caller.ear.hear(25), f64::from(BROWSER_HZ)) < 0.8 {
        assert!(since.elapsed() < PATIENCE, "the browser's tone is not heard\n{}", daemon.log());
    }
    assert_eq!(daemon.metric("trunkline_srtp_dropped_packets_total{reason=\"forged\"}"), 0.0);
    caller.hang_up();
    browser.expect("end", |told| told.starts_with("ended remote"));
    let mut records = daemon.stop();
    let record = records.pop().expect("a record");
    assert_eq!(record.disposition, Disposition::Answered);
    let (left, right) = tone::channels(&daemon.recording(&record));
    let middle = left.len() / 4..left.len() * 3 / 4;
    assert!(tone::share(&left[middle.clone()], queue::CALLER_HZ) > 0.9, "the caller is on the left");
    assert!(tone::share(&right[middle], f64::from(BROWSER_HZ)) > 0.8, "the browser is on the right");
}
