//! How long callers are told that they will wait.

use trunkline::acd::Input;

use super::{Floor, agent, call, queue, queue_settings};

#[test]
fn the_expected_wait_comes_from_measured_conversations_and_is_put_to_the_test() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..2)], 2);
    let expected = |floor: &Floor| floor.acd.view().queue(&queue("support")).unwrap().expected_wait_ms;
    assert_eq!(expected(&floor), None, "nobody is there");
    floor.sign_in(0).sign_in(1);
    assert_eq!(expected(&floor), Some(0));
    floor.enter(1, "support").answer(0, 1).enter(2, "support").answer(1, 2);
    assert_eq!(expected(&floor), None, "no conversation has ended yet");
    // 55 seconds of talk and 5 of after-call work.
    floor.pass(55_000).end(0, 1).pass(5_000).enter(3, "support").answer(0, 3);
    assert_eq!(expected(&floor), Some(30_000), "one of two agents in 60 seconds");
    floor.enter(4, "support").enter(5, "support");
    let view = floor.acd.view();
    assert_eq!([4, 5].map(|number| view.expected_wait_ms(call(number))), [Some(30_000), Some(60_000)]);
    floor.pass(35_000).end(1, 2).pass(5_000).answer(1, 4);
    let line = floor.acd.view().queue(&queue("support")).unwrap();
    // Three were answered at once, as expected; the fourth waited 40 s instead of 30.
    assert_eq!((line.estimates, line.estimates_error_ms), (4, 10_000));
    floor.tell(Input::SetNotReady { agent: agent(0), reason: "lunch".into() }).end(0, 3).pass(5_000);
    let line = floor.acd.view().queue(&queue("support")).unwrap();
    assert_eq!((line.signed_in, line.ready), (2, 1));
}
