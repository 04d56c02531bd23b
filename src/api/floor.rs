//! The live views, and the wishes of supervisors.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::{Problem, read};
use super::{Names, Shared};
use crate::id::{AgentId, CallId};
use crate::records::Wall;
use crate::records::live::{AgentLine, LiveFold};
use crate::switch::{AgentWish, Command, Forced, follows_phone};

/// How long an answer waits until the live view has folded what it caused.
const FOLDING: Duration = Duration::from_millis(500);
/// The longest reason code, bytes.
const LONGEST_REASON: usize = 64;
/// By how much after-call work is extended at once, at most (s).
const LONGEST_EXTENSION_S: u64 = 3_600;
/// The reason where none is given; it needs no place in the settings.
const SUPERVISOR: &str = "supervisor";

/// `GET /api/v1/calls`
pub(super) async fn calls(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let (now, _) = today(&shared);
    let items = shared.live.ask(move |live| live.calls(now)).await?;
    Ok(Json(json!({ "items": items, "next": null })))
}

/// `GET /api/v1/agents`
pub(super) async fn agents(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let names = shared.named.get();
    let lines = move |live: &LiveFold| -> Vec<_> {
        live.agents(&names.agents).into_iter().map(|line| with_pay(line, &names)).collect()
    };
    let items = shared.live.ask(lines).await?;
    Ok(Json(json!({ "items": items, "next": null })))
}

/// With what the settings say of the reason.
fn with_pay(mut line: AgentLine, names: &Names) -> AgentLine {
    for shown in std::iter::once(&mut line.shown).chain(&mut line.appearances) {
        shown.paid = shown.reason.as_ref().and_then(|reason| names.reasons.get(reason)).copied();
    }
    line
}

/// `GET /api/v1/reasons`
pub(super) async fn reasons(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let names = shared.named.get();
    let items: Vec<_> = names.reasons.iter().map(|(reason, paid)| json!({ "reason": reason, "paid": paid })).collect();
    Json(json!({ "items": items, "next": null }))
}

/// `GET /api/v1/queues`
pub(super) async fn queues(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let names = shared.named.get();
    let (now, day) = today(&shared);
    let lines = move |live: &LiveFold| -> Vec<_> { live.queues(&names.queues, now, day) };
    let items = shared.live.ask(lines).await?;
    Ok(Json(json!({ "items": items, "next": null })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    state: String,
    reason: Option<String>,
    extend_s: Option<u64>,
    /// At once: a call that the agent has ends.
    #[serde(default)]
    now: bool,
}

/// `PUT /api/v1/agents/{id}/state`
pub(super) async fn set_agent(
    State(shared): State<Arc<Shared>>,
    Path(agent): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let wish: Wish = read(&body, "{\"state\": …, \"reason\": …, \"extend_s\": …}")?;
    let names = shared.named.get();
    let reason = wish.reason.unwrap_or_else(|| SUPERVISOR.to_owned());
    if reason.is_empty() || reason.len() > LONGEST_REASON || reason.chars().any(char::is_control) {
        return Err(Problem::parameter("reason", "a reason is a code of 1 to 64 bytes without control characters"));
    }
    if follows_phone(&reason) {
        return Err(Problem::parameter(
            "reason",
            format!("\"{reason}\" is what the switch says of a phone: say another one"),
        ));
    }
    if !names.reasons.is_empty() && reason != SUPERVISOR && !names.reasons.contains_key(&reason) {
        let known: Vec<&str> = names.reasons.keys().map(String::as_str).chain([SUPERVISOR]).collect();
        let detail = format!("the settings have no reason \"{reason}\"; there are {}", known.join(", "));
        return Err(Problem::parameter("reason", detail));
    }
    let agent = AgentId::from(agent.as_str());
    let set = |wish| Command::SetAgent { agent: agent.clone(), wish };
    let free = |to| Command::Free { agent: agent.clone(), to };
    let command = match (wish.state.as_str(), wish.now) {
        ("available", false) => set(AgentWish::Available),
        ("not_ready", false) => set(AgentWish::NotReady { reason }),
        ("offline", false) => set(AgentWish::Offline),
        ("available", true) => free(Forced::Available),
        ("not_ready", true) => free(Forced::NotReady { reason }),
        ("offline", true) => free(Forced::Offline),
        ("acw", false) => match wish.extend_s {
            Some(seconds @ 1..=LONGEST_EXTENSION_S) => set(AgentWish::MoreAcw { by_ms: seconds * 1_000 }),
            _ => {
                let detail = format!("after-call work is extended by 1 to {LONGEST_EXTENSION_S} seconds at a time");
                return Err(Problem::parameter("extend_s", detail));
            }
        },
        ("acw", true) => {
            return Err(Problem::parameter("now", "after-call work is extended and not begun: leave \"now\" out"));
        }
        (other, _) => {
            let detail = format!("\"{other}\" cannot be asked for; choose available, not_ready, offline or acw");
            return Err(Problem::parameter("state", detail));
        }
    };
    let seq = shared.commands.send(command).await?;
    shared.live.wait_for(seq, FOLDING).await;
    let line = shared.live.ask(move |live| live.agent(&agent)).await?;
    Ok(Json(json!(with_pay(line, &names))))
}

/// `DELETE /api/v1/calls/{call_id}`
pub(super) async fn hang_up(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
) -> Result<StatusCode, Problem> {
    let call = known(&call)?;
    let seq = shared.commands.send(Command::HangUp { call }).await?;
    shared.live.wait_for(seq, FOLDING).await;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    at: Option<String>,
}

/// `POST /api/v1/calls/{call_id}/recording/pause`
///
/// It holds from the instant `at` of the body, or from when the request came in.
pub(super) async fn pause_recording(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let arrived = Timestamp::now();
    let call = known(&call)?;
    let since = if body.is_empty() { Ok(Since::default()) } else { serde_json::from_slice(&body) };
    let since = since.map_err(|error| {
        let detail = format!("the body is not {{\"at\": an RFC 3339 instant}} in JSON, nor empty: {error}");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    let at = match since.at.map(|at| at.parse::<Timestamp>()) {
        None => arrived,
        Some(Ok(at)) => at,
        Some(Err(error)) => return Err(Problem::parameter("at", format!("this is no RFC 3339 instant: {error}"))),
    };
    let from_ms = at.as_millisecond();
    change_recording(&shared, call, Command::PauseRecording { call, from_ms }).await
}

/// `POST /api/v1/calls/{call_id}/recording/resume`
pub(super) async fn resume_recording(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
) -> Result<Json<Value>, Problem> {
    let call = known(&call)?;
    change_recording(&shared, call, Command::ResumeRecording { call }).await
}

async fn change_recording(shared: &Shared, call: CallId, command: Command) -> Result<Json<Value>, Problem> {
    let seq = shared.commands.send(command).await?;
    shared.live.wait_for(seq, FOLDING).await;
    let (now, _) = today(shared);
    let line = shared.live.ask(move |live| live.call(call, now)).await?;
    line.map(|line| Json(json!(line))).ok_or_else(|| Problem::not_found(format!("call {call} has ended")))
}

/// A call's name in a path.
pub(super) fn known(call: &str) -> Result<CallId, Problem> {
    call.parse().map_err(|error: crate::id::BadCallId| Problem::not_found(error.to_string()))
}

/// Now, and when today began in the settings' zone.
pub(super) fn today(shared: &Shared) -> (Wall, Wall) {
    let now = Timestamp::now();
    let zone = &shared.settings.zone;
    let midnight = zone.to_datetime(now).date().to_datetime(jiff::civil::Time::midnight());
    let day = zone.to_timestamp(midnight).unwrap_or(now);
    (Wall(now.as_millisecond()), Wall(day.as_millisecond()))
}
