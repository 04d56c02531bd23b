//! Trunks as they stand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Shared;
use crate::records::Wall;
use crate::switch::{Flow, Health, Standing, TrunkStatus};

/// `GET /api/v1/trunks`
pub(super) async fn trunks(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let items: Vec<_> = (shared.trunks)().into_iter().map(view).collect();
    Json(json!({ "items": items, "next": null }))
}

fn view(trunk: TrunkStatus) -> Value {
    let targets = trunk.targets.iter().map(|target| {
        let since = (target.since_wall_ms > 0).then_some(Wall(target.since_wall_ms));
        let state = health(target.health);
        json!({ "uri": target.uri.to_string(), "state": state, "since": since, "round_trip_us": target.round_trip_us })
    });
    let targets: Vec<_> = targets.collect();
    json!({
        "trunk": trunk.id,
        "calls_in": trunk.inbound.0,
        "calls_out": trunk.outbound.0,
        "calls_in_total": trunk.inbound.1,
        "calls_out_total": trunk.outbound.1,
        "refused_full": trunk.refused.0,
        "refused_rate": trunk.refused.1,
        "max_calls": trunk.limits.calls,
        "max_calls_per_second": trunk.limits.calls_per_second,
        "targets": targets,
        "registration": trunk.registration.map(|(standing, flow)| registration(standing, flow)),
    })
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Up => "up",
        Health::Down => "down",
        Health::Unknown => "unknown",
    }
}

fn registration(standing: Standing, flow: Option<Flow>) -> Value {
    let registrar = flow.map(|flow| flow.remote.to_string());
    match standing {
        Standing::Trying => json!({ "state": "trying", "registrar": registrar }),
        Standing::Registered { since_wall_ms, expires_s } => json!({
            "state": "registered", "registrar": registrar, "since": Wall(since_wall_ms), "expires_s": expires_s,
        }),
        Standing::Failed { code } => json!({ "state": "failed", "registrar": registrar, "code": code }),
        Standing::Gone => json!({ "state": "gone", "registrar": registrar }),
    }
}
