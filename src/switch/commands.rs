//! What supervisors and operators ask of the switch, and the stop.

use super::recording::instant;
use super::{AgentWish, Command, CommandError, Output, Switch, Timer, Waiting};
use crate::acd;
use crate::call::Input;
use crate::id::{CallId, LegId};
use crate::journal::{AgentState, Cause, Event, PausedBy};
use crate::sip::endpoint::Why;
use crate::time::Now;

/// How long the last BYEs and REGISTERs of a stop may take, ms: three tries over UDP (RFC 3261 §17.1.2.2).
const FAREWELL_MS: u64 = 2_000;

impl Switch {
    pub(super) fn handle_command(&mut self, id: u64, command: Command, now: Now) {
        let done = match command {
            Command::SetAgent { agent, wish } => self.set_agent(agent, wish, now),
            Command::Free { agent, to } => self.free_agent(agent, to, now),
            Command::CloseHours { hours, until_ms } => self.close_hours(hours, until_ms, now),
            Command::ReopenHours { hours } => self.reopen_hours(hours, now),
            Command::Announce { flow, prompt, until_ms } => self.announce(flow, prompt, until_ms, now),
            Command::EndAnnouncement { flow } => self.end_announcement(flow, now),
            Command::PlaceCall { call, user, to, queue } => self.summon(call, user, to, queue, now),
            Command::FollowUp { call, wish } => self.follow_up(call, wish, now),
            Command::CancelCallback { call } => self.cancel_callback(call, now),
            Command::HangUp { call } if self.calls.contains_key(&call) => {
                let cause = Cause::new(31, "hung_up_by_operator");
                self.tell(call, Input::Hangup { cause, as_designed: false });
                Ok(())
            }
            Command::HangUp { call } => Err(CommandError::UnknownCall(call)),
            Command::Supervise { call, by, mode } => self.supervise(call, by, mode, now),
            Command::EndSupervision { call, by } => self.end_supervision(call, &by, now),
            Command::TakeOver { call, by } => self.take_over(call, &by, now),
            Command::Join { call, other } => self.join_third(call, other, now),
            Command::PauseRecording { call, from_ms } => {
                self.pause_recording(call, PausedBy::Operator, instant(from_ms, now), now)
            }
            Command::ResumeRecording { call } => self.resume_recording(call, PausedBy::Operator, now),
            Command::LiftBan { address } if self.endpoint.lift_ban(address, now) => {
                tracing::info!(%address, "a ban is lifted by an operator");
                Ok(())
            }
            Command::LiftBan { address } => Err(CommandError::UnknownBan(address)),
        };
        match done {
            Ok(()) => {
                // What the command leads to is journalled first, so that the reply's number covers it.
                self.settle(now);
                self.wait_for_sync(Waiting::Reply { id }, now);
            }
            Err(error) => self.outbox.push(Output::Reply { id, result: Err(error) }, now),
        }
    }

    fn set_agent(&mut self, agent: crate::id::AgentId, wish: AgentWish, now: Now) -> Result<(), CommandError> {
        if self.acd.view().agent(&agent).is_none() {
            return Err(CommandError::UnknownAgent(agent));
        }
        let handles = self.acd.view().appearances(&agent).any(AgentState::is_handling);
        match wish {
            AgentWish::Available if !self.has_phone(&agent) => return Err(CommandError::NoPhone(agent)),
            AgentWish::Available => {
                self.acd.handle(acd::Input::AgentSignedIn { agent: agent.clone() }, now);
                self.acd.handle(acd::Input::SetAvailable { agent }, now);
            }
            AgentWish::NotReady { reason } => self.acd.handle(acd::Input::SetNotReady { agent, reason }, now),
            AgentWish::Offline => self.acd.handle(acd::Input::AgentSignedOut { agent }, now),
            AgentWish::MoreAcw { .. } if !handles => return Err(CommandError::NoAcw(agent)),
            AgentWish::MoreAcw { by_ms } => self.acd.handle(acd::Input::ExtendAcw { agent, by_ms }, now),
        }
        Ok(())
    }

    /// A supervisor does not wait for the end of an agent's call: it is cut.
    fn free_agent(&mut self, agent: crate::id::AgentId, to: acd::Forced, now: Now) -> Result<(), CommandError> {
        let why = match self.acd.view().agent(&agent).map(|seen| seen.state) {
            None => return Err(CommandError::UnknownAgent(agent)),
            Some(AgentState::Offline) => Some("he or she is signed out"),
            Some(AgentState::NotReady { reason, .. }) if reason == acd::OWN_CALL => {
                Some("the call is one that the agent has placed; hang it up (GET /api/v1/calls names it)")
            }
            Some(_) => None,
        };
        if let Some(why) = why {
            return Err(CommandError::NotFreed { agent, why });
        }
        if to == acd::Forced::Available && !self.has_phone(&agent) {
            return Err(CommandError::NoPhone(agent));
        }
        tracing::info!(%agent, "an agent is freed by a supervisor");
        self.acd.handle(acd::Input::Forced { agent, to }, now);
        Ok(())
    }

    /// From now on new calls, registrations and OPTIONS get 503; a second stop shortens the first.
    pub(super) fn handle_drain(&mut self, deadline_ms: u64, now: Now) {
        self.endpoint.set_refusing(true);
        // Whoever sends calls to a registration of ours looks for another place at once.
        self.endpoint.unregister_all(now);
        self.endpoint.end_subscriptions(now);
        if !self.draining {
            self.draining = true;
            self.journal(Event::Stopped, now);
            self.timers.arm(now.in_ms(FAREWELL_MS), Timer::Unregistered);
            // Nobody is there yet who could be cut off; the next start goes on with the requests.
            let waiting: Vec<CallId> =
                self.calls.iter().filter(|(_, cell)| cell.waits_to_call()).map(|(id, _)| *id).collect();
            for call in waiting {
                let cause = Cause::new(503, "shutdown");
                self.tell(call, Input::Hangup { cause, as_designed: false });
            }
        }
        self.timers.arm(now.in_ms(deadline_ms), Timer::Drain);
    }

    /// Every call gets its BYE, and its peers [`FAREWELL_MS`] to answer.
    pub(super) fn handle_drain_deadline(&mut self, now: Now) {
        let all: Vec<CallId> = self.calls.keys().copied().collect();
        for call in all {
            let cause = Cause::new(503, "shutdown");
            self.tell(call, Input::Hangup { cause, as_designed: false });
        }
        self.timers.arm(now.in_ms(FAREWELL_MS), Timer::DrainOver);
    }

    /// Peers that answer nothing hold no stop: their legs end here, and what they were owed is sent once more.
    pub(super) fn abandon_all(&mut self, now: Now) {
        let legs: Vec<LegId> = self.legs.keys().chain(self.orphans.keys()).copied().collect();
        for leg in legs {
            tracing::warn!(%leg, "a peer answers neither BYE nor CANCEL: the stop does not wait for it");
            self.endpoint.abandon(leg, Why::new(503, "shutdown"), now);
        }
    }
}
