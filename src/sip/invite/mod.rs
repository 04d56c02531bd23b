//! The acts of a session that an INVITE made: a file each (RFC 3261 §9, §13, §14, §15).

mod abandoned;
mod again;
mod agreed;
mod close;
mod dial;
mod early;
mod incoming;
mod info;
mod modify;
mod outgoing;
#[cfg(test)]
mod outgoing_tests;
mod peer;
#[cfg(test)]
mod peer_tests;
mod redirect;
mod refer;
mod refresh;
#[cfg(test)]
mod refresh_tests;
mod reinvite;
mod reliable;
#[cfg(test)]
mod reliable_tests;
#[cfg(test)]
pub(super) mod testing;
mod within;

pub use again::{WAY_PATIENCE_MS, Way, is_about_the_way};
pub use dial::Dial;
pub(super) use within::Act;

pub(super) use peer::{Came, is_behind_nat, is_translated, next_hop};

use std::sync::Arc;

use super::dialog::{Dialog, Role};
use super::digest::Account;
use super::endpoint::{ALLOW, DialogFacts, Endpoint, Event, SUPPORTED, Why};
use super::message::{Message, Replaces, Scheme};
use super::transaction::{Flow, TransactionKey};
use crate::id::{LegId, TrunkId};
use crate::time::TimerId;

/// Where a session stands.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// The peer's INVITE has no final response of ours.
    Offered(Box<Offered>),
    /// Our INVITE has no final response.
    Calling(Box<Calling>),
    /// A 2xx was exchanged.
    Up,
    /// Our BYE is under way.
    Closing,
}

/// A peer's INVITE that has no final response of ours.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    key: TransactionKey,
    request: Message,
    /// Our tag.
    tag: String,
    /// The peer has cancelled it: whatever its owner refuses it with, 487 is what it gets (§9.2).
    cancelled: bool,
}

/// An INVITE of ours that has no final response.
#[derive(Clone, Debug)]
pub(super) struct Calling {
    key: TransactionKey,
    /// Its Call-ID and our tag.
    ids: (String, String),
    /// As it was sent, without Via: what is sent again after a challenge, and to the next way.
    request: Message,
    /// Whether a provisional response came.
    progressed: bool,
    /// Why it is given up, where it is.
    cancelling: Option<Why>,
    tries: again::Tries,
    redirects: redirect::Redirects,
    early: early::Forks,
}

/// A 2xx of ours that is sent again until its ACK comes (§13.3.1.4).
#[derive(Clone, Debug)]
pub(super) struct Repeat {
    key: TransactionKey,
    response: Message,
    cseq: u32,
    interval_ms: u64,
    give_up_ns: u64,
    timer: TimerId,
}

/// One session of ours with a peer.
#[derive(Clone, Debug)]
pub(super) struct Session {
    state: State,
    flow: Flow,
    /// Our Contact, with its angle brackets.
    contact: String,
    /// The dialog: early where the peer's INVITE has no final response (those of an INVITE of ours are in `Calling`).
    dialog: Option<Dialog>,
    /// Provisional responses of ours that are to be acknowledged.
    reliable: reliable::Reliable,
    repeat: Option<Repeat>,
    /// The peer's offer within the dialog that has no answer: a re-INVITE, an UPDATE or a PRACK.
    modify: Option<(TransactionKey, Box<Message>)>,
    /// What the peer has asked us to do with the session, until it is told what came of it.
    referral: Option<refer::Referral>,
    /// An INFO about the recording that has no answer.
    record_wish: Option<(TransactionKey, Box<Message>)>,
    /// Our request within the dialog that has no final response, of those of which one may be open.
    open: Option<within::Open>,
    /// Our offer that waits for a time when it can be made.
    wish: Option<reinvite::Wish>,
    /// What answers challenges to our requests.
    account: Option<Arc<Account>>,
    /// Whether we made the Call-ID (§14.1).
    owns_call_id: bool,
    /// A BYE that waits for the ACK of our 2xx (§15), or for the answer to a NOTIFY.
    bye: Option<Why>,
    /// The session's timer, where one was agreed.
    refresh: Option<refresh::Refresh>,
    /// Whether the peer serves UPDATE.
    peer_updates: bool,
    /// What we said last of our side of the session.
    described: String,
    /// Against whose limit the session counts.
    counted: Option<Counted>,
    /// Whether the peer's Contact is an address that only its own network knows: requests go where its own came from.
    behind_nat: bool,
}

/// Whose limit a session counts against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Counted {
    /// A trunk's, and whether the call goes there.
    Trunk(TrunkId, bool),
    /// That of the user who calls.
    User(String),
}

impl Session {
    fn new(state: State, flow: Flow, contact: String) -> Self {
        Self {
            state,
            flow,
            contact,
            dialog: None,
            reliable: reliable::Reliable::default(),
            repeat: None,
            modify: None,
            referral: None,
            record_wish: None,
            open: None,
            wish: None,
            account: None,
            owns_call_id: false,
            bye: None,
            refresh: None,
            peer_updates: false,
            described: String::new(),
            counted: None,
            behind_nat: false,
        }
    }

    /// The session's dialog with the peer of this tag, early ones included.
    pub(super) fn dialog_with(&mut self, tag: &str) -> Option<&mut Dialog> {
        match &mut self.state {
            State::Calling(calling) => calling.early.dialog_with(tag),
            _ => self.dialog.as_mut().filter(|dialog| dialog.id().remote_tag == tag),
        }
    }

    /// Requests of the peer's within the dialog that have no final response of ours.
    fn take_unanswered(&mut self) -> impl Iterator<Item = (TransactionKey, Box<Message>)> + use<> {
        let referral = self.referral.take().and_then(refer::Referral::into_request);
        self.modify.take().into_iter().chain(referral).chain(self.record_wish.take())
    }

    /// Timers that end with the session.
    fn timers(&self) -> impl Iterator<Item = TimerId> {
        let patience = match &self.state {
            State::Calling(calling) => calling.tries.patience,
            _ => None,
        };
        let all = [
            self.repeat.as_ref().map(|repeat| repeat.timer),
            self.refresh.as_ref().map(refresh::Refresh::timer),
            self.wish.as_ref().map(reinvite::Wish::timer),
            self.reliable.timer(),
            patience,
        ];
        all.into_iter().flatten()
    }

    /// What a restart needs; nothing of an early dialog, which cannot be ended by a BYE.
    fn facts(&self) -> Option<DialogFacts> {
        let dialog = self.dialog.as_ref().filter(|_| matches!(self.state, State::Up | State::Closing))?;
        let (local_cseq, remote_cseq) = dialog.cseqs();
        Some(DialogFacts {
            id: dialog.id().clone(),
            local_uri: dialog.local_uri().to_owned(),
            remote_uri: dialog.remote_uri().to_owned(),
            remote_target: dialog.remote_target().to_owned(),
            route_set: dialog.route_set().to_vec(),
            local_cseq,
            remote_cseq,
            flow: self.flow,
        })
    }
}

impl Endpoint {
    /// The way to a leg's peer.
    pub fn flow_of(&self, leg: LegId) -> Option<Flow> {
        self.sessions.get(&leg).map(|session| session.flow)
    }

    /// Our Contact towards the peer of `flow`, for a session whose Request-URI has this scheme: who asked for `sips` gets it back
    /// (RFC 3261 §12.1.1), where the way is secure at all.
    pub(in crate::sip) fn contact(&self, user: &str, flow: Flow, scheme: &Scheme) -> String {
        let address = self.settings.advertised(flow);
        let sips = *scheme == Scheme::Sips && flow.transport.is_secure();
        // `sips` says TLS by itself (RFC 5630 §3.1.4).
        let word = flow.transport.uri_parameter().filter(|word| !(sips && *word == "tls"));
        let transport = word.map(|word| format!(";transport={word}")).unwrap_or_default();
        let scheme = if sips { "sips" } else { "sip" };
        let at = if user.is_empty() { "" } else { "@" };
        format!("<{scheme}:{user}{at}{address}{transport}>")
    }

    /// The leg whose dialog is to be replaced, both tags right (RFC 3891 §3).
    pub fn leg_replaced(&self, replaces: &Replaces) -> Option<LegId> {
        let leg = *self.dialogs.get(&(replaces.call_id.clone(), replaces.to_tag.clone()))?;
        let dialog = self.sessions.get(&leg)?.dialog.as_ref()?;
        (dialog.id().remote_tag == replaces.from_tag).then_some(leg)
    }

    /// The session whose place an INVITE is to take; else the status that refuses it (RFC 3891 §3).
    pub(in crate::sip) fn replaced_by(&self, msg: &Message) -> Result<Option<LegId>, u16> {
        let mut named = msg.header_all("Replaces");
        let Some(value) = named.next() else { return Ok(None) };
        let replaces: Replaces = value.parse().map_err(|_| 400_u16)?;
        if named.next().is_some() {
            return Err(400);
        }
        let leg = self.leg_replaced(&replaces).ok_or(481_u16)?;
        match self.sessions.get(&leg).map(|session| &session.state) {
            Some(State::Up) if replaces.early_only => Err(486),
            Some(State::Up) => Ok(Some(leg)),
            Some(State::Closing) => Err(603),
            // An early dialog that the peer began.
            Some(State::Offered(_) | State::Calling(_)) | None => Err(481),
        }
    }

    /// Says against whose limit a session counts, until it is forgotten.
    pub(in crate::sip) fn count(&mut self, leg: LegId, counted: Counted) {
        match self.sessions.get_mut(&leg) {
            Some(session) => session.counted = Some(counted),
            None => self.leave(&counted),
        }
    }

    /// Says once more, as `DialogChanged`, how a leg's dialog stands.
    pub fn tell_dialog(&mut self, leg: LegId) {
        if let Some(dialog) = self.sessions.get(&leg).and_then(|session| session.facts()) {
            self.events.push_back(Event::DialogChanged { leg, dialog: Box::new(dialog) });
        }
    }

    fn set_dialog(&mut self, leg: LegId, dialog: Dialog) {
        let id = dialog.id();
        self.dialogs.insert((id.call_id.clone(), id.local_tag.clone()), leg);
        if let Some(session) = self.sessions.get_mut(&leg) {
            session.dialog = Some(dialog);
        }
        self.tell_dialog(leg);
    }

    /// Takes back a dialog after a restart, to say BYE on it.
    pub fn restore_dialog(&mut self, leg: LegId, facts: DialogFacts) {
        let contact = self.contact("", facts.flow, &Scheme::Sip);
        let mut session = Session::new(State::Up, facts.flow, contact);
        let key = (facts.id.call_id.clone(), facts.id.local_tag.clone());
        let origin = super::dialog::Origin {
            id: facts.id,
            local_uri: facts.local_uri,
            remote_uri: facts.remote_uri,
            remote_target: facts.remote_target,
            record_route: facts.route_set,
            cseq: facts.local_cseq,
        };
        session.dialog = Some(Dialog::restore(origin, facts.local_cseq, facts.remote_cseq));
        self.dialogs.insert(key, leg);
        self.sessions.insert(leg, Box::new(session));
    }

    /// Forgets a session; what is left of its transactions runs out by itself.
    fn forget_session(&mut self, leg: LegId) -> Option<Box<Session>> {
        let session = self.sessions.remove(&leg)?;
        if let Some(counted) = &session.counted {
            self.leave(counted);
        }
        for timer in session.timers() {
            self.timers.disarm(timer);
        }
        if let State::Calling(calling) = &session.state {
            self.dialling.remove(&calling.ids);
        }
        if let Some(id) = session.dialog.as_ref().map(Dialog::id) {
            self.dialogs.remove(&(id.call_id.clone(), id.local_tag.clone()));
        }
        Some(session)
    }

    /// The dialog that a 2xx makes, from the request and the response to it (§12.1).
    pub(in crate::sip) fn dialog_of(role: Role, request: &Message, response: &Message) -> Option<Dialog> {
        let (from, to) = (request.from().ok()?, response.to().ok()?);
        let tags = (from.tag().unwrap_or_default().to_owned(), to.tag().unwrap_or_default().to_owned());
        let peer_says = if role == Role::Uac { response } else { request };
        let target = match peer_says.contacts().ok()? {
            super::message::Contacts::List(list) => list.into_iter().next()?.uri.to_string(),
            super::message::Contacts::All => return None,
        };
        let record_route = peer_says.record_routes().ok()?.iter().map(ToString::to_string).collect();
        let (local, remote, local_tag, remote_tag) = match role {
            Role::Uac => (from.uri, to.uri, tags.0, tags.1),
            Role::Uas => (to.uri, from.uri, tags.1, tags.0),
        };
        let call_id = request.call_id()?.to_owned();
        let origin = super::dialog::Origin {
            id: super::dialog::DialogId { call_id, local_tag, remote_tag },
            local_uri: local.to_string(),
            remote_uri: remote.to_string(),
            remote_target: target,
            record_route,
            cseq: request.cseq().ok()?.number,
        };
        Some(Dialog::new(role, origin, 0))
    }
}

/// The reason that a Reason header gives (RFC 3326), else `otherwise`.
fn reason_of(msg: &Message, otherwise: Why) -> Why {
    let Some(text) = msg.header("Reason") else { return otherwise };
    let mut parts = text.split(';').map(str::trim);
    let protocol = parts.next().unwrap_or_default();
    let known = ["Q.850", "SIP"].iter().any(|name| protocol.eq_ignore_ascii_case(name));
    let code = parts.find_map(|part| part.strip_prefix("cause=")?.trim().parse::<u16>().ok());
    match code {
        Some(code) if known && (1..700).contains(&code) && code != otherwise.code => Why::new(code, "peer_reason"),
        _ => otherwise,
    }
}

/// The value of a Reason header.
fn reason_value(why: &Why) -> String {
    let protocol = if why.code < 200 { "Q.850" } else { "SIP" };
    // The text by which phones know that they need not list the call as missed (RFC 3326 §3.1).
    let text = if why.code == 200 { "Call completed elsewhere" } else { &why.text };
    format!("{protocol};cause={};text=\"{text}\"", why.code)
}

/// Headers that every INVITE and its 2xx carry.
fn describe(mut message: Message, contact: &str, body: Option<String>) -> Message {
    message.push("Contact", contact);
    message.push("Allow", ALLOW);
    message.push("Supported", SUPPORTED);
    match body {
        Some(body) => message.with_body("application/sdp", body.into_bytes()),
        None => message,
    }
}
