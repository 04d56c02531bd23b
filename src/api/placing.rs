//! Calls that the switch is to place: for one of our users, or to a customer once an agent is there.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::problem::{Problem, read};
use crate::id::{AgentId, CallId, QueueId, TrunkId};
use crate::switch::{Command, FollowUp};

/// The longest number that is dialled.
const LONGEST: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placing {
    user: String,
    to: String,
    queue: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Following {
    number: String,
    queue: String,
    trunk: String,
    shown: Option<String>,
    at: Option<String>,
    retry_s: Option<u64>,
    most: Option<u32>,
    priority: Option<i32>,
    #[serde(default)]
    record: bool,
}

/// `POST /api/v1/calls`
pub(super) async fn place(
    State(shared): State<Arc<Shared>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Placing { user, to, queue } = read(&body, "{\"user\": …, \"to\": …, \"queue\": …}")?;
    let dialled = |c: char| c.is_ascii_alphanumeric() || "*#+-_.".contains(c);
    if to.is_empty() || to.len() > LONGEST || !to.chars().all(dialled) {
        return Err(Problem::parameter("to", "a number, or the name of a user, of 64 characters at most"));
    }
    let call = drawn()?;
    let (user, queue) = (AgentId::from(user.as_str()), queue.as_deref().map(QueueId::from));
    shared.commands.send(Command::PlaceCall { call, user, to, queue }).await?;
    Ok((StatusCode::CREATED, Json(json!({ "call_id": call.to_string() }))))
}

/// `POST /api/v1/callbacks`
pub(super) async fn follow_up(
    State(shared): State<Arc<Shared>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let asked: Following = read(&body, "{\"number\": …, \"queue\": …, \"trunk\": …}")?;
    let (retry_s, most, priority) =
        (asked.retry_s.unwrap_or(300), asked.most.unwrap_or(3), asked.priority.unwrap_or(0));
    if !(1..=86_400).contains(&retry_s) {
        return Err(Problem::parameter("retry_s", "a number is called again after 1 to 86400 seconds"));
    }
    if !(1..=20).contains(&most) {
        return Err(Problem::parameter("most", "a number is called 1 to 20 times"));
    }
    if !(-1_000..=1_000).contains(&priority) {
        return Err(Problem::parameter("priority", "a priority lies between -1000 and 1000"));
    }
    let at = asked.at.map(|at| at.parse::<Timestamp>()).transpose();
    let at = at.map_err(|error| Problem::parameter("at", format!("no instant with its zone: {error}")))?;
    let call = drawn()?;
    let wish = FollowUp {
        number: asked.number,
        queue: QueueId::from(asked.queue.as_str()),
        trunk: TrunkId::from(asked.trunk.as_str()),
        shown: asked.shown,
        due_ms: at.map(Timestamp::as_millisecond),
        retry_ms: retry_s * 1_000,
        most,
        record: asked.record,
        priority,
    };
    shared.commands.send(Command::FollowUp { call, wish }).await?;
    Ok((StatusCode::CREATED, Json(json!({ "call_id": call.to_string() }))))
}

/// The name of a new call.
fn drawn() -> Result<CallId, Problem> {
    let mut bytes = [0; 16];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(16) => Ok(CallId::new(Timestamp::now().as_millisecond(), u128::from_ne_bytes(bytes))),
        _ => Err(Problem::busy("the system has no randomness; ask again")),
    }
}
