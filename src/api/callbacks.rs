//! Customers who are to be called back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Shared;
use super::problem::Problem;
use crate::id::CallId;
use crate::switch::Command;

/// `GET /api/v1/callbacks`
pub(super) async fn callbacks(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let items = shared.live.ask(|live| live.callbacks()).await?;
    Ok(Json(json!({ "items": items, "next": null })))
}

/// `DELETE /api/v1/callbacks/{call_id}`
pub(super) async fn cancel(State(shared): State<Arc<Shared>>, Path(call): Path<String>) -> Result<StatusCode, Problem> {
    let parsed: Result<CallId, _> = call.parse();
    let call = parsed.map_err(|_| Problem::not_found(format!("\"{call}\" is no call")))?;
    shared.commands.send(Command::CancelCallback { call }).await?;
    Ok(StatusCode::NO_CONTENT)
}
