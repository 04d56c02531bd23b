//! SIP over WebSockets (RFC 7118): one message a frame, pings answered by the protocol itself. Where a page comes from is no proof of
//! who uses it, so its Origin is not looked at: phones prove themselves by their passwords, as everywhere.

use std::io;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response, create_response};
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{self, HeaderMap, StatusCode};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::NetEvent;
use super::carrier::Stream;
use super::connection::Connection;
use super::counters::Figure;
use crate::sip::message::{Framing, MAX_MESSAGE, Verdict, judge};

/// A WebSocket whose handshake is done.
pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// The only subprotocol that is spoken here (RFC 7118 §4.1).
const SUBPROTOCOL: &str = "sip";
/// What is told to others.
const REFUSAL: &str = "This is a WebSocket of the subprotocol \"sip\" (RFC 7118).\n";
/// Bytes asked of the stream at a time.
const CHUNK: usize = 16 * 1024;

/// Answers a peer's handshake; one that does not offer the subprotocol gets 400.
pub(super) async fn accept(stream: Box<dyn Stream>) -> io::Result<Socket> {
    accept_hdr_async_with_config(stream, choose_subprotocol, Some(config())).await.map_err(io::Error::other)
}

/// Takes a stream whose handshake was answered by [`answer`].
pub(super) async fn adopt(stream: Box<dyn Stream>) -> Socket {
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await
}

/// The answer to a handshake that came to an HTTP server: 101, or 400 with a line that says why.
pub fn answer(request: &http::Request<()>) -> http::Response<String> {
    let answered = create_response(request).and_then(|response| {
        choose_subprotocol(request, response).map_err(|refusal| Error::Http(Box::new(refusal.map(|_| None))))
    });
    match answered {
        Ok(response) => response.map(|()| String::new()),
        Err(_) => {
            let mut refusal = http::Response::new(REFUSAL.to_owned());
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            refusal
        }
    }
}

fn config() -> WebSocketConfig {
    // A frame says its length before it comes, so what is too long is never held.
    WebSocketConfig::default()
        .read_buffer_size(CHUNK)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

#[allow(clippy::result_large_err, reason = "the shape of tungstenite's callback")]
fn choose_subprotocol(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if offers_sip(request.headers()) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some(REFUSAL.to_owned()));
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}

fn offers_sip(headers: &HeaderMap) -> bool {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|word| word.trim() == SUBPROTOCOL)
}

/// Why a WebSocket ends.
enum End {
    /// The peer said so, or is gone.
    Theirs,
    /// We close it, and say why.
    Ours(CloseCode),
}

impl Connection {
    /// Carries frames until one side ends. `first`: until when the first message must be there; `None` once it was.
    pub(super) async fn carry_frames(&mut self, mut socket: Box<Socket>, first: &mut Option<Instant>) {
        let end = loop {
            tokio::select! {
                queued = self.outlet.next() => match queued {
                    Some(bytes) => if self.send_frame(&mut socket, bytes).await.is_err() {
                        break End::Theirs;
                    },
                    None => break End::Ours(CloseCode::Away),
                },
                frame = next_frame(&mut socket, *first) => {
                    if let Err(end) = self.take_frame(&mut socket, frame, first).await {
                        break end;
                    }
                }
            }
        };
        // So that what is sent from now on is known to be lost.
        self.tell_hub().await;
        let _ = timeout(self.common.limits.flush, say_goodbye(&mut socket, end)).await;
    }

    async fn send_frame(&mut self, socket: &mut Socket, bytes: Vec<u8>) -> Result<(), Error> {
        // Text where it is text: some browsers' SIP stacks read nothing else.
        let frame = String::from_utf8(bytes).map_or_else(|error| Message::binary(error.into_bytes()), Message::text);
        let sent = socket.send(frame).await;
        let figure = if sent.is_ok() { Figure::Sent } else { Figure::DroppedOut };
        self.deliver.counters.add(figure);
        sent
    }

    async fn take_frame(
        &mut self,
        socket: &mut Socket,
        frame: Option<Result<Message, Error>>,
        first: &mut Option<Instant>,
    ) -> Result<(), End> {
        let bytes = match frame {
            Some(Ok(Message::Text(text))) => text.into(),
            Some(Ok(Message::Binary(bytes))) => bytes,
            // The protocol answers pings with its next read.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(()),
            Some(Ok(Message::Close(_))) => return Err(End::Theirs),
            Some(Err(error)) => return Err(self.broken(&error)),
            None => {
                tracing::debug!(remote = %self.flow.remote, "closed: no message came in time");
                return Err(End::Ours(CloseCode::Policy));
            }
        };
        if bytes == b"\r\n\r\n".as_slice() {
            // A keep-alive as on other streams (RFC 5626 §4.4.1).
            return socket.send(Message::text("\r\n")).await.map_err(|_| End::Theirs);
        }
        let verdict = Box::new(judge(&bytes, Framing::Datagram));
        if let Verdict::Drop(why) = *verdict {
            tracing::debug!(remote = %self.flow.remote, why, "message dropped");
            self.deliver.counters.add(Figure::Malformed);
            return Ok(());
        }
        *first = None;
        if !self
            .deliver
            .hand_over(NetEvent::Message { verdict, flow: self.flow, received: std::time::Instant::now() })
            .await
        {
            return Err(End::Ours(CloseCode::Away));
        }
        Ok(())
    }

    fn broken(&self, error: &Error) -> End {
        let code = match error {
            Error::Capacity(_) => CloseCode::Size,
            Error::Utf8(_) => CloseCode::Invalid,
            Error::Protocol(_) => CloseCode::Protocol,
            _ => {
                tracing::debug!(remote = %self.flow.remote, %error, "a WebSocket broke");
                return End::Theirs;
            }
        };
        tracing::info!(remote = %self.flow.remote, %error, "WebSocket closed");
        self.deliver.counters.add(Figure::Malformed);
        End::Ours(code)
    }
}

/// The next frame; `None` where none came in time.
async fn next_frame(socket: &mut Socket, deadline: Option<Instant>) -> Option<Result<Message, Error>> {
    let next = match deadline {
        Some(deadline) => timeout_at(deadline, socket.next()).await.ok()?,
        None => socket.next().await,
    };
    Some(next.unwrap_or(Err(Error::ConnectionClosed)))
}

/// Writes the last frame, and reads what still comes: to close with bytes unread would reset the stream, and that frame with it.
async fn say_goodbye(socket: &mut Socket, end: End) {
    let _ = match end {
        // The answer to the peer's own is ready and only to be written.
        End::Theirs => SinkExt::close(socket).await,
        End::Ours(code) => socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await,
    };
    let stream = socket.get_mut();
    let _ = stream.shutdown().await;
    let mut chunk = [0; 4_096];
    while stream.read(&mut chunk).await.is_ok_and(|length| length > 0) {}
}
