//! The ACD: one scenario for each behaviour, and (`acd_model/`) random days beside a slow and obvious model.

#[path = "acd_model/after_call.rs"]
mod after_call;
#[path = "acd_model/agents.rs"]
mod agents;
#[path = "acd_model/anything.rs"]
mod anything;
#[path = "acd_model/beside.rs"]
mod beside;
#[path = "acd_model/capacity.rs"]
mod capacity;
#[path = "acd_model/choice.rs"]
mod choice;
#[path = "acd_model/expected.rs"]
mod expected;
#[path = "acd_model/fairness.rs"]
mod fairness;
#[path = "acd_model/model.rs"]
mod model;
#[path = "acd_model/needs.rs"]
mod needs;
#[path = "acd_model/reconfigure.rs"]
mod reconfigure;
#[path = "acd_model/strategies.rs"]
mod strategies;
#[path = "acd_model/waits.rs"]
mod waits;
#[path = "acd_model/wishes.rs"]
mod wishes;

use std::collections::BTreeMap;

use trunkline::acd::{
    Acd, Ageing, AgentSettings, Failure, Input, Output, OverflowStep, QueueSettings, Settings, Untaken,
};
use trunkline::id::{AgentId, CallId, QueueId};
use trunkline::journal::{AgentState, Event, LeaveReason, Seen, SegmentEnd, SkillWish};
use trunkline::time::Now;

const START: Now = Now { mono_ns: 1_000_000_000, wall_ms: 1_700_000_000_000 };

fn agent_settings(number: usize) -> AgentSettings {
    let skills = BTreeMap::from([("billing".to_owned(), (number * 20 % 100) as u8)]);
    AgentSettings { skills, ..AgentSettings::named(agent(number)) }
}

fn queue_settings(id: &str, members: impl IntoIterator<Item = usize>) -> QueueSettings {
    let members = members.into_iter().map(|number| agent(number).into()).collect();
    QueueSettings { members, acw_ms: 5_000, ..QueueSettings::named(id.into()) }
}

fn agent(number: usize) -> AgentId {
    AgentId::from(format!("{}", 1001 + number).as_str())
}

fn call(number: u64) -> CallId {
    CallId::new(START.wall_ms, u128::from(number))
}

fn queue(id: &str) -> QueueId {
    QueueId::from(id)
}

/// An engine and its clock: fires every deadline on its way and keeps what came out.
struct Floor {
    acd: Acd,
    now: Now,
    outputs: Vec<Output>,
}

impl Floor {
    fn new(queues: Vec<QueueSettings>, agents: usize) -> Self {
        let settings =
            Settings { agents: (0..agents).map(agent_settings).collect(), queues, ageing: Ageing::default() };
        Self::of(settings)
    }

    fn of(settings: Settings) -> Self {
        Self { acd: Acd::new(settings, [0; 32]).unwrap(), now: START, outputs: Vec::new() }
    }

    fn tell(&mut self, input: Input) -> &mut Self {
        self.acd.handle(input, self.now);
        self.drain();
        self
    }

    fn reconfigure(&mut self, settings: Settings) {
        self.acd.reconfigure(settings, self.now).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        self.outputs.extend(std::iter::from_fn(|| self.acd.poll_output()));
        self.acd.check_invariants().unwrap();
    }

    fn pass(&mut self, ms: u64) -> &mut Self {
        let end = self.now.plus_ms(ms);
        while let Some(due) = self.acd.poll_timeout().filter(|due| *due <= end.mono_ns) {
            let ahead = due.saturating_sub(self.now.mono_ns) / trunkline::time::MS;
            self.now = self.now.plus_ms(ahead);
            self.acd.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self
    }

    fn sign_in(&mut self, number: usize) -> &mut Self {
        self.tell(Input::AgentSignedIn { agent: agent(number) })
    }

    fn enter(&mut self, number: u64, into: &str) -> &mut Self {
        let entered_wall_ms = self.now.wall_ms;
        let (call, queue) = (call(number), queue(into));
        self.tell(Input::CallerEntered {
            call,
            queue,
            priority: 0,
            entered_wall_ms,
            wishes: Vec::new(),
            prefer: None,
            stays: false,
        })
    }

    fn ring(&mut self, number: usize, of: u64) -> &mut Self {
        self.tell(Input::PhoneRinging { agent: agent(number), call: call(of) })
    }

    fn answer(&mut self, number: usize, of: u64) -> &mut Self {
        self.tell(Input::AgentAnswered { agent: agent(number), call: call(of) })
    }

    fn end(&mut self, number: usize, of: u64) -> &mut Self {
        self.tell(Input::ConversationEnded { agent: agent(number), call: call(of) })
    }

    fn state(&self, number: usize) -> AgentState {
        self.acd.view().agent(&agent(number)).unwrap().state.clone()
    }

    /// What came out since the last time.
    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// The pairs presented since the last time.
    fn presented(&mut self) -> Vec<(CallId, AgentId)> {
        let pair = |output| match output {
            Output::Present { call, agent, .. } => Some((call, agent)),
            _ => None,
        };
        self.take().into_iter().filter_map(pair).collect()
    }
}

fn changed(number: usize, state: AgentState) -> Output {
    Output::Journal(Event::AgentChanged { agent: agent(number), appearance: 0, state })
}

fn left(of: u64, from: &str, reason: LeaveReason) -> Output {
    Output::Journal(Event::QueueLeft { call: call(of), queue: queue(from), reason, position: 1 })
}

fn not_ready(reason: &str) -> AgentState {
    AgentState::NotReady { reason: reason.to_owned(), until_ms: None }
}

#[test]
fn abandon_while_ringing_stops_the_phone_and_keeps_the_agents_place() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..2)], 2);
    floor.sign_in(0).pass(1_000).sign_in(1).enter(1, "support").ring(0, 1).take();
    floor.pass(3_000).tell(Input::CallerLeft { call: call(1) });
    let reason = SegmentEnd::CallerLeft;
    assert_eq!(
        floor.take(),
        [
            left(1, "support", LeaveReason::Abandoned),
            Output::CancelPresentation { call: call(1), agent: agent(0), reason },
            changed(0, AgentState::Available),
        ]
    );
    // A ring the agent could do nothing about costs no idle time: still first.
    assert_eq!(floor.enter(2, "support").presented(), [(call(2), agent(0))]);
    // An answer that crossed the hang-up is cancelled.
    floor.answer(1, 1);
    let reason = SegmentEnd::Switch;
    assert_eq!(floor.take(), [Output::CancelPresentation { call: call(1), agent: agent(1), reason }]);
}

#[test]
fn no_answer_takes_the_agent_out_and_presents_the_next_one() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..2)], 2);
    floor.sign_in(0).pass(1_000).sign_in(1).enter(1, "support").ring(0, 1).enter(2, "support").ring(1, 2);
    floor.enter(3, "support").take();
    floor.pass(14_999);
    assert_eq!(floor.take(), []);
    floor.tell(Input::AgentFailed { agent: agent(1), call: call(2), why: Failure::Busy });
    assert_eq!(floor.take(), [changed(1, not_ready("busy"))]);
    floor.pass(1);
    let reason = SegmentEnd::NoAnswer;
    assert_eq!(
        floor.take(),
        [Output::CancelPresentation { call: call(1), agent: agent(0), reason }, changed(0, not_ready("no_answer")),]
    );
    // Each has kept the place of the first arrival.
    assert_eq!(floor.tell(Input::SetAvailable { agent: agent(1) }).presented(), [(call(1), agent(1))]);
    // A phone that never rings loses its lease as well.
    floor.pass(15_000);
    assert_eq!(floor.state(1), not_ready("unreachable"));
    assert_eq!(floor.tell(Input::SetAvailable { agent: agent(0) }).presented(), [(call(1), agent(0))]);
}

#[test]
fn who_does_not_take_a_call_is_back_after_the_time_of_its_rule() {
    let mut support = queue_settings("support", 0..1);
    support.untaken = Untaken { no_answer_ms: Some(30_000), most: Some(2), busy_ms: Some(60_000), rejected_ms: None };
    let mut floor = Floor::new(vec![support], 1);
    let out = |floor: &Floor, reason: &str, ms: i64| {
        let until_ms = Some(floor.now.wall_ms + ms);
        AgentState::NotReady { reason: reason.to_owned(), until_ms }
    };
    floor.sign_in(0).enter(1, "support").ring(0, 1).pass(15_000);
    assert_eq!(floor.state(0), out(&floor, "no_answer", 30_000));
    floor.pass(29_999).take();
    assert_eq!(floor.presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(1), agent(0))]);
    floor.tell(Input::AgentFailed { agent: agent(0), call: call(1), why: Failure::Busy });
    assert_eq!(floor.state(0), out(&floor, "busy", 60_000));
    // The time goes on over a restart.
    let left = out(&floor, "busy", 60_000);
    floor.pass(59_000).take();
    let mut again = Floor::new(vec![queue_settings("support", 0..1)], 1);
    let since_wall_ms = again.now.wall_ms - 59_000;
    let AgentState::NotReady { reason, .. } = left else { unreachable!("a busy phone") };
    let state = AgentState::NotReady { reason, until_ms: Some(again.now.wall_ms + 1_000) };
    again.tell(Input::Restored {
        agent: agent(0),
        seen: vec![Seen { appearance: 0, state, since_wall_ms, wish: None }],
    });
    assert_eq!(again.pass(1_000).state(0), AgentState::Available);
    // The second one in a row that rings out needs a word of the agent, which counts from the beginning again.
    assert_eq!(floor.pass(1_000).presented(), [(call(1), agent(0))]);
    assert_eq!(floor.ring(0, 1).pass(15_000).state(0), not_ready("no_answer"));
    floor.tell(Input::SetAvailable { agent: agent(0) }).ring(0, 1).pass(15_000);
    assert_eq!(floor.state(0), out(&floor, "no_answer", 30_000));
    floor.tell(Input::SetAvailable { agent: agent(0) });
    floor.tell(Input::AgentFailed { agent: agent(0), call: call(1), why: Failure::Rejected });
    assert_eq!(floor.pass(3_600_000).state(0), not_ready("rejected"));
}

#[test]
fn acw_ends_by_timer_and_by_code() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..1)], 1);
    floor.sign_in(0).enter(1, "support").answer(0, 1).take();
    let until_ms = floor.now.wall_ms + 5_000;
    assert_eq!(floor.end(0, 1).take(), [changed(0, AgentState::Acw { call: call(1), until_ms })]);
    floor.enter(2, "support").pass(4_999);
    assert_eq!(floor.presented(), []);
    floor.pass(1);
    let ended = |of| Output::Journal(Event::AcwEnded { call: call(of), agent: agent(0) });
    assert_eq!(floor.take()[..2], [ended(1), changed(0, AgentState::Available)]);
    floor.answer(0, 2).end(0, 2).pass(1_000).take();
    assert_eq!(floor.tell(Input::EndAcw { agent: agent(0) }).take(), [ended(2), changed(0, AgentState::Available)]);
    assert_eq!(floor.acd.poll_timeout(), None);
}

#[test]
fn overflow_adds_a_queue_at_exactly_twenty_seconds() {
    let mut sales = queue_settings("sales", 0..1);
    sales.overflow = vec![OverflowStep { after_ms: 20_000, to: queue("support") }];
    let mut floor = Floor::new(vec![sales, queue_settings("support", 1..2)], 2);
    floor.sign_in(1).enter(1, "sales").pass(19_999);
    assert_eq!(floor.presented(), []);
    floor.pass(1);
    let support = queue("support");
    assert_eq!(
        floor.outputs[0],
        Output::Journal(Event::QueueEntered {
            call: call(1),
            queue: support,
            priority: 0,
            position: 1,
            since_ms: None
        })
    );
    assert_eq!(floor.presented(), [(call(1), agent(1))]);
    floor.answer(1, 1);
    assert_eq!(floor.take()[..2], [left(1, "sales", LeaveReason::Overflow), left(1, "support", LeaveReason::Answered)]);
}

#[test]
fn sign_out_during_a_call_takes_effect_after_it() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..1)], 1);
    floor.sign_in(0).enter(1, "support").answer(0, 1).tell(Input::Hold { agent: agent(0), call: call(1) }).take();
    let wished = Event::AgentWished { agent: agent(0), appearance: 0, state: AgentState::Offline };
    assert_eq!(floor.tell(Input::AgentSignedOut { agent: agent(0) }).take(), [Output::Journal(wished)]);
    floor.tell(Input::Resume { agent: agent(0), call: call(1) }).take();
    floor.end(0, 1);
    let ended = Output::Journal(Event::AcwEnded { call: call(1), agent: agent(0) });
    assert_eq!(floor.take(), [ended, changed(0, AgentState::Offline)]);
}

#[test]
fn the_longest_idle_agent_is_called_first() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..3)], 3);
    floor.sign_in(2).pass(1_000).sign_in(0).pass(1_000).sign_in(1).take();
    floor.enter(1, "support");
    let why = floor.take().into_iter().find_map(|output| match output {
        Output::Present { agent, why, .. } => Some(why.line(&agent)),
        _ => None,
    });
    assert_eq!(why.as_deref(), Some("agent 1003: idle 2 s; next best 1001: idle 1 s"));
    assert_eq!(floor.enter(2, "support").enter(3, "support").presented(), [(call(2), agent(0)), (call(3), agent(1))]);
}

#[test]
fn a_restart_keeps_the_deadline_of_acw() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..3)], 3);
    let until_ms = floor.now.wall_ms + 3_000;
    let since_wall_ms = floor.now.wall_ms - 2_000;
    let restored = |number, state| {
        let seen = vec![Seen { appearance: 0, state, since_wall_ms, wish: None }];
        Input::Restored { agent: agent(number), seen }
    };
    floor.tell(restored(0, AgentState::Acw { call: call(1), until_ms }));
    floor.tell(restored(1, not_ready("lunch")));
    assert_eq!(floor.take(), []);
    floor.tell(restored(2, AgentState::Acw { call: call(2), until_ms: since_wall_ms }));
    assert_eq!(floor.take()[1..], [changed(2, AgentState::Available)]);
    floor.pass(2_999);
    assert_eq!(floor.state(0), AgentState::Acw { call: call(1), until_ms });
    floor.pass(1);
    assert_eq!((floor.state(0), floor.state(1)), (AgentState::Available, not_ready("lunch")));
}

#[test]
fn priority_is_worth_five_minutes_of_waiting() {
    let mut floor = Floor::new(vec![queue_settings("support", 0..1)], 1);
    let complaint = |number, floor: &mut Floor| {
        let entered_wall_ms = floor.now.wall_ms;
        let (call, queue) = (call(number), queue("support"));
        floor.tell(Input::CallerEntered {
            call,
            queue,
            priority: 1,
            entered_wall_ms,
            wishes: Vec::new(),
            prefer: None,
            stays: false,
        });
    };
    floor.enter(1, "support").pass(299_000);
    complaint(2, &mut floor);
    floor.pass(2_000);
    complaint(3, &mut floor);
    assert_eq!(floor.acd.view().positions(call(2)), [(&queue("support"), 1)]);
    assert_eq!(floor.acd.view().positions(call(1)), [(&queue("support"), 2)]);
    assert_eq!(floor.sign_in(0).presented(), [(call(2), agent(0))]);
}

#[test]
fn a_caller_waits_in_several_queues_from_the_beginning() {
    let mut sales = queue_settings("sales", 0..1);
    let over = |to| OverflowStep { after_ms: 0, to: queue(to) };
    sales.overflow = vec![over("support"), over("night")];
    let mut floor = Floor::new(vec![sales, queue_settings("support", 1..2), queue_settings("night", 2..3)], 3);
    floor.enter(1, "sales").pass(0);
    let all = [(&queue("sales"), 1), (&queue("support"), 1), (&queue("night"), 1)];
    assert_eq!(floor.acd.view().positions(call(1)), all);
    floor.enter(2, "sales").pass(0).take();
    assert_eq!(floor.sign_in(2).presented(), [(call(1), agent(2))]);
    assert_eq!(floor.sign_in(1).presented(), [(call(2), agent(1))]);
    assert_eq!(floor.answer(2, 1).acd.view().positions(call(2)).len(), 3);
    floor.answer(1, 2);
    assert!(
        ["sales", "support", "night"].iter().all(|name| floor.acd.view().queue(&queue(name)).unwrap().waiting == 0)
    );
}

#[test]
fn the_longest_wait_and_a_full_queue_send_the_caller_on() {
    let mut support = queue_settings("support", 0..1);
    (support.max_wait_ms, support.capacity) = (Some(60_000), Some(1));
    let mut floor = Floor::new(vec![support], 1);
    floor.enter(1, "support").enter(2, "support");
    assert_eq!(floor.take().last(), Some(&Output::CallerOut { call: call(2), reason: LeaveReason::Refused }));
    // The phone that rings at that instant may ring on; its failure is the end of the wait.
    floor.pass(50_000).sign_in(0).ring(0, 1).pass(10_000).take();
    floor.pass(5_000);
    assert_eq!(floor.take().last(), Some(&Output::CallerOut { call: call(1), reason: LeaveReason::Timeout }));
    assert_eq!(floor.acd.poll_timeout(), None);
}

#[test]
fn an_event_costs_the_same_on_a_floor_of_fifty_and_of_twenty_thousand_agents() {
    let cost = |queues: usize| {
        let queue_of = |q: usize| queue_settings(&format!("q{q}"), q * 10..q * 10 + 10);
        let two = |n| AgentSettings { capacity: 2, ..agent_settings(n) };
        let settings = Settings {
            agents: (0..queues * 10).map(two).collect(),
            queues: (0..queues).map(queue_of).collect(),
            ageing: Ageing::default(),
        };
        let mut floor = Floor::of(settings);
        let tell = |floor: &mut Floor, input| floor.acd.handle(input, START);
        let wish = SkillWish { skill: "billing".to_owned(), least: 40, for_ms: Some(90_000) };
        let entered = |n: u64, q: usize| Input::CallerEntered {
            call: call(n),
            queue: queue(&format!("q{q}")),
            priority: 0,
            entered_wall_ms: START.wall_ms,
            // A third of them wishes something.
            wishes: Some(wish.clone()).filter(|_| n % 3 == 2).into_iter().collect(),
            prefer: None,
            stays: false,
        };
        (0..queues * 50).for_each(|n| tell(&mut floor, entered(n as u64, n % queues)));
        (10..queues * 10).for_each(|n| tell(&mut floor, Input::AgentSignedIn { agent: agent(n) }));
        let before = floor.acd.touched();
        tell(&mut floor, Input::AgentSignedIn { agent: agent(0) });
        tell(&mut floor, Input::AgentAnswered { agent: agent(0), call: call(0) });
        tell(&mut floor, Input::ConversationEnded { agent: agent(0), call: call(0) });
        tell(&mut floor, Input::EndAcw { agent: agent(0) });
        tell(&mut floor, entered(u64::MAX - 1, 0));
        tell(&mut floor, Input::CallerLeft { call: call(u64::MAX - 1) });
        tell(&mut floor, entered(u64::MAX, 0));
        tell(&mut floor, Input::CallerLeft { call: call(u64::MAX) });
        floor.acd.touched() - before
    };
    assert_eq!(cost(5), cost(2_000));
}
