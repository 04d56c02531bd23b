//! Another try at an INVITE of ours: with the answer to a challenge (RFC 3261 §22.2), with a longer session interval (RFC 4028
//! §6), or by the next way (RFC 3263 §4.3). Each reason counts once, so that no peer can keep us trying.

use std::collections::VecDeque;

use super::{Session, State};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Flows, Pending, Purpose, Timer, why_not};
use crate::sip::locate::{LookupId, NoWay};
use crate::sip::message::{Message, Scheme, Uri};
use crate::sip::transaction::Flow;
use crate::time::{Now, TimerId};

/// How long a way may say nothing before the next one is tried, ms: most answer within a round trip, and the caller waits.
pub const WAY_PATIENCE_MS: u64 = 4_000;
/// Answers to challenges of one way: the second one only where the first was right and came too late.
const ANSWERS: u32 = 2;

/// Where a call may be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The Request-URI there.
    pub target: Uri,
    /// How to get there; by where its URI leads where `None` (RFC 3263).
    pub flow: Option<Flow>,
    /// The proxies before it, nearest to us first; only with a flow.
    pub routes: Vec<String>,
}

/// What else can be tried for an INVITE.
#[derive(Clone, Debug)]
pub(super) struct Tries {
    /// Where else the present way leads.
    hops: VecDeque<Flow>,
    /// Where else to call.
    ways: VecDeque<Way>,
    /// Asks where the next way leads.
    pub(super) lookup: Option<LookupId>,
    patience_ms: u64,
    /// Runs while the present way has said nothing and another one is left.
    pub(super) patience: Option<TimerId>,
    answers: u32,
    prolonged: bool,
}

impl Tries {
    pub(super) fn new(hops: VecDeque<Flow>, ways: VecDeque<Way>, patience_ms: u64) -> Self {
        Self { hops, ways, lookup: None, patience_ms, patience: None, answers: 0, prolonged: false }
    }
}

/// Whether a final response says that this way, and not the called party, is what failed.
pub fn is_about_the_way(code: u16) -> bool {
    matches!(code, 408 | 500 | 502 | 503 | 504)
}

impl Endpoint {
    /// Acts on a refusal that another try may get over; `false` where there is none.
    pub(super) fn try_again(&mut self, leg: LegId, refusal: &Message, now: Now) -> bool {
        match refusal.code().unwrap_or_default() {
            401 | 407 => self.try_with_answer(leg, refusal, now),
            422 => self.try_with_interval(leg, refusal, now),
            300..=399 => self.follow(leg, refusal, now),
            code if is_about_the_way(code) => self.try_next_target(leg, now) || self.try_next_way(leg, now),
            // Nobody else is to be asked (RFC 3261 §21.6).
            600.. => false,
            _ => self.try_next_target(leg, now),
        }
    }

    fn try_with_answer(&mut self, leg: LegId, challenge: &Message, now: Now) -> bool {
        let cnonce = self.draw();
        let Some(account) = self.sessions.get(&leg).and_then(|session| session.account.clone()) else { return false };
        let Some(calling) = self.calling(leg) else { return false };
        if calling.tries.answers >= ANSWERS {
            return false;
        }
        let again = calling.tries.answers > 0;
        let Some((name, answer)) = account.answer(challenge, &calling.request, again, &cnonce) else { return false };
        calling.tries.answers += 1;
        calling.request.remove("Authorization");
        calling.request.remove("Proxy-Authorization");
        calling.request.push(name, answer);
        self.send_again(leg, 1, now)
    }

    fn try_with_interval(&mut self, leg: LegId, refusal: &Message, now: Now) -> bool {
        let Some(calling) = self.calling(leg) else { return false };
        let least = refusal.header("Min-SE").and_then(|value| value.split(';').next()?.trim().parse::<u32>().ok());
        let asked = calling.request.header("Session-Expires").and_then(|value| value.parse::<u32>().ok());
        let (Some(least), Some(asked)) = (least, asked) else { return false };
        if least <= asked || std::mem::replace(&mut calling.tries.prolonged, true) {
            return false;
        }
        calling.request.set("Session-Expires", least);
        calling.request.set("Min-SE", least);
        self.send_again(leg, 1, now)
    }

    /// Goes on by the next hop of the present way, or by the next way.
    pub(super) fn try_next_way(&mut self, leg: LegId, now: Now) -> bool {
        let Some(flow) = self.flow_of(leg) else { return false };
        self.locator.note_failure(flow.transport, flow.remote, now);
        let Some(calling) = self.calling(leg).filter(|calling| calling.cancelling.is_none()) else { return false };
        if let Some(flow) = calling.tries.hops.pop_front() {
            return self.try_next_hop(leg, flow, now);
        }
        while let Some(way) = self.calling(leg).and_then(|calling| calling.tries.ways.pop_front()) {
            match self.flows_of(&way.target, way.flow, now) {
                Ok(Flows::Known(flows)) => return self.go_by(leg, way, flows, now),
                Ok(Flows::Pending(id)) => return self.await_lookup(leg, way, id),
                // The way leads nowhere, and the next one may.
                Err(no_way) => tracing::info!(%leg, target = %way.target, %no_way, "a way of a call is passed by"),
            }
        }
        false
    }

    /// The same request by another hop, with another branch alone (RFC 3263 §4.3).
    fn try_next_hop(&mut self, leg: LegId, flow: Flow, now: Now) -> bool {
        let Some(calling) = self.calling(leg) else { return false };
        let (key, ids) = (calling.key.clone(), calling.ids.clone());
        calling.tries.answers = 0;
        self.let_go(&key, ids);
        self.go_over(leg, flow);
        let sent = self.send_again(leg, 0, now);
        self.await_way(leg, now);
        sent
    }

    /// Calls by another way, as another call: an answer by the old one is late, and is thanked and hung up.
    fn go_by(&mut self, leg: LegId, way: Way, mut flows: VecDeque<Flow>, now: Now) -> bool {
        let ids = (format!("{}{}", self.draw(), self.draw()), self.draw());
        let (Some(calling), Some(flow)) = (self.calling(leg), flows.pop_front()) else { return false };
        let Ok(mut from) = calling.request.from() else { return false };
        from.params.set("tag", Some(&ids.1));
        calling.tries.hops = flows;
        calling.request.set("From", from);
        calling.request.set("Call-ID", ids.0.clone());
        let (key, old) = (calling.key.clone(), std::mem::replace(&mut calling.ids, ids.clone()));
        self.dialling.remove(&old);
        self.note_dialled(leg, &ids);
        self.let_go(&key, old);
        self.aim(leg, way, flow);
        let sent = self.send_again(leg, 1, now);
        self.await_way(leg, now);
        sent
    }

    /// Points the INVITE at another target; what proved us to the last one says nothing there.
    pub(super) fn aim(&mut self, leg: LegId, way: Way, flow: Flow) {
        let Some(calling) = self.calling(leg) else { return };
        calling.tries.answers = 0;
        calling.request.remove("Authorization");
        calling.request.remove("Proxy-Authorization");
        calling.request.remove("Route");
        way.routes.iter().for_each(|route| calling.request.push("Route", route));
        calling.request.set_uri(way.target);
        self.go_over(leg, flow);
    }

    /// The leg's INVITE leaves by this flow from now on.
    fn go_over(&mut self, leg: LegId, flow: Flow) {
        let Some(calling) = self.calling(leg) else { return };
        let user = calling.request.from().ok().and_then(|from| from.uri.plain_user()).unwrap_or_default();
        let scheme = calling.request.uri().map_or(Scheme::Sip, |uri| uri.scheme.clone());
        let contact = self.contact(&user, flow, &scheme);
        if let Some(session) = self.sessions.get_mut(&leg) {
            session.flow = flow;
            session.contact.clone_from(&contact);
        }
        if let Some(calling) = self.calling(leg) {
            calling.request.set("Contact", contact);
        }
    }

    /// Waits until it is known where the next way leads; the present one is over.
    fn await_lookup(&mut self, leg: LegId, way: Way, id: LookupId) -> bool {
        let Some(calling) = self.calling(leg) else { return false };
        let (key, ids, patience) = (calling.key.clone(), calling.ids.clone(), calling.tries.patience.take());
        calling.tries.lookup = Some(id);
        calling.tries.ways.push_front(way);
        if let Some(patience) = patience {
            self.timers.disarm(patience);
        }
        self.let_go(&key, ids);
        self.ways.pending.insert(id, Pending::NextWay(leg));
        true
    }

    /// It is known where the next way leads.
    pub(in crate::sip) fn handle_way_located(&mut self, leg: LegId, flows: Result<VecDeque<Flow>, NoWay>, now: Now) {
        let Some(calling) = self.calling(leg) else { return };
        calling.tries.lookup = None;
        let Some(way) = calling.tries.ways.pop_front() else { return };
        let gone_on = match flows {
            Ok(flows) => self.go_by(leg, way, flows, now),
            Err(_) => self.try_next_way(leg, now),
        };
        if !gone_on {
            self.fail(leg, why_not(NoWay::Address));
        }
    }

    /// `step`: by how much its number grows; 0 where it is the same request.
    pub(super) fn send_again(&mut self, leg: LegId, step: u32, now: Now) -> bool {
        let Some(Session { state: State::Calling(calling), flow, .. }) = self.sessions.get_mut(&leg).map(Box::as_mut)
        else {
            return false;
        };
        if calling.cancelling.is_some() {
            return false;
        }
        let number = calling.request.cseq().map_or(1, |cseq| cseq.number);
        let number = if step == 0 { number } else { number.max(calling.early.last_cseq()) + step };
        // A refusal ends every early dialog of its INVITE (RFC 3261 §12.3).
        calling.early = Default::default();
        calling.request.set("CSeq", format!("{number} INVITE"));
        calling.progressed = false;
        let (request, flow) = (calling.request.clone(), *flow);
        let key = self.send(request, flow, now);
        self.purposes.insert(key.clone(), Purpose::Dialled(leg));
        if let Some(calling) = self.calling(leg) {
            calling.key = key;
        }
        true
    }

    /// Starts the patience with a way, where another one is left.
    pub(super) fn await_way(&mut self, leg: LegId, now: Now) {
        let Some(calling) = self.calling(leg) else { return };
        let old = calling.tries.patience.take();
        let others = !calling.tries.ways.is_empty() || !calling.tries.hops.is_empty();
        let due = others.then(|| now.in_ms(calling.tries.patience_ms));
        if let Some(old) = old {
            self.timers.disarm(old);
        }
        let patience = due.map(|due| self.timers.arm(due, Timer::WayPatience(leg)));
        if let Some(calling) = self.calling(leg) {
            calling.tries.patience = patience;
        }
    }

    /// The present way has said nothing for too long.
    pub(in crate::sip) fn handle_way_patience_over(&mut self, leg: LegId, now: Now) {
        if let Some(calling) = self.calling(leg) {
            calling.tries.patience = None;
            self.try_next_way(leg, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, dial_to, endpoint, sent, talk, way};
    use super::*;
    use crate::sip::endpoint::{Admission, Dial, Event, Why};
    use crate::sip::message::Message;

    fn invites(sent: Vec<(u16, Message)>) -> Vec<(u16, Message)> {
        sent.into_iter().filter(|(_, msg)| msg.method().is_some_and(|method| method.as_str() == "INVITE")).collect()
    }

    fn dialled(ports: &[u16], now: Now) -> (Endpoint, LegId, (u16, Message)) {
        let mut endpoint = endpoint(Admission::Open, 1);
        let leg = endpoint.next_leg();
        let ways = ports.iter().map(|port| way(*port)).collect();
        endpoint.dial(leg, Dial { ways, ..dial_to("sip:x@127.0.0.1") }, now);
        let first = invites(sent(&mut endpoint)).remove(0);
        (endpoint, leg, first)
    }

    #[test]
    fn ways_are_tried_in_turn_and_a_busy_party_ends_that() {
        let now = Now::default();
        let (mut endpoint, leg, first) = dialled(&[5071, 5072, 5073], now);
        answer(&mut endpoint, &first, 503, None, now);
        let second = invites(sent(&mut endpoint)).remove(0);
        assert_eq!((first.0, second.0), (5071, 5072));
        assert_ne!(first.1.call_id(), second.1.call_id(), "a way's late answer is told from the next one's");
        assert_eq!(second.1.uri().unwrap().to_string(), "sip:10086@127.0.0.1:5072");
        // Silence for longer than the patience.
        endpoint.handle_timeout(now.plus_ms(4_000));
        let third = invites(sent(&mut endpoint)).pop().unwrap();
        assert_eq!(third.0, 5073);
        answer(&mut endpoint, &third, 486, None, now.plus_ms(4_100));
        let told: Vec<_> = std::iter::from_fn(|| endpoint.poll_event()).collect();
        assert_eq!(told, [Event::Failed { leg, why: Why::new(486, "busy") }]);
        assert_eq!(endpoint.load()[..3], [0, 0, 0]);
    }

    #[test]
    fn a_ringing_way_is_waited_for_and_a_late_answer_of_another_hung_up() {
        let now = Now::default();
        let (mut endpoint, _, first) = dialled(&[5071, 5072], now);
        endpoint.handle_timeout(now.plus_ms(4_000));
        // After the first one's repeats.
        let second = invites(sent(&mut endpoint)).pop().unwrap();
        answer(&mut endpoint, &second, 180, None, now.plus_ms(4_100));
        answer(&mut endpoint, &first, 200, Some(("Contact", "<sip:x@127.0.0.1:5071>")), now.plus_ms(4_200));
        let late: Vec<String> =
            sent(&mut endpoint).iter().map(|(port, msg)| format!("{port} {}", msg.method().unwrap())).collect();
        assert_eq!(late, ["5071 ACK", "5071 BYE"]);
        answer(&mut endpoint, &second, 200, Some(("Contact", "<sip:x@127.0.0.1:5072>")), now.plus_ms(9_000));
        assert!(std::iter::from_fn(|| endpoint.poll_event()).any(|event| matches!(event, Event::Answered { .. })));
    }

    #[test]
    fn a_longer_interval_is_offered_once() {
        let now = Now::default();
        let (mut endpoint, leg, first) = dialled(&[5071], now);
        answer(&mut endpoint, &first, 422, Some(("Min-SE", "3600")), now);
        let second = invites(sent(&mut endpoint)).remove(0);
        let header = |name| second.1.header(name).unwrap_or_default().to_owned();
        assert_eq!((header("Session-Expires"), header("Min-SE")), ("3600".to_owned(), "3600".to_owned()));
        assert_eq!((first.1.call_id(), header("CSeq")), (second.1.call_id(), "2 INVITE".to_owned()));
        answer(&mut endpoint, &second, 422, Some(("Min-SE", "7200")), now);
        assert_eq!(endpoint.poll_event(), Some(Event::Failed { leg, why: Why::new(422, "refused") }));
    }

    #[test]
    fn nothing_is_left_of_a_call_that_was_answered_and_hung_up() {
        let now = Now::default();
        let (mut phone, mut switch) = (endpoint(Admission::Open, 1), endpoint(Admission::Open, 2));
        let leg = phone.next_leg();
        phone.dial(leg, dial_to("sip:4002@127.0.0.1:5060"), now);
        talk(&mut phone, &mut switch, now);
        let Some(Event::Invited { leg: offered, .. }) = switch.poll_event() else { panic!("no call") };
        switch.answer(offered, "v=0".into(), now);
        talk(&mut phone, &mut switch, now);
        phone.hang_up(leg, Why::new(16, "normal_clearing"), now);
        talk(&mut phone, &mut switch, now);
        assert_eq!((&phone.load()[..3], &switch.load()[..3]), (&[0, 0, 0][..], &[0, 0, 0][..]));
    }
}
