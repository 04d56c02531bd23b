//! Raw bytes to the daemon and messages back, by datagram or stream.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::daemon::PATIENCE;
use super::phone::Text;

/// A way to the daemon.
pub enum Way {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream, Vec<u8>),
}

/// How soon a look at the socket is over; the patience of whoever waits is longer.
const GLANCE: Option<Duration> = Some(Duration::from_millis(100));

impl Way {
    pub fn udp(local: SocketAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(local).expect("a socket");
        socket.set_read_timeout(GLANCE).expect("a time-out");
        Self::Udp(socket, server)
    }

    pub fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).expect("a connection");
        stream.set_read_timeout(GLANCE).expect("a time-out");
        Self::Tcp(stream, Vec::new())
    }

    pub fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Udp(socket, server) => drop(socket.send_to(bytes, *server).expect("sent")),
            Self::Tcp(stream, _) => stream.write_all(bytes).expect("sent"),
        }
    }

    /// The next message, if one comes soon. A stream that ends is a failure.
    pub fn receive(&mut self) -> Option<Text> {
        match self {
            Self::Udp(socket, _) => {
                let mut buf = [0; 65_536];
                let (length, _) = next_datagram(socket, &mut buf).ok()?;
                Some(Text(String::from_utf8_lossy(&buf[..length]).into_owned()))
            }
            Self::Tcp(stream, held) => read_message(stream, held),
        }
    }

    /// Bytes of a stream that are no message.
    pub fn receive_bytes(&mut self, count: usize) -> Vec<u8> {
        let Self::Tcp(stream, held) = self else { panic!("only a stream has bytes") };
        assert!(held.is_empty(), "a message stands before them: {held:?}");
        let mut bytes = vec![0; count];
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.read_exact(&mut bytes).expect("bytes");
        stream.set_read_timeout(GLANCE).expect("a time-out");
        bytes
    }

    pub fn receive_within_patience(&mut self) -> Text {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < PATIENCE, "nothing came");
            if let Some(text) = self.receive() {
                return text;
            }
        }
    }

    /// Everything that a stream still brings until the daemon closes it.
    pub fn hear_out(self) -> Vec<Text> {
        let Self::Tcp(mut stream, mut held) = self else { panic!("only a stream ends") };
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.read_to_end(&mut held).expect("the daemon closes the stream");
        let heard = std::iter::from_fn(|| cut(&mut held)).collect();
        assert!(held.is_empty(), "half a message: {held:?}");
        heard
    }

    /// Closes our half of a stream.
    pub fn give_up(&self) {
        let Self::Tcp(stream, _) = self else { panic!("only a stream ends") };
        stream.shutdown(Shutdown::Write).expect("closed");
    }

    /// An OPTIONS of our own: the daemon answers in order, so its 200 says that whatever came before was dealt with.
    pub fn ask_whether_alive(&mut self, number: usize) -> String {
        let (via, local) = match self {
            Self::Udp(socket, _) => ("UDP", socket.local_addr()),
            Self::Tcp(stream, _) => ("TCP", stream.local_addr()),
        };
        let local = local.expect("an address");
        let call_id = format!("alive-{number}-{via}-{}", local.port());
        self.send(
            format!(
                "OPTIONS sip:alive.invalid SIP/2.0\r\nVia: SIP/2.0/{via} {local};rport;branch=z9hG4bK{call_id}\r\n\
                 From: <sip:t@{local}>;tag=t\r\nTo: <sip:alive.invalid>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\
                 Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        );
        call_id
    }
}

/// Whether a read only ended because nothing came, or because a signal came first.
pub fn is_nothing_yet(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// The next datagram. A process that was halted and goes on finds its read interrupted without any handler (signal(7)), which is
/// no answer: it reads again.
pub fn next_datagram(socket: &UdpSocket, buf: &mut [u8]) -> std::io::Result<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buf) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The next message of a stream, if one comes within its time-out. A stream that ends is a failure.
pub fn read_message(stream: &mut impl Read, held: &mut Vec<u8>) -> Option<Text> {
    if let Some(text) = cut(held) {
        return Some(text);
    }
    let mut buf = [0; 65_536];
    match stream.read(&mut buf) {
        Ok(length) => {
            assert!(length > 0, "the stream was closed");
            held.extend_from_slice(&buf[..length]);
            cut(held)
        }
        Err(error) => {
            assert!(is_nothing_yet(&error), "{error}");
            None
        }
    }
}

/// Takes a whole message out of what a stream has brought.
pub fn cut(held: &mut Vec<u8>) -> Option<Text> {
    let head = held.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length: usize =
        Text(String::from_utf8_lossy(&held[..head]).into_owned()).header("Content-Length").parse().ok()?;
    let whole: Vec<u8> = (held.len() >= head + length).then(|| held.drain(..head + length).collect())?;
    Some(Text(String::from_utf8_lossy(&whole).into_owned()))
}
