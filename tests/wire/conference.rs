//! Rooms, transfers of a plan, and what is heard in place of ringing.

use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::queue::agent;
use super::tone;

const TONES: [f64; 4] = [440.0, 900.0, 1_500.0, 2_300.0];

/// 4002 leads into a room for three, out of it by the star; 4003 is sent on to 4002, and to an agent where there is no more room.
const ROOM: &str = r#"
[flow.echo.step.room]
do = "conference"
room = "morning"
most = 3
keys = { "*" = "bye" }
failed = "full"
[flow.echo.step.full]
do = "transfer"
to = "1001"
failed = "nobody"
[flow.echo.step.bye]
do = "hangup"
cause = "bye"
[flow.echo.step.nobody]
do = "hangup"
cause = "nobody"
"#;

fn plan(plan: String) -> String {
    let answer = "[flow.echo.step.answer]\ndo = \"answer\"\nnext = \"echo\"";
    let echo = "\n[flow.echo.step.echo]\ndo = \"echo\"\n";
    assert!(plan.contains(answer) && plan.contains(echo));
    let plan = without_acw(plan).replace(echo, "\n").replace(answer, &answer.replace("\"echo\"", "\"room\""));
    format!("{plan}{ROOM}")
}

fn caller(daemon: &Daemon, number: usize) -> Phone {
    Phone::new(&format!("1380013800{number}"), own_address(), daemon.sip, TONES[number])
}

/// Waits until a phone hears just these tones.
fn until_hears(phone: &Phone, wanted: &[f64], who: &str) {
    let mut shares = Vec::new();
    let fits = |(hz, share): &(f64, f64)| if wanted.contains(hz) { *share > 0.2 } else { *share < 0.02 };
    let heard = || {
        let heard = phone.ear.hear(50);
        shares = TONES.map(|hz| (hz, tone::share(&heard, hz))).to_vec();
        shares.iter().all(fits)
    };
    wait(heard, || format!("{who} should hear {wanted:?}"));
}

#[test]
fn a_member_who_is_gone_without_a_word_leaves_the_room() {
    let mut daemon = Daemon::start_with(plan, &[("TRUNKLINE__RTP__SILENCE_TIMEOUT", "6s")]);
    let mut phones: Vec<Phone> = (0..2).map(|number| caller(&daemon, number)).collect();
    phones.iter_mut().for_each(|phone| drop(phone.call("4002")));
    until_hears(&phones[0], &[TONES[1]], "the first");
    until_hears(&phones[1], &[TONES[0]], "the second");
    phones[1].ear.fall_silent();
    let bye = phones[1].expect_bye();
    assert!(bye.header("Reason").contains("media_timeout"), "{bye:?}");
    // Alone again, the first hears music, and stays.
    wait(|| phones[0].ear.hear(25).iter().any(|sample| sample.unsigned_abs() > 200), || "no music".to_owned());
    phones[0].hang_up();
    daemon.until_idle();
    daemon.stop();
}

#[test]
fn everybody_in_a_room_hears_all_others_and_nobody_else() {
    let mut daemon = Daemon::start_with(plan, &[]);
    let mut phones: Vec<Phone> = (0..3).map(|number| caller(&daemon, number)).collect();
    phones[0].call("4002");
    wait(|| phones[0].ear.hear(25).iter().any(|sample| sample.unsigned_abs() > 200), || "no music".to_owned());
    for phone in &mut phones[1..] {
        phone.call("4002");
    }
    until_hears(&phones[0], &[TONES[1], TONES[2]], "the first");
    until_hears(&phones[1], &[TONES[0], TONES[2]], "the second");
    until_hears(&phones[2], &[TONES[0], TONES[1]], "the third");
    // There is no more room: the plan sends the fourth on to an agent.
    let mut agent = agent(&daemon, "1001");
    let mut fourth = caller(&daemon, 3);
    fourth.call("4002");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    wait(|| tone::share(&agent.ear.hear(50), TONES[3]) > 0.9, || "the agent does not hear the fourth".to_owned());
    until_hears(&phones[0], &[TONES[1], TONES[2]], "the first, who hears no fourth");
    fourth.hang_up();
    agent.expect_bye();
    // One leaves by a key, one by hanging up.
    phones[2].ear.press('*');
    phones[2].expect_bye();
    until_hears(&phones[0], &[TONES[1]], "the first of two");
    // Who holds is not heard, and hears nothing.
    let held = phones[1].modify("a=sendonly\r\n");
    assert!(held.is("200"), "{held:?}");
    until_hears(&phones[0], &[], "the first, alone");
    let back = phones[1].modify("a=sendrecv\r\n");
    assert!(back.is("200"), "{back:?}");
    until_hears(&phones[0], &[TONES[1]], "the first of two again");
    phones[1].hang_up();
    phones[0].hang_up();
    daemon.until_idle();
    assert_eq!((daemon.journal_count("conference_joined"), daemon.journal_count("conference_left")), (3, 3));
    let records = daemon.stop();
    let told: Vec<Disposition> = records.iter().map(|record| record.disposition).collect();
    let (self_service, answered) = (Disposition::SelfService, Disposition::Answered);
    assert_eq!(told, [answered, self_service, self_service, self_service], "{records:#?}");
}

#[test]
fn a_call_is_sent_on_to_another_number_as_though_it_had_been_called() {
    let elsewhere = |text: String| {
        let play = "prompts = [\"line_works\"]\nnext = \"hangup\"";
        assert!(text.contains(play));
        let on = "\n[flow.short_prompt.step.on]\ndo = \"transfer\"\nto = \"4002\"\nfailed = \"hangup\"\n";
        format!("{}{on}", plan(text).replace(play, &play.replace("\"hangup\"", "\"on\"")))
    };
    let mut daemon = Daemon::start_with(elsewhere, &[]);
    let (mut first, mut second) = (caller(&daemon, 0), caller(&daemon, 1));
    first.call("4003");
    second.call("4002");
    // The music of who is alone has notes as well: sound says who is there once both are.
    wait(|| daemon.journal_count("conference_joined") == 2, || "the room is not joined".to_owned());
    until_hears(&second, &[TONES[0]], "who called the room");
    first.hang_up();
    second.ear.press('*');
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let sent = records.iter().find(|record| record.called == "4003").expect("a record");
    assert_eq!(sent.flow.as_deref(), Some("short_prompt"), "the flow that it began with: {sent:?}");
    assert!(
        sent.path.contains(&"short_prompt.on".to_owned()) && sent.path.contains(&"echo.room".to_owned()),
        "{sent:?}"
    );
}

#[test]
fn a_prompt_is_heard_in_place_of_ringing_and_nothing_is_answered_before_it_ends() {
    let rings = |text: String| {
        let text = without_acw(text);
        let start = "[flow.echo]\nstart = \"answer\"";
        assert!(text.contains(start), "the demo's echo begins with its answer");
        let ring = "\n[flow.echo.step.ring]\ndo = \"ring\"\nprompts = [\"line_works\"]\nnext = \"answer\"\n";
        format!("{}{ring}", text.replace(start, "[flow.echo]\nstart = \"ring\""))
    };
    let mut daemon = Daemon::start_with(rings, &[]);
    let mut phone = caller(&daemon, 0);
    phone.invite_with("4002", "");
    let progress = phone.expect("183", |text| text.is("183"));
    phone.join(&progress);
    wait(
        || phone.ear.hear(10).iter().any(|sample| sample.unsigned_abs() > 500),
        || "nothing is heard early".to_owned(),
    );
    assert!(!daemon.journal_has("call_answered"), "it is heard before the answer");
    phone.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    phone.ack();
    wait(|| tone::share(&phone.ear.hear(50), TONES[0]) > 0.9, || "no echo".to_owned());
    phone.hang_up();
    daemon.until_idle();
    let records = daemon.stop();
    let early = records[0].answered.expect("answered").0 - records[0].started.0;
    assert!(early >= 1_000, "the prompt took its time before the answer: {early} ms");
}
