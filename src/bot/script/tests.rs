use super::*;
use std::collections::BTreeSet;

const MINUTE_MS: u64 = 60_000;

/// A floor without a switch: a caller is answered at once and, where the number leads to a person, given to the agent who is free.
struct Floor {
    script: Script,
    now: Now,
    said: Vec<(u64, Output)>,
    /// Number and caller of who waits for an agent.
    waiting: VecDeque<(String, CallerId)>,
    free: BTreeSet<usize>,
    joined: BTreeMap<usize, CallerId>,
}

impl Floor {
    fn new(calls_per_minute: u32, agents: usize, seed: u64) -> Self {
        let now = Now::default();
        let script = Script::new(calls_per_minute, agents, seed, now);
        let free = (0..agents).collect();
        Self { script, now, said: Vec::new(), waiting: VecDeque::new(), free, joined: BTreeMap::new() }
    }

    fn run_ms(&mut self, ms: u64) {
        let end = self.now.in_ms(ms);
        while let Some(due) = self.script.poll_timeout().filter(|due| *due <= end) {
            let ahead_ms = due.saturating_sub(self.now.mono_ns).div_ceil(crate::time::MS);
            self.now = self.now.plus_ms(ahead_ms);
            self.script.handle_timeout(self.now);
            self.carry_out();
        }
    }

    fn tell(&mut self, input: Input) {
        self.script.handle(input, self.now);
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.script.poll_output() {
            self.said.push((self.now.mono_ns / crate::time::MS, output.clone()));
            match output {
                Output::Call { caller, from, to, .. } => {
                    self.tell(Input::Answered(caller));
                    if matches!(to, "4000" | "4001" | "4005") {
                        self.waiting.push_back((from, caller));
                    }
                }
                Output::Leave(caller) => {
                    self.waiting.retain(|(_, waiting)| *waiting != caller);
                    self.tell(Input::CallerGone(caller));
                    if let Some(agent) = self.joined.iter().find(|(_, with)| **with == caller).map(|(agent, _)| *agent)
                    {
                        self.part(agent);
                    }
                }
                Output::HangUp(agent) => {
                    if let Some(caller) = self.joined.get(&agent).copied() {
                        self.tell(Input::CallerGone(caller));
                    }
                    self.part(agent);
                }
                Output::Refuse(agent, _) => self.part(agent),
                Output::Dial(agent, "*71") => {
                    self.free.insert(agent);
                }
                Output::Press(..) | Output::Ring(_) | Output::Answer(_) | Output::Dial(..) => {}
            }
            while let (Some(agent), false) = (self.free.first().copied(), self.waiting.is_empty()) {
                let Some((from, caller)) = self.waiting.pop_front() else { break };
                self.free.remove(&agent);
                self.joined.insert(agent, caller);
                self.tell(Input::Offered { agent, from });
            }
        }
    }

    fn part(&mut self, agent: usize) {
        self.joined.remove(&agent);
        self.free.insert(agent);
        self.tell(Input::AgentFree(agent));
    }

    fn count(&self, wanted: impl Fn(&Output) -> bool) -> usize {
        self.said.iter().filter(|(_, output)| wanted(output)).count()
    }
}

#[test]
fn one_seed_is_one_floor() {
    let mut floors = [7, 7, 8].map(|seed| Floor::new(12, 6, seed));
    floors.iter_mut().for_each(|floor| floor.run_ms(5 * MINUTE_MS));
    assert_eq!(floors[0].said, floors[1].said);
    assert_ne!(floors[0].said, floors[2].said);
}

#[test]
fn calls_come_as_often_as_asked_and_from_mobile_numbers() {
    let mut floor = Floor::new(12, 6, 1);
    floor.run_ms(60 * MINUTE_MS);
    let calls = floor.count(|output| matches!(output, Output::Call { .. }));
    assert!((640..800).contains(&calls), "{calls} calls in an hour");
    let mut numbers = BTreeSet::new();
    for (_, output) in &floor.said {
        let Output::Call { from, to, .. } = output else { continue };
        assert!(from.len() == 11 && from.starts_with('1') && from.bytes().all(|byte| byte.is_ascii_digit()), "{from}");
        numbers.insert(*to);
    }
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), ["4000", "4001", "4002", "4003", "4005"]);
}

#[test]
fn everything_that_people_do_happens_within_a_shift() {
    let mut floor = Floor::new(6, 6, 2);
    floor.run_ms(300 * MINUTE_MS);
    for key in ['1', '2', '3', '0', '9'] {
        assert!(floor.count(|output| matches!(output, Output::Press(_, pressed) if *pressed == key)) > 0, "key {key}");
    }
    for code in ["*71", "*72", "*73"] {
        assert!(floor.count(|output| matches!(output, Output::Dial(_, dialled) if *dialled == code)) > 0, "{code}");
    }
    for status in [486, 603] {
        assert!(floor.count(|output| matches!(output, Output::Refuse(_, said) if *said == status)) > 0, "{status}");
    }
    let hang_ups = floor.count(|output| matches!(output, Output::HangUp(_)));
    let (taken, leaves) = (floor.script.counts().taken as usize, floor.count(|o| matches!(o, Output::Leave(_))));
    assert!(hang_ups > taken / 5 && leaves > taken / 5, "{hang_ups} and {leaves} of {taken}: either side hangs up");
}

#[test]
fn who_is_not_served_has_patience_for_20_to_90_seconds_or_leaves_early() {
    let mut floor = Floor::new(12, 0, 3);
    floor.run_ms(30 * MINUTE_MS);
    let mut since = BTreeMap::new();
    let mut early = 0;
    for (at_ms, output) in &floor.said {
        match output {
            Output::Call { caller, to, .. } if !matches!(*to, "4002" | "4003") => {
                since.insert(*caller, *at_ms);
            }
            Output::Leave(caller) => {
                let Some(began_ms) = since.get(caller) else { continue };
                let stayed_ms = at_ms - began_ms;
                early += u32::from(stayed_ms < 10_000);
                assert!((1_500..=9_001).contains(&stayed_ms) || (20_000..=90_001).contains(&stayed_ms), "{stayed_ms}");
            }
            _ => {}
        }
    }
    assert!(early > 10, "{early} left early");
}

#[test]
fn a_flood_is_held_back() {
    let mut floor = Floor::new(6_000, 0, 4);
    floor.run_ms(20_000);
    let counts = floor.script.counts();
    assert!(counts.held_back > 100, "{counts:?}");
    assert!(floor.script.callers.len() <= MOST_CALLERS);
}

#[test]
fn an_agent_answers_within_six_seconds_and_tries_again_to_come_back() {
    let mut floor = Floor::new(0, 1, 5);
    floor.tell(Input::Offered { agent: 0, from: "1001".into() });
    floor.run_ms(6_000);
    assert!(matches!(floor.said.first(), Some((_, Output::Ring(0)))), "{:?}", floor.said);
    floor.said.clear();
    floor.tell(Input::AgentFree(0));
    floor.tell(Input::CodeFailed { agent: 0, code: "*71" });
    floor.run_ms(30_000);
    assert!(floor.count(|output| *output == Output::Dial(0, "*71")) > 0, "{:?}", floor.said);
}

#[test]
fn a_stop_ends_every_call_and_plans_nothing_more() {
    let mut floor = Floor::new(60, 3, 6);
    floor.run_ms(MINUTE_MS);
    let (callers, talks) = (floor.script.callers.len(), floor.joined.len());
    assert!(callers > 3 && talks > 0);
    floor.said.clear();
    floor.tell(Input::Stop);
    assert_eq!(floor.script.poll_timeout(), None);
    floor.carry_out();
    assert_eq!(floor.count(|output| matches!(output, Output::Leave(_))), callers);
    assert_eq!(floor.script.poll_timeout(), None, "nothing is planned any more");
}
