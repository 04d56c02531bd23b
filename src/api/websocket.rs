//! `/ws`: browsers' phones change over from HTTP to SIP here (RFC 6455, RFC 7118); what follows is the network's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{self, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use super::problem::Problem;

/// A connection that has changed over: bytes both ways.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// Takes a connection that has changed over, our address and the peer's; must not block.
pub type Carry = Box<dyn Fn(Upgraded, SocketAddr, SocketAddr) + Send + Sync>;

/// Who carries WebSockets.
pub struct WebSockets {
    /// The answer to a handshake: 101, or a refusal and why.
    pub answer: fn(&http::Request<()>) -> http::Response<String>,
    /// Takes what was answered with 101.
    pub carry: Carry,
}

/// A listener whose connections send each write at once, because SIP's are small and waited for.
pub(super) struct Listener(pub(super) TcpListener);

/// Both ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    local: Option<SocketAddr>,
    remote: SocketAddr,
}

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = Ends;

    async fn accept(&mut self) -> (TcpStream, Ends) {
        let (stream, remote) = axum::serve::Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection of HTTP keeps what it sends for a while");
        }
        let local = stream.local_addr().ok();
        (stream, Ends { local, remote })
    }

    fn local_addr(&self) -> io::Result<Ends> {
        let local = self.0.local_addr()?;
        Ok(Ends { local: Some(local), remote: local })
    }
}

impl Connected<IncomingStream<'_, Listener>> for Ends {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        *stream.remote_addr()
    }
}

pub(super) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Ends { local, remote }): ConnectInfo<Ends>,
    mut request: Request,
) -> Response {
    let mut handshake = http::Request::new(());
    *handshake.method_mut() = request.method().clone();
    *handshake.version_mut() = request.version();
    *handshake.headers_mut() = request.headers().clone();
    let answer = (shared.websockets.answer)(&handshake);
    let (StatusCode::SWITCHING_PROTOCOLS, Some(local)) = (answer.status(), local) else {
        let status = if local.is_some() { answer.status() } else { StatusCode::BAD_REQUEST };
        return Problem::new(status, answer.into_body().trim_end()).into_response();
    };
    let changing = hyper::upgrade::on(&mut request);
    // It changes over once the 101 has left, so after this answer.
    tokio::spawn(async move {
        match changing.await {
            Ok(upgraded) => (shared.websockets.carry)(TokioIo::new(upgraded), local, remote),
            Err(error) => tracing::debug!(%remote, %error, "a WebSocket was lost in its handshake"),
        }
    });
    answer.map(|_| Body::empty())
}
