//! A call that we place: INVITE, its responses, CANCEL (RFC 3261 §13.2, §9.1).

use std::collections::VecDeque;

use super::again::{Tries, Way};
use super::dial::Dial;
use super::early::Progress;
use super::redirect::Redirects;
use super::{Calling, Counted, Session, State, describe, is_behind_nat, next_hop, reason_value};
use crate::id::{LegId, TrunkId};
use crate::sip::dialog::{Dialog, RequestFrame, Role};
use crate::sip::endpoint::{Endpoint, Event, Flows, Pending, Purpose, Timer, Why, why_not};
use crate::sip::locate::LookupId;
use crate::sip::message::{Message, Method, NameAddr, Uri};
use crate::sip::transaction::timers::GIVE_UP;
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

/// How many INVITEs that were given up are remembered: more than a floor loses in the minutes after which a phone answers.
const GIVEN_UP: usize = 1_000;

impl Endpoint {
    /// Places a call on a leg of [`Endpoint::next_leg`].
    pub fn dial(&mut self, leg: LegId, dial: Dial, now: Now) {
        self.dial_by_first(leg, dial, Why::new(503, "no_way"), now);
    }

    /// Dials by the first way that leads anywhere; `why` it fails where there is none.
    pub(in crate::sip) fn dial_by_first(&mut self, leg: LegId, mut dial: Dial, mut why: Why, now: Now) {
        while let Some(Way { target, flow, .. }) = dial.ways.first() {
            let (target, flow) = (target.clone(), *flow);
            match self.flows_of(&target, flow, now) {
                Ok(Flows::Known(flows)) => return self.place(leg, dial, flows, now),
                Ok(Flows::Pending(id)) => {
                    self.ways.pending.insert(id, Pending::Dial(leg, Box::new(dial)));
                    return;
                }
                Err(no_way) => {
                    tracing::info!(%leg, %target, %no_way, "a way of a call is passed by");
                    why = why_not(no_way);
                    dial.ways.remove(0);
                }
            }
        }
        self.fail_before_session(leg, dial.trunk, why);
    }

    /// A call has come to nothing before there was anything to send.
    fn fail_before_session(&mut self, leg: LegId, trunk: Option<TrunkId>, why: Why) {
        if let Some(trunk) = trunk {
            self.leave(&Counted::Trunk(trunk, true));
        }
        self.events.push_back(Event::Failed { leg, why });
    }

    /// Sends the first INVITE of a call, by the first hop of its first way.
    pub(in crate::sip) fn place(&mut self, leg: LegId, dial: Dial, mut hops: VecDeque<Flow>, now: Now) {
        let mut ways = VecDeque::from(dial.ways);
        let (Some(Way { target, routes, .. }), Some(flow)) = (ways.pop_front(), hops.pop_front()) else { return };
        let contact = self.contact(&dial.from, flow, &target.scheme);
        let user = Some(dial.from.as_str()).filter(|user| !user.is_empty());
        let host = Uri::host_of(self.settings.advertised(flow).ip());
        let domain = dial.domain.as_deref().unwrap_or(&host);
        let mut own = NameAddr { name: dial.name, ..NameAddr::new(Uri::sip(user, domain, None)) };
        let ids = (format!("{}{}", self.draw(), self.draw()), self.draw());
        own.params.set("tag", Some(&ids.1));
        let request = Message::request(Method::Invite, target.clone())
            .with("Max-Forwards", dial.carried.hops)
            .with("From", own)
            .with("To", NameAddr::new(target))
            .with("Call-ID", ids.0.clone())
            .with("CSeq", "1 INVITE")
            .with("User-Agent", self.settings.product.clone());
        let mut request = describe(request, &contact, Some(dial.body.clone()));
        routes.iter().for_each(|route| request.push("Route", route));
        self.ask_timer(&mut request);
        for value in dial.carried.user_to_user {
            request.push("User-to-User", value);
        }
        for (name, value) in dial.headers {
            request.push(name, value);
        }
        if dial.auto_answer {
            // There is no standard for it: makers of phones read one of these two.
            request.push("Call-Info", format!("<sip:{host}>;answer-after=0"));
            request.push("Alert-Info", format!("<sip:{host}>;info=alert-autoanswer;delay=0"));
        }
        let key = self.send(request.clone(), flow, now);
        self.purposes.insert(key.clone(), Purpose::Dialled(leg));
        self.note_dialled(leg, &ids);
        let calling = Calling {
            key,
            ids,
            tries: Tries::new(hops, ways, dial.patience_ms),
            redirects: Redirects::new(dial.redirects, dial.redirect_nets, request.uri()),
            request,
            progressed: false,
            cancelling: None,
            early: Default::default(),
        };
        let session = Session {
            described: dial.body,
            account: dial.account,
            owns_call_id: true,
            behind_nat: dial.nat,
            counted: dial.trunk.map(|trunk| Counted::Trunk(trunk, true)),
            ..Session::new(State::Calling(Box::new(calling)), flow, contact)
        };
        self.sessions.insert(leg, Box::new(session));
        self.await_way(leg, now);
    }

    /// An INVITE with these names (Call-ID and our tag) leaves.
    pub(super) fn note_dialled(&mut self, leg: LegId, ids: &(String, String)) {
        self.dialling.insert(ids.clone(), leg);
        if self.settings.trace {
            self.events.push_back(Event::Dialling { leg, call_id: ids.0.clone() });
        }
    }

    /// Gives up on a call that was not answered, and says why (RFC 3326). Its end comes as `Failed`, or as `Answered` where the
    /// 200 was quicker.
    pub fn cancel(&mut self, leg: LegId, why: Why, now: Now) {
        let Some(calling) = self.calling(leg) else { return self.cancel_lookup(leg) };
        if let Some(id) = calling.tries.lookup.take() {
            self.forget_lookup(id);
            return self.fail(leg, Why::new(487, "cancelled"));
        }
        if calling.cancelling.is_some() {
            return;
        }
        calling.cancelling = Some(why.clone());
        let (ready, key) = (calling.progressed, calling.key.clone());
        // Before a provisional response a CANCEL might overtake its INVITE (§9.1).
        if ready {
            self.send_cancel(leg, &key, &why, now);
        }
    }

    /// Gives up on a call whose first way is still looked for.
    pub(super) fn cancel_lookup(&mut self, leg: LegId) {
        let waits = |pending: &Pending| matches!(pending, Pending::Dial(own, _) if *own == leg);
        let found = self.ways.pending.iter().find(|(_, pending)| waits(pending)).map(|(id, _)| *id);
        let Some(id) = found else { return };
        if let Some(Pending::Dial(_, dial)) = self.forget_lookup(id) {
            self.fail_before_session(leg, dial.trunk, Why::new(487, "cancelled"));
        }
    }

    fn forget_lookup(&mut self, id: LookupId) -> Option<Pending> {
        self.locator.forget(id);
        self.ways.pending.remove(&id)
    }

    fn send_cancel(&mut self, leg: LegId, key: &TransactionKey, why: &Why, now: Now) {
        if self.transactions.cancel(key, &reason_value(why), now).is_ok() {
            self.timers.arm(now.in_ms(GIVE_UP), Timer::CancelPatience(leg));
        }
    }

    pub(in crate::sip) fn handle_cancel_patience_over(&mut self, leg: LegId) {
        self.give_up(leg, Why::new(487, "cancel_unanswered"));
    }

    /// Forgets an INVITE that has no final response. Whoever answers it later is thanked and hung up.
    pub(super) fn give_up(&mut self, leg: LegId, why: Why) {
        let Some(calling) = self.calling(leg) else { return };
        let (key, ids) = (calling.key.clone(), calling.ids.clone());
        self.transactions.forget(&key);
        self.purposes.remove(&key);
        self.note_given_up(ids);
        self.fail(leg, why);
    }

    pub(super) fn note_given_up(&mut self, ids: (String, String)) {
        self.given_up.push_back(ids);
        if self.given_up.len() > GIVEN_UP {
            self.given_up.pop_front();
        }
    }

    /// The number that the leg's INVITE calls, while it has no final response.
    pub(in crate::sip) fn dialled_number(&self, leg: LegId) -> Option<String> {
        match &self.sessions.get(&leg)?.state {
            State::Calling(calling) => calling.request.uri()?.plain_user(),
            _ => None,
        }
    }

    /// The leg's INVITE, while it has no final response.
    pub(super) fn calling(&mut self, leg: LegId) -> Option<&mut Calling> {
        match &mut self.sessions.get_mut(&leg)?.state {
            State::Calling(calling) => Some(calling),
            _ => None,
        }
    }

    pub(in crate::sip) fn handle_dial_response(
        &mut self,
        leg: LegId,
        key: &TransactionKey,
        msg: &Message,
        source: Flow,
        now: Now,
    ) {
        if let Some(flow) = self.flow_of(leg).filter(|_| msg.code() != Some(503)) {
            self.locator.note_success(flow.transport, flow.remote);
        }
        match msg.code().unwrap_or_default() {
            100..=199 => self.handle_progress(leg, key, msg, now),
            200..=299 => self.handle_success(leg, msg, source, now),
            code => {
                if !self.try_again(leg, msg, now) {
                    self.fail(leg, Why::new(code, word_of(code)));
                }
            }
        }
    }

    /// No response at all, or the way is broken. An answered call whose transaction ends lives on in its dialog.
    pub(in crate::sip) fn handle_dial_silence(&mut self, leg: LegId, why: Why, now: Now) {
        let tried = |endpoint: &mut Self| endpoint.try_next_target(leg, now) || endpoint.try_next_way(leg, now);
        if self.calling(leg).is_some() && !tried(self) {
            self.fail(leg, why);
        }
    }

    fn handle_progress(&mut self, leg: LegId, key: &TransactionKey, msg: &Message, now: Now) {
        let code = msg.code().unwrap_or_default();
        let Some(calling) = self.calling(leg) else { return };
        let first = !std::mem::replace(&mut calling.progressed, true);
        let (cancelling, patience) = (calling.cancelling.clone(), calling.tries.patience.take());
        if let Some(patience) = patience {
            self.timers.disarm(patience);
        }
        if let Some(why) = cancelling {
            if first {
                self.send_cancel(leg, key, &why, now);
            }
        } else if code > 100
            && let Progress::News(body) = self.note_progress(leg, msg, now)
        {
            self.events.push_back(Event::Progressed { leg, code, body });
        }
    }

    fn handle_success(&mut self, leg: LegId, msg: &Message, source: Flow, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else {
            return self.acknowledge_gone(msg, &Why::new(487, "cancelled"), source, now);
        };
        let flow = session.flow;
        let known = session.dialog.as_ref().map(|dialog| dialog.id().remote_tag.clone());
        match (&mut session.state, known) {
            (State::Calling(calling), _) => {
                let (patience, ids) = (calling.tries.patience, calling.ids.clone());
                if let Some(patience) = patience {
                    self.timers.disarm(patience);
                }
                let (Some(dialog), described) = calling.early.confirm(msg) else {
                    return self.fail(leg, Why::new(502, "bad_answer"));
                };
                session.state = State::Up;
                session.behind_nat = is_behind_nat(msg, flow, session.behind_nat);
                self.dialling.remove(&ids);
                self.set_dialog(leg, dialog);
                self.send_ack(leg, msg, now);
                self.take_timer(leg, msg, now);
                let body = msg.session_description().ok().flatten().map(<[u8]>::to_vec).or(described);
                self.events.push_back(Event::Answered { leg, body });
            }
            // The same 200 again: our ACK was lost.
            (_, Some(tag)) if msg.to_tag() == Some(tag.as_str()) => self.send_ack(leg, msg, now),
            // A second phone behind a forking proxy answered: thank it and hang up (§13.2.2.4).
            _ => self.acknowledge_gone(msg, &Why::new(200, "answered_elsewhere"), flow, now),
        }
    }

    /// A 200 to an INVITE that has its answer already, or was given up; `asked` where it belongs to a transaction of ours.
    pub(in crate::sip) fn handle_late_success(&mut self, msg: &Message, source: Flow, asked: bool, now: Now) {
        let tag = msg.from_tag().unwrap_or_default().to_owned();
        let ids = (msg.call_id().unwrap_or_default().to_owned(), tag);
        match self.dialogs.get(&ids).copied() {
            Some(leg) => self.handle_success(leg, msg, source, now),
            // Only where we had asked: a stranger must not make us send requests to where he likes.
            None if asked || self.given_up.contains(&ids) => {
                self.acknowledge_gone(msg, &Why::new(487, "cancelled"), source, now);
            }
            None => {}
        }
    }

    /// Acknowledges a 2xx within its dialog, with its own INVITE's number: an older one may come again.
    pub(super) fn send_ack(&mut self, leg: LegId, success: &Message, now: Now) {
        let Some(session) = self.sessions.get(&leg) else { return };
        let Some(dialog) = &session.dialog else { return };
        let next = next_hop(dialog, self.came(session.flow, session.behind_nat));
        let ack = framed(Method::Ack, dialog.ack(number_of(success)));
        self.send_towards(ack, None, next, now);
    }

    pub(in crate::sip) fn send_without_transaction(&mut self, mut request: Message, flow: Flow, now: Now) {
        self.push_public_via(&mut request, flow);
        self.transactions.send_alone(request, flow, now);
    }

    /// Acknowledges a 200 that nobody wants any more, and ends its dialog.
    fn acknowledge_gone(&mut self, msg: &Message, why: &Why, flow: Flow, now: Now) {
        let Some(mut dialog) = Self::dialog_of(Role::Uac, msg, msg) else { return };
        let next = next_hop(&dialog, self.came(flow, is_behind_nat(msg, flow, false)));
        let ack = framed(Method::Ack, dialog.ack(number_of(msg)));
        self.send_towards(ack, None, next.clone(), now);
        let bye = framed(Method::Bye, dialog.next_request()).with("Reason", reason_value(why));
        self.send_towards(bye, None, next, now);
    }

    pub(super) fn fail(&mut self, leg: LegId, why: Why) {
        if self.forget_session(leg).is_some() {
            self.events.push_back(Event::Failed { leg, why });
        }
    }

    pub(in crate::sip) fn next_request(dialog: &mut Dialog, method: Method) -> Message {
        framed(method, dialog.next_request())
    }
}

fn number_of(msg: &Message) -> u32 {
    msg.cseq().map_or(0, |cseq| cseq.number)
}

/// A request within a dialog.
fn framed(method: Method, frame: RequestFrame) -> Message {
    let number = format!("{} {method}", frame.cseq);
    let uri = frame.uri.parse().unwrap_or_else(|_| Uri::sip(None, "invalid", None));
    let mut request = Message::request(method, uri);
    for route in frame.routes {
        request.push("Route", route);
    }
    request
        .with("Max-Forwards", 70)
        .with("From", frame.from)
        .with("To", frame.to)
        .with("Call-ID", frame.call_id)
        .with("CSeq", number)
}

/// Our word for a final status.
fn word_of(code: u16) -> &'static str {
    match code {
        300..=399 => "redirected",
        401 | 407 => "challenged",
        403 => "forbidden",
        404 => "not_found",
        408 => "timeout",
        480 => "unavailable",
        486 | 600 => "busy",
        487 => "cancelled",
        488 | 606 => "not_acceptable",
        503 => "overloaded",
        603 => "declined",
        _ => "refused",
    }
}
