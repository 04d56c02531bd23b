//! Rooms in which callers speak with one another: each hears the sum of all others.

use super::Switch;
use crate::call::Input;
use crate::dialplan::CursorInput;
use crate::id::{CallId, LegId};
use crate::journal::Event;
use crate::media::Source;
use crate::time::Now;

/// The media thread of all rooms: who is in one room is mixed on one thread, and which room a call will ask for is known only once
/// it has been answered.
pub(super) const ROOM_THREAD: u16 = 0;

impl Switch {
    /// Lets a call's caller into a room, or tells its plan why not.
    pub(super) fn confer(&mut self, call: CallId, room: String, most: u32, now: Now) {
        let refused = match self.rooms.get(&room) {
            _ if room.is_empty() => Some("the room has no name"),
            _ if self.thread_of(call) != Some(ROOM_THREAD) => Some("its sound is elsewhere"),
            Some(members) if members.len() >= most as usize => Some("the room is full"),
            _ => None,
        };
        if let Some(why) = refused {
            tracing::info!(%call, room, why, "a caller is not let into a room");
            return self.advance(call, CursorInput::NotAdmitted { why: why.to_owned() }, now);
        }
        let Some(cell) = self.calls.get_mut(&call) else { return };
        cell.room = Some(room.clone());
        self.rooms.entry(room.clone()).or_default().push(call);
        self.tell(call, Input::Served);
        self.journal(Event::ConferenceJoined { call, room: room.clone() }, now);
        self.mix_room(&room, now);
    }

    /// A call's caller is out of its room, if it is in one.
    pub(super) fn leave_room(&mut self, call: CallId, now: Now) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        let (Some(room), caller) = (cell.room.take(), cell.caller) else { return };
        if let Some(members) = self.rooms.get_mut(&room) {
            members.retain(|member| *member != call);
            if members.is_empty() {
                self.rooms.remove(&room);
            }
        }
        if let Some(media) = self.media_of(caller) {
            media.overheard = false;
        }
        self.play(caller, Source::Silence, now);
        self.journal(Event::ConferenceLeft { call, room: room.clone() }, now);
        self.mix_room(&room, now);
    }

    /// Brings what everybody in a room hears into line with who is there; who is alone hears music, who holds nothing.
    pub(super) fn mix_room(&mut self, room: &str, now: Now) {
        let Some(members) = self.rooms.get(room) else { return };
        let callers = members.iter().filter_map(|call| self.calls.get(call));
        let legs: Vec<(LegId, bool)> = callers
            .map(|cell| {
                let media = self.legs.get(&cell.caller).and_then(|party| party.media.as_ref());
                (cell.caller, media.is_some_and(|media| media.holds()))
            })
            .collect();
        let music = self.settings.default_music;
        for (leg, holds) in &legs {
            let speak = legs.iter().filter(|(other, holds)| other != leg && !holds);
            let others: Vec<LegId> = speak.map(|(other, _)| *other).collect();
            let send = match others.is_empty() {
                _ if *holds => Source::Silence,
                true => Source::Music(music),
                false => Source::Mix(others),
            };
            if let Some(media) = self.media_of(*leg) {
                media.overheard = !holds;
            }
            self.play(*leg, send, now);
        }
    }

    pub(super) fn thread_of(&self, call: CallId) -> Option<u16> {
        let caller = self.calls.get(&call)?.caller;
        self.legs.get(&caller)?.media.as_ref().map(|media| media.lease.thread)
    }
}
