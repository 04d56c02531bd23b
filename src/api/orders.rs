//! Opening hours and what ops order about them, announcements, and the reload of all files.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::problem::{PROBLEM, Problem};
use crate::records::Wall;
use crate::switch::Command;

/// What came of a reload, or would come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// In force now, a line each.
    pub changes: Vec<String>,
    /// Settings that have changed and wait for the next start.
    pub waiting: Vec<String>,
    /// What is allowed and seldom meant, as JSON objects with file, line and column.
    pub warnings: Value,
}

/// Why nothing was reloaded.
#[derive(Clone, Debug, PartialEq)]
pub enum ReloadRefusal {
    /// The files are wrong: their problems as JSON objects with file, line and column.
    Wrong(Value),
    /// Something else is in the way.
    Impossible(String),
}

/// Reads the files again; the flag says that nothing is to be changed. Called on a thread that may block.
pub type Reload = dyn Fn(bool) -> Result<ReloadReport, ReloadRefusal> + Send + Sync;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadWish {
    #[serde(default)]
    dry_run: bool,
}

/// `POST /api/v1/reload`
pub(super) async fn reload(State(shared): State<Arc<Shared>>, wish: Query<ReloadWish>) -> Result<Response, Problem> {
    let reload = Arc::clone(&shared.reload);
    let done = tokio::task::spawn_blocking(move || reload(wish.dry_run)).await;
    let done = done.map_err(|_| Problem::busy("the reload came to grief; its last words are in the log"))?;
    match done {
        Ok(ReloadReport { changes, waiting, warnings }) => {
            Ok(Json(json!({ "changes": changes, "waiting": waiting, "warnings": warnings })).into_response())
        }
        Err(ReloadRefusal::Wrong(problems)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let count = problems.as_array().map_or(0, Vec::len);
            let detail = format!("the files have {count} problems; nothing has changed");
            let body = json!({ "type": "about:blank", "title": "Unprocessable Content", "status": status.as_u16(),
                               "detail": detail, "problems": problems });
            Ok((status, [(header::CONTENT_TYPE, PROBLEM)], body.to_string()).into_response())
        }
        Err(ReloadRefusal::Impossible(why)) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}

/// `GET /api/v1/hours`
pub(super) async fn hours(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (hours, announcements) = (shared.orders)();
    let items: Vec<Value> = hours
        .into_iter()
        .map(|hours| {
            json!({ "name": hours.name, "open": hours.open, "because": hours.because,
                    "closed_until": hours.closed_until_ms.map(Wall) })
        })
        .collect();
    let announcements: Vec<Value> = announcements
        .into_iter()
        .map(|one| json!({ "flow": one.flow, "prompt": one.prompt, "until": Wall(one.until_ms) }))
        .collect();
    Json(json!({ "items": items, "next": null, "announcements": announcements }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Until {
    until: String,
}

/// `PUT /api/v1/hours/{name}/closure`
pub(super) async fn close(
    State(shared): State<Arc<Shared>>,
    Path(hours): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let Until { until } = parse(&body, "{\"until\": \"2026-11-27T18:00:00+08:00\"}")?;
    let until_ms = future(&until)?;
    let seq = shared.commands.send(Command::CloseHours { hours: hours.clone(), until_ms }).await?;
    Ok(Json(json!({ "hours": hours, "closed_until": Wall(until_ms), "seq": seq })))
}

/// `DELETE /api/v1/hours/{name}/closure`
pub(super) async fn reopen(
    State(shared): State<Arc<Shared>>,
    Path(hours): Path<String>,
) -> Result<StatusCode, Problem> {
    shared.commands.send(Command::ReopenHours { hours }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    prompt: String,
    until: String,
}

/// `PUT /api/v1/flows/{name}/announcement`
pub(super) async fn announce(
    State(shared): State<Arc<Shared>>,
    Path(flow): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let Announcement { prompt, until } = parse(&body, "{\"prompt\": …, \"until\": \"2026-11-27T18:00:00+08:00\"}")?;
    let until_ms = future(&until)?;
    let command = Command::Announce { flow: flow.clone(), prompt: prompt.clone(), until_ms };
    let seq = shared.commands.send(command).await?;
    Ok(Json(json!({ "flow": flow, "prompt": prompt, "until": Wall(until_ms), "seq": seq })))
}

/// `DELETE /api/v1/flows/{name}/announcement`
pub(super) async fn take_away(
    State(shared): State<Arc<Shared>>,
    Path(flow): Path<String>,
) -> Result<StatusCode, Problem> {
    shared.commands.send(Command::EndAnnouncement { flow }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], shape: &str) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body is not {shape} in JSON: {error}")))
}

fn future(until: &str) -> Result<i64, Problem> {
    let ahead = until.parse().ok().filter(|until: &Timestamp| *until > Timestamp::now());
    let ahead = ahead.ok_or_else(|| Problem::parameter("until", "an instant that lies ahead, RFC 3339"))?;
    Ok(ahead.as_millisecond())
}
