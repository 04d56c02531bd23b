//! More calls than there are media ports.

use trunkline::records::Disposition;

use super::daemon::{Daemon, own_source, wait, without_acw};
use super::phone::Phone;
use super::queue::agent;

#[test]
fn a_call_for_which_no_ports_are_left_gets_503_is_counted_and_the_next_one_is_taken_again() {
    let set = [("TRUNKLINE__RTP__PORTS", "20000-20005")];
    let mut daemon = Daemon::start_with(without_acw, &set);
    let agent = agent(&daemon, "1001");
    let phone = |number: usize| Phone::new(&format!("1380013800{number}"), own_source(), daemon.sip, 440.0);
    let mut callers: Vec<Phone> = (0..3).map(phone).collect();
    callers.iter_mut().take(2).for_each(|caller| drop(caller.call("4002")));
    // The third waits for an agent whose phone would need a fourth pair: that phone is not called, and the caller waits on.
    callers[2].call("4001");
    let without = || daemon.metric("trunkline_rtp_without_ports_total");
    wait(|| without() >= 1.0, || "the agent's phone is called".to_owned());
    let refused = without();
    let mut fourth = phone(3);
    fourth.invite("4002");
    assert!(fourth.outcome().is("503"));
    wait(|| without() > refused, || "the refusal is not counted".to_owned());
    wait(|| daemon.metric("trunkline_rtp_leases") == 3.0, || "no pair is left".to_owned());
    callers[0].hang_up();
    wait(|| daemon.metric("trunkline_rtp_leases") == 2.0, || "the ports do not come back".to_owned());
    fourth.call("4002");
    assert!(super::tone::share(&fourth.ear.hear(60)[4_800..], 440.0) > 0.9);
    fourth.hang_up();
    callers[1].hang_up();
    callers[2].hang_up();
    assert!(agent.try_receive().is_none_or(|text| !text.is("INVITE")), "no phone rang");
    daemon.until_idle();
    let records = daemon.stop();
    let of = |number: usize| {
        let caller = format!("1380013800{number}");
        records.iter().filter(|record| record.caller == caller).collect::<Vec<_>>()
    };
    assert_eq!((of(3)[0].disposition, of(3)[0].cause.text.as_str()), (Disposition::Refused, "no_media_ports"));
    assert_eq!(of(3)[1].disposition, Disposition::SelfService);
}
