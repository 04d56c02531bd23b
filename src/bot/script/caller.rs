//! A caller: dials, presses keys, waits, talks, hangs up; or has enough before any of it.

use std::collections::VecDeque;

use super::{CallerId, Dice, MOST_CALLERS, Output, Script, Timer};
use crate::time::{Now, TimerId};

/// How long a caller stays whom the agent is to leave first, ms: longer than any agent talks.
const NET_MS: u64 = 90_000;

#[derive(Debug)]
pub(super) struct Caller {
    from: String,
    /// Each key with how long the caller takes for it, ms.
    keys: VecDeque<(u64, char)>,
    /// How long the caller talks, ms; `None` where the agent ends the call.
    talk_ms: Option<u64>,
    leave: Option<TimerId>,
    key: Option<TimerId>,
}

impl Script {
    pub(super) fn handle_arrival(&mut self, now: Now) {
        let wait_ms = self.dice.until_next_ms(self.calls_per_minute);
        self.timers.arm(now.in_ms(wait_ms), Timer::Arrival);
        if self.callers.len() >= MOST_CALLERS {
            self.counts.held_back += 1;
            return;
        }
        self.last += 1;
        self.counts.placed += 1;
        let (id, from) = (CallerId(self.last), self.fresh_number());
        let dice = &mut self.dice;
        let to = dice.pick(&["4000", "4000", "4000", "4000", "4001", "4001", "4001", "4005", "4005", "4002", "4003"]);
        let keys = if to == "4000" { keys(dice) } else { VecDeque::new() };
        let patience_ms = match to {
            // Before anybody could have answered: a wrong number, a second thought.
            "4000" | "4001" | "4005" if dice.percent(12) => dice.between(1_500, 9_000),
            "4002" => dice.between(5_000, 15_000),
            _ => dice.between(20_000, 90_000),
        };
        let talk_ms = dice.percent(60).then(|| dice.between(10_000, 60_000));
        let stream = dice.percent(25);
        let leave = Some(self.timers.arm(now.in_ms(patience_ms), Timer::Leave(id)));
        self.callers.insert(id, Caller { from: from.clone(), keys, talk_ms, leave, key: None });
        self.outputs.push_back(Output::Call { caller: id, from, to, stream });
    }

    /// A number that no other live caller has: agents' phones tell callers apart by it.
    fn fresh_number(&mut self) -> String {
        loop {
            let number = self.dice.mobile_number();
            if self.callers.values().all(|caller| caller.from != number) {
                return number;
            }
        }
    }

    pub(super) fn handle_answered(&mut self, id: CallerId, now: Now) {
        let Some(caller) = self.callers.get_mut(&id) else { return };
        if let Some((after_ms, _)) = caller.keys.front() {
            caller.key = Some(self.timers.arm(now.in_ms(*after_ms), Timer::Key(id)));
        }
    }

    pub(super) fn handle_key_due(&mut self, id: CallerId, now: Now) {
        let Some(caller) = self.callers.get_mut(&id) else { return };
        if let Some((_, key)) = caller.keys.pop_front() {
            self.outputs.push_back(Output::Press(id, key));
        }
        self.handle_answered(id, now);
    }

    /// An agent of ours took the call of this number: patience is over, the talk begins. `true` where the caller ends it. Callers
    /// that a person takes do not know it, and stay as long as their patience lasts.
    pub(super) fn handle_joined(&mut self, number: &str, now: Now) -> bool {
        let Some((id, caller)) = self.callers.iter_mut().find(|(_, caller)| caller.from == number) else {
            return false;
        };
        if let Some(timer) = caller.leave.take() {
            self.timers.disarm(timer);
        }
        let stay_ms = caller.talk_ms.unwrap_or(NET_MS);
        caller.leave = Some(self.timers.arm(now.in_ms(stay_ms), Timer::Leave(*id)));
        caller.talk_ms.is_some()
    }

    pub(super) fn handle_caller_gone(&mut self, id: CallerId) {
        let Some(caller) = self.callers.remove(&id) else { return };
        for timer in [caller.leave, caller.key].into_iter().flatten() {
            self.timers.disarm(timer);
        }
    }
}

/// The way through the hotline: a language after the welcome, a choice after the notice. Some press nothing, some the wrong key.
fn keys(dice: &mut Dice) -> VecDeque<(u64, char)> {
    let mut keys = VecDeque::new();
    let mut until_menu_ms = 12_000;
    if dice.percent(85) {
        keys.push_back((dice.between(4_500, 7_500), if dice.percent(85) { '1' } else { '2' }));
        until_menu_ms = 5_500;
    }
    if dice.percent(8) {
        keys.push_back((dice.between(until_menu_ms, until_menu_ms + 4_000), '9'));
        until_menu_ms = 3_000;
    }
    if dice.percent(92) {
        let choice = dice.pick(&['1', '1', '2', '2', '2', '3', '0']);
        keys.push_back((dice.between(until_menu_ms, until_menu_ms + 5_000), choice));
    }
    keys
}
