//! Alive, ready, figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::figures::{OPEN_METRICS, render};
use super::problem::Problem;
use super::{Figure, Kind, Shared};
use crate::records::live::AgentLine;

/// `GET /healthz`
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// `GET /readyz`. Alarms make it no less ready: calls go on.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let checks = [
        ("ports_bound", shared.readiness.ports_bound()),
        ("dialplan_loaded", shared.readiness.dialplan_loaded()),
        ("journal_writable", !shared.progress.failing() && !shared.progress.stalled()),
        ("database_writable", !shared.follow.failing()),
        ("not_draining", !shared.readiness.draining()),
    ];
    let ready = checks.iter().all(|(_, good)| *good);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks: serde_json::Map<_, _> = checks.into_iter().map(|(name, good)| (name.to_owned(), json!(good))).collect();
    // Always the list of checks, also when one fails: that is what the reader came for.
    let body = json!({ "type": "about:blank", "title": if ready { "Ready" } else { "Not ready" },
                       "status": status.as_u16(), "ready": ready, "checks": checks, "alarms": (shared.alarms)() });
    let kind = if ready { "application/json" } else { super::problem::PROBLEM };
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

/// `GET /metrics`
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let names = shared.named.get();
    let (now, day) = super::floor::today(&shared);
    let (calls, lines, agents) = shared
        .live
        .ask(move |live| {
            let lines: Vec<_> = live.queues(&names.queues, now, day);
            (live.calls_in_progress(), lines, states(&live.agents(&names.agents)))
        })
        .await?;
    let mut figures = (shared.figures)();
    let flag = |set: bool| if set { 1.0 } else { 0.0 };
    figures
        .gauge(
            "trunkline_calls_in_progress",
            "Calls in progress in the live view, which follows the journal",
            calls as f64,
        )
        .gauge("trunkline_journal_written_seq", "Last journal entry written", shared.progress.written() as f64)
        .gauge("trunkline_journal_synced_seq", "Last journal entry synced", shared.progress.synced() as f64)
        .gauge(
            "trunkline_journal_backlog_bytes",
            "Bytes that wait for the disk",
            shared.progress.backlog_bytes() as f64,
        )
        .gauge("trunkline_journal_stalled", "Whether a sync is overdue", flag(shared.progress.stalled()))
        .gauge("trunkline_database_seq", "Last journal entry folded into the database", shared.follow.seq() as f64)
        .gauge("trunkline_database_failing", "Whether the database fails", flag(shared.follow.failing()))
        .counter("trunkline_database_failures", "Failures of the database", shared.follow.failures())
        .counter("trunkline_database_records", "Revisions of records written", shared.follow.records());
    for line in lines {
        let mut gauge = |name, help, value: f64| {
            let labels = vec![("queue", line.queue.to_string())];
            figures.add(Figure { name, help, kind: Kind::Gauge, labels, value });
        };
        gauge("trunkline_queue_waiting", "Callers in the queue", line.waiting as f64);
        gauge("trunkline_queue_longest_wait_seconds", "Longest wait now", line.longest_wait_ms as f64 / 1_000.0);
        gauge("trunkline_queue_available", "Members who could take a call", line.available as f64);
        gauge("trunkline_queue_signed_in", "Members signed in", line.signed_in.len() as f64);
    }
    for ((state, reason), agents) in agents {
        let (name, help) = ("trunkline_agents", "Agents by state, and by reason where they are not ready");
        let labels = vec![("state", state.to_owned()), ("reason", reason)];
        figures.add(Figure { name, help, kind: Kind::Gauge, labels, value: f64::from(agents) });
    }
    let text = render(figures).map_err(|_| Problem::busy("the figures cannot be written"))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// How many agents are in each state, and why where they are not ready.
fn states(agents: &[AgentLine]) -> BTreeMap<(&'static str, String), u32> {
    let mut states = BTreeMap::new();
    for line in agents {
        *states.entry((line.shown.state, line.shown.reason.clone().unwrap_or_default())).or_default() += 1;
    }
    states
}
