//! Who is let in, what is answered to wrong requests, and what supervisors may do.

use std::fs;

use serde_json::json;
use trunkline::id::AgentId;
use trunkline::journal::{AgentState, Event};
use trunkline::switch::{AgentWish, Command, CommandError, Forced, Supervision};

use crate::floor::{Floor, TOKEN, call, talking};
use crate::http::ask;

#[test]
fn errors_are_problem_documents() {
    let dir = tempfile::tempdir().expect("a folder");
    let floor = Floor::start(dir.path());
    let address = floor.address();
    for wrong in [&[][..], &[("Authorization", "Bearer demo-admi")], &[("Authorization", "Basic demo-admin")]] {
        let refused = ask(address, "GET", "/api/v1/calls", wrong, "");
        refused.problem(401);
        assert!(refused.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    }
    floor.get("/api/v2").problem(404);
    floor.get("/api/v1/records/nonsense").problem(404);
    floor.get(&format!("/api/v1/records/{}", call(1))).problem(404);
    floor.get("/api/v1/records/%ff/recording").problem(400);
    let refused = ask(address, "POST", "/api/v1/queues", &[TOKEN], "");
    refused.problem(405);
    assert!(refused.header("allow").is_some_and(|allow| allow.contains("GET")));
    for (query, parameter) in [
        ("since=yesterday", "since"),
        ("until=5", "until"),
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("cursor=..", "cursor"),
        ("order=up", "order"),
        ("format=xml", "format"),
    ] {
        let problem = floor.get(&format!("/api/v1/records?{query}")).problem(400);
        assert_eq!(problem["parameter"], parameter);
    }
    let problem = floor.get("/api/v1/records?cller=1").problem(400);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("\"cller\"")));
    let large = "x".repeat(20_000);
    ask(address, "PUT", "/api/v1/agents/1001/state", &[TOKEN], &large).problem(413);
    floor.stop();
}

#[test]
fn the_contract_names_every_path_and_the_page_runs_nothing_foreign() {
    let dir = tempfile::tempdir().expect("a folder");
    let floor = Floor::start(dir.path());
    let contract = ask(floor.address(), "GET", "/api/v1/openapi.json", &[], "").json();
    let paths = contract["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), 29);
    for path in paths.keys().filter(|path| !path.contains('{') && !path.ends_with("events")) {
        assert_ne!(floor.get(path).status, 404, "{path}");
    }
    let page = ask(floor.address(), "GET", "/", &[], "");
    assert!(page.text().contains("value=\"demo-admin\""));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"));
    let script = ask(floor.address(), "GET", "/page.js", &[], "").text();
    assert!(
        !script.contains("innerHTML") && !script.contains("insertAdjacentHTML"),
        "callers' names are text, never markup"
    );
    floor.stop();
}

#[test]
fn ready_says_which_check_fails() {
    let dir = tempfile::tempdir().expect("a folder");
    // A folder stands where the database should be.
    let database = dir.path().join("trunkline.db");
    fs::create_dir(&database).expect("a folder");
    let mut floor = Floor::start(dir.path());
    assert_eq!(ask(floor.address(), "GET", "/healthz", &[], "").status, 200);
    floor.readiness.set_ports_bound(true);
    floor.readiness.set_dialplan_loaded(true);
    let checks = |answer: &crate::http::Answer| answer.json()["checks"].clone();
    let failing = floor.until("/readyz", |answer| checks(answer)["database_writable"] == json!(false));
    failing.problem(503);
    floor.get("/api/v1/records").problem(503);
    // Calls go on meanwhile, and are there once the database can be written.
    floor.tell_all(crate::floor::answered(call(1), "555"));
    fs::remove_dir(&database).expect("removed");
    floor.until("/readyz", |answer| answer.status == 200);
    let records = floor.until("/api/v1/records", |answer| answer.status == 200 && answer.json()["items"] != json!([]));
    assert_eq!(records.json()["items"][0]["caller"], "555");
    let metrics = ask(floor.address(), "GET", "/metrics", &[], "").text();
    assert!(metrics.contains("trunkline_invites_total 7"), "{metrics}");
    assert!(metrics.contains("trunkline_queue_waiting{queue=\"support\"} 0"), "{metrics}");
    assert!(metrics.contains("trunkline_database_failing 0"), "{metrics}");
    floor.readiness.set_draining(true);
    let draining = ask(floor.address(), "GET", "/readyz", &[], "");
    assert_eq!((draining.status, &checks(&draining)["not_draining"]), (503, &json!(false)));
    floor.stop();
}

#[test]
fn the_floor_is_shown_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::start(dir.path());
    let hostile = "<script>alert('x')</script>\"\u{0}";
    let state = AgentState::Talking { call: call(1) };
    let agent = || AgentId::from("1001");
    floor.tell_all(talking(call(1), hostile));
    floor.tell(Event::AgentChanged { agent: agent(), appearance: 0, state });
    let calls = floor.until("/api/v1/calls", |answer| answer.json()["items"][0]["state"] == json!("talking")).json();
    let line = &calls["items"][0];
    assert_eq!((&line["caller"], &line["queue"], &line["agent"]), (&json!(hostile), &json!("support"), &json!("1001")));
    let agents = floor.until("/api/v1/agents", |answer| answer.json()["items"][0]["state"] == json!("talking")).json();
    assert_eq!((&agents["items"][0]["call"], &agents["items"][1]["state"]), (&json!(call(1)), &json!("offline")));
    let queues = floor.get("/api/v1/queues").json();
    let queue = &queues["items"][0];
    assert_eq!(
        (&queue["waiting"], &queue["served_today"], &queue["signed_in"]),
        (&json!(0), &json!(1), &json!(["1001"]))
    );
    floor.stop();
}

#[test]
fn wishes_reach_the_switch_and_its_answers_come_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut floor = Floor::start(dir.path());
    let address = floor.address();
    let put = |agent: &str, body: &str| {
        let path = format!("/api/v1/agents/{agent}/state");
        ask(address, "PUT", &path, &[TOKEN], body)
    };
    assert_eq!(put("1001", "{\"state\":\"asleep\"}").problem(400)["parameter"], "state");
    assert_eq!(put("1001", "{\"state\":\"not_ready\",\"reason\":\"\"}").problem(400)["parameter"], "reason");
    put("1001", "state").problem(400);
    assert_eq!(put("1001", "{\"state\":\"acw\"}").problem(400)["parameter"], "extend_s");
    assert_eq!(put("1001", "{\"state\":\"acw\",\"extend_s\":3601}").problem(400)["parameter"], "extend_s");
    let unknown = put("1001", "{\"state\":\"not_ready\",\"reason\":\"luhnch\"}").problem(400);
    assert_eq!(unknown["detail"], "the settings have no reason \"luhnch\"; there are lunch, supervisor");
    // The answer names an entry that the live view has still to fold.
    let seq = floor.journal.next_seq();
    let wish = std::thread::spawn(move || {
        ask(address, "PUT", "/api/v1/agents/1001/state", &[TOKEN], "{\"state\":\"not_ready\",\"reason\":\"lunch\"}")
    });
    let (id, command) = floor.commands.recv().expect("a command");
    let reason = "lunch".to_owned();
    assert_eq!(
        command,
        Command::SetAgent { agent: "1001".into(), wish: AgentWish::NotReady { reason: reason.clone() } }
    );
    floor.replies.reply(id, Ok(seq));
    let state = AgentState::NotReady { reason, until_ms: None };
    floor.tell(Event::AgentChanged { agent: "1001".into(), appearance: 0, state });
    let line = wish.join().expect("answered").json();
    assert_eq!((&line["state"], &line["reason"]), (&json!("not_ready"), &json!("lunch")));
    assert_eq!(line["paid"], json!(false));
    let reasons = ask(address, "GET", "/api/v1/reasons", &[TOKEN], "").json();
    assert_eq!(reasons["items"], json!([{ "reason": "lunch", "paid": false }]));
    assert_eq!(ask(address, "GET", "/api/v1/agents", &[TOKEN], "").json()["items"][0]["paid"], json!(false));
    let asked = floor.answer(|command| match command {
        Command::SetAgent { agent, .. } if agent.as_str() == "1002" => Err(CommandError::Stalled),
        Command::SetAgent { agent, .. } => Err(CommandError::UnknownAgent(agent.clone())),
        Command::HangUp { call } if *call == crate::floor::call(1) => Ok(1),
        Command::HangUp { call } => Err(CommandError::UnknownCall(*call)),
        Command::CancelCallback { call } if *call == crate::floor::call(1) => Ok(1),
        Command::CancelCallback { call } => Err(CommandError::UnknownCallback(*call)),
        Command::LiftBan { address } if address.to_string() == "192.0.2.7" => Ok(1),
        Command::LiftBan { address } => Err(CommandError::UnknownBan(*address)),
        Command::PauseRecording { call, .. } | Command::ResumeRecording { call } => {
            Err(CommandError::NotRecorded(*call))
        }
        Command::Supervise { mode: Supervision::Whisper, .. } => Ok(1),
        Command::Supervise { call, .. } => Err(CommandError::NoConversation(*call)),
        Command::EndSupervision { .. } => Ok(1),
        Command::CloseHours { hours, .. } if hours == "office" => Ok(1),
        Command::CloseHours { hours, .. } | Command::ReopenHours { hours } => {
            Err(CommandError::NotClosed(hours.clone()))
        }
        Command::Announce { flow, .. } | Command::EndAnnouncement { flow } => {
            Err(CommandError::NotAnnounced(flow.clone()))
        }
        Command::PlaceCall { user, .. } if user.as_str() == "1001" => Ok(1),
        Command::PlaceCall { user, to, .. } => {
            Err(CommandError::Barred { user: user.clone(), number: to.clone(), class: "mobile".into() })
        }
        Command::FollowUp { wish, .. } if wish.most == 3 && wish.retry_ms == 300_000 => Ok(1),
        Command::FollowUp { wish, .. } => Err(CommandError::NoWay(wish.number.clone())),
        Command::TakeOver { call, by } => Err(CommandError::NotSupervised { call: *call, user: by.clone() }),
        Command::Free { agent, to } if *to == Forced::Available => Err(CommandError::NoPhone(agent.clone())),
        Command::Free { .. } => Ok(1),
        Command::Join { call, .. } if *call == crate::floor::call(1) => Ok(1),
        Command::Join { call, other } => {
            Err(CommandError::NotJoined { call: *call, other: *other, why: "so".to_owned() })
        }
    });
    assert_eq!(put("1002", "{\"state\":\"offline\"}").problem(503)["title"], "Service Unavailable");
    put("7", "{\"state\":\"available\"}").problem(404);
    let end = |number| ask(address, "DELETE", &format!("/api/v1/calls/{}", call(number)), &[TOKEN], "");
    assert_eq!(end(1).status, 204);
    end(2).problem(404);
    for act in ["pause", "resume"] {
        let path = format!("/api/v1/calls/{}/recording/{act}", call(1));
        ask(address, "POST", &path, &[TOKEN], "").problem(409);
    }
    let supervisor = format!("/api/v1/calls/{}/supervisors/1900", call(1));
    let supervise = |mode: &str| ask(address, "PUT", &supervisor, &[TOKEN], &format!("{{\"mode\":\"{mode}\"}}"));
    assert_eq!(supervise("whisper").json()["mode"], "whisper");
    supervise("barge").problem(409);
    supervise("shout").problem(400);
    assert_eq!(ask(address, "DELETE", &supervisor, &[TOKEN], "").status, 204);
    ask(address, "POST", &format!("{supervisor}/take_over"), &[TOKEN], "").problem(404);
    let post = |path: &str, body: &str| ask(address, "POST", path, &[TOKEN], body);
    let join = |number, body: &str| post(&format!("/api/v1/calls/{}/join", call(number)), body);
    let other = format!("{{\"other\":\"{}\"}}", call(3));
    assert_eq!(join(1, &other).status, 204);
    join(2, &other).problem(409);
    join(1, "{\"other\":\"1001\"}").problem(404);
    join(1, "{}").problem(400);
    assert_eq!(put("1001", "{\"state\":\"offline\",\"now\":true}").status, 200);
    put("1001", "{\"state\":\"available\",\"now\":true}").problem(409);
    put("1001", "{\"state\":\"talking\",\"now\":true}").problem(400);
    let placed = post("/api/v1/calls", "{\"user\":\"1001\",\"to\":\"13800138000\"}");
    assert!(placed.status == 201 && placed.json()["call_id"].as_str().is_some_and(|call| call.len() == 26));
    post("/api/v1/calls", "{\"user\":\"1002\",\"to\":\"13800138000\"}").problem(403);
    post("/api/v1/calls", "{\"user\":\"1001\",\"to\":\"a b\"}").problem(400);
    post("/api/v1/calls", "{\"user\":\"1001\"}").problem(400);
    let follow =
        |more: &str| post("/api/v1/callbacks", &format!("{{\"number\":\"1\",\"queue\":\"q\",\"trunk\":\"t\"{more}}}"));
    assert_eq!(follow(",\"at\":\"2099-01-01T00:00:00Z\"").status, 201);
    follow(",\"most\":4").problem(404);
    for wrong in [",\"most\":21", ",\"retry_s\":0", ",\"at\":\"soon\"", ",\"priority\":1001", ",\"who\":1"] {
        follow(wrong).problem(400);
    }
    let bans = ask(address, "GET", "/api/v1/bans", &[TOKEN], "").json();
    assert_eq!(bans["items"][0]["address"], "192.0.2.7");
    let none = ask(address, "GET", "/api/v1/callbacks", &[TOKEN], "").json();
    assert_eq!(none["items"], json!([]));
    let cancel = |number: &str| ask(address, "DELETE", &format!("/api/v1/callbacks/{number}"), &[TOKEN], "");
    assert_eq!(cancel(&call(1).to_string()).status, 204);
    cancel(&call(2).to_string()).problem(404);
    cancel("nobody").problem(404);
    let lift = |address_text: &str| ask(address, "DELETE", &format!("/api/v1/bans/{address_text}"), &[TOKEN], "");
    assert_eq!(lift("192.0.2.7").status, 204);
    lift("192.0.2.8").problem(404);
    lift("nobody").problem(404);
    let close = |hours: &str, until: &str| {
        let path = format!("/api/v1/hours/{hours}/closure");
        ask(address, "PUT", &path, &[TOKEN], &format!("{{\"until\":\"{until}\"}}"))
    };
    assert_eq!(close("office", "2099-01-01T00:00:00Z").json()["hours"], "office");
    close("night", "2099-01-01T00:00:00Z").problem(404);
    close("office", "2001-01-01T00:00:00Z").problem(400);
    close("office", "soon").problem(400);
    ask(address, "DELETE", "/api/v1/hours/office/closure", &[TOKEN], "").problem(404);
    ask(address, "DELETE", "/api/v1/flows/hotline/announcement", &[TOKEN], "").problem(404);
    assert_eq!(ask(address, "POST", "/api/v1/reload", &[TOKEN], "").json()["changes"], json!([]));
    ask(address, "POST", "/api/v1/reload?dry=1", &[TOKEN], "").problem(400);
    assert_eq!(asked.try_iter().count(), 26);
    floor.stop();
}
