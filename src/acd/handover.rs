//! A caller who comes from another agent and not out of a queue: reserved and counted like any other, and standing in no line.

use crate::id::{AgentId, CallId};
use crate::journal::{Decision, LeaveReason, SegmentEnd};
use crate::time::Now;

use super::Acd;
use super::events::Output;

impl Acd {
    /// Reserves the agent for the call of another one, on behalf of the queue that it came out of.
    pub(super) fn handle_handed_over(&mut self, call: CallId, from: &AgentId, to: &AgentId, now: Now) {
        let giver = self.agent_numbers.get(from).map(|first| &self.agents[self.appearance_with(*first, call)]);
        let Some(giver) = giver.filter(|giver| giver.conversation() == Some(call) && giver.id != *to) else { return };
        let open = self.agent_numbers.get(to).and_then(|first| self.open_appearance(*first));
        let Some(n) = open else { return };
        let (queue, why) = (giver.serving, Decision::HandedOver { from: from.clone() });
        self.handed.insert(call, n);
        self.transition_to_reserved(n, call, queue, now);
        let (agent, queue) = (self.agents[n].id.clone(), self.queues[queue].settings.id.clone());
        self.outputs.push_back(Output::Present { call, agent, queue, why });
    }

    /// The agent's conversation goes on in another call.
    pub(super) fn handle_moved(&mut self, n: usize, from: CallId, to: CallId, now: Now) {
        if self.agents[n].conversation() == Some(from) {
            self.transition_to_talking(n, to, now);
        }
    }

    /// A caller who stands in no line is gone: whoever was to take the call is free again.
    pub(super) fn take_back(&mut self, call: CallId, reason: LeaveReason, now: Now) {
        if let Some(n) = self.handed.get(&call).copied() {
            let end = if reason == LeaveReason::Abandoned { SegmentEnd::CallerLeft } else { SegmentEnd::Switch };
            self.withdraw(&[n], call, end, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AgentSettings, Input, QueueSettings, Settings};
    use super::*;
    use crate::journal::AgentState;

    fn floor() -> (Acd, CallId, Now) {
        let (call, now) = (CallId::new(1, 1), Now::default());
        let agent = |id: &str| AgentSettings::named(id.into());
        let members = vec![AgentId::from("1001").into()];
        let queue = QueueSettings { members, acw_ms: 5_000, ..QueueSettings::named("support".into()) };
        let settings =
            Settings { agents: vec![agent("1001"), agent("1002")], queues: vec![queue], ..Default::default() };
        let mut acd = Acd::new(settings, [0; 32]).unwrap();
        for agent in ["1001", "1002"] {
            acd.handle(Input::AgentSignedIn { agent: agent.into() }, now);
        }
        acd.handle(
            Input::CallerEntered {
                call,
                queue: "support".into(),
                priority: 0,
                entered_wall_ms: 0,
                wishes: Vec::new(),
                prefer: None,
                stays: false,
            },
            now,
        );
        acd.handle(Input::AgentAnswered { agent: "1001".into(), call }, now);
        (acd, call, now)
    }

    fn state(acd: &Acd, agent: &str) -> AgentState {
        acd.check_invariants().unwrap();
        acd.view().agent(&agent.into()).unwrap().state.clone()
    }

    #[test]
    fn an_available_agent_takes_the_call_and_both_work_after_it() {
        let (mut acd, call, now) = floor();
        let handed = || Input::HandedOver { call, from: "1001".into(), to: "1002".into() };
        acd.handle(handed(), now);
        assert_eq!(state(&acd, "1002"), AgentState::Reserved { call });
        acd.handle(handed(), now);
        acd.handle(Input::AgentAnswered { agent: "1002".into(), call }, now);
        acd.handle(Input::ConversationEnded { agent: "1001".into(), call }, now);
        assert_eq!(state(&acd, "1002"), AgentState::Talking { call });
        assert!(matches!(state(&acd, "1001"), AgentState::Acw { .. }));
        acd.handle(Input::ConversationEnded { agent: "1002".into(), call }, now);
        assert!(matches!(state(&acd, "1002"), AgentState::Acw { .. }));
    }

    #[test]
    fn a_conversation_that_moves_ends_with_the_call_that_it_moved_to() {
        let (mut acd, call, now) = floor();
        let other = CallId::new(2, 2);
        acd.handle(Input::Moved { agent: "1001".into(), from: call, to: other }, now);
        acd.handle(Input::ConversationEnded { agent: "1001".into(), call }, now);
        assert_eq!(state(&acd, "1001"), AgentState::Talking { call: other });
        acd.handle(Input::ConversationEnded { agent: "1001".into(), call: other }, now);
        assert!(matches!(state(&acd, "1001"), AgentState::Acw { call, .. } if call == other));
    }

    #[test]
    fn a_caller_who_leaves_frees_the_agent_and_silence_takes_the_agent_out() {
        let (mut acd, call, now) = floor();
        let handed = || Input::HandedOver { call, from: "1001".into(), to: "1002".into() };
        acd.handle(handed(), now);
        acd.handle(Input::CallerLeft { call }, now);
        assert_eq!(state(&acd, "1002"), AgentState::Available);
        acd.handle(handed(), now);
        acd.handle(Input::PhoneRinging { agent: "1002".into(), call }, now);
        acd.handle_timeout(now.plus_ms(600_000));
        assert_eq!(state(&acd, "1002"), AgentState::NotReady { reason: "no_answer".into(), until_ms: None });
        // Who is not available is not reserved, and nobody hands over a call of others.
        acd.handle(handed(), now);
        acd.handle(Input::HandedOver { call, from: "1002".into(), to: "1001".into() }, now);
        assert_eq!(state(&acd, "1002"), AgentState::NotReady { reason: "no_answer".into(), until_ms: None });
    }
}
