//! Requests that come in: which act they are, and the refusals that need no act (RFC 3261 §8.2, §12.2.2).

use super::admission::Admitted;
use super::{
    ACCEPT, ALLOW, Admission, Carried, Endpoint, Event, Identity, Invite, Purpose, REGISTER_SUPPORTED, SUPPORTED,
};
use crate::id::LegId;
use crate::sip::invite::Counted;
use crate::sip::message::{Contacts, Message, Method, Scheme, reason_phrase, response_to};
use crate::sip::subscription::ALLOW_EVENTS;
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

/// Hops of a request that names none (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u32 = 70;

impl Endpoint {
    pub(super) fn handle_request(&mut self, key: TransactionKey, msg: Message, flow: Flow, now: Now) {
        let Some(method) = msg.method().cloned() else { return };
        let (source, allow) = (flow.remote.ip(), [("Allow", ALLOW.to_owned())]);
        if matches!(method, Method::Other(_)) {
            return self.turn_away(&key, &msg, source, (501, &allow), now);
        }
        let supported = if method == Method::Register { REGISTER_SUPPORTED } else { SUPPORTED };
        let knows = |tag: &str| supported.split(", ").any(|known| known.eq_ignore_ascii_case(tag));
        let unsupported: Vec<&str> = msg.require().into_iter().filter(|tag| !knows(tag)).collect();
        let unsupported = unsupported.join(", ");
        if !unsupported.is_empty() {
            let headers = [("Unsupported", unsupported)];
            return self.turn_away(&key, &msg, source, (420, &headers), now);
        }
        if method == Method::Cancel {
            // Those that mean an INVITE were answered below.
            return self.turn_away(&key, &msg, source, (481, &[]), now);
        }
        if msg.to_tag().is_some() {
            return self.handle_dialog_request(key, &msg, method, flow, now);
        }
        match method {
            Method::Invite => self.handle_invite(key, msg, flow, now),
            Method::Register => self.handle_register(key, msg, flow, now),
            Method::Options if self.refusing => self.turn_away(&key, &msg, source, (503, &[]), now),
            Method::Options => self.turn_away(&key, &msg, source, (200, &abilities()), now),
            Method::Bye | Method::Info | Method::Update | Method::Prack => {
                self.turn_away(&key, &msg, source, (481, &[]), now);
            }
            // A call is handed on from within; nobody has us place one.
            Method::Refer if self.authenticate(&key, &msg, flow.remote.ip(), now).is_some() => {
                self.reply(&key, &msg, 403, now);
            }
            Method::Refer => {}
            Method::Subscribe if self.settings.admission == Admission::Guarded => {
                self.handle_subscribe(key, &msg, flow, now);
            }
            _ => self.turn_away(&key, &msg, source, (405, &allow), now),
        }
    }

    /// The leg whose dialog, early or not, a message names, both tags right.
    pub(in crate::sip) fn leg_of(&mut self, msg: &Message) -> Option<LegId> {
        let ids = (msg.call_id()?.to_owned(), msg.to_tag()?.to_owned());
        let leg = *self.dialogs.get(&ids).or_else(|| self.dialling.get(&ids))?;
        self.sessions.get_mut(&leg)?.dialog_with(msg.from_tag().unwrap_or_default()).map(|_| leg)
    }

    fn handle_dialog_request(&mut self, key: TransactionKey, msg: &Message, method: Method, flow: Flow, now: Now) {
        // A subscription has a dialog of its own (RFC 6665 §4.5.1).
        if method == Method::Subscribe {
            return self.handle_resubscribe(key, msg, flow, now);
        }
        let Some(leg) = self.leg_of(msg) else {
            return self.turn_away(&key, msg, flow.remote.ip(), (481, &[]), now);
        };
        let number = msg.cseq().map_or(0, |cseq| cseq.number);
        let tag = msg.from_tag().unwrap_or_default().to_owned();
        let dialog = self.sessions.get_mut(&leg).and_then(|session| session.dialog_with(&tag));
        if dialog.is_some_and(|dialog| dialog.handle_request(number).is_err()) {
            return self.reply(&key, msg, 500, now);
        }
        self.follow_peer(leg, msg, flow);
        match method {
            Method::Bye => self.handle_bye(leg, &key, msg, now),
            Method::Invite | Method::Update => self.handle_modify(leg, key, msg, now),
            Method::Prack => self.handle_prack(leg, key, msg, now),
            Method::Info => self.handle_info(leg, &key, msg, now),
            Method::Refer => self.handle_refer(leg, key, msg, now),
            Method::Options => self.answer_options(&key, msg, now),
            _ => self.reply_allowing(&key, msg, 405, now),
        }
    }

    fn handle_invite(&mut self, key: TransactionKey, msg: Message, flow: Flow, now: Now) {
        self.counts.invites += 1;
        let source = flow.remote.ip();
        let uri = msg.uri().filter(|uri| uri.is_sip());
        let called = uri.as_ref().and_then(|uri| uri.number()).unwrap_or_default();
        let emergency = self.settings.emergency.contains(&called);
        if self.refusing && !emergency {
            return self.turn_away(&key, &msg, source, (503, &[]), now);
        }
        let Some(secure) = uri.map(|uri| uri.scheme == Scheme::Sips) else {
            return self.turn_away(&key, &msg, source, (416, &[]), now);
        };
        if self.is_looped(&msg, &called) {
            tracing::warn!(called, "a call came back to us while we placed it: look at where its number is sent");
            return self.turn_away(&key, &msg, source, (482, &[]), now);
        }
        // We are a hop on the call's way, and its last one must not be taken (RFC 7332 §5).
        let Some(hops) = msg.max_forwards().unwrap_or(MAX_FORWARDS).checked_sub(1) else {
            return self.turn_away(&key, &msg, source, (483, &[]), now);
        };
        if !matches!(msg.contacts(), Ok(Contacts::List(list)) if list.len() == 1) {
            return self.turn_away(&key, &msg, source, (400, &[]), now);
        }
        let Some(admitted) = self.admit(&key, &msg, flow, &called, now) else { return };
        let emergency = emergency && matches!(admitted.identity, Identity::User(_));
        if self.refusing && !emergency {
            return self.turn_away(&key, &msg, source, (503, &[]), now);
        }
        if self.refuse_short_timer(&key, &msg, now) {
            return;
        }
        let Some(body) = self.session_body(&key, &msg, now) else { return };
        let replaces = match self.replaced_by(&msg) {
            Ok(replaces) => replaces,
            Err(code) => return self.reply(&key, &msg, code, now),
        };
        let counted = match &admitted.identity {
            Identity::Trunk(trunk) if self.enter_trunk(trunk, false, false, now).is_err() => {
                return self.reply(&key, &msg, 503, now);
            }
            Identity::Trunk(trunk) => Some(Counted::Trunk(trunk.clone(), false)),
            Identity::User(user) if !self.enter_user(user, emergency) => return self.reply(&key, &msg, 486, now),
            Identity::User(user) => Some(Counted::User(user.clone())),
            Identity::Anyone => None,
        };
        let Admitted { identity, nat, called, caller, diverted } = admitted;
        let leg = self.next_leg();
        let call_id = msg.call_id().unwrap_or_default().to_owned();
        let plain = |value: &&str| !value.contains(char::is_control);
        let user_to_user = msg.header_all("User-to-User").filter(plain).map(str::to_owned).collect();
        let carried = Carried { hops, user_to_user, name: caller.name, private: caller.private, diverted };
        self.purposes.insert(key.clone(), Purpose::Offered(leg));
        self.take_offer(leg, key, msg, flow, nat);
        if let Some(counted) = counted {
            self.count(leg, counted);
        }
        let invite =
            Invite { identity, caller: caller.number, called, body, call_id, flow, secure, nat, carried, replaces };
        self.events.push_back(Event::Invited { leg, invite: Box::new(invite) });
    }

    /// Whether an INVITE is one of ours that has no final response, on its way back for the same number (RFC 3261 §8.2.2.2). Who
    /// calls another number in the same call has been sent on, and is let in.
    fn is_looped(&self, msg: &Message, called: &str) -> bool {
        let tag = msg.from_tag().unwrap_or_default().to_owned();
        let ids = (msg.call_id().unwrap_or_default().to_owned(), tag);
        self.dialling.get(&ids).is_some_and(|leg| self.dialled_number(*leg).as_deref() == Some(called))
    }

    /// The session description of a request: `Some(None)` where it has none, `None` where the request was refused for its body
    /// or because it takes no description in return.
    pub(in crate::sip) fn session_body(
        &mut self,
        key: &TransactionKey,
        msg: &Message,
        now: Now,
    ) -> Option<Option<Vec<u8>>> {
        let status = match msg.session_description() {
            Ok(body) if msg.accepts_session_description() => return Some(body.map(<[u8]>::to_vec)),
            Ok(_) => 406,
            Err(error) => error.status(),
        };
        let tag = self.draw();
        let mut response = response_to(msg, status, reason_phrase(status), Some(&tag));
        if status == 415 {
            response = response.with("Accept", ACCEPT).with("Accept-Encoding", "identity");
        }
        self.respond(key, response, now);
        None
    }

    fn answer_options(&mut self, key: &TransactionKey, msg: &Message, now: Now) {
        let tag = self.draw();
        let mut response = response_to(msg, 200, reason_phrase(200), Some(&tag));
        abilities().iter().for_each(|(name, value)| response.push(name, value));
        self.respond(key, response, now);
    }

    /// Sends a request of ours; peers outside the local networks read our public address in its Via.
    pub(in crate::sip) fn send(&mut self, mut request: Message, flow: Flow, now: Now) -> TransactionKey {
        self.push_public_via(&mut request, flow);
        self.transactions.send_request(request, flow, now)
    }

    pub(in crate::sip) fn push_public_via(&mut self, request: &mut Message, flow: Flow) {
        let advertised = self.settings.advertised(flow);
        if advertised != flow.local {
            let branch = format!("{}{}", crate::sip::message::COOKIE, self.draw());
            let transport = flow.transport.via_name();
            request.push_front("Via", format!("SIP/2.0/{transport} {advertised};rport;branch={branch}"));
        }
    }

    /// A plain final response.
    pub(in crate::sip) fn reply(&mut self, key: &TransactionKey, msg: &Message, code: u16, now: Now) {
        let tag = self.draw();
        self.respond(key, response_to(msg, code, reason_phrase(code), Some(&tag)), now);
    }

    fn reply_allowing(&mut self, key: &TransactionKey, msg: &Message, code: u16, now: Now) {
        let tag = self.draw();
        let response = response_to(msg, code, reason_phrase(code), Some(&tag)).with("Allow", ALLOW);
        self.respond(key, response, now);
    }

    /// Sends a response; final ones to INVITEs outside dialogs are counted.
    pub(in crate::sip) fn respond(&mut self, key: &TransactionKey, response: Message, now: Now) {
        let code = response.code().unwrap_or_default();
        if code >= 200 && response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite) {
            *self.counts.responses.entry(code).or_default() += 1;
        }
        self.respond_within(key, response, now);
    }

    /// Sends a response within a dialog. A transaction that has ended meanwhile (its stream broke) has nobody to hear it.
    pub(in crate::sip) fn respond_within(&mut self, key: &TransactionKey, mut response: Message, now: Now) {
        response.set("Server", self.settings.product.clone());
        if let Err(error) = self.transactions.respond(key, &response, now) {
            tracing::debug!(%error, "a response found its transaction gone");
        }
    }
}

/// What OPTIONS is answered with (RFC 3261 §11.2).
fn abilities() -> [(&'static str, String); 6] {
    [
        ("Allow", ALLOW.to_owned()),
        ("Accept", ACCEPT.to_owned()),
        ("Accept-Encoding", "identity".to_owned()),
        ("Accept-Language", "en, zh".to_owned()),
        ("Supported", SUPPORTED.to_owned()),
        ("Allow-Events", ALLOW_EVENTS.to_owned()),
    ]
}

/// The seconds after which a refused request is welcome again.
pub(in crate::sip) fn retry_after_s(refusal: &Message) -> Option<u64> {
    refusal.header("Retry-After")?.split([';', '(']).next()?.trim().parse().ok()
}
