//! The tone by which a caller learns why the call ends.

use trunkline::journal::HangupBy;
use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, wait};
use super::queue::caller;
use super::tone;

/// A line that is busy, one that is out of order, and one that says so before it is answered.
const PLAN: &str = r#"
[number."4100"]
flow = "busy"
[flow.busy]
start = "answer"
language = "zh"
[flow.busy.step]
answer = { do = "answer", next = "end" }
end = { do = "hangup", code = 17, cause = "user_busy", tone = "busy", for = "2s" }

[number."4101"]
flow = "out_of_order"
[flow.out_of_order]
start = "answer"
language = "zh"
[flow.out_of_order.step]
answer = { do = "answer", next = "end" }
end = { do = "hangup", code = 41, cause = "out_of_order", tone = "congestion", for = "60s" }

[number."4102"]
flow = "refused"
[flow.refused]
start = "end"
language = "zh"
[flow.refused.step]
end = { do = "hangup", code = 17, cause = "user_busy", tone = "busy" }
"#;

fn floor() -> Daemon {
    let set = |all: String| {
        let all = all.replacen("numbers = [\"4000\",", "numbers = [\"4100\", \"4101\", \"4102\", \"4000\",", 1);
        format!("{all}\n[tones]\ncountry = \"us\"\n")
    };
    Daemon::start_set(own_address(), set, |plan| format!("{plan}\n{PLAN}"), &[])
}

#[test]
fn a_caller_hears_the_busy_tone_of_the_country_for_its_time_and_is_hung_up() {
    let mut daemon = floor();
    let mut caller = caller(&daemon);
    caller.call("4100");
    // Half a second of it, and as long a pause: every second holds either half.
    let heard = caller.ear.hear(90);
    let bye = caller.expect_bye();
    assert!(bye.header("Reason").contains("cause=17"), "{bye:?}");
    let packets = caller.ear.packets();
    assert!((90..=115).contains(&packets), "two seconds of packets: {packets}");
    let both = |piece: &[i16]| tone::share(piece, 480.0) + tone::share(piece, 620.0);
    let pieces: Vec<&[i16]> = heard.chunks_exact(400).collect();
    let sounding = pieces.iter().filter(|piece| both(piece) > 0.7).count();
    let silent = pieces.iter().filter(|piece| piece.iter().all(|sample| sample.abs() < 100)).count();
    assert!(
        (12..=22).contains(&sounding) && (12..=22).contains(&silent),
        "{sounding} and {silent} of {}",
        pieces.len()
    );
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Failed, HangupBy::Switch));
    assert_eq!((record.cause.code, record.cause.text.as_str()), (17, "user_busy"));
}

#[test]
fn who_hangs_up_on_a_tone_was_turned_away_and_has_abandoned_nothing() {
    let mut daemon = floor();
    let mut caller = caller(&daemon);
    caller.call("4101");
    // A quarter of a second, and as long a pause.
    wait(
        || {
            let heard = caller.ear.hear(5);
            tone::share(&heard, 480.0) + tone::share(&heard, 620.0) > 0.7
        },
        || "no tone is heard".to_owned(),
    );
    caller.hang_up();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!((records[0].disposition, records[0].hangup_by), (Disposition::Failed, HangupBy::Caller));
}

#[test]
fn before_the_answer_the_code_alone_says_it() {
    let mut daemon = floor();
    let mut caller = caller(&daemon);
    caller.invite("4102");
    caller.expect("486", |text| text.is("486"));
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!((records[0].disposition, records[0].cause.code), (Disposition::Refused, 17));
}
