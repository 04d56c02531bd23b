//! Sources that are ignored because they guess or scan.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Shared;
use super::problem::Problem;
use crate::records::Wall;
use crate::switch::Command;

/// `GET /api/v1/bans`
pub(super) async fn bans(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let line = |ban: crate::switch::Ban| json!({ "address": ban.address, "until": Wall(ban.until_ms) });
    let items: Vec<_> = (shared.bans)().into_iter().map(line).collect();
    Json(json!({ "items": items, "next": null }))
}

/// `DELETE /api/v1/bans/{address}`
pub(super) async fn lift(
    State(shared): State<Arc<Shared>>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let parsed: Result<IpAddr, _> = address.parse();
    let address = parsed.map_err(|_| Problem::not_found(format!("\"{address}\" is no IP address")))?;
    shared.commands.send(Command::LiftBan { address }).await?;
    Ok(StatusCode::NO_CONTENT)
}
