//! Early media: what the called side of a routed call says before it answers (RFC 3960, RFC 6337 §3.1).

use super::Switch;
use crate::id::{CallId, LegId};
use crate::sdp::Description;
use crate::time::Now;

impl Switch {
    /// Takes what a called phone says of its side before it answers; `false` where its caller is not to hear it. The latest of
    /// several phones behind a forking proxy is heard.
    pub(super) fn take_early_answer(&mut self, leg: LegId, body: &[u8], now: Now) -> bool {
        let Some(party) = self.legs.get(&leg) else { return false };
        if !self.calls.get(&party.call).is_some_and(|cell| cell.early_media) {
            return false;
        }
        let answer = Description::parse(body).ok();
        let settled = answer.and_then(|answer| party.negotiator.read_answer(&answer).ok());
        let Some(negotiated) = settled.filter(|negotiated| !self.is_own_port(negotiated.remote_rtp)) else {
            return false;
        };
        let Some(media) = self.media_of(leg).filter(|media| !media.released) else { return false };
        media.settle(negotiated, now);
        self.command_media(leg, now);
        true
    }

    /// Joins caller and called side before the answer, where the caller can be told how; else it is told that the phone rings.
    pub(super) fn bridge_early(&mut self, call: CallId, leg: LegId, now: Now) {
        let Some(caller) = self.calls.get(&call).map(|cell| cell.caller) else { return };
        if !self.describe_early(caller, now) {
            return self.endpoint.ring(caller, now);
        }
        self.join(call, caller, leg, now);
    }

    /// Tells the caller our side by a 183, once.
    pub(super) fn describe_early(&mut self, caller: LegId, now: Now) -> bool {
        let Some(flow) = self.endpoint.flow_of(caller) else { return false };
        let can_offer = self.endpoint.takes_reliable(caller);
        let Some(party) = self.legs.get(&caller) else { return false };
        if party.described.is_some() {
            return true;
        }
        // An offer needs a response that is heard for certain (RFC 3261 §13.2.1).
        if party.offer.is_none() && !can_offer {
            return false;
        }
        let Some(local) = self.local_media(caller, Some(flow.remote.ip()), None) else { return false };
        let Some(party) = self.legs.get_mut(&caller) else { return false };
        let body = party.describe(&local, now);
        party.described = Some(body.clone());
        self.endpoint.describe_early(caller, body, now);
        self.command_media(caller, now);
        true
    }
}
