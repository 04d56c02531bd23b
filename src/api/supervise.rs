//! Supervisors and third parties in a conversation.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::floor::known;
use super::problem::{Problem, read};
use crate::id::AgentId;
use crate::switch::{Command, Supervision};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    mode: String,
}

/// `PUT /api/v1/calls/{call_id}/supervisors/{user}`
pub(super) async fn supervise(
    State(shared): State<Arc<Shared>>,
    Path((call, user)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let call = known(&call)?;
    let wish: Wish = read(&body, "{\"mode\": \"monitor\", \"whisper\" or \"barge\"}")?;
    let mode: Supervision = wish
        .mode
        .parse()
        .map_err(|()| Problem::parameter("mode", format!("\"{}\" is none of monitor, whisper and barge", wish.mode)))?;
    let by = AgentId::from(user.as_str());
    shared.commands.send(Command::Supervise { call, by, mode }).await?;
    Ok(Json(json!({ "call_id": call.to_string(), "user": user, "mode": mode.name() })))
}

/// `DELETE /api/v1/calls/{call_id}/supervisors/{user}`
pub(super) async fn leave(
    State(shared): State<Arc<Shared>>,
    Path((call, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (call, by) = (known(&call)?, AgentId::from(user.as_str()));
    shared.commands.send(Command::EndSupervision { call, by }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/calls/{call_id}/supervisors/{user}/take_over`
pub(super) async fn take_over(
    State(shared): State<Arc<Shared>>,
    Path((call, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (call, by) = (known(&call)?, AgentId::from(user.as_str()));
    shared.commands.send(Command::TakeOver { call, by }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joining {
    other: String,
}

/// `POST /api/v1/calls/{call_id}/join`
pub(super) async fn join(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let call = known(&call)?;
    let wish: Joining = read(&body, "{\"other\": the call to join with this one}")?;
    let other = known(&wish.other)?;
    shared.commands.send(Command::Join { call, other }).await?;
    Ok(StatusCode::NO_CONTENT)
}
