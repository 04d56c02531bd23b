//! The dialplan's acts on a call, and what comes back to its cursor.

use super::desks::Seats;
use super::party::Recording;
use super::{Consultation, Output, Switch, Timer};
use crate::acd::{self, Acd};
use crate::call::{CallState, Input};
use crate::dialplan::{Act, AgentChange, CallFacts, Cursor, CursorInput, FloorView, Music, Prompt, Question, Unseated};
use crate::id::{CallId, QueueId};
use crate::journal::{Event, Orders, Personal, SkillWish};
use crate::media::{MusicId, Playlist, PromptId, Source};
use crate::time::Now;

/// A prompt that was not loaded: its play fails and the flow is told.
const NO_PROMPT: PromptId = PromptId(u32::MAX);

/// What the plan of one call sees of the floor.
#[derive(Clone, Copy, Debug)]
pub struct Floor<'a> {
    /// The call.
    pub call: CallId,
    /// Agents and queues.
    pub acd: &'a Acd,
    /// What ops have ordered.
    pub orders: &'a Orders,
    /// Whether recordings can be written, and one of this call.
    pub can_record: bool,
    /// Who may sit down at the phone that calls.
    pub seats: Seats<'a>,
    /// The present instant, ms since 1970 UTC.
    pub wall_ms: i64,
}

impl FloorView for Floor<'_> {
    fn can_record(&self) -> bool {
        self.can_record
    }

    fn waiting(&self, queue: &QueueId) -> usize {
        self.acd.view().queue(queue).map_or(0, |queue| queue.waiting as usize)
    }

    fn available(&self, queue: &QueueId) -> usize {
        self.acd.view().queue(queue).map_or(0, |queue| queue.available as usize)
    }

    fn expected_wait_ms(&self, queue: &QueueId) -> Option<u64> {
        self.acd.view().queue(queue).and_then(|queue| queue.expected_wait_ms)
    }

    fn position(&self) -> Option<u32> {
        self.acd.view().positions(self.call).first().map(|(_, position)| *position)
    }

    fn own_expected_wait_ms(&self) -> Option<u64> {
        self.acd.view().expected_wait_ms(self.call)
    }

    fn closed_until(&self, hours: &str) -> Option<i64> {
        self.orders.closed_until(hours, self.wall_ms)
    }

    fn announcement(&self, flow: &str) -> Option<String> {
        self.orders.announcement(flow, self.wall_ms).map(|announcement| announcement.prompt.clone())
    }

    fn may_sit(&self, agent: &str, pin: &str) -> Result<(), Unseated> {
        self.seats.may_sit(self.acd, agent, pin, self.wall_ms)
    }

    fn signed_in(&self, queue: &QueueId) -> usize {
        self.acd.view().queue(queue).map_or(0, |queue| queue.signed_in as usize)
    }
}

impl Switch {
    /// Tells a call's plan what happened.
    pub(super) fn advance(&mut self, call: CallId, input: CursorInput, now: Now) {
        self.with_cursor(call, now, |cursor, floor| cursor.handle(input, now, floor));
    }

    pub(super) fn handle_flow_timeout(&mut self, call: CallId, now: Now) {
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.flow_timer = None;
        }
        self.with_cursor(call, now, |cursor, floor| cursor.handle_timeout(now, floor));
    }

    /// Whoever waits for these hours' sake learns that they are closed by hand, or open again.
    pub(super) fn tell_closing(&mut self, now: Now) {
        let waiting: Vec<CallId> =
            self.calls.iter().filter(|(_, cell)| cell.is_waiting()).map(|(call, _)| *call).collect();
        for call in waiting {
            self.with_cursor(call, now, |cursor, floor| cursor.handle_closing(now, floor));
        }
    }

    /// The plan for a number, begun; `None` where no flow serves it.
    pub(super) fn begin_plan(&self, call: CallId, facts: CallFacts, now: Now) -> Option<Cursor> {
        Cursor::start(self.settings.program.clone(), facts, now, &self.floor(call, now))
    }

    /// Whom a caller has spoken with last; empty where nobody is known.
    pub(super) fn last_agent(&self, caller: &str) -> String {
        self.last_agents.of(caller).map_or(String::new(), ToString::to_string)
    }

    pub(super) fn floor(&self, call: CallId, now: Now) -> Floor<'_> {
        // A call has one recording: once that has ended, nothing more of it is recorded.
        let over = self.calls.get(&call).is_some_and(|cell| cell.recording == Recording::Over);
        let (acd, orders, can_record) = (&self.acd, &self.orders, self.can_record() && !over);
        Floor { call, acd, orders, can_record, seats: self.seats(call), wall_ms: now.wall_ms }
    }

    fn with_cursor(&mut self, call: CallId, now: Now, act: impl FnOnce(&mut Cursor, &dyn FloorView)) {
        // Taken out, so that it can look at the rest of the floor.
        let Some(mut cursor) = self.calls.get_mut(&call).and_then(|cell| cell.cursor.take()) else { return };
        act(&mut cursor, &self.floor(call, now));
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.cursor = Some(cursor);
            self.touched.push_back(call);
        }
    }

    /// Does what a call and its plan want, the call first: it knows who is still there.
    pub(super) fn handle_call(&mut self, call: CallId, now: Now) {
        while let Some(output) = self.calls.get_mut(&call).and_then(|cell| cell.call.poll_output()) {
            self.carry_out(call, output, now);
        }
        self.attend(call, now);
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
            Act::Ring => self.endpoint.ring(caller, now),
            Act::PlayEarly { prompts, id } => {
                if self.describe_early(caller, now) {
                    let list = self.playlist(&prompts, id);
                    self.play(caller, Source::Play(list), now);
                } else {
                    self.endpoint.ring(caller, now);
                    self.advance(call, CursorInput::PlayFinished { id, completed: true }, now);
                }
            }
            Act::Play { prompts, id, .. } => {
                let list = self.playlist(&prompts, id);
                self.play(caller, Source::Play(list), now);
            }
            // An agent may have answered meanwhile.
            Act::PlayToWaiting { .. } | Act::PlayMusic if !cell.is_waiting() => {}
            Act::PlayToWaiting { prompts, id } => {
                let list = self.playlist(&prompts, id);
                self.play(caller, Source::Play(list), now);
            }
            Act::PlayMusic => {
                let music = cell.music;
                self.play(caller, Source::Music(music), now);
            }
            Act::LeaveQueue { key } => {
                if let Some(key) = key {
                    self.journal(Event::QueueKeyPressed { call, key }, now);
                }
                self.acd.handle(acd::Input::CallerExited { call }, now);
                self.tell(call, Input::Dequeued);
                self.play(caller, Source::Silence, now);
            }
            Act::Classify { class } => {
                self.journal(Event::CallerClassified { call, class }, now);
            }
            Act::Decided(decision) => tracing::debug!(%call, %decision, "the plan decides"),
            Act::StopPlay => self.play(caller, Source::Silence, now),
            Act::ChooseLanguage(language) => {
                self.journal(Event::LanguageChosen { call, language }, now);
            }
            Act::Enqueue { queue, priority, wishes, record, after, prefer } => {
                if record {
                    // The plan asks for a recording only where the notice was heard to its end.
                    self.tell(call, Input::NoticePlayed);
                }
                self.tell(call, Input::Enqueued { record, after });
                let prefer = prefer.map(|(agent, wait_ms)| acd::Preference { agent, wait_ms });
                self.enqueue(call, (queue, priority, wishes), prefer, now);
            }
            Act::Dial { places, ring_ms, record, goes_on } => {
                let runs = cell.recording == Recording::Running;
                if record {
                    self.tell(call, Input::NoticePlayed);
                }
                let record = record || (goes_on && runs);
                self.dial_for(call, places, ring_ms, record, now);
            }
            Act::Survey { question, score } => {
                tracing::info!(%call, question, score, "a caller has answered a question about the service");
                self.journal(Event::SurveyAnswered { call, question, score }, now);
            }
            Act::BeginMessage | Act::KeepMessage { .. } | Act::EndMessage => self.act_on_message(call, act, now),
            Act::RequestCallback(wish) => self.request_callback(call, wish, now),
            Act::Consult(question) => self.consult(call, question, now),
            Act::ChangeAgent(change) => self.change_agent(call, change, now),
            Act::Sit { agent } => self.sit(call, agent, now),
            Act::NotSeated { agent, why } => self.handle_not_seated(call, &agent, why, now),
            Act::Unrecordable { queue } => self.tell_unrecordable(call, &queue),
            Act::Record(change) => self.change_recording(call, change, now),
            Act::EnterFlow { flow, language } => drop(self.journal(Event::FlowEntered { call, flow, language }, now)),
            Act::Confer { room, most } => self.confer(call, room, most, now),
            Act::LeaveRoom => self.leave_room(call, now),
            Act::Park { slot, music } => self.park(call, slot, &music, now),
            Act::Unpark => {
                self.unpark(call, None, now);
                self.play(caller, Source::Silence, now);
            }
            Act::Echo => {
                self.tell(call, Input::Served);
                self.play(caller, Source::Echo, now);
            }
            Act::PlayTone { tone, cause } => {
                let designed = cause.code == 16;
                self.tell(call, if designed { Input::Served } else { Input::Left { disposition: "failed" } });
                let tone = Music { name: Some(tone.name().to_owned()), volume_db: None };
                let tone = self.music_of(&tone);
                self.play(caller, Source::Music(tone), now);
            }
            Act::Hangup { cause } => {
                let as_designed = cause.code == 16;
                self.tell(call, Input::Hangup { cause, as_designed });
            }
        }
    }

    /// Asks another system, with what is known of the call.
    fn consult(&mut self, call: CallId, question: Question, now: Now) {
        let Question { id, about, hook, step, fields, timeout_ms } = question;
        let Some(cell) = self.calls.get(&call) else { return };
        let fact = |told: fn(&Cursor) -> &str| cell.cursor.as_ref().map_or(String::new(), |plan| told(plan).to_owned());
        let body = serde_json::json!({
            "type": "dialplan",
            "call_id": call.to_string(),
            "step": step,
            "caller": cell.number,
            "called": cell.called,
            "language": fact(Cursor::language),
            "class": fact(Cursor::class),
            "values": fields,
        });
        let key = format!("dialplan-{call}-{about}");
        let ask = Consultation { call, id, hook, key, body: body.to_string(), timeout_ms };
        self.outbox.push(Output::Ask(ask), now);
    }

    pub(super) fn playlist(&self, prompts: &[Prompt], id: u32) -> Playlist {
        let prompt = |prompt: &Prompt| self.settings.prompts.get(prompt).copied().unwrap_or(NO_PROMPT);
        Playlist { prompts: prompts.iter().map(prompt).collect(), id }
    }

    /// A step of taking a message.
    fn act_on_message(&mut self, call: CallId, act: Act, now: Now) {
        match act {
            Act::BeginMessage => {
                if !self.begin_message(call, now) {
                    tracing::warn!(%call, "no message is taken: nothing can be recorded of this call");
                    self.advance(call, CursorInput::Stored { safe: false }, now);
                }
            }
            Act::KeepMessage { mailbox } => {
                self.tell(call, Input::Left { disposition: "voicemail" });
                tracing::info!(%call, mailbox, "a caller leaves a message");
                let number = self.calls.get(&call).map(|cell| cell.number.clone()).unwrap_or_default();
                let caller = Personal::number(&number);
                self.journal(Event::MessageLeft { call, mailbox, caller }, now);
            }
            // What follows waits for the recording's end.
            _ => self.end_recording(call, now),
        }
    }

    fn enqueue(
        &mut self,
        call: CallId,
        (queue, priority, wishes): (QueueId, i32, Vec<SkillWish>),
        prefer: Option<acd::Preference>,
        now: Now,
    ) {
        let rules = self.settings.program.queues().get(queue.as_str());
        let music = rules.map_or(self.settings.default_music, |rules| self.music_of(&rules.music));
        let resume_ms = rules.map_or(0, |rules| rules.resume_ms);
        let Some(cell) = self.calls.get_mut(&call) else { return };
        cell.music = music;
        cell.queued_ms.get_or_insert(now.wall_ms);
        // Who hung up while waiting, and calls again soon, stands where he or she stood.
        let lost = self.lost_places.of(&cell.number, &queue, resume_ms, now.wall_ms);
        let entered_wall_ms = lost.unwrap_or(now.wall_ms);
        let caller = cell.caller;
        self.play(caller, Source::Music(music), now);
        let stays = false;
        let entered = acd::Input::CallerEntered { call, queue, priority, entered_wall_ms, wishes, prefer, stays };
        self.acd.handle(entered, now);
    }

    /// A piece of music of the plan; the usual one where it names none.
    pub(super) fn music_of(&self, music: &Music) -> MusicId {
        self.settings.music.get(music).copied().unwrap_or(self.settings.default_music)
    }

    /// What is heard while a phone rings.
    pub(super) fn ringback(&self) -> MusicId {
        self.music_of(&Music { name: Some("ringback".to_owned()), volume_db: None })
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
            AgentChange::ExtendAcw { by_ms } => acd::Input::ExtendAcw { agent, by_ms },
            AgentChange::SignOut => acd::Input::AgentSignedOut { agent },
        };
        self.acd.handle(input, now);
    }
}
