//! Starting and stopping.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{delete, get, post, put};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::problem::{Problem, make_problem};
use super::{
    ApiSettings, Handles, Shared, access, bans, callbacks, events, floor, health, live, orders, page, placing,
    recording, records, supervise, trunks, websocket,
};
use crate::store::Records;

/// The longest body that is read, bytes.
const BODY: usize = 16 * 1_024;

/// Why the API could not start.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is taken or not ours.
    #[error(
        "cannot listen for HTTP on {address}: {source}; stop what uses it, or choose another address in http.listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The system gave no threads.
    #[error("cannot start the threads of the API: {0}; check the limits on threads and open files")]
    Threads(#[from] io::Error),
}

/// The running API.
#[derive(Debug)]
pub struct ApiHandle {
    addresses: Vec<SocketAddr>,
    stopping: CancellationToken,
    runtime: Option<Runtime>,
    servers: JoinSet<()>,
}

impl ApiHandle {
    /// Where it listens, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more requests, lets those in progress finish for `patience`, ends the streams, and gives the tap back.
    pub fn stop(mut self, patience: Duration) {
        self.finish(patience);
    }

    fn finish(&mut self, patience: Duration) {
        self.stopping.cancel();
        let Some(runtime) = self.runtime.take() else { return };
        let all = async { while self.servers.join_next().await.is_some() {} };
        let in_time = runtime.block_on(async { tokio::time::timeout(patience, all).await.is_ok() });
        if !in_time {
            tracing::warn!("HTTP requests were cut at the stop");
        }
        runtime.shutdown_timeout(Duration::from_millis(200));
    }
}

impl Drop for ApiHandle {
    fn drop(&mut self) {
        self.finish(Duration::ZERO);
    }
}

/// Bound addresses: requests wait in their backlogs until [`start`] serves them.
#[derive(Debug)]
pub struct Listeners(Vec<TcpListener>);

/// Binds every address, before anything else of the floor opens: a floor whose API cannot open must not take calls first.
///
/// # Errors
/// The first address that is not to be had.
pub fn bind(addresses: &[SocketAddr]) -> Result<Listeners, ApiError> {
    let bound = addresses.iter().map(|address| {
        let address = *address;
        listen(address).map_err(|source| ApiError::Listen { address, source })
    });
    Ok(Listeners(bound.collect::<Result<_, _>>()?))
}

/// Serves on what [`bind`] has bound.
///
/// # Errors
/// Where the system gives no threads.
pub fn start(listeners: Listeners, settings: ApiSettings, handles: Handles) -> Result<ApiHandle, ApiError> {
    let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("api").enable_all().build()?;
    let stopping = CancellationToken::new();
    let progress = handles.tap.progress().clone();
    let shared = Arc::new(Shared {
        records: Records::new(&settings.data_dir),
        settings,
        live: live::LiveView::start(handles.live, handles.tap)?,
        commands: handles.commands,
        follow: handles.follow,
        progress,
        readiness: handles.readiness,
        figures: handles.figures,
        bans: handles.bans,
        alarms: handles.alarms,
        websockets: handles.websockets,
        trunks: handles.trunks,
        orders: handles.orders,
        reload: handles.reload,
        named: handles.named,
        stopping: stopping.clone(),
    });
    let service = router(shared).into_make_service_with_connect_info::<websocket::Ends>();
    let mut servers = JoinSet::new();
    let mut addresses = Vec::new();
    let _entered = runtime.enter();
    for listener in listeners.0 {
        addresses.push(listener.local_addr()?);
        let listener = websocket::Listener(tokio::net::TcpListener::from_std(listener)?);
        let stopped = stopping.clone().cancelled_owned();
        let served = axum::serve(listener, service.clone()).with_graceful_shutdown(stopped).into_future();
        servers.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "HTTP is no longer served");
            }
        });
    }
    drop(_entered);
    Ok(ApiHandle { addresses, stopping, runtime: Some(runtime), servers })
}

/// std's listener sets `SO_REUSEADDR`, so that a restart finds its port free.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn router(shared: Arc<Shared>) -> Router {
    let closed = Router::new()
        .route("/api/v1/calls", get(floor::calls).post(placing::place))
        .route("/api/v1/calls/{call_id}", delete(floor::hang_up))
        .route("/api/v1/calls/{call_id}/recording/pause", post(floor::pause_recording))
        .route("/api/v1/calls/{call_id}/recording/resume", post(floor::resume_recording))
        .route("/api/v1/calls/{call_id}/supervisors/{user}", put(supervise::supervise).delete(supervise::leave))
        .route("/api/v1/calls/{call_id}/supervisors/{user}/take_over", post(supervise::take_over))
        .route("/api/v1/calls/{call_id}/join", post(supervise::join))
        .route("/api/v1/agents", get(floor::agents))
        .route("/api/v1/agents/{id}/state", put(floor::set_agent))
        .route("/api/v1/queues", get(floor::queues))
        .route("/api/v1/reasons", get(floor::reasons))
        .route("/api/v1/trunks", get(trunks::trunks))
        .route("/api/v1/reload", post(orders::reload))
        .route("/api/v1/hours", get(orders::hours))
        .route("/api/v1/hours/{name}/closure", put(orders::close).delete(orders::reopen))
        .route("/api/v1/flows/{name}/announcement", put(orders::announce).delete(orders::take_away))
        .route("/api/v1/callbacks", get(callbacks::callbacks).post(placing::follow_up))
        .route("/api/v1/callbacks/{call_id}", delete(callbacks::cancel))
        .route("/api/v1/bans", get(bans::bans))
        .route("/api/v1/bans/{address}", delete(bans::lift))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/records", get(records::list))
        .route("/api/v1/records/{call_id}", get(records::one))
        .route("/api/v1/records/{call_id}/recording", get(recording::wav))
        .route("/api/v1/records/{call_id}/recording/manifest", get(recording::manifest))
        .route_layer(from_fn_with_state(shared.clone(), access::require_token));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/openapi.json", get(page::openapi))
        .route("/", get(page::html))
        .route("/page.js", get(page::script))
        .route("/page.css", get(page::style))
        .route("/ws", get(websocket::upgrade))
        .merge(closed)
        .fallback(async || Problem::not_found("there is nothing here; /api/v1/openapi.json tells what there is"))
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not by this method"))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(map_response(make_problem))
        .with_state(shared)
}
