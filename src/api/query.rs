//! Query parameters, each with its own error.

use super::problem::Problem;
use crate::records::Wall;
use crate::store::{Order, RecordQuery};

/// Records of a page where nothing else is said, and the most that one page holds.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 1_000;

/// What a list of records is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) records: RecordQuery,
    /// JSON lines without end of page, instead of a page.
    pub(super) lines: bool,
}

/// Reads the parameters of `GET /api/v1/records`.
pub(super) fn records(pairs: &[(String, String)]) -> Result<ListQuery, Problem> {
    let mut query = ListQuery::default();
    let mut order = None;
    query.records.limit = PAGE;
    for (name, value) in pairs {
        let records = &mut query.records;
        match name.as_str() {
            "since" => records.since = Some(instant("since", value)?),
            "until" => records.until = Some(instant("until", value)?),
            "queue" => records.queue = Some(value.clone()),
            "agent" => records.agent = Some(value.clone()),
            // An unescaped + of a number arrives as a space.
            "caller" => records.caller = Some(value.replace(' ', "+")),
            "cursor" => {
                let bad = |()| Problem::parameter("cursor", "this is not a cursor: take \"next\" of the page before");
                records.cursor = Some(value.parse().map_err(bad)?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit));
                records.limit = limit.ok_or_else(|| {
                    Problem::parameter("limit", format!("limit is a number from 1 to {LARGEST_PAGE}"))
                })?;
            }
            "order" => {
                order = Some(match value.as_str() {
                    "desc" => Order::NewestFirst,
                    "asc" => Order::OldestFirst,
                    _ => return Err(Problem::parameter("order", "order is asc or desc (by start)")),
                });
            }
            "format" => {
                query.lines = match value.as_str() {
                    "json" => false,
                    "jsonl" => true,
                    _ => return Err(Problem::parameter("format", "format is json or jsonl")),
                };
            }
            other => {
                let known = "since, until, queue, agent, caller, cursor, limit, order, format";
                let detail = format!("there is no query parameter \"{other}\"; there are {known}");
                return Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, detail));
            }
        }
    }
    let usual = if query.lines { Order::OldestFirst } else { Order::NewestFirst };
    query.records.order = order.unwrap_or(usual);
    Ok(query)
}

fn instant(name: &'static str, value: &str) -> Result<i64, Problem> {
    // An unescaped + of an offset arrives as a space.
    let parsed: Result<Wall, _> = value.replace(' ', "+").parse();
    parsed.map(|wall| wall.0).map_err(|_| {
        Problem::parameter(
            name,
            format!("{name} is an instant as 2026-11-16T08:00:00+08:00 (RFC 3339), not \"{value}\""),
        )
    })
}
