//! What supervisors and operators ask of the switch, and the stop.

use super::{AgentWish, Command, CommandError, Output, Switch, Timer, Waiting};
use crate::acd;
use crate::call::Input;
use crate::journal::{Cause, Event};
use crate::time::Now;

impl Switch {
    pub(super) fn handle_command(&mut self, id: u64, command: Command, now: Now) {
        let done = match command {
            Command::SetAgent { agent, wish } => self.set_agent(agent, wish, now),
            Command::HangUp { call } if self.calls.contains_key(&call) => {
                let cause = Cause::new(31, "hung_up_by_operator");
                self.tell(call, Input::Hangup { cause, as_designed: false });
                Ok(())
            }
            Command::HangUp { call } => Err(CommandError::UnknownCall(call)),
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
        match wish {
            AgentWish::Available => {
                self.acd.handle(acd::Input::AgentSignedIn { agent: agent.clone() }, now);
                self.acd.handle(acd::Input::SetAvailable { agent }, now);
            }
            AgentWish::NotReady { reason } => self.acd.handle(acd::Input::SetNotReady { agent, reason }, now),
            AgentWish::Offline => self.acd.handle(acd::Input::AgentSignedOut { agent }, now),
        }
        Ok(())
    }

    /// From now on new calls, registrations and OPTIONS get 503; a second stop shortens the first.
    pub(super) fn handle_drain(&mut self, deadline_ms: u64, now: Now) {
        self.endpoint.set_refusing(true);
        if !self.draining {
            self.draining = true;
            self.journal(Event::Stopped, now);
        }
        self.timers.arm(now.in_ms(deadline_ms), Timer::Drain);
    }
}
