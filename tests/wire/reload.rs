//! New files while calls go on: by HTTP, by command, by SIGHUP.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use trunkline::journal::Event;
use trunkline::store::Journal;

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::queue::{agent, caller};
use super::tone;

/// Changes the daemon's plan on the disk.
fn rewrite(daemon: &Daemon, change: impl FnOnce(String) -> String) {
    let plan = std::fs::read_to_string(daemon.plan()).expect("the plan");
    std::fs::write(daemon.plan(), change(plan)).expect("written");
}

fn reload(daemon: &Daemon) -> (u16, serde_json::Value) {
    let (status, _, body) = daemon.http("POST /api/v1/reload", "", "");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

#[test]
fn a_call_ends_on_the_plan_that_it_began_with_and_the_next_one_takes_the_new_one() {
    let mut daemon = Daemon::start();
    let mut agent = agent(&daemon, "1001");
    let mut first = caller(&daemon);
    first.call("4001");
    let invite = agent.expect_invite();
    rewrite(&daemon, |plan| {
        let plan = plan
            .replace("flow = \"short_prompt\"", "flow = \"other\"")
            .replace("flow = \"echo\"", "flow = \"short_prompt\"");
        let plan = plan.replace("flow = \"other\"", "flow = \"echo\"");
        format!("{plan}\n[number.\"4009\"]\nflow = \"echo\"\n")
    });
    let dry = daemon.run_command(&["reload", "--dry-run"]);
    assert!(dry.contains("would change: number 4009 added"), "{dry}");
    assert_eq!(daemon.json("/api/v1/hours")["items"][0]["name"], "hotline");
    let (status, told) = reload(&daemon);
    assert_eq!((status, &told["changes"][0]), (200, &serde_json::json!("number 4009 added")), "{told}");
    assert_eq!(reload(&daemon).1["changes"], serde_json::json!([]), "nothing is left to do");
    agent.answer(&invite);
    assert!(tone::share(&first.ear.hear(60)[4_800..], 1_000.0) > 0.9, "the call goes on");
    let mut second = Phone::new("13800138001", own_address(), daemon.sip, 440.0);
    second.call("4003");
    assert!(tone::share(&second.ear.hear(60)[4_800..], 440.0) > 0.9, "where the new plan leads");
    second.hang_up();
    second.call("4002");
    second.expect_bye();
    first.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    assert_eq!(records.len(), 3);
    let journal = Journal::open(&daemon.data_dir()).expect("a journal that nobody holds");
    let reloads =
        journal.entries(1).filter(|entry| matches!(entry.as_ref().expect("an entry").event, Event::Reloaded { .. }));
    assert_eq!(reloads.count(), 2, "the dry run is none");
}

#[test]
fn a_broken_file_changes_nothing_and_says_why() {
    let mut daemon = Daemon::start();
    let good = std::fs::read_to_string(daemon.plan()).expect("the plan");
    rewrite(&daemon, |plan| plan.replace("flow = \"echo\"", "flow = \"ecko\""));
    let (status, told) = reload(&daemon);
    assert_eq!(status, 422, "{told}");
    let problem = &told["problems"][0];
    assert_eq!((&problem["message"], &problem["line"]), (&"there is no flow \"ecko\"".into(), &12.into()), "{told}");
    assert_eq!(problem["hint"], "did you mean \"echo\"?");
    let refused = daemon.try_command(&["reload"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("plan.toml:12:8: there is no flow \"ecko\""), "{said}");
    daemon.signal("HUP");
    wait(|| daemon.log().contains("nothing is reloaded"), || daemon.log());
    let mut caller = caller(&daemon);
    caller.call("4002");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 440.0) > 0.9, "the old plan serves");
    caller.hang_up();
    std::fs::write(daemon.plan(), good.replace("flow = \"echo\"", "flow = \"short_prompt\"")).expect("written");
    daemon.signal("HUP");
    wait(|| daemon.log().contains("the files are read again and in force"), || daemon.log());
    caller.call("4002");
    caller.expect_bye();
    daemon.stop();
}

#[test]
fn a_queue_that_is_gone_serves_who_waits_and_takes_nobody_else() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.call("4005");
    daemon.json_until("/api/v1/queues", |queues| {
        queues["items"]
            .as_array()
            .expect("queues")
            .iter()
            .any(|queue| queue["queue"] == "sales" && queue["waiting"] == 1)
    });
    rewrite(&daemon, |plan| {
        let plan = plan.replace("queue = \"sales\"", "queue = \"support\"");
        plan.split("[queue.sales]").next().expect("the rest").to_owned()
    });
    let (status, told) = reload(&daemon);
    assert_eq!(status, 200, "{told}");
    let names = |queues: &serde_json::Value| {
        queues["items"].as_array().expect("queues").iter().map(|queue| queue["queue"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&daemon.json("/api/v1/queues")), ["support"]);
    let mut agent = agent(&daemon, "1005");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9, "served by who served that queue");
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    assert_eq!(records[0].queue.as_ref().map(ToString::to_string).as_deref(), Some("sales"));
}

#[test]
fn many_reloads_under_load_lose_no_call() {
    let reloads = std::env::var("RELOADS").map_or(60, |text| text.parse().expect("a count"));
    let mut daemon = Daemon::start_set(own_address(), |settings| settings, without_acw, &[]);
    let begun = std::time::Instant::now();
    let (over, served) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for lane in 0..4 {
            let (daemon, over, served) = (&daemon, &over, &served);
            scope.spawn(move || {
                let mut phone = Phone::new(&format!("1380013900{lane}"), own_address(), daemon.sip, 440.0);
                while !over.load(Ordering::Relaxed) {
                    phone.call("4002");
                    phone.hang_up();
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..reloads {
            rewrite(&daemon, |plan| {
                let plan = plan.split("\n# round").next().expect("the plan").to_owned();
                format!("{plan}\n# round\n[number.\"5{round:04}\"]\nflow = \"echo\"\n")
            });
            let (status, told) = reload(&daemon);
            assert_eq!(status, 200, "{told}");
        }
        over.store(true, Ordering::Relaxed);
    });
    let records = daemon.stop();
    assert_eq!(records.len() as u64, served.load(Ordering::Relaxed), "each call that was answered has its record");
    let rate = records.len() as f64 / begun.elapsed().as_secs_f64();
    println!("{reloads} reloads, {} calls, {rate:.0} calls a second", records.len());
    assert!(records.len() > 50, "{} calls", records.len());
}
