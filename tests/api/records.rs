//! Records: whole whatever happens to feed, process and database.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use trunkline::journal::Event;

use crate::floor::{Floor, answered, call, offered, talking};

/// Every record's call and revision, page by page.
fn all(floor: &Floor, query: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = floor.get(&format!("/api/v1/records?limit=7{query}{cursor}")).json();
        for record in page["items"].as_array().expect("items") {
            let revision = record["revision"].as_u64().expect("a revision");
            found.push((record["call_id"].as_str().expect("an id").to_owned(), revision));
        }
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

fn numbers(range: std::ops::RangeInclusive<u64>) -> Vec<(String, u64)> {
    range.map(|number| (call(number).to_string(), 2)).collect()
}

#[test]
fn pages_filters_and_lines() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::start(dir.path());
    let hostile = "+86\" OR 1=1 --";
    for number in 1..=20 {
        floor.tell_all(answered(call(number), if number == 3 { hostile } else { "555" }));
    }
    floor.settle();
    let mut expected = numbers(1..=20);
    assert_eq!(all(&floor, "&order=asc"), expected);
    expected.reverse();
    assert_eq!(all(&floor, ""), expected);
    let found = floor.get("/api/v1/records?caller=%2B86%22+OR+1%3D1+--").json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(0), "a + in a query is a space and stands for a + here");
    let found = floor.get("/api/v1/records?caller=555&limit=1").json();
    assert_eq!(found["items"][0]["caller"], "555");
    for (query, count) in [("agent=1001", 20), ("agent=1002", 0), ("queue=support", 20), ("queue=x", 0)] {
        assert_eq!(all(&floor, &format!("&{query}")).len(), count, "{query}");
    }
    let record = floor.get(&format!("/api/v1/records/{}", call(3))).json();
    assert_eq!((&record["caller"], &record["final"]), (&json!(hostile), &json!(true)));
    let started = record["started"].as_str().expect("an instant");
    // An offset's + is often sent as it is.
    assert_eq!(all(&floor, &format!("&since={started}")).len(), 18);
    assert_eq!(all(&floor, &format!("&until={}", started.replace('+', "%2B"))).len(), 2);
    let lines = floor.get("/api/v1/records?format=jsonl");
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[0]["call_id"]), (20, &json!(call(1))));
    floor.stop();
}

#[test]
fn a_feed_that_overflows_loses_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::with_backlog(dir.path(), 1);
    for number in 1..=300 {
        floor.tell_all(answered(call(number), "555"));
    }
    floor.tell(offered(call(301), "555"));
    floor.settle();
    assert!(floor.feed.dropped() > 0);
    assert_eq!(all(&floor, "&order=asc"), numbers(1..=300));
    floor.until("/api/v1/calls", |answer| answer.json()["items"][0]["call_id"] == json!(call(301)));
    floor.stop();
}

#[test]
fn a_restart_closes_what_was_cut_and_keeps_the_rest() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::start(dir.path());
    floor.tell(Event::Started { node: "n".into(), boot: 1, version: "0".into() });
    floor.tell_all(answered(call(1), "555"));
    floor.tell_all(talking(call(2), "556"));
    floor.settle();
    floor.stop();
    assert!(dir.path().join("folds.snap").exists());
    let mut floor = Floor::start(dir.path());
    assert_eq!(floor.boot, 2);
    floor.until("/api/v1/calls", |answer| answer.json()["items"][0]["call_id"] == json!(call(2)));
    let closing = std::mem::take(&mut floor.closing);
    assert!(matches!(closing.last(), Some(Event::RecordingClosed { .. })), "{closing:?}");
    floor.tell(Event::Started { node: "n".into(), boot: 2, version: "0".into() });
    floor.tell_all(closing);
    floor.settle();
    let cut = floor.get(&format!("/api/v1/records/{}", call(2))).json();
    assert_eq!((&cut["cause"]["text"], &cut["final"]), (&json!("switch_restart"), &json!(true)));
    assert_eq!(cut["recording"]["state"], "failed");
    floor.until("/api/v1/calls", |answer| answer.json()["items"] == json!([]));
    assert_eq!(all(&floor, "").len(), 2);
    floor.stop();
}

#[test]
fn a_database_that_is_gone_damaged_or_ahead_is_made_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = dir.path().join("trunkline.db");
    let mut floor = Floor::start(dir.path());
    floor.tell_all(answered(call(1), "555"));
    floor.settle();
    // Deleted under the running daemon: noticed with the next record.
    fs::remove_file(&database).expect("removed");
    floor.tell_all(answered(call(2), "555"));
    floor.until("/api/v1/records", |answer| {
        answer.status == 200 && answer.json()["items"].as_array().is_some_and(|i| i.len() == 2)
    });
    floor.stop();
    // Deleted while it was down, with a snapshot that goes further than the new database.
    fs::remove_file(&database).expect("removed");
    let floor = Floor::start(dir.path());
    floor.settle();
    assert_eq!(all(&floor, "&order=asc"), numbers(1..=2));
    floor.stop();
    fs::write(&database, "no database at all, but long enough to be taken for one".repeat(100)).expect("damaged");
    let floor = Floor::start(dir.path());
    floor.settle();
    assert_eq!(all(&floor, "&order=asc"), numbers(1..=2));
    floor.stop();
    // A power cut took the journal's tail, and other calls came since.
    fs::remove_dir_all(dir.path().join("journal")).expect("removed");
    let mut floor = Floor::start(dir.path());
    floor.tell_all(answered(call(9), "555"));
    floor.settle();
    assert_eq!(all(&floor, ""), numbers(9..=9));
    floor.stop();
}

#[test]
fn readers_never_see_half_of_what_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::start(dir.path());
    floor.tell_all(answered(call(1), "555"));
    floor.settle();
    let address = floor.address();
    let writer = std::thread::spawn(move || {
        for number in 2..=400 {
            floor.tell_all(answered(call(number), "555"));
        }
        floor.settle();
        floor
    });
    let mut seen = 1;
    while !writer.is_finished() {
        let answer = crate::http::ask(address, "GET", "/api/v1/records?limit=1000", &[crate::floor::TOKEN], "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let ids: BTreeSet<_> =
            answer.json()["items"].as_array().expect("items").iter().map(|r| r["call_id"].to_string()).collect();
        assert!(ids.len() >= seen, "records went away: {} after {seen}", ids.len());
        seen = ids.len();
    }
    let floor = writer.join().expect("written");
    assert_eq!(all(&floor, "&order=asc"), numbers(1..=400));
    floor.stop();
}
