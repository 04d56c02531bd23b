//! Errors as RFC 9457 problem documents.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::store::DatabaseError;
use crate::switch::CommandError;

/// The media type of a problem document.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An error with its HTTP status: what was tried, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    parameter: Option<&'static str>,
    header: Option<(HeaderName, String)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), parameter: None, header: None }
    }

    /// 404.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 400 for a query parameter or a field of the body.
    pub(super) fn parameter(name: &'static str, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// 503, to be asked again in a second.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, "1".to_owned())
    }

    pub(super) fn with(mut self, name: HeaderName, value: String) -> Self {
        self.header = Some((name, value));
        self
    }
}

/// What a request's body says, where it has this shape.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], shape: &str) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body is not {shape} in JSON: {error}")))
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        if !matches!(error, DatabaseError::Missing { .. }) {
            tracing::error!(%error, "records cannot be read");
        }
        Self::busy("the records cannot be read at the moment; they are kept in the journal, ask again")
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::UnknownAgent(_)
            | CommandError::UnknownCall(_)
            | CommandError::UnknownCallback(_)
            | CommandError::UnknownBan(_)
            | CommandError::Unwritten { .. }
            | CommandError::NoWay(_)
            | CommandError::NotAnnounced(_)
            | CommandError::NotClosed(_)
            | CommandError::NotSupervised { .. } => Self::not_found(error.to_string()),
            CommandError::NoPhone(_)
            | CommandError::NoAcw(_)
            | CommandError::NotRecorded(_)
            | CommandError::Unspoken { .. }
            | CommandError::PausedForGood(_)
            | CommandError::NoConversation(_)
            | CommandError::OwnConversation(_)
            | CommandError::NotFreed { .. }
            | CommandError::TooManySupervisors(_)
            | CommandError::NotJoined { .. }
            | CommandError::NotReached { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
            CommandError::Barred { .. } => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            CommandError::Stalled => Self::busy(error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({ "type": "about:blank", "title": title, "status": self.status.as_u16() });
        if !self.detail.is_empty() {
            body["detail"] = json!(self.detail);
        }
        if let Some(parameter) = self.parameter {
            body["parameter"] = json!(parameter);
        }
        let mut response = (self.status, [(header::CONTENT_TYPE, PROBLEM)], body.to_string()).into_response();
        if let Some((name, value)) = self.header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Whatever error the framework itself answers becomes a problem document too.
pub(super) async fn make_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM) {
        return response;
    }
    let (parts, _) = response.into_parts();
    let mut problem = Problem::new(status, "").into_response();
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}
