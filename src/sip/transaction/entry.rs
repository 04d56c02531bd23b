//! A transaction as the layer keeps it.

use super::client_invite::ClientInvite;
use super::client_non_invite::ClientNonInvite;
use super::flow::Flow;
use super::key::MergeKey;
use super::large::Datagram;
use super::server_invite::ServerInvite;
use super::server_non_invite::ServerNonInvite;
use super::timers::{Effect, Timer};
use crate::sip::message::{Message, Method};
use crate::time::TimerId;

#[derive(Debug)]
pub(super) enum Machine {
    ClientInvite(ClientInvite),
    ClientOther(ClientNonInvite),
    ServerInvite(ServerInvite),
    ServerOther(ServerNonInvite),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) machine: Machine,
    pub(super) flow: Flow,
    pub(super) merge: Option<MergeKey>,
    pub(super) to_tag: Option<String>,
    /// Three at most.
    pub(super) armed: Vec<(Timer, TimerId)>,
    /// Where the response to an INVITE goes once the stream that brought it is closed.
    pub(super) back: Option<Flow>,
    /// A large request of ours as it would leave by UDP, while nothing has come back over TCP.
    pub(super) datagram: Option<Box<Datagram>>,
}

impl Entry {
    /// Strikes a timer off.
    pub(super) fn disarmed(&mut self, timer: Timer) -> Option<TimerId> {
        let at = self.armed.iter().position(|(armed, _)| *armed == timer)?;
        Some(self.armed.swap_remove(at).1)
    }
}

impl Machine {
    /// Starts the machine of a request of ours.
    pub(super) fn start_client(request: Message, reliable: bool) -> (Self, Vec<Effect>) {
        if request.method() == Some(&Method::Invite) {
            let (machine, effects) = ClientInvite::start(request, reliable);
            (Self::ClientInvite(machine), effects)
        } else {
            let (machine, effects) = ClientNonInvite::start(&request, reliable);
            (Self::ClientOther(machine), effects)
        }
    }
}
