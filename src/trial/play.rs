//! A case played: one clock for the plan, the ACD, the call and the people.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::case::{Answer, Given, When};
use super::course::Course;
use super::dial::Dialling;
use crate::acd::{self, Acd, BadSettings};
use crate::call::{Call, Input};
use crate::dialplan::{CallFacts, Catalogue, Cursor, CursorInput, FloorView, Program, Prompt};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{Cause, Direction, Entry, Event, Orders, Personal, SegmentEnd};
use crate::records::Folder;
use crate::switch::{self, Seats};
use crate::time::{MS, Now, TimerId, Timers};

/// The leg of the caller; agents' legs follow.
const CALLER: LegId = LegId(1);
/// Things that may happen before a call is given up as one that goes round for ever.
const MOST_TURNS: u32 = 100_000;

/// What cases are played on.
#[derive(Clone, Debug)]
pub struct Floor {
    /// The plan.
    pub program: Arc<Program>,
    /// Agents and queues, as the running floor would have them.
    pub acd: acd::Settings,
    /// How long each prompt takes, milliseconds. One that is not there cannot be played.
    pub prompts: BTreeMap<Prompt, u64>,
    /// The texts of the prompts.
    pub catalogue: Catalogue,
}

/// What people are about to do, and what else is due.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// When the call comes.
    Come,
    /// When an agent signs in.
    SignIn(AgentId),
    /// When an agent signs out.
    SignOut(AgentId),
    /// When other callers come, by their place in the case.
    OthersCome(usize),
    /// When another caller has no more patience.
    OtherGivesUp(CallId),
    /// When hours are closed by hand.
    Close(String),
    /// When a key is pressed by the clock.
    Press(char),
    /// When what is being said is over.
    PlayOver(u32),
    /// When a webhook answers.
    Reply { id: u32, reply: Result<BTreeMap<String, String>, String> },
    /// When the caller has waited long enough.
    GiveUp,
    /// When the caller hangs up.
    HangUp,
    /// When an agent's phone is answered, or the call rejected. `leg` is that of our call.
    Decide { agent: AgentId, call: CallId, leg: Option<LegId> },
    /// When somebody whom the plan calls answers, or rejects the call.
    TargetDecides { phone: String, leg: LegId },
    /// When somebody whom the plan calls is given up.
    RingOut { leg: LegId },
    /// When somebody whom the plan has called hangs up.
    TargetLeaves { phone: String, leg: LegId },
    /// When an agent hangs up.
    TalkOver { agent: AgentId, call: CallId, leg: Option<LegId> },
    /// When an agent ends the after-call work.
    AcwOver { agent: AgentId, call: CallId },
}

/// One case under way.
pub(super) struct Stage<'a> {
    pub(super) floor: &'a Floor,
    pub(super) given: &'a Given,
    pub(super) now: Now,
    pub(super) acd: Acd,
    pub(super) call: Call,
    pub(super) id: CallId,
    /// None before the call comes, and where no flow serves the number.
    pub(super) cursor: Option<Cursor>,
    pub(super) deeds: Timers<Deed>,
    /// The end of what is being said.
    pub(super) playing: Option<TimerId>,
    /// Whether the caller has been in a queue.
    pub(super) queued: bool,
    /// Other callers who wait or talk, and how long their conversations take.
    pub(super) others: BTreeMap<CallId, u64>,
    pub(super) course: Course,
    /// What webhooks have not answered yet.
    pub(super) answers: Vec<Answer>,
    /// Whom the plan calls for the caller.
    pub(super) dialling: Dialling,
    /// Whether the caller has refused to be recorded.
    pub(super) refused: bool,
    /// Every leg is gone.
    pub(super) finished: bool,
    orders: Orders,
    folder: Folder,
    entries: u64,
    keys: VecDeque<String>,
    /// The end of the silence that the case wants at a question.
    silent_until: Option<u64>,
    next_leg: u64,
}

/// Plays a case to its end: until the call is over, and the after-call work of its agents. `seed` is for what queues draw.
///
/// # Errors
/// Where the settings of the ACD contradict themselves.
pub fn play(floor: &Floor, given: &Given, seed: [u8; 32]) -> Result<Course, BadSettings> {
    let acd = Acd::new(floor.acd.clone(), seed)?;
    Ok(Stage::new(floor, given, acd).run())
}

impl<'a> Stage<'a> {
    fn new(floor: &'a Floor, given: &'a Given, acd: Acd) -> Self {
        let comes_wall_ms = given.at_wall_ms.unwrap_or_default();
        let opens = comes_wall_ms.saturating_sub(i64::try_from(given.comes_ms).unwrap_or(0));
        let id = CallId::new(comes_wall_ms, 0);
        let mut stage = Self {
            floor,
            given,
            now: Now { mono_ns: 0, wall_ms: opens },
            acd,
            call: Call::new(id, CALLER),
            id,
            cursor: None,
            deeds: Timers::default(),
            playing: None,
            queued: false,
            others: BTreeMap::new(),
            course: Course::begun(),
            answers: given.answers.clone(),
            dialling: Dialling::default(),
            refused: false,
            finished: false,
            orders: Orders::default(),
            folder: Folder::default(),
            entries: 0,
            keys: given.keys.iter().cloned().collect(),
            silent_until: None,
            next_leg: CALLER.0,
        };
        stage.plan();
        stage
    }

    /// Puts everything into the order of the clock that the case says beforehand.
    fn plan(&mut self) {
        let (given, comes) = (self.given, self.given.comes_ms);
        for (agent, person) in &given.agents {
            self.after(person.from_ms, Deed::SignIn(agent.clone()));
            if let Some(until) = person.until_ms {
                self.after(until, Deed::SignOut(agent.clone()));
            }
        }
        for (place, others) in given.others.iter().enumerate() {
            self.after(others.at_ms, Deed::OthersCome(place));
        }
        for (flow, prompt) in &given.announcements {
            let (flow, prompt, until_ms) = (flow.clone(), prompt.clone(), i64::MAX);
            self.orders.handle_event(&Event::AnnouncementSet { flow, prompt, until_ms });
        }
        for closure in &given.closures {
            self.after(comes + closure.after_ms, Deed::Close(closure.hours.clone()));
        }
        self.after(comes, Deed::Come);
        for press in &given.presses {
            if let When::Called(ms) = press.when {
                self.after(comes + ms, Deed::Press(press.key));
            }
        }
        self.after(comes + given.hangs_up_ms, Deed::HangUp);
    }

    pub(super) fn after(&mut self, ms: u64, deed: Deed) -> TimerId {
        self.deeds.arm(self.now.in_ms(ms), deed)
    }

    fn run(mut self) -> Course {
        for _ in 0..MOST_TURNS {
            self.settle();
            let plan = self.cursor.as_ref().and_then(Cursor::poll_timeout);
            let (acd, deed) = (self.acd.poll_timeout(), self.deeds.next_deadline());
            let next = [acd, plan, deed].into_iter().flatten().min();
            let Some(next) = next.filter(|_| !self.is_over()) else { return self.end() };
            self.now = self.now.plus_ms(next.saturating_sub(self.now.mono_ns).div_ceil(MS));
            if acd == Some(next) {
                self.acd.handle_timeout(self.now);
            } else if plan == Some(next) {
                self.pass_silence();
            } else if let Some(deed) = self.deeds.pop_due(self.now) {
                self.act_on(deed);
            }
        }
        self.note(format!("given up: {MOST_TURNS} things have happened, and the call goes on"));
        self.end()
    }

    /// Whether the call is over, and its record tells everything.
    fn is_over(&self) -> bool {
        self.finished && self.course.record.as_ref().is_some_and(|record| record.is_final)
    }

    fn end(mut self) -> Course {
        if let Some(cursor) = &self.cursor {
            let value = |name: &String| Some((name.clone(), cursor.variable(name)?.to_owned()));
            self.course.variables = self.floor.program.variables().keys().filter_map(value).collect();
            self.course.class = cursor.class().to_owned();
            self.course.language = cursor.language().to_owned();
        }
        self.course
    }

    /// Does what everybody wants done at this instant: first the call, which knows who is still there.
    fn settle(&mut self) {
        loop {
            if let Some(output) = self.call.poll_output() {
                self.carry_out(output);
            } else if let Some(output) = self.acd.poll_output() {
                self.handle_acd(output);
            } else if let Some(act) = self.cursor.as_mut().and_then(Cursor::poll_act) {
                self.act(act);
            } else if !self.press_next() {
                return;
            }
        }
    }

    fn act_on(&mut self, deed: Deed) {
        match deed {
            Deed::Come => self.come(),
            Deed::SignIn(agent) => self.sign_in(agent),
            Deed::SignOut(agent) => self.tell_acd(acd::Input::AgentSignedOut { agent }),
            Deed::OthersCome(place) => self.others_come(place),
            Deed::OtherGivesUp(call) => {
                // One who speaks with an agent gives up no more.
                if !self.acd.view().positions(call).is_empty() {
                    self.others.remove(&call);
                    self.tell_acd(acd::Input::CallerLeft { call });
                }
            }
            Deed::Close(hours) => self.close(hours),
            Deed::Press(key) => self.press(key),
            Deed::PlayOver(id) => {
                self.playing = None;
                self.tell(CursorInput::PlayFinished { id, completed: true });
            }
            Deed::Reply { id, reply } => self.tell(CursorInput::Replied { id, reply }),
            Deed::GiveUp => {
                if !self.acd.view().positions(self.id).is_empty() {
                    self.hang_up("the caller has waited long enough and hangs up");
                }
            }
            Deed::HangUp => self.hang_up("the caller hangs up"),
            Deed::Decide { agent, call, leg } => self.decide(agent, call, leg),
            Deed::TargetDecides { phone, leg } => self.target_decides(phone, leg),
            Deed::RingOut { leg } => {
                if self.rings_for_plan(leg) {
                    self.call.handle(Input::Withdraw { agent: None, end: SegmentEnd::NoAnswer });
                }
            }
            Deed::TargetLeaves { phone, leg } => self.leave(&phone, leg),
            Deed::TalkOver { agent, call, leg } => self.end_talk(agent, call, leg),
            Deed::AcwOver { agent, call } => self.end_acw(agent, call),
        }
    }

    /// The call comes in: as the switch does, it is written down first.
    fn come(&mut self) {
        let (call, leg, given) = (self.id, CALLER, self.given);
        let (trunk, called) = (given.trunk.clone(), given.number.clone());
        let caller = Personal::number(&given.caller);
        let direction = Direction::Inbound;
        self.journal(Event::CallOffered { call, leg, direction, trunk: trunk.clone(), caller, called: called.clone() });
        let (caller, class, last_agent) = (given.caller.clone(), given.class.clone(), given.last_agent.clone());
        let transferred_by = given.transferred_by.clone();
        let facts = CallFacts { called, caller, trunk, class, last_agent, transferred_by };
        match Cursor::start(Arc::clone(&self.floor.program), facts, self.now, &self.view()) {
            Some(cursor) => {
                let (flow, language) = (cursor.flow().to_owned(), cursor.language().to_owned());
                self.cursor = Some(cursor);
                self.journal(Event::FlowEntered { call, flow, language });
            }
            None => {
                self.note(format!("no flow serves {}", given.number));
                let cause = Cause::new(404, "unknown_number");
                self.call.handle(Input::Hangup { cause, as_designed: false });
            }
        }
    }

    fn close(&mut self, hours: String) {
        self.note(format!("hours {hours} are closed by hand"));
        self.orders.handle_event(&Event::HoursClosed { hours, until_ms: i64::MAX });
        self.with_cursor(Cursor::handle_closing);
    }

    pub(super) fn hang_up(&mut self, how: &str) {
        if !self.finished {
            self.note(how.to_owned());
            self.call.handle(Input::HungUp { leg: CALLER, cause: Cause::normal() });
            self.call.handle(Input::LegGone { leg: CALLER });
        }
    }

    pub(super) fn close_caller(&mut self) {
        self.call.handle(Input::LegGone { leg: CALLER });
    }

    pub(super) fn draw_leg(&mut self) -> LegId {
        self.next_leg += 1;
        LegId(self.next_leg)
    }

    /// What has waited for its time in the plan.
    fn pass_silence(&mut self) {
        if self.cursor.as_ref().is_some_and(Cursor::is_listening) {
            let at_ms = self.at_ms();
            self.course.lead(at_ms, "no key comes".to_owned());
        }
        self.with_cursor(Cursor::handle_timeout);
    }

    fn press(&mut self, key: char) {
        let at_ms = self.at_ms();
        self.course.lead(at_ms, format!("key {key}"));
        self.tell(CursorInput::Digit(key));
    }

    /// Answers the question that was just put, if the case has keys for it; `false` where there is nothing to press.
    fn press_next(&mut self) -> bool {
        let listening = self.cursor.as_ref().filter(|cursor| cursor.is_listening());
        let Some(until) = listening.and_then(Cursor::poll_timeout).filter(|until| self.silent_until != Some(*until))
        else {
            return false;
        };
        match self.keys.pop_front() {
            Some(keys) if keys != "-" => keys.chars().for_each(|key| self.press(key)),
            Some(_) => self.silent_until = Some(until),
            None => return false,
        }
        true
    }

    pub(super) fn tell(&mut self, input: CursorInput) {
        self.with_cursor(|cursor, now, floor| cursor.handle(input, now, floor));
    }

    fn with_cursor(&mut self, act: impl FnOnce(&mut Cursor, Now, &dyn FloorView)) {
        // Taken out, so that it can look at the rest of the floor.
        if let Some(mut cursor) = self.cursor.take() {
            act(&mut cursor, self.now, &self.view());
            self.cursor = Some(cursor);
        }
    }

    fn view(&self) -> switch::Floor<'_> {
        let (call, can_record, wall_ms) = (self.id, self.given.can_record, self.now.wall_ms);
        switch::Floor { call, acd: &self.acd, orders: &self.orders, can_record, seats: Seats::Anybody, wall_ms }
    }

    pub(super) fn tell_acd(&mut self, input: acd::Input) {
        self.acd.handle(input, self.now);
    }

    pub(super) fn journal(&mut self, event: Event) {
        self.entries += 1;
        self.folder.handle_entry(&Entry { seq: self.entries, wall_ms: self.now.wall_ms, event });
        while let Some(record) = self.folder.poll_record() {
            self.course.record = Some(record);
        }
    }

    /// Milliseconds since the call came; 0 before.
    pub(super) fn at_ms(&self) -> u64 {
        (self.now.mono_ns / MS).saturating_sub(self.given.comes_ms)
    }

    pub(super) fn note(&mut self, line: String) {
        let at_ms = self.at_ms();
        self.course.note(at_ms, &line);
    }
}
