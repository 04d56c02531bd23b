//! Sheds new calls where they are read, before they cost the loop anything: by the wait that they would have, known as soon as they
//! come, and not by that of somebody who has waited already.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{is_emergency, is_new_call};
use crate::sip::message::{Brief, Message, Method, reason_phrase, response_to, stamp_source};
use crate::sip::transaction::{Flow, Transmit, reply_flow, reply_flow_by};
use crate::sip::trunk::Net;
use crate::time::{MS, Now};

/// The longest wait for its turn that a new call is let in for, ns: less than that for which the loop itself begins to shed, and a
/// fifth of the time after which its sender repeats it (RFC 3261 T1), as the answer of who is called waits as long again.
const PATIENCE_NS: u64 = 100 * MS;
/// How long an INVITE may come again after it was let in, ms: 64·T1 (RFC 3261 §17.1.1.2).
const REPEATS_MS: u64 = 32_000;
/// How many such INVITEs are remembered: 32 seconds of four thousand a second. Beyond that the oldest is forgotten, whose sender has had
/// an answer by then and does not repeat it.
const REPEATS: usize = 131_072;

/// Whose calls are shed where they are read, and which of them never. Others are the loop's to judge, which knows who is registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Those from these networks: our trunks' listed addresses.
    pub nets: Vec<Net>,
    /// Calls to these numbers are let in at any time.
    pub emergency: Vec<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// The loop takes it.
    Pass,
    /// It gets this answer, and nothing is kept of it.
    Shed(Transmit),
    /// It is the ACK of such an answer: nobody waits for it.
    Swallow,
}

/// The gate of one socket.
#[derive(Debug)]
pub struct Gate {
    rules: Rules,
    /// Keeps tags from being guessed.
    key: u64,
    passed: Passed,
    /// Until when an ACK of ours may come (monotonic nanoseconds).
    acks_until_ns: u64,
}

/// INVITEs that were let in, while they may come again: a copy of one must not get 503.
#[derive(Debug, Default)]
struct Passed {
    names: BTreeSet<u64>,
    /// When each is forgotten (monotonic nanoseconds), oldest first.
    ends: VecDeque<(u64, u64)>,
}

impl Passed {
    fn note(&mut self, name: u64, now: Now) {
        let mut full = self.ends.len() >= REPEATS;
        while let Some((_, old)) = self.ends.pop_front_if(|(end, _)| full || *end <= now.mono_ns) {
            self.names.remove(&old);
            full = false;
        }
        if self.names.insert(name) {
            self.ends.push_back((now.in_ms(REPEATS_MS), name));
        }
    }
}

impl Gate {
    /// A gate that has let nobody in yet; `key` is random.
    pub fn new(rules: Rules, key: u64) -> Self {
        Self { rules, key, passed: Passed::default(), acks_until_ns: 0 }
    }

    /// Follows a reload.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Whether new calls wait too long.
    pub fn is_closed(wait_ns: u64) -> bool {
        wait_ns >= PATIENCE_NS
    }

    /// The same as [`Self::handle`] before a message is read, at a fifth of the cost; `None` where it must be read to be judged, which
    /// most are.
    pub fn handle_bytes(&mut self, bytes: &[u8], source: Flow, wait_ns: u64, now: Now) -> Option<Sentence> {
        let closed = Self::is_closed(wait_ns);
        if !closed && now.mono_ns >= self.acks_until_ns {
            return None;
        }
        let brief = Brief::read(bytes)?;
        let name = self.name(brief.via.unique_branch(), Some(brief.call_id), brief.number);
        if brief.method == Method::Ack {
            return brief.has_our_tag(&tag(name)).then_some(Sentence::Swallow);
        }
        let is_new = closed && !brief.has_tag() && !self.passed.names.contains(&name);
        if !is_new || !self.vouches_for(source) || is_emergency(Some(&brief.uri()?), &self.rules.emergency) {
            return None;
        }
        let payload = brief.refusal((503, reason_phrase(503)), &tag(name), source.remote)?;
        self.acks_until_ns = now.in_ms(REPEATS_MS);
        Some(Sentence::Shed(Transmit { flow: reply_flow_by(&brief.via, source), payload, peer: None }))
    }

    /// What to do with a message that came over `source` and would wait for `wait_ns`. One that is shed is not to be used any more.
    pub fn handle(&mut self, msg: &mut Message, source: Flow, wait_ns: u64, now: Now) -> Sentence {
        if msg.method() == Some(&Method::Ack) && msg.to_tag().is_some_and(|tag| tag == self.tag_of(msg)) {
            return Sentence::Swallow;
        }
        // Whoever is not shed here need not be remembered either.
        if !is_new_call(msg) || !self.vouches_for(source) {
            return Sentence::Pass;
        }
        let name = self.name_of(msg);
        let spared = self.passed.names.contains(&name) || is_emergency(msg.uri(), &self.rules.emergency);
        if !Self::is_closed(wait_ns) || spared {
            self.passed.note(name, now);
            return Sentence::Pass;
        }
        self.acks_until_ns = now.in_ms(REPEATS_MS);
        stamp_source(msg, source.remote);
        let response = response_to(msg, 503, reason_phrase(503), Some(&tag(name)));
        Sentence::Shed(Transmit { flow: reply_flow(msg, source), payload: response.to_bytes(), peer: None })
    }

    fn vouches_for(&self, source: Flow) -> bool {
        self.rules.nets.iter().any(|net| net.contains(source.remote.ip()))
    }

    /// What an INVITE has in common with its copies and with the ACK of a refusal (RFC 3261 §17.1.1.3), and with nothing else.
    fn name(&self, branch: Option<&str>, call_id: Option<&str>, number: u32) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.key, branch, call_id, number).hash(&mut hasher);
        hasher.finish()
    }

    fn name_of(&self, msg: &Message) -> u64 {
        let via = msg.via().ok();
        let number = msg.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.name(via.as_ref().and_then(|via| via.unique_branch()), msg.call_id(), number)
    }

    fn tag_of(&self, msg: &Message) -> String {
        tag(self.name_of(msg))
    }
}

fn tag(name: u64) -> String {
    format!("{name:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Framing, Verdict, judge};
    use crate::sip::transaction::Transport;

    const START: Now = Now { mono_ns: 1_000_000_000, wall_ms: 0 };
    const LONG: u64 = 1_000 * MS;

    fn gate() -> Gate {
        let nets = vec!["192.0.2.0/24".parse().unwrap()];
        Gate::new(Rules { nets, emergency: vec!["112".to_owned()] }, 7)
    }

    fn read(text: &str) -> Message {
        match judge(text.as_bytes(), Framing::Datagram) {
            Verdict::Accept(msg) => msg,
            other => panic!("{other:?}"),
        }
    }

    fn request(method: &str, number: u32, called: &str, more: &str) -> Message {
        read(&format!(
            "{method} sip:{called}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9:5070;rport;branch=z9hG4bK{number}\r\n\
             From: <sip:a@b>;tag=f\r\nTo: <sip:{called}@192.0.2.1>{more}\r\nCall-ID: c{number}\r\nCSeq: 1 {method}\r\n\
             Max-Forwards: 70\r\nContact: <sip:a@192.0.2.7>\r\nContent-Length: 0\r\n\r\n"
        ))
    }

    fn from(host: &str) -> Flow {
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow { transport: Transport::Udp, local, remote: format!("{host}:5060").parse().unwrap() }
    }

    fn shed(sentence: Sentence) -> Message {
        match sentence {
            Sentence::Shed(transmit) => read(&String::from_utf8(transmit.payload).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_that_would_wait_too_long_gets_503_and_the_ack_of_that_goes_nowhere() {
        let (mut gate, trunk) = (gate(), from("192.0.2.7"));
        assert_eq!(gate.handle(&mut request("INVITE", 1, "95588", ""), trunk, PATIENCE_NS - 1, START), Sentence::Pass);
        let invite = request("INVITE", 2, "95588", "");
        let sentence = gate.handle(&mut invite.clone(), trunk, PATIENCE_NS, START);
        let Sentence::Shed(transmit) = &sentence else { panic!("{sentence:?}") };
        assert_eq!(transmit.flow, trunk);
        let answer = shed(sentence.clone());
        assert_eq!((answer.code(), answer.header("Retry-After")), (Some(503), None));
        assert_eq!(answer.header("Via").unwrap().matches("received=192.0.2.7").count(), 1);
        assert_eq!(shed(gate.handle(&mut invite.clone(), trunk, LONG, START)), answer, "a copy gets the same answer");

        let tag = answer.to_tag().unwrap();
        let ack = request("ACK", 2, "95588", &format!(";tag={tag}"));
        assert_eq!(gate.handle(&mut ack.clone(), trunk, 0, START), Sentence::Swallow);
        let other = request("ACK", 3, "95588", &format!(";tag={tag}"));
        assert_eq!(gate.handle(&mut other.clone(), trunk, LONG, START), Sentence::Pass, "another call's ACK");
    }

    #[test]
    fn what_is_shed_before_it_is_read_gets_the_same_answer() {
        let trunk = from("192.0.2.7");
        let (invite, other) = (request("INVITE", 2, "95588", ""), request("INVITE", 3, "112", ""));
        let bytes = invite.to_bytes();
        let (mut quick, mut slow) = (gate(), gate());
        assert_eq!(quick.handle_bytes(&bytes, trunk, PATIENCE_NS - 1, START), None, "nobody waits too long");
        let told = quick.handle_bytes(&bytes, trunk, LONG, START).unwrap();
        assert_eq!(told, slow.handle(&mut invite.clone(), trunk, LONG, START));
        assert_eq!(quick.handle_bytes(&other.to_bytes(), trunk, LONG, START), None, "an emergency");
        assert_eq!(quick.handle_bytes(&bytes, from("203.0.113.7"), LONG, START), None, "a stranger");

        let tag = shed(told).to_tag().unwrap().to_owned();
        let ack = request("ACK", 2, "95588", &format!(";tag={tag}")).to_bytes();
        assert_eq!(quick.handle_bytes(&ack, trunk, 0, START.plus_ms(31_999)), Some(Sentence::Swallow));
        let other = request("ACK", 3, "95588", &format!(";tag={tag}")).to_bytes();
        assert_eq!(quick.handle_bytes(&other, trunk, 0, START), None);

        let mut passed = gate();
        passed.handle(&mut invite.clone(), trunk, 0, START);
        assert_eq!(passed.handle_bytes(&bytes, trunk, LONG, START), None, "a copy of one that was let in");
    }

    #[test]
    fn what_belongs_to_a_call_strangers_and_emergencies_are_the_loops() {
        let (mut gate, trunk) = (gate(), from("192.0.2.7"));
        for (method, more) in [("INVITE", ";tag=x"), ("BYE", ";tag=x"), ("CANCEL", ""), ("OPTIONS", "")] {
            assert_eq!(
                gate.handle(&mut request(method, 1, "95588", more), trunk, LONG, START),
                Sentence::Pass,
                "{method}"
            );
        }
        assert_eq!(gate.handle(&mut request("INVITE", 2, "112", ""), trunk, LONG, START), Sentence::Pass);
        let stranger = from("203.0.113.7");
        assert_eq!(gate.handle(&mut request("INVITE", 3, "95588", ""), stranger, LONG, START), Sentence::Pass);
        gate.set_rules(Rules { nets: vec!["203.0.113.0/24".parse().unwrap()], emergency: Vec::new() });
        shed(gate.handle(&mut request("INVITE", 4, "112", ""), stranger, LONG, START));
    }

    #[test]
    fn a_copy_of_an_invite_that_was_let_in_is_let_in_while_it_may_come() {
        let (mut gate, trunk) = (gate(), from("192.0.2.7"));
        let invite = request("INVITE", 1, "95588", "");
        assert_eq!(gate.handle(&mut invite.clone(), trunk, 0, START), Sentence::Pass);
        assert_eq!(gate.handle(&mut invite.clone(), trunk, LONG, START.plus_ms(31_999)), Sentence::Pass);
        for number in 0..1_000 {
            gate.handle(&mut request("INVITE", 10 + number, "95588", ""), trunk, 0, START.plus_ms(32_000));
        }
        assert_eq!((gate.passed.names.len(), gate.passed.ends.len()), (1_000, 1_000), "nothing is kept for ever");
        shed(gate.handle(&mut invite.clone(), trunk, LONG, START.plus_ms(32_000)));
    }

    #[test]
    fn a_pickup_is_about_a_call_that_is_there() {
        let (mut gate, trunk) = (gate(), from("192.0.2.7"));
        let pickup = request("INVITE", 1, "95588", "\r\nReplaces: x;to-tag=1;from-tag=2");
        assert_eq!(gate.handle(&mut pickup.clone(), trunk, LONG, START), Sentence::Pass);
    }
}
