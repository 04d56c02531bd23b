//! A phone's life as the registrar sees it, on a virtual clock.

use super::*;
use crate::time::{MS, Now};

const NOW: Now = Now { mono_ns: 1_000 * MS, wall_ms: 1_700_000_000_000 };
const AOR: &str = "sip:1001@pbx";
const A: &str = "sip:1001@192.0.2.1:5060";
const B: &str = "sip:1001@192.0.2.2:5060";

fn update(uri: &str, expires: Option<u32>, q: u16) -> ContactUpdate {
    ContactUpdate { uri: uri.into(), expires, q: Some(q), instance: None }
}

fn request(cseq: u32, contacts: Contacts) -> RegisterRequest {
    RegisterRequest {
        aor: AOR.into(),
        user: "1001".into(),
        call_id: "c1".into(),
        cseq,
        contacts,
        default_expires: Some(120),
        flow: "udp:192.0.2.1:5060".into(),
        path: Vec::new(),
    }
}

fn set(cseq: u32, updates: Vec<ContactUpdate>) -> RegisterRequest {
    request(cseq, Contacts::Set(updates))
}

fn registrar() -> Registrar {
    Registrar::new(Settings { qualify: None, max_contacts: 2, ..Settings::default() })
}

fn events(registrar: &mut Registrar) -> Vec<Event> {
    std::iter::from_fn(|| registrar.poll_event()).collect()
}

fn first() -> Event {
    Event::FirstBinding { aor: AOR.into() }
}

fn last_gone() -> Event {
    Event::LastBindingGone { aor: AOR.into() }
}

fn uris(registrar: &Registrar) -> Vec<&str> {
    registrar.contacts(AOR).iter().map(|binding| binding.uri.as_str()).collect()
}

#[test]
fn a_phone_comes_stays_and_goes() {
    let mut registrar = registrar();
    let done = registrar.handle_register(&set(1, vec![update(A, None, 1000)]), NOW).unwrap();
    assert_eq!(done.bindings, [Bound { uri: A.into(), expires_s: 120, q: 1000 }]);
    assert!(matches!(done.changes.as_slice(), [BindingChange::Added(binding)] if binding.cseq == 1));
    assert_eq!(events(&mut registrar), [first()]);
    // The same contact, its host in another case.
    let again = set(2, vec![update("SIP:1001@192.0.2.1:5060", Some(60), 1000)]);
    let done = registrar.handle_register(&again, NOW.plus_ms(500)).unwrap();
    assert_eq!(done.bindings, [Bound { uri: A.into(), expires_s: 60, q: 1000 }]);
    assert_eq!(events(&mut registrar), [Event::Refreshed { aor: AOR.into(), uri: A.into() }]);
    let done = registrar.handle_register(&request(3, Contacts::Query), NOW.plus_ms(1_600)).unwrap();
    assert_eq!((done.bindings[0].expires_s, done.changes.len()), (59, 0));
    let done = registrar.handle_register(&set(4, vec![update(A, Some(0), 1000)]), NOW.plus_ms(2_000)).unwrap();
    assert_eq!(done.changes, [BindingChange::Removed { aor: AOR.into(), uri: A.into() }]);
    assert_eq!(events(&mut registrar), [last_gone()]);
    assert_eq!(registrar.poll_timeout(NOW), None);
}

#[test]
fn a_request_that_was_overtaken_by_the_goodbye_brings_nobody_back() {
    let mut registrar = registrar();
    registrar.handle_register(&set(1, vec![update(A, None, 1000)]), NOW).unwrap();
    registrar.handle_register(&set(4, vec![update(A, Some(0), 1000)]), NOW.plus_ms(10)).unwrap();
    let late = set(3, vec![update(A, None, 1000)]);
    assert_eq!(registrar.handle_register(&late, NOW.plus_ms(700)), Err(RegisterError::OutOfOrder));
    assert!(registrar.is_empty());
    // Saying goodbye twice is no mistake; who comes back does so by a higher number, another Call-ID, or much later.
    assert!(registrar.handle_register(&set(4, vec![update(A, Some(0), 1000)]), NOW.plus_ms(800)).is_ok());
    assert!(registrar.handle_register(&set(5, vec![update(A, None, 1000)]), NOW.plus_ms(900)).is_ok());
    registrar.handle_register(&set(6, vec![update(A, Some(0), 1000)]), NOW.plus_ms(1_000)).unwrap();
    let other = RegisterRequest { call_id: "c2".into(), ..set(1, vec![update(B, None, 1000)]) };
    assert!(registrar.handle_register(&other, NOW.plus_ms(1_100)).is_ok());
    assert!(registrar.handle_register(&set(2, vec![update(A, None, 1000)]), NOW.plus_ms(33_100)).is_ok());
}

#[test]
fn expiry_is_wall_time_and_survives_a_restart() {
    let mut before = registrar();
    let two = set(1, vec![update(A, Some(60), 500), update(B, Some(90), 500)]);
    before.handle_register(&two, NOW).unwrap();
    let journalled: Vec<Binding> = before.contacts(AOR).into_iter().cloned().collect();
    let mut after = registrar();
    let start = Now { mono_ns: 5, wall_ms: NOW.wall_ms + 10_000 };
    after.restore(journalled, start);
    assert_eq!(events(&mut after), []);
    assert_eq!(after.poll_timeout(start), Some(start.in_ms(50_000)));
    after.handle_timeout(start.plus_ms(49_999));
    assert_eq!(events(&mut after), []);
    after.handle_timeout(start.plus_ms(50_000));
    assert_eq!(events(&mut after), [Event::Expired { aor: AOR.into(), uri: A.into() }]);
    after.handle_timeout(start.plus_ms(90_000));
    assert_eq!(events(&mut after), [Event::Expired { aor: AOR.into(), uri: B.into() }, last_gone()]);
    assert!(after.is_empty());
}

#[test]
fn what_has_expired_is_not_refreshed_but_new() {
    let mut registrar = registrar();
    registrar.handle_register(&set(5, vec![update(A, Some(60), 1000)]), NOW).unwrap();
    // A restarted phone may count its CSeq from 1 again; nothing of the old binding holds it back.
    registrar.handle_register(&set(1, vec![update(A, Some(60), 1000)]), NOW.plus_ms(60_000)).unwrap();
    let expired = Event::Expired { aor: AOR.into(), uri: A.into() };
    assert_eq!(events(&mut registrar), [first(), expired, last_gone(), first()]);
}

#[test]
fn refuses_all_or_nothing() {
    let mut registrar = registrar();
    registrar.handle_register(&set(5, vec![update(A, None, 1000)]), NOW).unwrap();
    events(&mut registrar);
    let mut refuse = |request: RegisterRequest| registrar.handle_register(&request, NOW).unwrap_err();
    let brief = refuse(set(6, vec![update(B, None, 1000), update(A, Some(59), 1000)]));
    assert_eq!((brief.status(), brief.min_expires_s()), (423, Some(60)));
    assert_eq!(refuse(set(5, vec![update(B, None, 1000), update(A, None, 1000)])), RegisterError::OutOfOrder);
    assert_eq!(refuse(RegisterRequest { default_expires: Some(0), ..request(5, Contacts::RemoveAll) }).status(), 500);
    assert_eq!(refuse(request(6, Contacts::RemoveAll)).status(), 400);
    assert_eq!(refuse(set(6, vec![update(B, None, 1), update(B, None, 2)])).status(), 400);
    assert_eq!(refuse(set(6, vec![update("", None, 1)])).status(), 400);
    let many = ["sip:1001@h1", "sip:1001@h2", "sip:1001@h3"].map(|uri| update(uri, None, 1000));
    assert_eq!(refuse(set(6, many.to_vec())), RegisterError::TooMany { max: 2 });
    assert_eq!(refuse(RegisterRequest { user: "1002".into(), ..request(6, Contacts::Query) }).status(), 403);
    assert_eq!(uris(&registrar), [A]);
    assert_eq!(events(&mut registrar), []);
}

#[test]
fn one_request_may_replace_a_contact_at_the_limit() {
    let mut registrar = registrar();
    registrar.handle_register(&set(1, vec![update(A, None, 1000), update(B, None, 1000)]), NOW).unwrap();
    let moved = set(2, vec![update(A, Some(0), 1000), update("sip:1001@h3", Some(9_999), 1000)]);
    let done = registrar.handle_register(&moved, NOW.plus_ms(1)).unwrap();
    assert_eq!(done.bindings[0], Bound { uri: "sip:1001@h3".into(), expires_s: 3600, q: 1000 });
    assert_eq!(uris(&registrar), ["sip:1001@h3", B]);
    let all = RegisterRequest { default_expires: Some(0), ..request(3, Contacts::RemoveAll) };
    assert_eq!(registrar.handle_register(&all, NOW.plus_ms(2)).unwrap().changes.len(), 2);
    assert!(registrar.is_empty());
}

#[test]
fn contacts_stand_by_preference_then_by_recency() {
    let mut registrar = registrar();
    registrar.handle_register(&set(1, vec![update(A, None, 500)]), NOW).unwrap();
    registrar.handle_register(&set(2, vec![update(B, None, 500)]), NOW.plus_ms(1)).unwrap();
    assert_eq!(uris(&registrar), [B, A]);
    registrar.handle_register(&set(3, vec![update(A, None, 501)]), NOW.plus_ms(2)).unwrap();
    registrar.handle_register(&set(4, vec![update(B, None, 500)]), NOW.plus_ms(3)).unwrap();
    assert_eq!(uris(&registrar), [A, B]);
    assert!(registrar.contacts("sip:1001@pb").is_empty());
}

#[test]
fn contacts_are_asked_and_marked() {
    let mut registrar = Registrar::new(Settings::default());
    registrar.handle_register(&set(1, vec![update(A, Some(3600), 1000)]), NOW).unwrap();
    assert_eq!(registrar.poll_timeout(NOW), Some(NOW.in_ms(1_000)));
    let ask = Event::Qualify { aor: AOR.into(), uri: A.into() };
    registrar.handle_timeout(NOW.plus_ms(1_000));
    assert_eq!(events(&mut registrar), [first(), ask.clone()]);
    let (aor, uri) = (AOR.to_owned(), A.to_owned());
    registrar.handle_qualify_result(AOR, A, true, NOW.plus_ms(1_100));
    assert_eq!(events(&mut registrar), [Event::Reachable { aor: aor.clone(), uri: uri.clone() }]);
    // A minute later it is silent: asked once more after four seconds, and given up after another four.
    assert_eq!(registrar.poll_timeout(NOW), Some(NOW.in_ms(61_100)));
    for (ms, expected) in [(61_100, vec![ask.clone()]), (65_100, vec![ask.clone()])] {
        registrar.handle_timeout(NOW.plus_ms(ms));
        assert_eq!(events(&mut registrar), expected);
    }
    registrar.handle_timeout(NOW.plus_ms(69_100));
    assert_eq!(events(&mut registrar), [Event::Unreachable { aor: aor.clone(), uri: uri.clone() }]);
    // The transactions' own timeouts come later and say nothing new; an answer does, however late.
    registrar.handle_qualify_result(AOR, A, false, NOW.plus_ms(93_100));
    assert_eq!(events(&mut registrar), []);
    registrar.handle_qualify_result(AOR, A, true, NOW.plus_ms(93_200));
    assert_eq!(events(&mut registrar), [Event::Reachable { aor: aor.clone(), uri: uri.clone() }]);
    // A broken way is a failure at once.
    registrar.handle_timeout(NOW.plus_ms(153_200));
    assert_eq!(events(&mut registrar), std::slice::from_ref(&ask));
    registrar.handle_qualify_result(AOR, A, false, NOW.plus_ms(153_201));
    registrar.handle_timeout(NOW.plus_ms(157_201));
    registrar.handle_qualify_result(AOR, A, false, NOW.plus_ms(157_202));
    assert_eq!(events(&mut registrar), [ask.clone(), Event::Unreachable { aor, uri }]);
    // It registers again, so it is asked at once.
    let later = NOW.plus_ms(200_000);
    registrar.handle_register(&set(2, vec![update(A, Some(3600), 1000)]), later).unwrap();
    assert_eq!(registrar.qualification(AOR, A), Some(Qualification::Untried { failures: 0 }));
    registrar.handle_timeout(later.plus_ms(1_000));
    assert_eq!(events(&mut registrar).last(), Some(&ask));
    let all = RegisterRequest { default_expires: Some(0), ..request(3, Contacts::RemoveAll) };
    registrar.handle_register(&all, later).unwrap();
    assert_eq!(registrar.poll_timeout(later), None);
    registrar.handle_qualify_result(AOR, A, true, later);
    assert_eq!(events(&mut registrar), [last_gone()]);
}

#[test]
fn restored_contacts_are_asked_one_after_the_other() {
    let mut before = registrar();
    before.handle_register(&set(1, vec![update(A, None, 1000), update(B, None, 1000)]), NOW).unwrap();
    let mut after = Registrar::new(Settings::default());
    after.restore(before.contacts(AOR).into_iter().cloned(), NOW);
    after.handle_timeout(NOW);
    assert_eq!(events(&mut after).len(), 1);
    // The first one has until then; the second is asked half an interval after it.
    assert_eq!(after.poll_timeout(NOW), Some(NOW.in_ms(4_000)));
    after.handle_qualify_result(AOR, A, true, NOW);
    assert_eq!(after.poll_timeout(NOW), Some(NOW.in_ms(30_000)));
}

#[test]
fn a_way_that_only_the_phone_can_open_takes_its_contact_along() {
    let mut registrar = registrar();
    let over =
        |cseq, flow: &str, uri: &str| RegisterRequest { flow: flow.into(), ..set(cseq, vec![update(uri, None, 1000)]) };
    registrar.handle_register(&over(1, "ws:192.0.2.1:40000@192.0.2.9:80", A), NOW).unwrap();
    registrar.handle_register(&over(2, "udp:192.0.2.2:5060@192.0.2.9:5060", B), NOW).unwrap();
    events(&mut registrar);
    let gone = |bound: &Binding| bound.flow.starts_with("ws:");
    registrar.handle_ways_gone(gone);
    registrar.handle_ways_gone(gone);
    assert_eq!(events(&mut registrar), [Event::Unreachable { aor: AOR.into(), uri: A.into() }]);
    assert_eq!(registrar.qualification(AOR, A), Some(Qualification::Unreachable));
    // The page is loaded again.
    registrar.handle_register(&over(3, "ws:192.0.2.1:40001@192.0.2.9:80", A), NOW).unwrap();
    assert_eq!(registrar.qualification(AOR, A), Some(Qualification::Untried { failures: 0 }));
    assert_eq!(registrar.qualification(AOR, B), Some(Qualification::Untried { failures: 0 }));
}

#[test]
fn a_phone_that_comes_by_a_new_way_takes_the_place_of_its_old_one() {
    let mut registrar = registrar();
    let by = |flow: u32, uri: &str| ContactUpdate {
        instance: Some(format!("<urn:uuid:1>;reg-id={flow}")),
        ..update(uri, None, 1000)
    };
    registrar.handle_register(&set(1, vec![by(1, A)]), NOW).unwrap();
    // Another flow of the same phone stands beside the first.
    registrar.handle_register(&RegisterRequest { call_id: "c2".into(), ..set(1, vec![by(2, B)]) }, NOW).unwrap();
    assert_eq!(uris(&registrar).len(), 2);
    let moved = RegisterRequest { call_id: "c3".into(), ..set(1, vec![by(1, "sip:1001@192.0.2.3:7000")]) };
    let done = registrar.handle_register(&moved, NOW.plus_ms(5)).unwrap();
    assert_eq!(done.changes.len(), 2, "the old one goes, the new one comes: {:?}", done.changes);
    assert_eq!(uris(&registrar), ["sip:1001@192.0.2.3:7000", B]);
    // Only a flow that says who it is replaces anything, and the agent stays signed in.
    assert_eq!(events(&mut registrar), [first()]);
    let long = RegisterRequest { path: vec!["<sip:edge;lr>".into(); 9], ..set(2, vec![update(A, None, 1000)]) };
    assert_eq!(registrar.handle_register(&long, NOW).unwrap_err().status(), 400);
}

/// A registration without Outbound of a phone that says who it is.
fn reconnect(phone: &str, port: u16) -> RegisterRequest {
    let contact = ContactUpdate {
        instance: Some(phone.into()),
        ..update(&format!("sip:1001@192.0.2.1:{port};transport=tcp"), None, 1000)
    };
    RegisterRequest { call_id: format!("c{port}"), flow: format!("tcp:192.0.2.1:{port}"), ..set(1, vec![contact]) }
}

#[test]
fn a_softphone_that_reconnects_has_one_contact() {
    let mut registrar = registrar();
    for port in 0..11 {
        let done = registrar.handle_register(&reconnect("<urn:uuid:1>", 40_000 + port), NOW).unwrap();
        assert_eq!(done.bindings.len(), 1);
    }
    // It says goodbye to the old one after it has come by the new one.
    let RegisterRequest { contacts: Contacts::Set(mut contacts), .. } = reconnect("<urn:uuid:1>", 40_009) else {
        panic!()
    };
    contacts[0].expires = Some(0);
    registrar.handle_register(&set(7, contacts), NOW).unwrap();
    assert_eq!(uris(&registrar), ["sip:1001@192.0.2.1:40010;transport=tcp"]);
    assert_eq!(events(&mut registrar), [first()]);
}

#[test]
fn a_new_contact_gets_in_and_those_that_are_gone_make_room_first() {
    let mut registrar = Registrar::new(Settings { max_contacts: 3, ..Settings::default() });
    let come = |registrar: &mut Registrar, uri: &str, ms: u64| {
        let request = RegisterRequest {
            call_id: uri.into(),
            flow: format!("tcp:{uri}"),
            ..set(1, vec![update(uri, None, 1000)])
        };
        let gone = registrar.handle_register(&request, NOW.plus_ms(ms)).unwrap().changes;
        gone.iter()
            .filter(|change| matches!(change, BindingChange::Removed { .. }))
            .map(|gone| gone.uri().to_owned())
            .collect::<Vec<_>>()
    };
    let uris =
        ["sip:1001@h1", "sip:1001@h2", "sip:1001@h3", "sip:1001@h4", "sip:1001@h5", "sip:1001@h6", "sip:1001@h7"];
    for (ms, uri) in (0..).zip(&uris[..3]) {
        assert_eq!(come(&mut registrar, uri, ms), [""; 0]);
    }
    registrar.handle_streams_closed(|bound| bound.uri == uris[2]);
    assert_eq!(come(&mut registrar, uris[3], 10), [uris[2]], "its stream is closed");
    registrar.handle_ways_gone(|bound| bound.uri == uris[1]);
    assert_eq!(come(&mut registrar, uris[4], 11), [uris[1]], "it answers nothing");
    registrar.handle_streams_closed(|bound| bound.uri == uris[3]);
    registrar.handle_qualify_result(AOR, uris[3], true, NOW);
    assert_eq!(come(&mut registrar, uris[5], 12), [uris[0]], "all are there: the one that registered longest ago");
    registrar
        .handle_register(
            &RegisterRequest { call_id: uris[3].into(), ..set(2, vec![update(uris[3], None, 1000)]) },
            NOW.plus_ms(13),
        )
        .unwrap();
    assert_eq!(come(&mut registrar, uris[6], 14), [uris[4]], "a refresh is heard");
    let told = events(&mut registrar);
    assert!(!told.contains(&last_gone()), "{told:?}");
}
