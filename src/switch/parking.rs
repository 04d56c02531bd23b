//! Callers who wait in a slot until one of our users fetches them.

use super::Switch;
use super::legs::name_of;
use super::party::Role;
use crate::call::Input;
use crate::dialplan::{Cursor, CursorInput, Music};
use crate::id::{AgentId, CallId};
use crate::journal::{Event, Personal};
use crate::media::Source;
use crate::time::Now;

/// Slots in use at most; who comes then goes where the plan sends whoever finds a slot taken.
const MOST: usize = 1_000;

impl Switch {
    /// Lets a call's caller wait in a slot; one of our users who has dialled it is joined with who waits there.
    pub(super) fn park(&mut self, call: CallId, slot: String, music: &Music, now: Now) {
        let Some(cell) = self.calls.get(&call) else { return };
        // Whom somebody has handed on is parked, user or not; strangers get nobody else's call.
        if cell.from_agent.is_some() && cell.given_to.is_none() {
            if let Err(why) = self.fetch(call, &slot, now) {
                tracing::info!(%call, slot, why, "nobody is fetched out of a slot");
                self.advance(call, CursorInput::NotFetched { why }, now);
            }
            return;
        }
        let refused = match self.slots.len() {
            _ if slot.is_empty() => Some("the slot has no name"),
            _ if self.slots.contains_key(&slot) => Some("somebody waits in the slot"),
            MOST.. => Some("every slot is taken"),
            _ => None,
        };
        if let Some(why) = refused {
            tracing::info!(%call, slot, why, "a caller is not parked");
            return self.advance(call, CursorInput::NotAdmitted { why: why.to_owned() }, now);
        }
        let music = self.music_of(music);
        let Some(cell) = self.calls.get_mut(&call) else { return };
        let giver = cell.cursor.as_ref().map_or("", |cursor| cursor.facts().transferred_by.as_str());
        let by = (!giver.is_empty()).then(|| AgentId::from(giver));
        (cell.slot, cell.music) = (Some(slot.clone()), music);
        let caller = cell.caller;
        self.slots.insert(slot.clone(), call);
        self.play(caller, Source::Music(music), now);
        self.journal(Event::Parked { call, slot, by }, now);
    }

    /// A call's caller is out of its slot, if it is in one: fetched by a user, or not.
    pub(super) fn unpark(&mut self, call: CallId, by: Option<AgentId>, now: Now) {
        let Some(slot) = self.calls.get_mut(&call).and_then(|cell| cell.slot.take()) else { return };
        self.slots.remove(&slot);
        self.journal(Event::Unparked { call, slot, by }, now);
    }

    /// Makes one call of two: the user who has come goes on in the call of who waits in the slot.
    fn fetch(&mut self, call: CallId, slot: &str, now: Now) -> Result<(), String> {
        let parked = *self.slots.get(slot).ok_or_else(|| format!("nobody is parked in {slot}"))?;
        let (Some(cell), Some(waits)) = (self.calls.get(&call), self.calls.get(&parked)) else {
            return Err(format!("nobody is parked in {slot}"));
        };
        let (leg, user) = (cell.caller, cell.from_agent.clone());
        if self.thread_of(call) != self.thread_of(parked) {
            return Err("its sound is on another media thread".to_owned());
        }
        if waits.secure && !self.endpoint.flow_of(leg).is_some_and(|flow| flow.transport.is_secure()) {
            return Err("its caller may not be overheard, and this way can be".to_owned());
        }
        let Some(party) = self.legs.get_mut(&leg) else { return Err("the phone is gone".to_owned()) };
        (party.call, party.role) = (parked, Role::Target);
        if let Some(media) = &mut party.media {
            // What the user's own call was recorded into ends with it.
            media.recording = None;
        }
        let negotiated = party.media.as_ref().and_then(|media| media.negotiated.as_ref());
        let codec_out = negotiated.map(|negotiated| name_of(negotiated.codec)).unwrap_or_default();
        let codec_in = self.caller_codec(parked);
        let number = user.as_ref().map(|user| Personal::number(user.as_str()));
        self.unpark(parked, user.clone(), now);
        self.endpoint.tell_dialog(leg);
        self.take_phone(parked, user.clone(), now);
        self.free_phone(call, user, now);
        self.link(call, parked, now);
        self.advance(parked, CursorInput::Connected, now);
        self.tell(parked, Input::ToParty { leg, agent: None, codec_in, codec_out, number });
        self.tell(call, Input::PartyGone { leg });
        // Before the other call says that the phone has left it.
        self.follow_lines(parked, now);
        Ok(())
    }

    /// The media thread of who waits in the slot to which a user's call comes by itself, so that the user can speak with them.
    pub(super) fn slot_thread(&self, call: CallId, now: Now) -> Option<u16> {
        let cell = self.calls.get(&call).filter(|cell| cell.from_agent.is_some() && !self.slots.is_empty())?;
        let program = &self.settings.program;
        let flow = program.numbers().destination(&cell.called, None)?.flow;
        if !program.parks(flow) {
            return None;
        }
        let facts = self.facts_of(call, None)?;
        let slot = Cursor::slot_ahead(program.clone(), facts, now, &self.floor(call, now))?;
        self.thread_of(*self.slots.get(&slot)?)
    }
}
