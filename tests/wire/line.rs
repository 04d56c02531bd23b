//! What a phone's raw text travels in: datagrams, TLS, a WebSocket.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::daemon::PATIENCE;
use super::phone::Text;
use super::way::{is_nothing_yet, next_datagram, read_message};

/// How soon a look at the line is over; the patience of whoever waits is longer.
const GLANCE: Option<Duration> = Some(Duration::from_millis(100));

/// Messages both ways.
pub trait Line: Send {
    fn send(&self, text: &str);

    /// What came within a tenth of a second, if anything.
    fn try_receive(&self) -> Option<Text>;
}

/// A line, and what the phone says of itself on it.
pub struct Plug {
    pub line: Box<dyn Line>,
    /// Our end.
    pub local: SocketAddr,
    /// The transport in Via.
    pub via: &'static str,
    /// Host and port in Via and Contact.
    pub name: String,
    /// What follows them in Contact.
    pub parameter: &'static str,
}

pub trait Bytes: Read + Write + Send {}

impl<S: Read + Write + Send> Bytes for S {}

struct Datagrams(UdpSocket, SocketAddr);

impl Line for Datagrams {
    fn send(&self, text: &str) {
        self.0.send_to(text.as_bytes(), self.1).expect("sent");
    }

    fn try_receive(&self) -> Option<Text> {
        let mut buf = [0; 8192];
        let (len, _) = next_datagram(&self.0, &mut buf).ok()?;
        Some(Text(String::from_utf8_lossy(&buf[..len]).into_owned()))
    }
}

struct Stream(RefCell<(Box<dyn Bytes>, Vec<u8>)>);

impl Line for Stream {
    fn send(&self, text: &str) {
        let (stream, _) = &mut *self.0.borrow_mut();
        stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).expect("sent");
    }

    fn try_receive(&self) -> Option<Text> {
        let (stream, held) = &mut *self.0.borrow_mut();
        read_message(stream, held)
    }
}

struct Frames(RefCell<WebSocket<Box<dyn Bytes>>>);

impl Line for Frames {
    fn send(&self, text: &str) {
        self.0.borrow_mut().send(Message::text(text)).expect("sent");
    }

    fn try_receive(&self) -> Option<Text> {
        match self.0.borrow_mut().read() {
            Ok(Message::Text(text)) => Some(Text(text.as_str().to_owned())),
            Ok(other) => panic!("a text frame, not {other:?}"),
            Err(tungstenite::Error::Io(error)) => {
                assert!(is_nothing_yet(&error), "{error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }
}

pub fn udp(host: std::net::Ipv4Addr, server: SocketAddr) -> Plug {
    let socket = UdpSocket::bind((host, 0)).expect("a socket");
    socket.set_read_timeout(GLANCE).expect("a time-out");
    let local = socket.local_addr().expect("bound");
    let line = Box::new(Datagrams(socket, server));
    Plug { line, local, via: "UDP", name: local.to_string(), parameter: "" }
}

/// Messages within a TCP connection that stands; `local` is where its peer called.
pub fn over_tcp(stream: TcpStream, local: SocketAddr) -> Plug {
    stream.set_read_timeout(GLANCE).expect("a time-out");
    let line = Box::new(Stream(RefCell::new((Box::new(stream) as Box<dyn Bytes>, Vec::new()))));
    Plug { line, local, via: "TCP", name: local.to_string(), parameter: "" }
}

/// Messages within a TLS connection that stands.
pub fn over_tls(stream: Box<dyn Bytes>, local: SocketAddr) -> Plug {
    let line = Box::new(Stream(RefCell::new((stream, Vec::new()))));
    Plug { line, local, via: "TLS", name: local.to_string(), parameter: ";transport=tls" }
}

pub fn tls(server: SocketAddr, config: &Arc<ClientConfig>) -> Plug {
    let (stream, local) = secure(server, config).expect("a handshake");
    stream.sock.set_read_timeout(GLANCE).expect("a time-out");
    over_tls(Box::new(stream), local)
}

/// A TLS connection whose handshake is done as far as our side knows.
pub fn secure(
    server: SocketAddr,
    config: &Arc<ClientConfig>,
) -> std::io::Result<(StreamOwned<ClientConnection, TcpStream>, SocketAddr)> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let local = stream.local_addr()?;
    let name = ServerName::IpAddress(server.ip().into());
    let mut connection = ClientConnection::new(Arc::clone(config), name).expect("a configuration");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok((StreamOwned::new(connection, stream), local))
}

/// A browser's WebSocket, within TLS where a configuration for it is given.
pub fn websocket(server: SocketAddr, config: Option<&Arc<ClientConfig>>) -> Plug {
    websocket_at(server, "/", config)
}

/// The same by the path of its URL.
pub fn websocket_at(server: SocketAddr, path: &str, config: Option<&Arc<ClientConfig>>) -> Plug {
    let stream = match config {
        None => Ok(TcpStream::connect(server).expect("a connection")),
        Some(config) => Err(secure(server, config).expect("a handshake").0),
    };
    let socket = stream.as_ref().unwrap_or_else(|secure| &secure.sock).try_clone().expect("the same socket");
    let local = socket.local_addr().expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let stream: Box<dyn Bytes> =
        stream.map_or_else(|secure| Box::new(secure) as Box<dyn Bytes>, |plain| Box::new(plain));
    let mut request = format!("ws://{server}{path}").into_client_request().expect("a URI");
    request.headers_mut().insert("Sec-WebSocket-Protocol", "sip".parse().expect("a value"));
    let (frames, _) = tungstenite::client(request, stream).expect("a WebSocket");
    socket.set_read_timeout(GLANCE).expect("a time-out");
    // Browsers do not know their address, so they make up a name (RFC 7118 §5.1).
    let name = format!("p{}.invalid", local.port());
    let via = if config.is_some() { "WSS" } else { "WS" };
    Plug { line: Box::new(Frames(RefCell::new(frames))), local, via, name, parameter: ";transport=ws" }
}
