//! Going to a step, and on through every one that takes no time.

use std::sync::Arc;

use super::super::act::{Act, FloorView};
use super::super::action::Action;
use super::super::condition::{Condition, Measure, Test};
use super::super::decision::{Decision, Unseated};
use super::super::hours::Because;
use super::super::program::{Customer, Program, Prompt, StepRef};
use super::super::values::Template;
use super::queued::Queued;
use super::{Cursor, Frame, State, unrecordable};
use crate::id::{AgentId, QueueId};
use crate::journal::{Cause, SkillWish};
use crate::time::Now;

/// Flows that one call may stand within.
const DEEPEST: usize = 16;

impl Cursor {
    /// The caller hears us from now on: first what ops have put in front of the flow, then the plan.
    pub(super) fn begin_talk(&mut self, next: StepRef, now: Now, floor: &dyn FloorView) {
        match floor.announcement(&self.flow) {
            Some(name) => {
                let prompt = Prompt::new(&self.language, &name);
                let id = self.play(vec![prompt], false);
                self.state = State::Playing { id, notice: false, interruptible: false, next };
            }
            None => self.enter(next, now, floor),
        }
    }

    /// Goes to a step and on through every one that takes no time; the checker has refused loops of those.
    pub(super) fn enter(&mut self, first: StepRef, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let mut at = first;
        loop {
            let step = program.step(at);
            self.acts.push_back(Act::EnterStep { flow: step.flow.clone(), step: step.name.clone() });
            let next = match &step.action {
                Action::Answer { next } if self.answered => Some(*next),
                Action::Ring { next, .. } if self.answered => Some(*next),
                Action::Queue { queue, next, unrecorded, .. } if !self.may_put_through(queue, floor) => {
                    self.acts.push_back(Act::Unrecordable { queue: queue.clone() });
                    match unrecorded.or(*next) {
                        Some(next) => Some(next),
                        None => return self.hang_up(unrecordable()),
                    }
                }
                Action::Queue { queue, unstaffed: Some(next), .. } if floor.signed_in(queue) == 0 => {
                    self.decide(Decision::Unstaffed { queue: queue.clone() });
                    Some(*next)
                }
                Action::Queue { waiting, .. } if waiting.closing.is_some() => {
                    let closing = waiting.closing.as_ref();
                    closing.filter(|(hours, _)| !self.is_open(hours, now, floor)).map(|(_, step)| *step)
                }
                Action::Voicemail { failed, .. } if !floor.can_record() || self.refused => {
                    self.decide(Decision::NoMessage);
                    Some(*failed)
                }
                Action::Dial { .. } => match self.dial(at) {
                    Some(next) => Some(next),
                    None => return,
                },
                Action::Transfer { .. } => match self.transfer(at) {
                    Some(next) => Some(next),
                    None => return,
                },
                Action::Callback { .. } => match self.request_callback(at, now, floor) {
                    Some(next) => Some(next),
                    None => return,
                },
                Action::Return => match self.frames.pop() {
                    Some(Frame { next, held }) => {
                        self.variables.extend(held);
                        Some(next)
                    }
                    // The checker lets only called flows return.
                    None => return self.hang_up(Cause::normal()),
                },
                Action::Call { start, with, next } => {
                    if self.frames.len() >= DEEPEST {
                        return self.hang_up(Cause::new(41, "flows_too_deep"));
                    }
                    self.call_flow(with, *next);
                    Some(*start)
                }
                action => self.pass(action, now, floor),
            };
            match next {
                Some(next) => at = next,
                None => return self.begin(at, &program, now, floor),
            }
        }
    }

    /// Steps that take no time and always go on.
    fn pass(&mut self, action: &Action, now: Now, floor: &dyn FloorView) -> Option<StepRef> {
        Some(match action {
            Action::Goto { next } => *next,
            Action::Agent { change, next } => {
                self.acts.push_back(Act::ChangeAgent(*change));
                *next
            }
            Action::Sit { agent, pin, next, refused } => {
                let (agent, pin) = (self.fill(agent), self.fill(pin));
                // A trunk's caller is at no phone of ours.
                let may = if self.facts.trunk.is_none() { floor.may_sit(&agent, &pin) } else { Err(Unseated::Outside) };
                self.decide(Decision::Sits { agent: agent.clone(), refused: may.err() });
                let agent = AgentId::from(agent.as_str());
                match may {
                    Ok(()) => {
                        self.acts.push_back(Act::Sit { agent });
                        *next
                    }
                    Err(why) => {
                        self.acts.push_back(Act::NotSeated { agent, why });
                        *refused
                    }
                }
            }
            Action::Record { change, next } => {
                self.take_consent(*change);
                self.acts.push_back(Act::Record(*change));
                *next
            }
            Action::Hours { hours, open, closed } => {
                if self.is_open(hours, now, floor) {
                    *open
                } else {
                    *closed
                }
            }
            Action::When { cases, otherwise } => {
                let found = cases.iter().position(|(condition, _)| self.holds(condition, now, floor));
                self.decide(Decision::Case { number: found.map(|index| index + 1) });
                found.and_then(|index| cases.get(index)).map_or(*otherwise, |(_, next)| *next)
            }
            Action::Set { variables, class, tags, language, next } => {
                let values: Vec<String> = variables.iter().map(|(_, template)| self.fill(template)).collect();
                for ((name, _), value) in variables.iter().zip(values) {
                    self.set(name, value);
                }
                if let Some(class) = class {
                    self.set_class(class);
                }
                self.tags.extend(tags.iter().cloned());
                if let Some(language) = language {
                    self.choose(language);
                }
                *next
            }
            Action::Customer { number, inquiry: None, known, unknown } => {
                let program = Arc::clone(&self.program);
                if self.meet(program.customers.get(&self.customer_number(number))) { *known } else { *unknown }
            }
            _ => return None,
        })
    }

    /// Whose number a customer step looks up.
    pub(super) fn customer_number(&self, number: &Template) -> String {
        let number = self.fill(number);
        if number.is_empty() { self.facts.caller.clone() } else { number }
    }

    /// From now on the caller is this customer; `false` where it is nobody.
    pub(super) fn meet(&mut self, customer: Option<&Customer>) -> bool {
        self.decide(Decision::Customer { name: customer.map(|customer| customer.name.clone()) });
        let Some(customer) = customer else { return false };
        self.customer.clone_from(&customer.name);
        self.own_agent.clone_from(&customer.agent);
        self.set_class(&customer.class);
        self.tags.extend(customer.tags.iter().cloned());
        true
    }

    fn set_class(&mut self, class: &str) {
        if !class.is_empty() && self.class != class {
            class.clone_into(&mut self.class);
            self.acts.push_back(Act::Classify { class: class.to_owned() });
        }
    }

    /// What does not fit its variable leaves it as it was, and is told.
    pub(super) fn set(&mut self, name: &str, value: String) {
        let holds = self.program.variables.get(name).is_some_and(|variable| variable.kind.holds(&value));
        if holds {
            self.assign(name, value);
        } else {
            self.decide(Decision::Unfit { variable: name.to_owned() });
        }
    }

    fn call_flow(&mut self, with: &[(String, Template)], next: StepRef) {
        let values: Vec<String> = with.iter().map(|(_, template)| self.fill(template)).collect();
        let held = with.iter().map(|(name, _)| (name.clone(), self.value(name))).collect();
        for ((name, _), value) in with.iter().zip(values) {
            self.set(name, value);
        }
        self.frames.push(Frame { next, held });
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        self.acts.push_back(Act::Decided(decision));
    }

    fn is_open(&mut self, name: &str, now: Now, floor: &dyn FloorView) -> bool {
        let (open, because) = open_by(&self.program, name, now, floor);
        self.decide(Decision::Hours { hours: name.to_owned(), open, because });
        open
    }

    fn holds(&self, condition: &Condition, now: Now, floor: &dyn FloorView) -> bool {
        match condition {
            Condition::All(inner) => inner.iter().all(|one| self.holds(one, now, floor)),
            Condition::Any(inner) => inner.iter().any(|one| self.holds(one, now, floor)),
            Condition::Not(inner) => !self.holds(inner, now, floor),
            Condition::Caller(patterns) => patterns.iter().any(|pattern| pattern.fits(&self.facts.caller)),
            Condition::Called(patterns) => patterns.iter().any(|pattern| pattern.fits(&self.facts.called)),
            Condition::Trunk(names) => {
                self.facts.trunk.as_ref().is_some_and(|trunk| names.iter().any(|name| name == trunk.as_str()))
            }
            Condition::Class(names) => names.contains(&self.class),
            Condition::Tag(names) => names.iter().any(|name| self.tags.contains(name)),
            Condition::Language(names) => names.contains(&self.language),
            Condition::Hours(hours, open) => open_by(&self.program, hours, now, floor).0 == *open,
            Condition::Variable(name, test) => test.passes(&self.value(name)),
            Condition::Queue(queue, measure, test) => within(queue, *measure, test, floor),
        }
    }

    /// What a queue's rules say of the caller: the priority that they add, and what is asked of who answers.
    pub(super) fn rules_of(&self, queue: &QueueId, now: Now, floor: &dyn FloorView) -> (i32, Vec<SkillWish>) {
        let rules = self.program.queues().get(queue.as_str()).map_or(&[][..], |queue| &queue.rules);
        let (mut priority, mut wishes) = (0_i32, Vec::new());
        for rule in rules.iter().filter(|rule| self.holds(&rule.when, now, floor)) {
            priority = priority.saturating_add(rule.priority);
            wishes.extend(rule.skills.iter().cloned());
        }
        // Callers of whom the same is asked are of one kind, in whatever order the rules stand.
        wishes.sort();
        wishes.dedup();
        (priority, wishes)
    }

    /// Whether a conversation out of this queue would be recorded, where it must be.
    fn may_put_through(&self, queue: &QueueId, floor: &dyn FloorView) -> bool {
        let must = self.program.queues().get(queue.as_str()).is_some_and(|queue| queue.must_record);
        !must || (floor.can_record() && self.noticed && !self.refused)
    }

    /// Begins a step that takes time, or ends the call.
    fn begin(&mut self, at: StepRef, program: &Program, now: Now, floor: &dyn FloorView) {
        match &program.step(at).action {
            Action::Answer { next } => {
                self.acts.push_back(Act::Answer);
                self.state = State::Answering { next: *next };
            }
            Action::Ring { for_ms, prompts, next } if prompts.is_empty() => {
                self.acts.push_back(Act::Ring);
                self.state = State::Ringing { deadline_ns: now.in_ms(*for_ms), next: *next };
            }
            Action::Ring { prompts: items, next, .. } => {
                let prompts = self.said(items, now, floor);
                self.plays = self.plays.wrapping_add(1);
                let id = self.plays;
                self.acts.push_back(Act::PlayEarly { prompts, id });
                self.state = State::Playing { id, notice: false, interruptible: false, next: *next };
            }
            Action::Play { prompts: items, notice, barge_in, next } => {
                let prompts = self.said(items, now, floor);
                let id = self.play(prompts, *barge_in);
                self.state = State::Playing { id, notice: *notice, interruptible: *barge_in, next: *next };
            }
            Action::Voicemail { greeting, .. } => {
                let prompts = self.said(greeting, now, floor);
                let id = self.play(prompts, false);
                self.state = State::Greeting { id, step: at };
            }
            Action::Queue { queue, priority, record, next, unrecorded, waiting, after, prefer, .. } => {
                let (added, wishes) = self.rules_of(queue, now, floor);
                let (priority, record) = (priority.saturating_add(added), *record && self.noticed && !self.refused);
                let (queue, after) = (queue.clone(), after.is_some());
                // The first of them who is named: the customer's own agent, then the last one, or in whatever order the plan has.
                let named = prefer.agents.iter().map(|template| self.fill(template)).find(|agent| !agent.is_empty());
                let prefer = named.map(|agent| (AgentId::from(agent.as_str()), prefer.for_ms));
                self.acts.push_back(Act::Enqueue { queue, priority, wishes, record, after, prefer });
                let closes = waiting.closing.as_ref().and_then(|(hours, _)| closes_in_ms(program, hours, now));
                self.state = State::Queued(Queued::new(at, *next, *unrecorded, waiting, closes, now));
            }
            Action::Menu { .. }
            | Action::Language { .. }
            | Action::Gather { .. }
            | Action::Consent { .. }
            | Action::Survey { .. } => {
                self.begin_question(at, now, floor);
            }
            Action::Webhook { .. } | Action::Customer { .. } => self.begin_consultation(at, now),
            Action::Conference { room, most, .. } => {
                let room = self.fill(room);
                self.acts.push_back(Act::Confer { room, most: *most });
                self.state = State::Conferring { step: at };
            }
            Action::Park { .. } => self.park(at, now),
            Action::Echo => {
                self.acts.push_back(Act::Echo);
                self.state = State::Echoing;
            }
            Action::Hangup { cause, tone: Some((tone, for_ms)) } if self.answered => {
                self.acts.push_back(Act::PlayTone { tone: *tone, cause: cause.clone() });
                self.state = State::Parting { deadline_ns: now.in_ms(*for_ms), cause: cause.clone() };
            }
            // Before the answer the code says it, and the caller's own network has the tone.
            Action::Hangup { cause, .. } => self.hang_up(cause.clone()),
            // `enter` goes through these itself.
            Action::Hours { .. }
            | Action::Agent { .. }
            | Action::Sit { .. }
            | Action::Record { .. }
            | Action::When { .. }
            | Action::Set { .. }
            | Action::Call { .. }
            | Action::Callback { .. }
            | Action::Dial { .. }
            | Action::Transfer { .. }
            | Action::Return
            | Action::Goto { .. } => {}
        }
    }
}

/// How long hours stay open, milliseconds; none where they are closed, or as good as always open.
pub(super) fn closes_in_ms(program: &Program, hours: &str, now: Now) -> Option<u64> {
    let at = program.hours.get(hours)?.closes_at(now.wall_ms)?;
    u64::try_from(at.saturating_sub(now.wall_ms)).ok()
}

/// Whether hours are open, and what decided.
pub(super) fn open_by(program: &Program, name: &str, now: Now, floor: &dyn FloorView) -> (bool, Because) {
    // The checker knows every name.
    let hours = program.hours.get(name);
    hours.map_or((false, Because::Override(String::new())), |hours| hours.decide(now.wall_ms, floor.closed_until(name)))
}

fn within(queue: &QueueId, measure: Measure, test: &Test, floor: &dyn FloorView) -> bool {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let figure = match measure {
        Measure::Waiting => count(floor.waiting(queue)),
        Measure::Available => count(floor.available(queue)),
        Measure::SignedIn => count(floor.signed_in(queue)),
        // Nobody has been served yet, so nobody knows: neither more nor less than anything.
        Measure::ExpectedWait => match floor.expected_wait_ms(queue) {
            Some(ms) => i64::try_from(ms).unwrap_or(i64::MAX),
            None => return false,
        },
    };
    test.passes(&figure.to_string())
}
