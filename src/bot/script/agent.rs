//! An agent: lets it ring, answers, talks, wraps up; now and then does not answer, refuses, or takes a break.

use super::{Output, Script, Timer};
use crate::time::{Now, TimerId};

/// How long an agent talks whose caller is to leave first, ms: longer than any caller talks.
const NET_MS: u64 = 75_000;

#[derive(Debug, Default)]
pub(super) enum Doing {
    #[default]
    Idle,
    /// The phone rings; `plan` is what will come of it.
    Ringing { from: String, plan: Plan },
    /// In conversation.
    Talking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Answer,
    Refuse(u16),
    RingOut,
}

#[derive(Debug, Default)]
pub(super) struct Agent {
    doing: Doing,
    act: Option<TimerId>,
}

impl Agent {
    /// How the agent's call ends when everybody goes.
    pub(super) fn farewell(&self, number: usize) -> Option<Output> {
        match self.doing {
            Doing::Idle => None,
            Doing::Ringing { .. } => Some(Output::Refuse(number, 480)),
            Doing::Talking => Some(Output::HangUp(number)),
        }
    }
}

impl Script {
    pub(super) fn handle_offered(&mut self, number: usize, from: String, now: Now) {
        if self.stopped || number >= self.agents.len() {
            return self.outputs.push_back(Output::Refuse(number, 480));
        }
        self.outputs.push_back(Output::Ring(number));
        let plan = match self.dice.between(0, 99) {
            0..=87 => Plan::Answer,
            88..=93 => Plan::Refuse(self.dice.pick(&[486, 603])),
            _ => Plan::RingOut,
        };
        let act_ms = self.dice.between(1_000, 6_000);
        let act = (plan != Plan::RingOut).then(|| self.timers.arm(now.in_ms(act_ms), Timer::Act(number)));
        self.agents[number] = Agent { doing: Doing::Ringing { from, plan }, act };
    }

    pub(super) fn handle_act_due(&mut self, number: usize, now: Now) {
        let agent = &mut self.agents[number];
        agent.act = None;
        match std::mem::take(&mut agent.doing) {
            Doing::Ringing { from, plan: Plan::Answer } => {
                agent.doing = Doing::Talking;
                self.counts.taken += 1;
                self.outputs.push_back(Output::Answer(number));
                let caller_ends = self.handle_joined(&from, now);
                let talk_ms = if caller_ends { NET_MS } else { self.dice.between(10_000, 60_000) };
                self.agents[number].act = Some(self.timers.arm(now.in_ms(talk_ms), Timer::Act(number)));
            }
            Doing::Ringing { plan: Plan::Refuse(status), .. } => {
                self.outputs.push_back(Output::Refuse(number, status));
                self.missed(number, now);
            }
            Doing::Talking => {
                agent.doing = Doing::Talking;
                self.outputs.push_back(Output::HangUp(number));
            }
            Doing::Idle | Doing::Ringing { plan: Plan::RingOut, .. } => {}
        }
    }

    pub(super) fn handle_agent_free(&mut self, number: usize, now: Now) {
        let Some(agent) = self.agents.get_mut(number) else { return };
        if let Some(timer) = agent.act.take() {
            self.timers.disarm(timer);
        }
        let was = std::mem::take(&mut agent.doing);
        if self.stopped {
            return;
        }
        match was {
            // Also where the caller gave up first: *71 changes nothing for who is available.
            Doing::Ringing { plan: Plan::RingOut, .. } => self.missed(number, now),
            Doing::Talking => self.wrap_up(number, now),
            Doing::Idle | Doing::Ringing { .. } => {}
        }
    }

    /// The switch has taken the agent out; a while later the agent notices.
    fn missed(&mut self, number: usize, now: Now) {
        self.counts.not_taken += 1;
        let notices_ms = self.dice.between(5_000, 15_000);
        self.timers.arm(now.in_ms(notices_ms), Timer::Code(number, "*71"));
    }

    /// Most let the after-call work run out; some are quicker, some need a break.
    fn wrap_up(&mut self, number: usize, now: Now) {
        match self.dice.between(0, 99) {
            0..=24 => {
                let done_ms = self.dice.between(1_000, 3_500);
                self.timers.arm(now.in_ms(done_ms), Timer::Code(number, "*73"));
            }
            25..=29 => {
                self.timers.arm(now.in_ms(1_500), Timer::Code(number, "*72"));
            }
            _ => {}
        }
    }

    pub(super) fn handle_code_due(&mut self, number: usize, code: &'static str, now: Now) {
        let idle = matches!(self.agents[number].doing, Doing::Idle);
        // Somebody with a call at the phone thinks of it later; the end of after-call work has settled itself by then.
        if idle {
            self.outputs.push_back(Output::Dial(number, code));
            if code == "*72" {
                let break_ms = self.dice.between(15_000, 40_000);
                self.timers.arm(now.in_ms(break_ms), Timer::Code(number, "*71"));
            }
        } else if code == "*71" {
            self.timers.arm(now.in_ms(5_000), Timer::Code(number, code));
        }
    }

    /// An agent who wanted to come back tries again; the rest does not matter.
    pub(super) fn handle_code_failed(&mut self, number: usize, code: &'static str, now: Now) {
        if code == "*71" && !self.stopped && number < self.agents.len() {
            self.timers.arm(now.in_ms(10_000), Timer::Code(number, code));
        }
    }
}
