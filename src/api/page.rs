//! The floor's page and the contract, embedded: no build step, nothing from elsewhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

use super::Shared;

const HTML: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");
const OPENAPI: &str = include_str!("openapi.json");

/// Only what this server serves runs, whatever a caller calls himself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub(super) async fn html(State(shared): State<Arc<Shared>>) -> Response {
    let demo = shared.settings.demo && shared.settings.token.as_deref() == Some("demo-admin");
    // The demo's token is public; any other one is for people to type.
    let token = if demo { "demo-admin" } else { "" };
    asset("text/html; charset=utf-8", HTML.replace("{{token}}", token))
}

/// `GET /page.js`
pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT.to_owned())
}

/// `GET /page.css`
pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE.to_owned())
}

/// `GET /api/v1/openapi.json`
pub(super) async fn openapi() -> Response {
    asset("application/json", OPENAPI.to_owned())
}

fn asset(kind: &'static str, text: String) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
