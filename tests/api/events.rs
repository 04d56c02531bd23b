//! The stream of events.

use serde_json::Value;
use trunkline::journal::Event;

use crate::floor::{Floor, TOKEN, call, offered, talking};
use crate::http::ask;

fn parsed(event: Option<crate::http::Event>) -> (u64, String, Value) {
    let (id, name, data) = event.expect("an event");
    (id.parse().unwrap_or(0), name, serde_json::from_str(&data).expect("JSON"))
}

#[test]
fn a_reader_goes_on_where_it_stopped_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::start(dir.path());
    let mut stream = floor.events(None);
    assert_eq!(parsed(stream.next()).1, "ready");
    let last = floor.tell_all(talking(call(1), "<b>\r\ndata: x"));
    let (id, name, data) = parsed(stream.next());
    assert_eq!((id, name.as_str(), &data["type"]), (1, "", &"call_offered".into()));
    assert_eq!(data["caller"], "<b>\r\ndata: x");
    let mut resumed = floor.events(Some("3"));
    for expected in 4..=last {
        assert_eq!(parsed(resumed.next()).0, expected);
    }
    let next = floor.tell(Event::HoldBegan { call: call(1) });
    assert_eq!(parsed(resumed.next()).0, next);
    floor.stop();
    assert_eq!(resumed.next(), None, "a stop ends the streams");
    let mut floor = Floor::start(dir.path());
    let mut resumed = floor.events(Some(&last.to_string()));
    assert_eq!(parsed(resumed.next()).2["type"], "hold_began");
    let now = floor.tell(Event::HoldEnded { call: call(1) });
    assert_eq!(parsed(resumed.next()).0, now);
    floor.stop();
}

#[test]
fn who_cannot_be_resumed_is_told_to_start_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::start(dir.path());
    floor.tell(offered(call(1), "555"));
    let mut future = floor.events(Some("99"));
    assert_eq!(parsed(future.next()).1, "restart");
    assert_eq!(future.next(), None);
    let wrong = ask(floor.address(), "GET", "/api/v1/events", &[TOKEN, ("Last-Event-ID", "x")], "");
    assert_eq!(wrong.problem(400)["parameter"], "Last-Event-ID");
    floor.stop();
}
