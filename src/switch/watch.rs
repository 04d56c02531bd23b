//! What users' phones are doing, for those who watch them: a key of a colleague's phone lights up, a lamp tells of messages.

use std::collections::BTreeMap;

use super::Switch;
use super::party::Role;
use crate::call::LegState;
use crate::id::{CallId, LegId};
use crate::journal::AgentState;
use crate::sip::subscription::{Direction, Messages, Package, Phase, State, SubscriptionId, WatchedDialog};
use crate::time::Now;

/// A call as a user's phone has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    user: String,
    leg: LegId,
    direction: Direction,
    phase: Phase,
}

/// What the phones of each user are in.
#[derive(Default)]
pub(super) struct Lines {
    of_call: BTreeMap<CallId, Vec<Line>>,
    of_user: BTreeMap<String, BTreeMap<LegId, (CallId, Direction, Phase)>>,
}

impl Lines {
    /// How many there are: none on an idle floor.
    pub(super) fn len(&self) -> usize {
        self.of_user.values().map(BTreeMap::len).sum()
    }

    /// Takes how a call stands; gives the users for whom that is news.
    fn follow(&mut self, call: CallId, lines: Vec<Line>) -> Vec<String> {
        let before = match lines.is_empty() {
            true => self.of_call.remove(&call),
            false => self.of_call.insert(call, lines.clone()),
        };
        let before = before.unwrap_or_default();
        if before == lines {
            return Vec::new();
        }
        for old in &before {
            if let Some(known) = self.of_user.get_mut(&old.user) {
                // A leg may have gone on to another call, which has said so already.
                if known.get(&old.leg).is_some_and(|(of, ..)| *of == call) {
                    known.remove(&old.leg);
                }
                if known.is_empty() {
                    self.of_user.remove(&old.user);
                }
            }
        }
        for line in &lines {
            self.of_user.entry(line.user.clone()).or_default().insert(line.leg, (call, line.direction, line.phase));
        }
        let mut users: Vec<String> = before.into_iter().chain(lines).map(|line| line.user).collect();
        users.sort();
        users.dedup();
        users
    }

    /// Whether a user's phones are in any call.
    pub(super) fn is_busy(&self, user: &str) -> bool {
        self.of_user.contains_key(user)
    }

    /// A user's conversations, each with its leg.
    fn conversations(&self, user: &str) -> impl Iterator<Item = (CallId, LegId)> {
        let known = self.of_user.get(user).into_iter().flatten();
        let up = known.filter(|(_, (.., phase))| *phase == Phase::Confirmed);
        up.map(|(leg, (call, ..))| (*call, *leg))
    }

    fn of(&self, user: &str) -> State {
        let known = self.of_user.get(user).into_iter().flatten();
        let watched = |(leg, (_, direction, phase)): (&LegId, &(CallId, Direction, Phase))| WatchedDialog {
            id: leg.to_string(),
            direction: *direction,
            phase: *phase,
        };
        State::Dialogs(known.map(watched).collect())
    }
}

impl Switch {
    /// The conversation that a user has turned to last, and its leg: of several the one that was just answered, resumed, or held to
    /// call somebody about it.
    pub(super) fn conversation_of(&self, user: &str) -> Option<(CallId, LegId)> {
        let turned_ns = |leg: &LegId| self.legs.get(leg)?.media.as_ref().map(|media| media.turned_ns);
        self.lines.conversations(user).max_by_key(|(_, leg)| (turned_ns(leg), *leg))
    }

    /// A subscriber wants to know how things stand.
    pub(super) fn handle_state_wanted(&mut self, id: SubscriptionId, watched: &str, package: Package, now: Now) {
        let state = match package {
            Package::Dialog => self.lines.of(watched),
            Package::MessageSummary => State::Messages(self.messages_of(watched)),
        };
        self.endpoint.tell_state(id, state, now);
    }

    /// The messages that wait for a user: none, as mailboxes are no user's, and that is what the lamp is told.
    fn messages_of(&self, _user: &str) -> Messages {
        Messages::default()
    }

    /// Brings what watchers see into line with a call that has moved, or is gone.
    pub(super) fn follow_lines(&mut self, call: CallId, now: Now) {
        let lines = self.lines_of(call);
        for user in self.lines.follow(call, lines) {
            if self.endpoint.is_watched(Package::Dialog, &user) {
                self.endpoint.publish_state(Package::Dialog, &user, &self.lines.of(&user), now);
            }
        }
    }

    fn lines_of(&self, call: CallId) -> Vec<Line> {
        let Some(cell) = self.calls.get(&call) else { return Vec::new() };
        let mut lines = Vec::new();
        for leg in cell.call.legs() {
            let Some(party) = self.legs.get(&leg.id) else { continue };
            let (user, direction) = match &party.role {
                Role::Agent(agent) => (Some(agent), Direction::Recipient),
                Role::Caller => (party.user.as_ref(), Direction::Initiator),
                Role::Target | Role::Supervisor => (party.user.as_ref(), Direction::Recipient),
            };
            let Some(user) = user else { continue };
            let rings =
                || party.rings || self.acd.view().appearances(user).any(|state| *state == AgentState::Ringing { call });
            let phase = match leg.state {
                LegState::Inviting if direction == Direction::Recipient && rings() => Phase::Early,
                LegState::Inviting => Phase::Trying,
                LegState::Up => Phase::Confirmed,
                LegState::Cancelling | LegState::Closing | LegState::Gone => continue,
            };
            lines.push(Line { user: user.as_str().to_owned(), leg: leg.id, direction, phase });
        }
        // Who listens or is a third party is in no leg of the call's own.
        for beside in &cell.supervisors {
            let Some((party, user)) = self.legs.get(&beside.leg).zip(beside.user.as_ref()) else { continue };
            let phase = match (beside.up, party.rings) {
                (true, _) => Phase::Confirmed,
                (false, true) => Phase::Early,
                (false, false) => Phase::Trying,
            };
            let user = user.as_str().to_owned();
            lines.push(Line { user, leg: beside.leg, direction: Direction::Recipient, phase });
        }
        lines
    }
}
