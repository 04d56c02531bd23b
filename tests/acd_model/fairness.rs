//! Nobody starves: whoever has waited long enough is passed by nobody, whatever the classes of who comes later.

use std::collections::BTreeMap;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use trunkline::acd::{Ageing, Input, Settings};
use trunkline::id::CallId;

use super::beside::below;
use super::{Floor, agent, agent_settings, call, queue, queue_settings};

/// A caller who waits: the priority, and since when (wall ms).
type Waiting = BTreeMap<CallId, (i64, i64)>;

/// Who is taken passes only those who came less than the classes' worth of waiting before; gives how many were passed.
fn taken(waiting: &mut Waiting, of: CallId, ageing: Ageing) -> u64 {
    let (priority, entered) = waiting.remove(&of).expect("a caller who waits");
    let mut passed = 0;
    for (other, (lower, before)) in waiting.iter().filter(|(_, (_, before))| *before < entered) {
        let worth_ms = (priority - lower).max(0) * i64::from(ageing.base) * 1_000;
        let waited_ms = (entered - before) * i64::from(ageing.rate);
        assert!(
            waited_ms <= worth_ms,
            "{of} of class {priority} passes {other} of class {lower}, {waited_ms} before it: {ageing:?}"
        );
        passed += 1;
    }
    if ageing.rate == 0 {
        assert!(waiting.values().all(|(other, _)| *other <= priority), "classes are strict: {of} of class {priority}");
    }
    passed
}

#[test]
fn nobody_is_passed_by_who_comes_later_than_the_classes_are_worth() {
    let mut passed = BTreeMap::new();
    for seed in 0..60 {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let rate = [1, 7, 60, 0][seed as usize % 4];
        let ageing = Ageing { base: [5, 300][seed as usize % 2], rate };
        let mut support = queue_settings("support", 0..3);
        support.acw_ms = 0;
        let mut floor =
            Floor::of(Settings { agents: (0..3).map(agent_settings).collect(), queues: vec![support], ageing });
        (0..3).for_each(|number| {
            floor.sign_in(number);
        });
        let (mut waiting, mut talks) = (Waiting::new(), [None; 3]);
        for number in 1..600 {
            let priority = below(&mut random, 4) as i64;
            waiting.insert(call(number), (priority, floor.now.wall_ms));
            floor.tell(Input::CallerEntered {
                call: call(number),
                queue: queue("support"),
                priority: priority as i32,
                entered_wall_ms: floor.now.wall_ms,
                wishes: Vec::new(),
                prefer: None,
                stays: false,
            });
            // More come than are served.
            let ends = below(&mut random, 5) as usize;
            if let Some(of) = talks.get_mut(ends).and_then(Option::take) {
                floor.tell(Input::ConversationEnded { agent: agent(ends), call: of });
            }
            for (of, by) in floor.presented() {
                *passed.entry(rate).or_default() += taken(&mut waiting, of, ageing);
                let number = (0..3).find(|number| agent(*number) == by).expect("an agent");
                floor.tell(Input::AgentAnswered { agent: by, call: of });
                talks[number] = Some(of);
            }
            let ms = below(&mut random, 20_000);
            floor.pass(ms);
        }
    }
    assert!(passed.values().all(|passed: &u64| *passed > 10), "priority counted for something: {passed:?}");
}
