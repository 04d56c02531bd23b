use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::{Location, Locator, NoWay, Question, Record, RecordType, Reply, Srv};
use crate::sip::transaction::Transport;
use crate::time::Now;

fn locator() -> Locator {
    let listen = [(Transport::Udp, "192.0.2.100:5060".parse().unwrap())];
    Locator::new(&listen, ChaCha12Rng::from_seed([5; 32]))
}

fn addresses(ips: &[&str], ttl_s: u32) -> Reply {
    Reply::Found { records: ips.iter().map(|ip| Record::Address(ip.parse().unwrap())).collect(), ttl_s }
}

fn ask(locator: &mut Locator, now: Now) -> Result<Location, NoWay> {
    locator.locate(&"sip:x@sbc.example:5060".parse().unwrap(), now)
}

fn remotes(hops: &[super::Hop]) -> Vec<String> {
    hops.iter().map(|hop| hop.remote.to_string()).collect()
}

fn open(locator: &mut Locator) -> Vec<Question> {
    std::iter::from_fn(|| locator.poll_question()).collect()
}

#[test]
fn whoever_asks_for_the_same_name_waits_for_one_question() {
    let (mut locator, now) = (locator(), Now::default());
    let Ok(Location::Pending(first)) = ask(&mut locator, now) else { panic!("not known yet") };
    let Ok(Location::Pending(second)) = ask(&mut locator, now) else { panic!("not known yet") };
    let questions = open(&mut locator);
    assert_eq!(questions, [Question::new("sbc.example", RecordType::A)]);
    locator.handle_reply(&questions[0], addresses(&["192.0.2.1"], 60), now);
    for id in [first, second] {
        let located = locator.poll_located().unwrap();
        assert_eq!((located.id, remotes(&located.hops.unwrap())), (id, vec!["192.0.2.1:5060".into()]));
    }
    // Known from now on, until it runs out.
    assert!(matches!(ask(&mut locator, now.plus_ms(59_999)), Ok(Location::Known(_))));
    assert!(matches!(ask(&mut locator, now.plus_ms(60_000)), Ok(Location::Pending(_))));
    assert_eq!(locator.counts().questions, 2);
}

#[test]
fn a_lookup_ends_by_its_deadline_with_what_there_is() {
    let (mut locator, now) = (locator(), Now::default());
    let Ok(Location::Pending(id)) = locator.locate(&"sip:x@example.com".parse().unwrap(), now) else { panic!() };
    let srv = |priority, target: &str| Record::Srv(Srv { priority, weight: 1, port: 5060, target: target.to_owned() });
    for (name, record, reply) in [
        ("example.com", RecordType::Naptr, Reply::Failed),
        (
            "_sip._udp.example.com",
            RecordType::Srv,
            Reply::Found { records: vec![srv(1, "silent.example.com"), srv(2, "b.example.com")], ttl_s: 60 },
        ),
        ("b.example.com", RecordType::A, addresses(&["192.0.2.2"], 60)),
    ] {
        locator.handle_reply(&Question::new(name, record), reply, now);
    }
    assert_eq!(locator.poll_located(), None);
    let late = now.plus_ms(5_000);
    assert_eq!(locator.poll_timeout(), Some(late.mono_ns));
    locator.handle_timeout(late);
    let located = locator.poll_located().unwrap();
    assert_eq!((located.id, remotes(&located.hops.unwrap())), (id, vec!["192.0.2.2:5060".into()]));
    assert!(locator.is_empty() && locator.poll_timeout().is_none());
    assert_eq!(locator.counts().failures, 2);
}

#[test]
fn silence_of_dns_is_a_failure_that_is_remembered_for_seconds() {
    let (mut locator, now) = (locator(), Now::default());
    assert!(matches!(ask(&mut locator, now), Ok(Location::Pending(_))));
    let late = now.plus_ms(5_000);
    locator.handle_timeout(late);
    assert_eq!(locator.poll_located().unwrap().hops, Err(NoWay::Address));
    assert_eq!(ask(&mut locator, late.plus_ms(4_999)), Err(NoWay::Address));
    assert!(matches!(ask(&mut locator, late.plus_ms(5_000)), Ok(Location::Pending(_))));
}

#[test]
fn records_that_ran_out_serve_while_dns_is_silent() {
    let (mut locator, now) = (locator(), Now::default());
    let question = Question::new("sbc.example", RecordType::A);
    let _ = ask(&mut locator, now);
    locator.handle_reply(&question, addresses(&["192.0.2.1"], 60), now);
    let _ = locator.poll_located();
    let later = now.plus_ms(60_000);
    assert!(matches!(ask(&mut locator, later), Ok(Location::Pending(_))));
    locator.handle_reply(&question, Reply::Failed, later);
    assert!(locator.poll_located().unwrap().hops.is_ok());
    assert!(matches!(ask(&mut locator, later.plus_ms(29_999)), Ok(Location::Known(_))));
    assert_eq!(locator.counts().stale, 1);
}

#[test]
fn hops_that_failed_come_last_for_a_while() {
    let (mut locator, now) = (locator(), Now::default());
    let _ = ask(&mut locator, now);
    let question = Question::new("sbc.example", RecordType::A);
    locator.handle_reply(&question, addresses(&["192.0.2.1", "192.0.2.2"], 600), now);
    let order = |locator: &mut Locator, now| match ask(locator, now) {
        Ok(Location::Known(hops)) => remotes(&hops),
        other => panic!("{other:?}"),
    };
    let (one, two) = ("192.0.2.1:5060".to_owned(), "192.0.2.2:5060".to_owned());
    locator.note_failure(Transport::Udp, one.parse().unwrap(), now);
    assert_eq!(order(&mut locator, now), [two.clone(), one.clone()]);
    locator.note_failure(Transport::Udp, two.parse().unwrap(), now);
    assert_eq!(order(&mut locator, now), [one.clone(), two.clone()]);
    locator.note_success(Transport::Udp, two.parse().unwrap());
    assert_eq!(order(&mut locator, now), [two.clone(), one.clone()]);
    assert_eq!(order(&mut locator, now.plus_ms(30_000)), [one, two]);
}

#[test]
fn lookups_are_bounded_and_forgotten_ones_say_nothing() {
    let (mut locator, now) = (locator(), Now::default());
    let uri = |number: usize| format!("sip:x@n{number}.example:5060").parse().unwrap();
    let Ok(Location::Pending(first)) = locator.locate(&uri(0), now) else { panic!() };
    for number in 1..4_096 {
        assert!(matches!(locator.locate(&uri(number), now), Ok(Location::Pending(_))));
    }
    assert_eq!(locator.locate(&uri(9_999), now), Err(NoWay::Busy));
    locator.forget(first);
    locator.handle_reply(&Question::new("n0.example", RecordType::A), addresses(&["192.0.2.1"], 60), now);
    assert_eq!(locator.poll_located(), None);
    assert!(matches!(locator.locate(&uri(9_999), now), Ok(Location::Pending(_))));
}

#[test]
fn what_we_cannot_send_over_leads_nowhere_at_once() {
    let (mut locator, now) = (locator(), Now::default());
    for (uri, why) in [
        ("sips:x@example.com", NoWay::Transport),
        ("sip:x@example.com;transport=tcp", NoWay::Transport),
        ("sip:x@example.com;transport=ws", NoWay::Transport),
        ("tel:+861012345678", NoWay::Transport),
        ("sip:x@[2001:db8::1]", NoWay::Address),
    ] {
        assert_eq!(locator.locate(&uri.parse().unwrap(), now), Err(why), "{uri}");
    }
}
