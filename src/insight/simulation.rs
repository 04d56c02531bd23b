//! A day of a floor, played through the very ACD: who calls when, how long a conversation takes, how long a caller is patient, and
//! who works when.

use std::collections::BTreeMap;

use crate::acd::{Acd, BadSettings, Input, Output, Settings};
use crate::id::{AgentId, CallId, QueueId};
use crate::journal::Event;
use crate::time::{MS, Now};

/// One call that comes to a queue. Instants are ms since the day began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at_ms: u64,
    /// Where.
    pub queue: QueueId,
    /// The caller's class.
    pub priority: i32,
    /// How long the caller waits before hanging up (ms); `None` for ever.
    pub patience_ms: Option<u64>,
    /// How long the conversation takes (ms).
    pub service_ms: u64,
}

/// When an agent works. One who is in a call at the end of it ends the call first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Who.
    pub agent: AgentId,
    /// From when (ms since the day began).
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
}

/// What became of the callers, and of the agents' time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Waits of those to whom an agent spoke (ms), in the order of the answers.
    pub answered_ms: Vec<u64>,
    /// Waits of those who hung up (ms).
    pub abandoned_ms: Vec<u64>,
    /// Callers whom the queue sent on: full, or the longest wait was over.
    pub sent_on: u64,
    /// Agents' time in conversations and after-call work (ms).
    pub busy_ms: u64,
    /// Agents' time in the other states but offline and not ready (ms).
    pub free_ms: u64,
}

impl Outcome {
    /// Takes in another day.
    pub fn add(&mut self, other: Self) {
        self.answered_ms.extend(other.answered_ms);
        self.abandoned_ms.extend(other.abandoned_ms);
        self.sent_on += other.sent_on;
        self.busy_ms += other.busy_ms;
        self.free_ms += other.free_ms;
    }

    /// Callers who were answered or hung up: A + B.
    pub fn waited(&self) -> usize {
        self.answered_ms.len() + self.abandoned_ms.len()
    }

    /// Answered within so many ms, of all who were answered or hung up: A_T ÷ (A + B). None of nobody.
    pub fn service_level(&self, within_ms: u64) -> Option<f64> {
        share(within(&self.answered_ms, within_ms), self.waited())
    }

    /// Mean wait of the answered (ms): ASA.
    pub fn mean_answer_ms(&self) -> Option<f64> {
        let sum: u64 = self.answered_ms.iter().sum();
        (!self.answered_ms.is_empty()).then(|| sum as f64 / self.answered_ms.len() as f64)
    }

    /// B ÷ (A + B).
    pub fn abandoned(&self) -> Option<f64> {
        share(self.abandoned_ms.len(), self.waited())
    }

    /// Busy ÷ (busy + free).
    pub fn occupied(&self) -> Option<f64> {
        let all = self.busy_ms + self.free_ms;
        (all > 0).then(|| self.busy_ms as f64 / all as f64)
    }
}

/// How many of these waits end within so many ms.
pub fn within(waits_ms: &[u64], within_ms: u64) -> usize {
    waits_ms.iter().filter(|wait_ms| **wait_ms <= within_ms).count()
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What the people on the floor are about to do.
#[derive(Clone, Debug)]
enum Deed {
    SignIn(AgentId),
    SignOut(AgentId),
    GiveUp(CallId),
    Answer(AgentId, CallId),
    HangUp(AgentId, CallId),
}

struct Waiting {
    entered_ms: u64,
    service_ms: u64,
}

struct Day {
    acd: Acd,
    now_ms: u64,
    deeds: BTreeMap<(u64, u64), Deed>,
    sequence: u64,
    /// What is before this instant is played, and not counted.
    from_ms: u64,
    waiting: BTreeMap<CallId, Waiting>,
    /// How long a phone rings before its agent answers (ms).
    ring_ms: u64,
    outcome: Outcome,
    /// Since when each agent is in the state that is counted, and whether that is a busy one.
    counted: BTreeMap<AgentId, (u64, bool)>,
}

/// Plays a day to its end: until the last conversation of who got one is over. Agents answer after `ring_ms`; `arrivals` come in
/// the order of their instants. Callers who come before `from_ms` and agents' time until then are not counted.
///
/// # Errors
/// Where the settings contradict themselves.
pub fn play(
    settings: Settings,
    shifts: &[Shift],
    arrivals: impl IntoIterator<Item = Arrival>,
    ring_ms: u64,
    seed: [u8; 32],
    from_ms: u64,
) -> Result<Outcome, BadSettings> {
    let mut day = Day {
        acd: Acd::new(settings, seed)?,
        now_ms: 0,
        deeds: BTreeMap::new(),
        sequence: 0,
        from_ms,
        waiting: BTreeMap::new(),
        ring_ms,
        outcome: Outcome::default(),
        counted: BTreeMap::new(),
    };
    for shift in shifts {
        day.plan(shift.from_ms, Deed::SignIn(shift.agent.clone()));
        day.plan(shift.until_ms, Deed::SignOut(shift.agent.clone()));
    }
    for arrival in arrivals {
        day.pass_until(arrival.at_ms);
        day.enter(arrival);
    }
    day.pass_until(u64::MAX);
    Ok(day.outcome)
}

impl Day {
    fn now(&self) -> Now {
        Now { mono_ns: self.now_ms.saturating_mul(MS), wall_ms: i64::try_from(self.now_ms).unwrap_or(i64::MAX) }
    }

    fn plan(&mut self, at_ms: u64, deed: Deed) {
        self.sequence += 1;
        self.deeds.insert((at_ms, self.sequence), deed);
    }

    /// Lets everything happen that is due before an instant; what is due at the same one comes before what is told then.
    fn pass_until(&mut self, until_ms: u64) {
        loop {
            let deed_ms = self.deeds.first_key_value().map(|((at_ms, _), _)| *at_ms);
            let acd_ms = self.acd.poll_timeout().map(|due| due.div_ceil(MS));
            let Some(next_ms) = [deed_ms, acd_ms].into_iter().flatten().min().filter(|next| *next <= until_ms) else {
                break;
            };
            self.now_ms = self.now_ms.max(next_ms);
            if acd_ms.is_some_and(|due| due <= next_ms) {
                self.acd.handle_timeout(self.now());
            } else if let Some((_, deed)) = self.deeds.pop_first() {
                self.act(deed);
            }
            self.listen();
        }
        if until_ms < u64::MAX {
            self.now_ms = self.now_ms.max(until_ms);
        }
    }

    fn tell(&mut self, input: Input) {
        let now = self.now();
        self.acd.handle(input, now);
    }

    fn enter(&mut self, arrival: Arrival) {
        self.sequence += 1;
        let call = CallId::new(self.now().wall_ms, self.sequence.into());
        if let Some(patience_ms) = arrival.patience_ms {
            self.plan(self.now_ms.saturating_add(patience_ms), Deed::GiveUp(call));
        }
        self.waiting.insert(call, Waiting { entered_ms: self.now_ms, service_ms: arrival.service_ms });
        let entered_wall_ms = self.now().wall_ms;
        let Arrival { queue, priority, .. } = arrival;
        self.tell(Input::CallerEntered {
            call,
            queue,
            priority,
            entered_wall_ms,
            wishes: Vec::new(),
            prefer: None,
            stays: false,
        });
        self.listen();
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::SignIn(agent) => self.tell(Input::AgentSignedIn { agent }),
            Deed::SignOut(agent) => self.tell(Input::AgentSignedOut { agent }),
            Deed::GiveUp(call) => {
                if let Some(waiting) = self.waiting.remove(&call) {
                    if waiting.entered_ms >= self.from_ms {
                        self.outcome.abandoned_ms.push(self.now_ms - waiting.entered_ms);
                    }
                    self.tell(Input::CallerLeft { call });
                }
            }
            Deed::Answer(agent, call) => {
                let presented = self.acd.view().appearances(&agent).any(|state| state.presented() == Some(call));
                if let Some(waiting) = self.waiting.get(&call).filter(|_| presented) {
                    if waiting.entered_ms >= self.from_ms {
                        self.outcome.answered_ms.push(self.now_ms - waiting.entered_ms);
                    }
                    let ends_ms = self.now_ms.saturating_add(waiting.service_ms);
                    self.waiting.remove(&call);
                    self.plan(ends_ms, Deed::HangUp(agent.clone(), call));
                    self.tell(Input::AgentAnswered { agent, call });
                }
            }
            Deed::HangUp(agent, call) => self.tell(Input::ConversationEnded { agent, call }),
        }
    }

    fn listen(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Present { call, agent, .. } => {
                    self.plan(self.now_ms + self.ring_ms, Deed::Answer(agent.clone(), call));
                    self.tell(Input::PhoneRinging { agent, call });
                }
                Output::CallerOut { call, .. } => {
                    let counted = self.waiting.remove(&call).is_some_and(|waiting| waiting.entered_ms >= self.from_ms);
                    self.outcome.sent_on += u64::from(counted);
                }
                Output::Journal(Event::AgentChanged { agent, .. }) => self.count(agent),
                Output::CancelPresentation { .. } | Output::WishesUnheeded { .. } | Output::Journal(_) => {}
            }
        }
    }

    /// Counts the agent's time in the state before; of several calls that counts in which most goes on.
    fn count(&mut self, agent: AgentId) {
        if let Some((since_ms, was_busy)) = self.counted.remove(&agent) {
            let ms = self.now_ms.saturating_sub(since_ms.max(self.from_ms));
            let counter = if was_busy { &mut self.outcome.busy_ms } else { &mut self.outcome.free_ms };
            *counter += ms;
        }
        let shown = self.acd.view().agent(&agent).map(|seen| seen.state);
        if let Some(state) = shown.filter(|state| state.is_ready()) {
            let is_handling = state.is_handling();
            self.counted.insert(agent, (self.now_ms, is_handling));
        }
    }
}
