//! What agents do, and the other callers: the case says how, the ACD says for whom.

use super::case::{Person, Phone};
use super::play::{Deed, Stage};
use crate::acd::{self, Failure};
use crate::call::{CallState, Input};
use crate::dialplan::CursorInput;
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{AgentState, Cause, Seen, SegmentEnd};

impl Stage<'_> {
    pub(super) fn sign_in(&mut self, agent: AgentId) {
        let ready = self.person(&agent).ready;
        if ready {
            return self.tell_acd(acd::Input::AgentSignedIn { agent });
        }
        // Before anybody can be presented in between.
        let state = AgentState::NotReady { reason: "not_ready".to_owned(), until_ms: None };
        let seen = vec![Seen { appearance: 0, state, since_wall_ms: self.now.wall_ms, wish: None }];
        self.tell_acd(acd::Input::Restored { agent, seen });
    }

    fn person(&self, agent: &AgentId) -> Person {
        // Whoever is called has signed in: by the case, or by a feature code.
        self.given.agents.get(agent).cloned().unwrap_or_default()
    }

    pub(super) fn others_come(&mut self, place: usize) {
        let Some(other) = self.given.others.get(place) else { return };
        for _ in 0..other.count {
            let call = CallId::new(self.now.wall_ms, u128::from(self.draw_leg().0));
            self.others.insert(call, other.talks_ms);
            if let Some(patience_ms) = other.patience_ms {
                self.after(patience_ms, Deed::OtherGivesUp(call));
            }
            let (queue, priority, entered_wall_ms) = (other.queue.clone(), other.priority, self.now.wall_ms);
            let (wishes, prefer, stays) = (Vec::new(), None, false);
            self.tell_acd(acd::Input::CallerEntered { call, queue, priority, entered_wall_ms, wishes, prefer, stays });
        }
    }

    /// An agent's phone is called: for our call by its leg, for another caller without one.
    pub(super) fn dial(&mut self, agent: AgentId, call: CallId, leg: Option<LegId>) {
        let person = self.person(&agent);
        match person.phone {
            Phone::Busy => return self.fail(agent, call, leg, SegmentEnd::Busy),
            Phone::Unreachable => return self.fail(agent, call, leg, SegmentEnd::Unreachable),
            Phone::Answers | Phone::Rings | Phone::Rejects => {}
        }
        if let Some(leg) = leg {
            self.call.handle(Input::AgentRinging { leg });
        }
        self.tell_acd(acd::Input::PhoneRinging { agent: agent.clone(), call });
        if person.phone != Phone::Rings {
            self.after(person.after_ms, Deed::Decide { agent, call, leg });
        }
    }

    fn fail(&mut self, agent: AgentId, call: CallId, leg: Option<LegId>, end: SegmentEnd) {
        let (code, text, why) = match end {
            SegmentEnd::Busy => (486, "busy", Failure::Busy),
            SegmentEnd::Rejected => (603, "declined", Failure::Rejected),
            _ => (480, "no_contact", Failure::Unreachable),
        };
        match leg {
            Some(leg) => self.call.handle(Input::AgentFailed { leg, end, cause: Cause::new(code, text) }),
            None => self.tell_acd(acd::Input::AgentFailed { agent, call, why }),
        }
    }

    /// The agent answers, or rejects the call. One that is withdrawn by now is nobody's any more.
    pub(super) fn decide(&mut self, agent: AgentId, call: CallId, leg: Option<LegId>) {
        if !self.any_state(&agent, |state| state.presented() == Some(call)) {
            return;
        }
        if self.person(&agent).phone == Phone::Rejects {
            return self.fail(agent, call, leg, SegmentEnd::Rejected);
        }
        match leg {
            Some(leg) => {
                self.note(format!("agent {agent} answers"));
                let codec = || "PCMA".to_owned();
                self.call.handle(Input::AgentAnswered { leg, codec_in: codec(), codec_out: codec() });
            }
            None => {
                let talks_ms = self.others.remove(&call).unwrap_or_default();
                self.after(talks_ms, Deed::TalkOver { agent: agent.clone(), call, leg });
                self.tell_acd(acd::Input::AgentAnswered { agent, call });
            }
        }
    }

    /// Our caller and an agent hear each other.
    pub(super) fn begin_talk(&mut self, leg: LegId) {
        let CallState::Bridged { agent: Some(agent), .. } = self.call.state() else { return };
        let (agent, call) = (agent.clone(), self.id);
        let talks_ms = self.person(&agent).talks_ms;
        self.after(talks_ms, Deed::TalkOver { agent: agent.clone(), call, leg: Some(leg) });
        self.tell_acd(acd::Input::AgentAnswered { agent, call });
        self.tell(CursorInput::Connected);
    }

    /// The agent hangs up.
    pub(super) fn end_talk(&mut self, agent: AgentId, call: CallId, leg: Option<LegId>) {
        match leg {
            Some(leg) => self.leave(&format!("agent {agent}"), leg),
            None => self.leave_talk(agent, call),
        }
    }

    /// Whoever speaks with our caller hangs up, unless the caller has done so before.
    pub(super) fn leave(&mut self, who: &str, leg: LegId) {
        if self.call.open_legs().any(|open| open == leg) {
            let at_ms = self.at_ms();
            self.course.lead(at_ms, format!("{who} hangs up"));
            self.call.handle(Input::HungUp { leg, cause: Cause::normal() });
            self.call.handle(Input::LegGone { leg });
        }
    }

    /// The agent is out of a conversation, and has after-call work.
    pub(super) fn leave_talk(&mut self, agent: AgentId, call: CallId) {
        if let Some(acw_ms) = self.person(&agent).acw_ms {
            self.after(acw_ms, Deed::AcwOver { agent: agent.clone(), call });
        }
        self.tell_acd(acd::Input::ConversationEnded { agent, call });
    }

    pub(super) fn end_acw(&mut self, agent: AgentId, call: CallId) {
        // The queue may have ended it before, and the next one begun.
        let ours = |state: &AgentState| matches!(state, AgentState::Acw { call: of, .. } if *of == call);
        if self.any_state(&agent, ours) {
            self.tell_acd(acd::Input::EndAcw { agent });
        }
    }

    /// Whether that is so of one of the calls that the agent takes at once.
    fn any_state(&self, agent: &AgentId, is: impl Fn(&AgentState) -> bool) -> bool {
        self.acd.view().appearances(agent).any(is)
    }
}
