//! Provisional responses of ours, and the offers and answers that go before a call is answered.

use super::testing::{PHONE, SWITCH, ask, dial_to, endpoint, flow, sent, talk, told, words};
use crate::id::LegId;
use crate::sip::endpoint::Admission;
use crate::sip::endpoint::{Endpoint, Event, Why};
use crate::sip::message::{Framing, Method, judge};
use crate::time::Now;

/// A switch to which a call is offered by a party that writes its own text; the call's leg.
fn offered(lines: &str, body: &str) -> (Endpoint, LegId) {
    let mut switch = endpoint(Admission::Open, 2);
    ask(&mut switch, ("INVITE", 1), "", lines, body, Now::default());
    let Some(Event::Invited { leg, .. }) = switch.poll_event() else { panic!("no call") };
    (switch, leg)
}

/// The one response that has just left: its status, our tag, its RSeq, and whether it has a description.
fn said(switch: &mut Endpoint) -> (u16, String, String, bool) {
    let (_, msg) = sent(switch).pop().expect("a response");
    let tag = msg.to().unwrap().tag().unwrap_or_default().to_owned();
    (msg.code().unwrap(), tag, msg.header("RSeq").unwrap_or_default().to_owned(), !msg.body.is_empty())
}

#[test]
fn a_description_before_the_answer_goes_reliably_to_who_can_have_it_so() {
    let now = Now::default();
    let (mut phone, mut switch) = (endpoint(Admission::Open, 1), endpoint(Admission::Open, 2));
    let leg = phone.next_leg();
    phone.dial(leg, dial_to("sip:4002@127.0.0.1:5060"), now);
    talk(&mut phone, &mut switch, now);
    let Some(Event::Invited { leg: theirs, .. }) = switch.poll_event() else { panic!("no call") };
    switch.describe_early(theirs, "v=1".into(), now);
    talk(&mut phone, &mut switch, now);
    let body = Some(b"v=1".to_vec());
    assert_eq!(told(&mut phone), [Event::Progressed { leg, code: 183, body: body.clone() }]);
    assert_eq!((phone.load()[1], switch.load()[1]), (1, 1), "early dialogs");
    // Acknowledged: nothing is sent again.
    switch.handle_timeout(now.plus_ms(20_000));
    assert_eq!(sent(&mut switch).len(), 0);
    switch.answer(theirs, "v=1".into(), now);
    let last = switch.poll_transmit().map(|sent| String::from_utf8(sent.payload).unwrap());
    assert!(last.is_some_and(|text| text.starts_with("SIP/2.0 200 ") && text.ends_with("\r\n\r\n")));
    switch.handle_timeout(now.plus_ms(21_000));
    talk(&mut phone, &mut switch, now);
    assert_eq!(told(&mut phone), [Event::Answered { leg, body }], "as it was described before");
    phone.hang_up(leg, Why::new(16, "normal_clearing"), now);
    talk(&mut phone, &mut switch, now);
    assert_eq!((&phone.load()[..3], &switch.load()[..3]), (&[0, 0, 0][..], &[0, 0, 0][..]));
}

#[test]
fn what_is_not_acknowledged_is_sent_again_and_then_the_call_refused() {
    let (mut switch, leg) = offered("Require: 100rel\r\n", "v=0");
    let start = Now::default();
    switch.ring(leg, start);
    let (code, _, rseq, _) = said(&mut switch);
    assert_eq!((code, rseq.is_empty()), (180, false));
    let mut at = Vec::new();
    for ms in (500..=32_000).step_by(500) {
        switch.handle_timeout(start.plus_ms(ms));
        at.extend(words(&mut switch).into_iter().filter(|word| word != "100").map(|word| (ms, word)));
    }
    let repeats: Vec<u64> = at.iter().filter(|(_, word)| word == "180").map(|(ms, _)| *ms).collect();
    assert_eq!(repeats, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(at.last(), Some(&(32_000, "504".to_owned())));
    let why = Why::new(504, "no_prack");
    assert_eq!(told(&mut switch), [Event::HungUp { leg, why }, Event::Gone { leg }]);
    assert_eq!(switch.load()[..3], [0, 0, 0]);
}

#[test]
fn one_is_under_way_at_a_time_and_the_answer_waits_for_the_one_that_described() {
    let now = Now::default();
    let (mut switch, leg) = offered("Require: 100rel\r\n", "v=0");
    switch.ring(leg, now);
    let (_, tag, first, _) = said(&mut switch);
    switch.describe_early(leg, "v=1".into(), now);
    assert_eq!(words(&mut switch), [""; 0], "it waits for the PRACK of the 180");
    ask(&mut switch, ("PRACK", 2), &tag, "RAck: 7 1 INVITE\r\n", "", now);
    assert_eq!(words(&mut switch), ["481"]);
    ask(&mut switch, ("PRACK", 3), &tag, &format!("RAck: {first} 1 INVITE\r\n"), "", now);
    let both = sent(&mut switch);
    let statuses: Vec<_> = both.iter().filter_map(|(_, msg)| msg.code()).collect();
    assert_eq!(statuses, [200, 183]);
    let second = both[1].1.header("RSeq").unwrap().to_owned();
    assert_eq!(second.parse::<u32>().unwrap(), first.parse::<u32>().unwrap() + 1);
    switch.answer(leg, "v=1".into(), now);
    assert_eq!(words(&mut switch), [""; 0], "the answer waits");
    // An UPDATE would cross the exchange that is not over.
    ask(&mut switch, ("UPDATE", 4), &tag, "", "v=2", now);
    assert_eq!(words(&mut switch), ["500"]);
    ask(&mut switch, ("PRACK", 5), &tag, &format!("RAck: {second} 1 INVITE\r\n"), "", now);
    assert_eq!(words(&mut switch), ["200", "200"]);
    ask(&mut switch, ("ACK", 1), &tag, "", "", now);
    assert_eq!(told(&mut switch), [Event::Acked { leg, body: None }]);
}

#[test]
fn a_caller_may_leave_while_our_answer_waits() {
    for by_bye in [false, true] {
        let now = Now::default();
        let (mut switch, leg) = offered("Supported: 100rel\r\n", "v=0");
        switch.describe_early(leg, "v=1".into(), now);
        let (_, tag, ..) = said(&mut switch);
        switch.answer(leg, "v=1".into(), now);
        let reason = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
        match by_bye {
            true => ask(&mut switch, ("BYE", 2), &tag, reason, "", now),
            false => switch_cancel(&mut switch, reason, now),
        }
        assert_eq!(words(&mut switch), ["200", "487"]);
        let why = Why::new(200, "peer_reason");
        assert_eq!(told(&mut switch), [Event::HungUp { leg, why }, Event::Gone { leg }]);
        assert_eq!(switch.load()[..3], [0, 0, 0]);
    }
}

/// A CANCEL has its INVITE's branch.
fn switch_cancel(switch: &mut Endpoint, lines: &str, now: Now) {
    let branch = format!("z9hG4bKINVITE1{}", "Supported: 100rel\r\n".len() + "v=0".len());
    let text = format!(
        "CANCEL sip:4002@{SWITCH} SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch={branch}\r\n\
         From: <sip:1@{PHONE}>;tag=f\r\nTo: <sip:4002@{SWITCH}>\r\nCall-ID: c1\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 70\r\n\
         {lines}Content-Length: 0\r\n\r\n"
    );
    switch.handle_verdict(judge(text.as_bytes(), Framing::Datagram), flow(SWITCH, PHONE), now);
}

#[test]
fn an_answer_that_waits_can_be_taken_back() {
    let now = Now::default();
    let (mut switch, leg) = offered("Supported: 100rel\r\n", "v=0");
    switch.describe_early(leg, "v=1".into(), now);
    switch.answer(leg, "v=1".into(), now);
    switch.hang_up(leg, Why::new(16, "normal_clearing"), now);
    assert_eq!(words(&mut switch), ["183", "480"]);
    assert_eq!((told(&mut switch), &switch.load()[..3]), (vec![Event::Gone { leg }], &[0, 0, 0][..]));
}

/// RFC 6337 §2.2, patterns 3 to 6; 1 and 2 are those of every call (`incoming`, and the ACK's in `tests/wire/dialogs.rs`).
#[test]
fn offers_and_answers_in_provisional_responses_pracks_and_updates() {
    let now = Now::default();
    // Offer in a reliable 183, answer in its PRACK.
    let (mut switch, leg) = offered("Supported: 100rel\r\n", "");
    assert!(switch.takes_reliable(leg));
    switch.describe_early(leg, "v=1".into(), now);
    let (_, tag, rseq, describes) = said(&mut switch);
    assert!(describes);
    ask(&mut switch, ("PRACK", 2), &tag, &format!("RAck: {rseq} 1 INVITE\r\n"), "v=2", now);
    assert_eq!(words(&mut switch), ["200"]);
    assert_eq!(told(&mut switch), [Event::Acked { leg, body: Some(b"v=2".to_vec()) }]);
    // Offer in an UPDATE, answer in its 200.
    ask(&mut switch, ("UPDATE", 3), &tag, "", "v=3", now);
    assert_eq!(told(&mut switch), [Event::Modified { leg, body: Some(b"v=3".to_vec()) }]);
    ask(&mut switch, ("UPDATE", 4), &tag, "", "v=4", now);
    switch.accept_modify(leg, "v=5".into(), now);
    assert_eq!(words(&mut switch), ["500", "200"], "one offer at a time");
    switch.answer(leg, "v=1".into(), now);
    let (code, _, _, describes) = said(&mut switch);
    assert_eq!((code, describes), (200, false));

    // Offer in the INVITE, answer in a reliable 183, another offer in its PRACK.
    let (mut switch, leg) = offered("Supported: 100rel\r\n", "v=0");
    switch.describe_early(leg, "v=1".into(), now);
    let (_, tag, rseq, _) = said(&mut switch);
    ask(&mut switch, ("PRACK", 2), &tag, &format!("RAck: {rseq} 1 INVITE\r\n"), "v=2", now);
    assert_eq!(told(&mut switch), [Event::Modified { leg, body: Some(b"v=2".to_vec()) }]);
    switch.answer(leg, "v=1".into(), now);
    assert_eq!(words(&mut switch), [""; 0], "the offer is answered first");
    switch.accept_modify(leg, "v=3".into(), now);
    let both: Vec<_> = sent(&mut switch).into_iter().map(|(_, msg)| (msg.cseq().unwrap().method, msg.body)).collect();
    assert_eq!(both, [(Method::Prack, b"v=3".to_vec()), (Method::Invite, vec![])]);

    // An offer in the PRACK of a 180, while the INVITE's own has no answer; and in an UPDATE.
    let (mut switch, leg) = offered("Require: 100rel\r\n", "v=0");
    switch.ring(leg, now);
    let (_, tag, rseq, _) = said(&mut switch);
    ask(&mut switch, ("UPDATE", 2), &tag, "", "v=2", now);
    ask(&mut switch, ("PRACK", 3), &tag, &format!("RAck: {rseq} 1 INVITE\r\n"), "v=2", now);
    ask(&mut switch, ("UPDATE", 4), &tag, "", "", now);
    assert_eq!(words(&mut switch), ["500", "488", "200"], "and one that offers nothing is fine");
}

#[test]
fn who_knows_nothing_of_it_gets_plain_ones_with_the_answer_again_in_the_200() {
    let now = Now::default();
    let (mut switch, leg) = offered("", "v=0");
    switch.describe_early(leg, "v=1".into(), now);
    let (code, tag, rseq, describes) = said(&mut switch);
    assert_eq!((code, rseq.as_str(), describes), (183, "", true));
    ask(&mut switch, ("UPDATE", 2), &tag, "", "v=2", now);
    assert_eq!(words(&mut switch), ["500"], "a plain 183 answers nothing for good");
    switch.answer(leg, "v=1".into(), now);
    assert!(said(&mut switch).3);
}
