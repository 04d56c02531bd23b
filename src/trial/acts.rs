//! What the plan, the call and the ACD want done, done as the switch does it: a call's legs close at once, and prompts take their time.

use super::case::{Answer, When};
use super::course::Heard;
use super::dial::Dialling;
use super::judge::name_of;
use super::play::{Deed, Stage};
use crate::acd;
use crate::call::{CallState, Input, Output};
use crate::dialplan::{Act, AgentChange, CursorInput, Prompt, Question, RecordChange};
use crate::id::{AgentId, QueueId};
use crate::journal::{Cause, Event, Personal, SegmentEnd, SkillWish};

impl Stage<'_> {
    /// Does what the plan wants. A step of another kind lands here: what it does to the call, the ACD, the record or the caller's ear.
    pub(super) fn act(&mut self, act: Act) {
        if *self.call.state() == CallState::Ended {
            return;
        }
        self.tell_people(&act);
        match act {
            Act::EnterStep { flow, step } => {
                let step = format!("{flow}.{step}");
                self.course.reach(self.at_ms(), step.clone());
                self.journal(Event::StepEntered { call: self.id, step });
            }
            Act::Answer => self.call.handle(Input::Answer),
            Act::Play { prompts, id, .. } | Act::PlayEarly { prompts, id } => self.say(prompts, id),
            // An agent may have answered meanwhile.
            Act::PlayToWaiting { prompts, id } if self.is_waiting() => self.say(prompts, id),
            Act::StopPlay => self.stop(),
            Act::LeaveQueue { .. } => {
                self.tell_acd(acd::Input::CallerExited { call: self.id });
                self.call.handle(Input::Dequeued);
                self.stop();
            }
            Act::Classify { class } => self.journal(Event::CallerClassified { call: self.id, class }),
            Act::ChooseLanguage(language) => self.journal(Event::LanguageChosen { call: self.id, language }),
            Act::Enqueue { queue, priority, wishes, record, after, prefer } => {
                if record {
                    self.call.handle(Input::NoticePlayed);
                }
                self.call.handle(Input::Enqueued { record, after });
                let prefer = prefer.map(|(agent, wait_ms)| acd::Preference { agent, wait_ms });
                self.enqueue((queue, priority, wishes), prefer);
            }
            Act::Dial { places, ring_ms, record, .. } => {
                if record {
                    self.call.handle(Input::NoticePlayed);
                }
                self.dialling = Dialling { left: places.into(), together: Vec::new(), ring_ms, record };
                self.dial_on();
            }
            Act::Consult(question) => self.consult(&question),
            Act::Survey { question, score } => {
                self.journal(Event::SurveyAnswered { call: self.id, question, score });
            }
            Act::BeginMessage | Act::KeepMessage { .. } | Act::EndMessage => self.act_on_message(act),
            Act::RequestCallback(wish) => {
                self.call.handle(Input::Left { disposition: "callback" });
                self.course.callback = Some(wish.number);
                self.tell(CursorInput::Stored { safe: true });
            }
            Act::Record(change) => self.refused = change == RecordChange::Refused,
            Act::ChangeAgent(change) => self.change_agent(change),
            Act::Sit { agent } => {
                self.tell_acd(acd::Input::AgentSignedIn { agent: agent.clone() });
                self.tell_acd(acd::Input::SetAvailable { agent });
            }
            Act::NotSeated { .. } => {}
            // Nobody else is in the room: each case is one call.
            Act::Echo | Act::Confer { .. } => self.call.handle(Input::Served),
            Act::Park { slot, .. } => self.park(&slot),
            Act::EnterFlow { flow, language } => self.journal(Event::FlowEntered { call: self.id, flow, language }),
            Act::PlayTone { cause, .. } => {
                let designed = cause.code == 16;
                self.call.handle(if designed { Input::Served } else { Input::Left { disposition: "failed" } });
            }
            Act::Hangup { cause } => {
                let as_designed = cause.code == 16;
                self.call.handle(Input::Hangup { cause, as_designed });
            }
            // For the ear and the recording alone: nothing of the call's way depends on it.
            Act::Ring
            | Act::PlayToWaiting { .. }
            | Act::PlayMusic
            | Act::LeaveRoom
            | Act::Unpark
            | Act::Decided(_)
            | Act::Unrecordable { .. } => {}
        }
    }

    fn tell_people(&mut self, act: &Act) {
        let at_ms = self.at_ms();
        match act {
            Act::Decided(decision) => self.course.lead(at_ms, decision.to_string()),
            // Told where it is reached.
            Act::EnterStep { .. } => {}
            act => act.told(&self.floor.catalogue).iter().for_each(|line| self.course.note(at_ms, line)),
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(self.call.state(), CallState::Waiting { .. } | CallState::Presented { .. })
    }

    fn say(&mut self, prompts: Vec<Prompt>, id: u32) {
        self.stop();
        let mut at_ms = self.at_ms();
        let begun_ms = at_ms;
        for prompt in prompts {
            let Some(length_ms) = self.floor.prompts.get(&prompt.clone().at(None)) else {
                self.note(format!("{} cannot be played", prompt.path()));
                return self.tell(CursorInput::PlayFinished { id, completed: false });
            };
            self.course.heard.push(Heard { at_ms, prompt });
            at_ms += length_ms;
        }
        self.playing = Some(self.after(at_ms - begun_ms, Deed::PlayOver(id)));
    }

    /// Nothing more is said.
    fn stop(&mut self) {
        if let Some(timer) = self.playing.take() {
            self.deeds.disarm(timer);
            let at_ms = self.at_ms();
            self.course.cut(at_ms);
        }
    }

    /// A webhook answers as the case says, or not at all.
    fn consult(&mut self, question: &Question) {
        if let Some(place) = self.answers.iter().position(|answer| answer.step == question.step) {
            let Answer { after_ms, reply, .. } = self.answers.remove(place);
            self.after(after_ms, Deed::Reply { id: question.id, reply });
        }
    }

    /// A step of taking a message, which is kept at once. There is one recording of a call at most.
    fn act_on_message(&mut self, act: Act) {
        match act {
            Act::BeginMessage => {
                self.stop();
                if self.course.recorded || self.refused || !self.given.can_record {
                    return self.tell(CursorInput::Stored { safe: false });
                }
                self.course.recorded = true;
            }
            Act::KeepMessage { mailbox } => {
                self.call.handle(Input::Left { disposition: "voicemail" });
                let caller = Personal::number(&self.given.caller);
                self.journal(Event::MessageLeft { call: self.id, mailbox, caller });
            }
            _ => self.tell(CursorInput::Stored { safe: true }),
        }
    }

    fn enqueue(&mut self, (queue, priority, wishes): (QueueId, i32, Vec<SkillWish>), prefer: Option<acd::Preference>) {
        let call = self.id;
        if !std::mem::replace(&mut self.queued, true) {
            for press in &self.given.presses {
                if let When::Queued(ms) = press.when {
                    self.after(ms, Deed::Press(press.key));
                }
            }
            if let Some(patience_ms) = self.given.patience_ms {
                self.after(patience_ms, Deed::GiveUp);
            }
        }
        let entered_wall_ms = self.now.wall_ms;
        let stays = false;
        self.tell_acd(acd::Input::CallerEntered { call, queue, priority, entered_wall_ms, wishes, prefer, stays });
    }

    /// The agent whose phone calls: where one of our users calls by no trunk.
    fn calling_agent(&self) -> Option<AgentId> {
        let agent = AgentId::from(self.given.caller.as_str());
        (self.given.trunk.is_none() && self.acd.view().agent(&agent).is_some()).then_some(agent)
    }

    /// Nobody else is parked, and nobody comes to fetch: each case is one call.
    fn park(&mut self, slot: &str) {
        if self.calling_agent().is_some() && self.given.transferred_by.is_empty() {
            self.tell(CursorInput::NotFetched { why: format!("nobody is parked in {slot}") });
        }
    }

    fn change_agent(&mut self, change: AgentChange) {
        let Some(agent) = self.calling_agent() else { return };
        self.call.handle(Input::Served);
        let input = match change {
            AgentChange::Available => {
                self.tell_acd(acd::Input::AgentSignedIn { agent: agent.clone() });
                acd::Input::SetAvailable { agent }
            }
            AgentChange::NotReady => acd::Input::SetNotReady { agent, reason: "feature_code".into() },
            AgentChange::EndAcw => acd::Input::EndAcw { agent },
            AgentChange::ExtendAcw { by_ms } => acd::Input::ExtendAcw { agent, by_ms },
            AgentChange::SignOut => acd::Input::AgentSignedOut { agent },
        };
        self.tell_acd(input);
    }

    /// Does what the call wants.
    pub(super) fn carry_out(&mut self, output: Output) {
        let call = self.id;
        match output {
            Output::AnswerCaller => self.tell(CursorInput::Answered),
            Output::DialAgent { leg, agent } => self.dial(agent, call, Some(leg)),
            Output::DialTarget { leg } => self.dial_target(leg),
            Output::NotReached { cause } => {
                if self.dialling.left.is_empty() {
                    self.tell(CursorInput::NotReached { cause });
                } else {
                    self.dial_on();
                }
            }
            Output::CancelLeg { leg, .. } => {
                let (end, cause) = (SegmentEnd::Switch, Cause::new(487, "cancelled"));
                self.call.handle(Input::AgentFailed { leg, end, cause });
            }
            Output::RefuseCaller { .. } => self.close_caller(),
            Output::ByeLeg { leg, .. } => self.call.handle(Input::LegGone { leg }),
            Output::Bridge { agent: leg, record, .. } => {
                self.stop();
                self.course.recorded |= record && self.given.can_record;
                self.begin_talk(leg);
            }
            Output::PresentationFailed { agent, end } => {
                let why = match end {
                    SegmentEnd::Busy => acd::Failure::Busy,
                    SegmentEnd::Rejected => acd::Failure::Rejected,
                    SegmentEnd::NoAnswer => acd::Failure::NoAnswer,
                    _ => acd::Failure::Unreachable,
                };
                self.tell_acd(acd::Input::AgentFailed { agent, call, why });
            }
            Output::PlanGoesOn => self.tell(CursorInput::AgentLeft),
            Output::PlanOver => {
                self.stop();
                self.tell(CursorInput::HungUp);
            }
            Output::CallerLeft => {
                let by_us = self.call.ended_by_switch();
                let left = acd::Input::CallerLeft { call };
                self.tell_acd(if by_us { acd::Input::CallerRemoved { call } } else { left });
            }
            Output::ConversationEnded { agent } => self.leave_talk(agent, call),
            Output::Journal(event) => self.write(*event),
            Output::Finished => self.finished = true,
            // Of calls that customers asked for, that are handed on, or that hear something before the answer.
            Output::RingCaller
            | Output::BridgeEarly { .. }
            | Output::CallBack { .. }
            | Output::CallerThere
            | Output::Suspend { .. }
            | Output::Rejoin
            | Output::TransferEnded { .. } => {}
        }
    }

    /// Writes a call's event down; its end also ends its plan, unless that goes on with what comes after.
    fn write(&mut self, event: Event) {
        match &event {
            Event::CallEnded { by, cause, disposition, .. } => {
                self.stop();
                let by = name_of(by);
                self.note(format!("the call ends: {disposition}, by the {by}, {} {}", cause.code, cause.text));
                if *self.call.state() != CallState::After {
                    self.tell(CursorInput::HungUp);
                }
            }
            Event::SegmentEnded { agent, end, .. } => {
                let line = format!("agent {agent} is out of the call: {}", name_of(end));
                self.note(line);
            }
            _ => {}
        }
        self.journal(event);
    }

    /// Does what the ACD wants.
    pub(super) fn handle_acd(&mut self, output: acd::Output) {
        match output {
            acd::Output::Journal(event) => self.write(event),
            acd::Output::Present { call, agent, queue, why } if call == self.id => {
                self.note(format!("queue {queue} calls {}", why.line(&agent)));
                self.course.called.push(agent.to_string());
                let leg = self.draw_leg();
                self.call.handle(Input::Present { agent, queue, leg, why });
            }
            acd::Output::Present { call, agent, .. } => self.dial(agent, call, None),
            acd::Output::CancelPresentation { call, agent, reason } if call == self.id => {
                self.call.handle(Input::Withdraw { agent: Some(agent), end: reason });
            }
            // Who is called for another caller looks at the ACD before answering.
            acd::Output::CancelPresentation { .. } => {}
            acd::Output::WishesUnheeded { call, queue } if call == self.id => {
                self.note(format!("queue {queue} has too many kinds of callers: what its rules ask is left out"));
            }
            acd::Output::WishesUnheeded { .. } => {}
            acd::Output::CallerOut { call, reason } if call == self.id => {
                let at_ms = self.at_ms();
                self.course.lead(at_ms, format!("the queue lets the caller go: {}", name_of(&reason)));
                self.call.handle(Input::Dequeued);
                self.stop();
                self.tell(CursorInput::QueueLeft { reason });
            }
            acd::Output::CallerOut { call, .. } => drop(self.others.remove(&call)),
        }
    }
}
