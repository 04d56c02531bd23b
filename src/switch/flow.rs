//! The dialplan's acts on a call, and what comes back to its cursor.

use super::{Switch, Timer};
use crate::acd::{self, Acd};
use crate::call::{CallState, Input};
use crate::dialplan::{Act, AgentChange, CursorInput, FloorView, Program, Prompt};
use crate::id::{AgentId, CallId, QueueId};
use crate::journal::{AgentState, Event};
use crate::media::{Playlist, PromptId, Source};
use crate::time::Now;

/// A prompt that was not loaded: its play fails and the flow is told.
const NO_PROMPT: PromptId = PromptId(u32::MAX);

/// What a plan sees of the queues.
pub(super) struct Floor<'a> {
    pub(super) acd: &'a Acd,
    pub(super) program: &'a Program,
}

impl FloorView for Floor<'_> {
    fn signed_in(&self, queue: &QueueId) -> usize {
        let Some(queue) = self.program.queues().get(queue.as_str()) else { return 0 };
        let signed_in = |member: &&String| {
            let agent = self.acd.view().agent(&AgentId::from(member.as_str()));
            agent.is_some_and(|agent| *agent.state != AgentState::Offline)
        };
        queue.members.iter().filter(signed_in).count()
    }
}

impl Switch {
    /// Tells a call's plan what happened.
    pub(super) fn advance(&mut self, call: CallId, input: CursorInput, now: Now) {
        let floor = Floor { acd: &self.acd, program: &self.settings.program };
        let Some(cursor) = self.calls.get_mut(&call).and_then(|cell| cell.cursor.as_mut()) else { return };
        cursor.handle(input, now, &floor);
        self.touched.push_back(call);
    }

    pub(super) fn handle_flow_timeout(&mut self, call: CallId, now: Now) {
        let floor = Floor { acd: &self.acd, program: &self.settings.program };
        let Some(cell) = self.calls.get_mut(&call) else { return };
        cell.flow_timer = None;
        let Some(cursor) = cell.cursor.as_mut() else { return };
        cursor.handle_timeout(now, &floor);
        self.touched.push_back(call);
    }

    /// Does what a call and its plan want, the call first: it knows who is still there.
    pub(super) fn handle_call(&mut self, call: CallId, now: Now) {
        while let Some(output) = self.calls.get_mut(&call).and_then(|cell| cell.call.poll_output()) {
            self.carry_out(call, output, now);
        }
        let act = self.calls.get_mut(&call).and_then(|cell| cell.cursor.as_mut()?.poll_act());
        if let Some(act) = act {
            self.act(call, act, now);
            // What the act led to comes before the next act.
            self.touched.push_back(call);
            return;
        }
        self.arm_flow(call);
    }

    fn arm_flow(&mut self, call: CallId) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        if let Some(timer) = cell.flow_timer.take() {
            self.timers.disarm(timer);
        }
        if let Some(deadline) = cell.cursor.as_ref().and_then(|cursor| cursor.poll_timeout()) {
            cell.flow_timer = Some(self.timers.arm(deadline, Timer::Flow(call)));
        }
    }

    fn act(&mut self, call: CallId, act: Act, now: Now) {
        let Some(cell) = self.calls.get(&call) else { return };
        if *cell.call.state() == CallState::Ended {
            return;
        }
        let caller = cell.caller;
        match act {
            Act::EnterStep { flow, step } => {
                let step = format!("{flow}.{step}");
                self.journal(Event::StepEntered { call, step }, now);
            }
            // Its agent handed the call on into this flow.
            Act::Answer if cell.call.is_answered() => self.advance(call, CursorInput::Answered, now),
            Act::Answer => self.tell(call, Input::Answer),
            Act::Play { prompts, id, .. } => {
                let prompt = |prompt: &Prompt| self.settings.prompts.get(prompt).copied().unwrap_or(NO_PROMPT);
                let list = Playlist { prompts: prompts.iter().map(prompt).collect(), id };
                self.play(caller, Source::Play(list), now);
            }
            Act::StopPlay => self.play(caller, Source::Silence, now),
            Act::ChooseLanguage(language) => {
                self.journal(Event::LanguageChosen { call, language }, now);
            }
            Act::Enqueue { queue, priority, record } => self.enqueue(call, queue, priority, record, now),
            Act::ChangeAgent(change) => self.change_agent(call, change, now),
            Act::Echo => {
                self.tell(call, Input::Served);
                self.play(caller, Source::Echo, now);
            }
            Act::Hangup { cause } => {
                let as_designed = cause.code == 16;
                self.tell(call, Input::Hangup { cause, as_designed });
            }
        }
    }

    fn enqueue(&mut self, call: CallId, queue: QueueId, priority: i32, record: bool, now: Now) {
        let settings = &self.settings;
        let named = settings.program.queues().get(queue.as_str()).and_then(|queue| queue.music.as_ref());
        let music = named.and_then(|name| settings.music.get(name)).copied().unwrap_or(settings.default_music);
        let Some(cell) = self.calls.get_mut(&call) else { return };
        cell.music = music;
        let caller = cell.caller;
        if record {
            // The plan asks for a recording only where the notice was heard to its end.
            self.tell(call, Input::NoticePlayed);
        }
        self.tell(call, Input::Enqueued { record });
        self.play(caller, Source::Music(music), now);
        let entered_wall_ms = now.wall_ms;
        self.acd.handle(acd::Input::CallerEntered { call, queue, priority, entered_wall_ms }, now);
    }

    fn change_agent(&mut self, call: CallId, change: AgentChange, now: Now) {
        let Some(agent) = self.calls.get(&call).and_then(|cell| cell.from_agent.clone()) else { return };
        self.tell(call, Input::Served);
        let input = match change {
            // Who signed out by a feature code signs in by one: the binding has not changed.
            AgentChange::Available => {
                self.acd.handle(acd::Input::AgentSignedIn { agent: agent.clone() }, now);
                acd::Input::SetAvailable { agent }
            }
            AgentChange::NotReady => acd::Input::SetNotReady { agent, reason: "feature_code".into() },
            AgentChange::EndAcw => acd::Input::EndAcw { agent },
            AgentChange::SignOut => acd::Input::AgentSignedOut { agent },
        };
        self.acd.handle(input, now);
    }
}
