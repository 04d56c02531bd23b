//! What the IVR does: echo, prompt, keys, languages.

use trunkline::records::Disposition;

use super::daemon::{Daemon, wait};
use super::keys::hear_key;
use super::long_prompt::{prompts, tones};
use super::queue::{agent, caller};
use super::tone;

#[test]
fn echo_sends_the_caller_back_to_himself() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.call("4002");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 440.0) > 0.9);
    caller.hang_up();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::SelfService);
}

#[test]
fn a_prompt_plays_and_the_switch_hangs_up() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.call("4003");
    let bye = caller.expect_bye();
    assert!(bye.header("Reason").contains("cause=16"), "{bye:?}");
    let packets = caller.ear.packets();
    assert!((100..250).contains(&packets), "about three seconds of prompt: {packets} packets");
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::SelfService);
}

#[test]
fn keys_are_heard_in_the_sound_of_a_caller_who_has_no_other_way() {
    let mut daemon = Daemon::start();
    let mut agent = agent(&daemon, "1001");
    let mut caller = caller(&daemon);
    let answer = caller.call_as_offered("4000", "8");
    assert!(answer.0.contains(" RTP/AVP 8\r\n"), "{answer:?}");
    caller.ear.hear(10);
    caller.ear.press_aloud('2');
    caller.ear.hear(60);
    caller.ear.press_aloud('2');
    let invite = agent.expect_invite();
    agent.answer(&invite);
    // The agent's keys are telephone-events, which this caller hears as sound.
    assert!(tone::share(&caller.ear.hear(80)[8_000..], 1_000.0) > 0.9);
    agent.ear.press('7');
    hear_key(&caller.ear, 852.0, 1_209.0);
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(daemon.stop()[0].language.as_deref(), Some("en"));
}

#[test]
fn two_twice_on_the_hotline_reaches_support_in_english() {
    let mut daemon = Daemon::start();
    let mut agent = agent(&daemon, "1001");
    let mut caller = caller(&daemon);
    caller.call("4000");
    caller.ear.hear(10);
    // Cuts the welcome short and is kept for the question that follows.
    caller.ear.press('2');
    // The notice plays to its end; this key waits for the menu.
    caller.ear.hear(40);
    caller.ear.press('2');
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9);
    agent.hang_up();
    caller.expect_bye();
    let route = ["route", "--to", "4000", "--from", "13800138000", "--keys", "2,2", "--served", "5s"];
    let routed = daemon.run_command(&route);
    let steps: Vec<&str> = routed.lines().filter(|line| line.starts_with("hotline.")).collect();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!(record.path, steps, "what route prints is what the call did");
    assert_eq!((record.language.as_deref(), record.disposition), (Some("en"), Disposition::Answered));
    assert!(record.path.contains(&"hotline.support".to_owned()), "{:?}", record.path);
    assert!(record.recording.is_some());
}

/// Takes an order's number, says it, and branches by it and by the caller.
const ORDERS: &str = r##"
[variable.order]
type = "digits"

[customer."13800138000"]
name = "Li"
class = "vip"

[flow.orders]
start = "ring"
language = "zh"
keys = { "*" = "hangup" }
[flow.orders.step]
ring = { do = "ring", for = "200ms", next = "answer" }
answer = { do = "answer", next = "who" }
who = { do = "customer", known = "ask", unknown = "hangup" }
ask = { do = "gather", prompt = "line_works", invalid = "invalid_key", into = "order", least = 3, most = 6, fits = "4*", retries = 1, between = "1s", next = "say", no_input = "hangup" }
say = { do = "play", prompts = [{ digits = "{order}" }, { number = "{order}" }, { time = "" }], next = "when" }
when = { do = "when", cases = [{ variable = "order", is = "471", class = "vip", next = "echo" }], else = "hangup" }
echo = { do = "echo" }
hangup = { do = "hangup" }
"##;

#[test]
fn an_order_is_typed_said_and_decided_by() {
    let plan = |plan: String| format!("{}\n{ORDERS}", plan.replace("flow = \"short_prompt\"", "flow = \"orders\""));
    let mut daemon = Daemon::start_with(plan, &[]);
    let mut caller = caller(&daemon);
    caller.call("4003");
    caller.ear.hear(10);
    for key in "555#".chars() {
        caller.ear.press(key);
    }
    caller.ear.hear(20);
    for key in "471#".chars() {
        caller.ear.press(key);
    }
    // The echo comes once everything is said: the caller's own tone.
    wait(|| tone::share(&caller.ear.hear(25), 440.0) > 0.9, || "the echo is not reached".to_owned());
    caller.hang_up();
    let routed = daemon.run_command(&["route", "--to", "4003", "--from", "13800138000", "--keys", "555#,471#"]);
    assert!(routed.contains("zh/say_4.wav") && routed.contains("because case 1 holds"), "{routed}");
    let steps: Vec<&str> = routed.lines().filter(|line| line.starts_with("orders.")).collect();
    let records = daemon.stop();
    assert_eq!(records[0].path, steps);
    assert_eq!(records[0].caller_class.as_deref(), Some("vip"));
}

/// Two questions that lead to one another by the five.
const PING_PONG: &str = r##"
[flow.ping]
start = "answer"
language = "zh"
[flow.ping.step]
answer = { do = "answer", next = "ping" }
ping = { do = "menu", prompt = "line_works", keys = { 5 = "pong" }, no_input = "ping" }
pong = { do = "menu", prompt = "welcome", keys = { 5 = "ping" }, no_input = "pong" }
"##;

#[test]
fn the_next_prompt_comes_within_200_ms_of_the_key() {
    let hz = [700.0, 1_300.0];
    let folder = prompts(&[("zh/line_works", tones(&[(20, hz[0])])), ("zh/welcome", tones(&[(20, hz[1])]))]);
    let plan = |plan: String| format!("{}\n{PING_PONG}", plan.replace("flow = \"short_prompt\"", "flow = \"ping\""));
    let set = [("TRUNKLINE__PROMPTS", folder.path().to_str().expect("a path"))];
    let mut daemon = Daemon::start_with(plan, &set);
    let mut caller = caller(&daemon);
    caller.call("4003");
    let mut took = Vec::new();
    for round in 0..9 {
        let (playing, next) = (hz[round % 2], hz[(round + 1) % 2]);
        wait(|| tone::share(&caller.ear.hear(10), playing) > 0.9, || format!("{playing} Hz is not heard"));
        let pressed = std::time::Instant::now();
        caller.ear.press('5');
        wait(|| tone::share(&caller.ear.hear(1), next) > 0.8, || format!("{next} Hz is not heard"));
        took.push(pressed.elapsed().as_millis());
    }
    took.sort_unstable();
    println!("from the key to the next prompt's first packet, ms: {took:?}");
    // The machine may stall once; the requirement is about the switch.
    assert!(took[took.len() - 2] <= 200, "{took:?}");
    caller.hang_up();
    daemon.until_idle();
    daemon.stop();
}
