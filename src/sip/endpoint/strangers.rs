//! Answers to those for whom nobody vouches: few, small, and without a trace here.

use std::net::IpAddr;

use super::{Admission, Endpoint};
use crate::sip::guard::Offence;
use crate::sip::message::{Message, Method, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::Now;

impl Endpoint {
    /// Whether what comes from there is answered in any case: a trunk's address, or everybody's where everybody may call.
    fn is_vouched_for(&self, source: IpAddr, now: Now) -> bool {
        self.settings.admission == Admission::Open || self.is_trunk(source, now)
    }

    /// Whether a source gets one more answer. A forged one must not make us send to somebody else for long, and a scanner has to wait.
    pub(super) fn may_answer(&mut self, source: IpAddr, now: Now) -> bool {
        let may = self.is_vouched_for(source, now)
            || !self.guard.is_banned(source, now) && self.guard.may_challenge(source, now);
        if !may {
            self.counts.slowed += 1;
        }
        may
    }

    /// Gives a request that changes nothing its final response. No transaction is kept for strangers, who would have us hold what
    /// they send for half a minute and repeat what we refuse; nor are they told what we are.
    pub(super) fn turn_away(
        &mut self,
        key: &TransactionKey,
        msg: &Message,
        source: IpAddr,
        (code, headers): (u16, &[(&str, String)]),
        now: Now,
    ) {
        if !self.may_answer(source, now) {
            return self.transactions.forget(key);
        }
        self.counts.challenges += u64::from(code == 401);
        let tag = self.transactions.tag_of(msg);
        let mut response = response_to(msg, code, reason_phrase(code), Some(&tag));
        headers.iter().for_each(|(name, value)| response.push(name, value));
        if self.is_vouched_for(source, now) {
            return self.respond(key, response, now);
        }
        // Asking whether we are there is what watchers do, and what belonged to a call may come late.
        if !matches!(msg.method(), Some(Method::Options | Method::Bye)) && code != 401 {
            self.note_offence(source, Offence::Probe, now);
        }
        if msg.method() == Some(&Method::Invite) {
            *self.counts.responses.entry(code).or_default() += 1;
        }
        if let Err(error) = self.transactions.respond_once(key, &response) {
            tracing::debug!(%error, "a response found its transaction gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use crate::sip::endpoint::Admission;
    use crate::sip::invite::testing::endpoint;
    use crate::sip::message::{Framing, judge};
    use crate::sip::transaction::{Flow, Transport};
    use crate::time::Now;

    const START: Now = Now { mono_ns: 1_000_000_000, wall_ms: 0 };

    /// What a stranger's request brings, as text.
    fn ask(endpoint: &mut Endpoint, (method, number): (&str, u32), to: &str, now: Now) -> Vec<String> {
        let text = format!(
            "{method} sip:1001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;rport;branch=z9hG4bK{number}\r\n\
             From: <sip:x@x>;tag=x\r\nTo: <sip:1001@x>{to}\r\nCall-ID: {number}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:x@192.0.2.7>\r\nContent-Length: 0\r\n\r\n"
        );
        let (local, remote) = ("127.0.0.1:5060".parse().unwrap(), "192.0.2.7:5060".parse().unwrap());
        let flow = Flow { transport: Transport::Udp, local, remote };
        endpoint.handle_verdict(judge(text.as_bytes(), Framing::Datagram), flow, now);
        let sent = std::iter::from_fn(|| endpoint.poll_transmit());
        sent.map(|sent| String::from_utf8(sent.payload).unwrap()).collect()
    }

    #[test]
    fn a_repeat_gets_the_same_answer_and_nothing_is_kept_or_sent_again() {
        let mut endpoint = endpoint(Admission::Guarded, 1);
        let first = ask(&mut endpoint, ("MESSAGE", 1), "", START);
        assert!(first.len() == 1 && first[0].starts_with("SIP/2.0 405 ") && first[0].contains(">;tag="), "{first:?}");
        assert_eq!(ask(&mut endpoint, ("MESSAGE", 1), "", START), first);
        assert_ne!(ask(&mut endpoint, ("MESSAGE", 2), "", START)[0], first[0].replace("Call-ID: 1", "Call-ID: 2"));
        assert!(ask(&mut endpoint, ("INVITE", 3), "", START)[0].starts_with("SIP/2.0 401 "));
        assert!(endpoint.transactions.is_empty());
        endpoint.handle_timeout(START.plus_ms(40_000));
        assert!(endpoint.poll_transmit().is_none(), "a refusal is not repeated to an address that may be forged");
    }

    #[test]
    fn an_emergency_call_is_asked_for_its_proof_where_others_are_shed() {
        let mut endpoint = endpoint(Admission::Guarded, 9);
        let late = START.plus_ms(5_000);
        endpoint.handle_wait(900 * crate::time::MS, START);
        endpoint.handle_wait(900 * crate::time::MS, late);
        assert!(ask(&mut endpoint, ("INVITE", 1), "", late)[0].starts_with("SIP/2.0 503 "));
        let pickup = "\r\nReplaces: made-up;to-tag=a;from-tag=b";
        assert!(ask(&mut endpoint, ("INVITE", 4), pickup, late)[0].starts_with("SIP/2.0 503 "), "of nothing");
        endpoint.set_users(Default::default(), vec!["100".to_owned()]);
        assert!(ask(&mut endpoint, ("INVITE", 2), "", late)[0].starts_with("SIP/2.0 503 "), "a longer number");
        endpoint.set_users(Default::default(), vec!["1001".to_owned()]);
        assert!(ask(&mut endpoint, ("INVITE", 3), "", late)[0].starts_with("SIP/2.0 401 "));
        assert_eq!(endpoint.shed(), 3);
    }

    #[test]
    fn what_pretends_to_belong_to_something_gets_no_more_answers_and_leaves_nothing() {
        for (seed, (method, to)) in (3..).zip([("SUBSCRIBE", ";tag=made-up"), ("BYE", ";tag=made-up"), ("CANCEL", "")])
        {
            let mut endpoint = endpoint(Admission::Guarded, seed);
            let answered = |number: &u32| !ask(&mut endpoint, (method, *number), to, START).is_empty();
            assert_eq!((0..30).filter(answered).count(), 20, "{method}");
            assert!(endpoint.transactions.is_empty(), "{method}");
        }
    }

    #[test]
    fn a_stranger_gets_few_answers_and_a_banned_one_none_whatever_tag_it_makes_up() {
        let mut endpoint = endpoint(Admission::Guarded, 2);
        let answers = (0..30).filter(|number| !ask(&mut endpoint, ("OPTIONS", *number), "", START).is_empty()).count();
        assert_eq!((answers, endpoint.counts().slowed, endpoint.counts().banned), (20, 10, 0));
        let later = START.plus_ms(500);
        assert_eq!(ask(&mut endpoint, ("OPTIONS", 30), "", later).len(), 1);
        let banned = (0..60).find(|number| {
            ask(&mut endpoint, ("INVITE", 100 + number), "", later);
            endpoint.counts().banned > 0
        });
        assert_eq!(banned, Some(49));
        let much_later = START.plus_ms(60_000);
        assert!(ask(&mut endpoint, ("BYE", 200), ";tag=made-up", much_later).is_empty());
        assert!(endpoint.counts().ignored > 0);
    }
}
