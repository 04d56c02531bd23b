//! An INVITE of ours whose place another one has taken because its way said nothing: a phone there that is only slow must not ring
//! on (RFC 3261 §9.1).

use super::reason_value;
use crate::sip::endpoint::{Endpoint, Purpose, Timer, Why};
use crate::sip::message::Message;
use crate::sip::transaction::timers::GIVE_UP;
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

impl Endpoint {
    /// Leaves an INVITE to its transaction: that ends by timer B, or is cancelled at its first provisional response. Where it has
    /// its final response already, there is nothing to wait for but a late 200 of another phone.
    pub(super) fn let_go(&mut self, key: &TransactionKey, ids: (String, String)) {
        if let Some(purpose) = self.purposes.get_mut(key) {
            *purpose = Purpose::Abandoned { cancelled: false };
        }
        self.note_given_up(ids);
    }

    pub(in crate::sip) fn handle_abandoned_response(
        &mut self,
        key: &TransactionKey,
        cancelled: bool,
        msg: &Message,
        source: Flow,
        now: Now,
    ) {
        match msg.code().unwrap_or_default() {
            100..=199 if !cancelled => {
                let reason = reason_value(&Why::new(487, "cancelled"));
                if self.transactions.cancel(key, &reason, now).is_ok() {
                    self.purposes.insert(key.clone(), Purpose::Abandoned { cancelled: true });
                    self.timers.arm(now.in_ms(GIVE_UP), Timer::Abandoned(key.clone()));
                }
            }
            200..=299 => self.handle_late_success(msg, source, true, now),
            _ => {}
        }
    }

    /// A cancelled INVITE has no final response still.
    pub(in crate::sip) fn handle_abandoned_over(&mut self, key: &TransactionKey) {
        if self.purposes.remove(key).is_some() {
            self.transactions.forget(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, dial_to, endpoint, sent, told, way};
    use super::*;
    use crate::sip::endpoint::{Admission, Dial, Event};
    use crate::sip::message::Method;

    /// Way 1 has said nothing for its patience: its INVITE, and that of way 2.
    fn failed_over() -> (Endpoint, (u16, Message), (u16, Message)) {
        let now = Now::default();
        let mut endpoint = endpoint(Admission::Open, 1);
        let leg = endpoint.next_leg();
        endpoint.dial(leg, Dial { ways: vec![way(5071), way(5072)], ..dial_to("sip:x@127.0.0.1") }, now);
        let first = sent(&mut endpoint).remove(0);
        endpoint.handle_timeout(now.plus_ms(4_000));
        let second = sent(&mut endpoint).pop().expect("the second way");
        assert_eq!((first.0, second.0), (5071, 5072));
        (endpoint, first, second)
    }

    fn cancels(endpoint: &mut Endpoint) -> Vec<(u16, Message)> {
        sent(endpoint).into_iter().filter(|(_, msg)| msg.method() == Some(&Method::Cancel)).collect()
    }

    #[test]
    fn a_slow_way_is_cancelled_at_its_first_word_and_once() {
        let now = Now::default().plus_ms(6_000);
        let (mut endpoint, first, second) = failed_over();
        answer(&mut endpoint, &first, 100, None, now);
        let cancel = cancels(&mut endpoint);
        let branch = |msg: &Message| msg.via().unwrap().branch().map(str::to_owned);
        assert_eq!((cancel.len(), cancel[0].0, branch(&cancel[0].1)), (1, 5071, branch(&first.1)));
        answer(&mut endpoint, &first, 180, None, now);
        assert_eq!(cancels(&mut endpoint), []);
        answer(&mut endpoint, &cancel[0], 200, None, now);
        answer(&mut endpoint, &first, 487, None, now);
        assert_eq!(sent(&mut endpoint).pop().unwrap().1.method(), Some(&Method::Ack));
        // The call itself knows nothing of it.
        assert_eq!(told(&mut endpoint), []);
        answer(&mut endpoint, &second, 200, Some(("Contact", "<sip:x@127.0.0.1:5072>")), now);
        assert!(matches!(told(&mut endpoint).as_slice(), [Event::Answered { .. }]));
    }

    #[test]
    fn an_answer_that_crosses_the_cancel_is_thanked_and_hung_up() {
        let now = Now::default().plus_ms(6_000);
        let (mut endpoint, first, second) = failed_over();
        answer(&mut endpoint, &second, 180, None, now);
        answer(&mut endpoint, &first, 180, None, now);
        let _ = sent(&mut endpoint);
        answer(&mut endpoint, &first, 200, Some(("Contact", "<sip:x@127.0.0.1:5071>")), now);
        let late: Vec<String> =
            sent(&mut endpoint).iter().map(|(port, msg)| format!("{port} {}", msg.method().unwrap())).collect();
        assert_eq!(late, ["5071 ACK", "5071 BYE"]);
    }

    #[test]
    fn nothing_is_left_of_a_way_that_stays_silent_or_ignores_its_cancel() {
        for speaks in [false, true] {
            let (mut endpoint, first, second) = failed_over();
            let mut now = Now::default().plus_ms(5_000);
            answer(&mut endpoint, &second, 486, None, now);
            if speaks {
                answer(&mut endpoint, &first, 100, None, now);
            }
            for _ in 0..3 {
                now = now.plus_ms(GIVE_UP);
                endpoint.handle_timeout(now);
            }
            assert_eq!((endpoint.load(), endpoint.purposes.len()), ([0; 5], 0));
        }
    }
}
