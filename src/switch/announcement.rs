//! What an agent who has answered hears before the caller: a beep, which hotline was dialled, an order's number.

use super::Switch;
use super::party::Role;
use crate::call::CallState;
use crate::dialplan::Prompt;
use crate::id::{CallId, LegId};
use crate::media::Source;
use crate::time::Now;

/// Names the play; those of plans count from one.
const PLAY: u32 = 0;

/// An agent hears an announcement, while the caller goes on hearing music.
pub(super) struct Announcing {
    leg: LegId,
    /// Whether the conversation is recorded, which begins after it.
    record: bool,
}

impl Switch {
    /// What the party that has answered is to hear before the caller of this call: to be asked before the plan learns of the answer.
    pub(super) fn announcement(&self, call: CallId, other: LegId, now: Now) -> Vec<Prompt> {
        let is_agent = self.legs.get(&other).is_some_and(|party| matches!(party.role, Role::Agent(_)));
        let plan = self.calls.get(&call).and_then(|cell| cell.cursor.as_ref());
        match plan.filter(|_| is_agent && !self.holds(other)) {
            Some(plan) => plan.announcement(now, &self.floor(call, now)),
            None => Vec::new(),
        }
    }

    /// Lets the agent hear it. Both are joined, and the recording begins, at its end, or as soon as anything else changes who hears
    /// what.
    pub(super) fn announce_caller(&mut self, call: CallId, leg: LegId, prompts: &[Prompt], record: bool, now: Now) {
        let list = self.playlist(prompts, PLAY);
        let Some(cell) = self.calls.get_mut(&call) else { return };
        cell.announcing = Some(Announcing { leg, record });
        let (caller, music) = (cell.caller, cell.music);
        // A message that was being said to the caller is over.
        let send = if self.holds(caller) { Source::Silence } else { Source::Music(music) };
        self.play(caller, send, now);
        self.play(leg, Source::Play(list), now);
    }

    /// A play on a leg is over; gives whether it was such an announcement.
    pub(super) fn handle_announced(&mut self, leg: LegId, now: Now) -> bool {
        let Some(call) = self.legs.get(&leg).map(|party| party.call) else { return false };
        let Some(cell) = self.calls.get(&call).filter(|cell| cell.is_announcing_on(leg)) else { return false };
        // An agent who hands the call on at once has cut it short; where the call comes back, both are joined then.
        if matches!(cell.call.state(), CallState::Bridged { leg: talking, .. } if *talking == leg) {
            self.join(call, cell.caller, leg, now);
        }
        true
    }

    /// Both parties are about to hear each other: what was put off until then begins.
    pub(super) fn end_announcing(&mut self, call: CallId, caller: LegId, other: LegId, now: Now) {
        let announcing = self.calls.get_mut(&call).and_then(|cell| cell.announcing.take());
        if let Some(Announcing { record, .. }) = announcing {
            self.record(call, caller, other, record, now);
        }
    }
}

impl super::party::PartyCall {
    /// Whether its agent hears an announcement on this leg.
    pub(super) fn is_announcing_on(&self, leg: LegId) -> bool {
        self.announcing.as_ref().is_some_and(|announcing| announcing.leg == leg)
    }
}
