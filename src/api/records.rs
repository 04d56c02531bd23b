//! Call records.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use super::problem::Problem;
use super::{Shared, query};
use crate::id::CallId;
use crate::store::{DatabaseError, RecordQuery, Records};

/// Records read at once for a stream of lines.
const CHUNK: u32 = 500;

/// `GET /api/v1/records`
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(pairs) = pairs.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let query = query::records(&pairs)?;
    if query.lines {
        return lines(shared.records.clone(), query.records).await;
    }
    let page = shared.records.page(&query.records).await?;
    let next = json!(page.next.map(|cursor| cursor.to_string()));
    // The documents stand in the database as they are told.
    let body = format!("{{\"items\":[{}],\"next\":{next}}}", page.documents.join(","));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// One document a line, read while it is sent.
async fn lines(records: Records, mut query: RecordQuery) -> Result<Response, Problem> {
    query.limit = CHUNK;
    // The first page before the status leaves, so that a database that fails is told as such.
    let first = records.page(&query).await?;
    let chunks = stream::unfold(Some(Ok(first)), move |page: Option<Result<_, DatabaseError>>| {
        let (records, mut query) = (records.clone(), query.clone());
        async move {
            let page: crate::store::Page = match page? {
                Ok(page) => page,
                Err(error) => return Some((Err(std::io::Error::other(error)), None)),
            };
            let text: String = page.documents.iter().flat_map(|document| [document, "\n"]).collect();
            let next = match page.next {
                Some(cursor) => {
                    query.cursor = Some(cursor);
                    Some(records.page(&query).await)
                }
                None => None,
            };
            Some((Ok(text), next))
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(chunks)).into_response())
}

/// `GET /api/v1/records/{call_id}`
pub(super) async fn one(State(shared): State<Arc<Shared>>, Path(call): Path<String>) -> Result<Response, Problem> {
    let document = document(&shared, &call).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document).into_response())
}

/// The record of a call by its id in a path.
pub(super) async fn document(shared: &Shared, call: &str) -> Result<String, Problem> {
    let call: CallId = call.parse().map_err(|error: crate::id::BadCallId| Problem::not_found(error.to_string()))?;
    let missing = || Problem::not_found(format!("there is no record of call {call}; one appears when its call ends"));
    shared.records.one(call).await?.ok_or_else(missing)
}
