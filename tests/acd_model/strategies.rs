//! Whom a caller gets: one scenario for each strategy, for skills, tiers and preferences.

use std::collections::BTreeMap;

use trunkline::acd::{Ageing, Failure, Input, Output, Preference, QueueSettings, Relaxation, Settings};
use trunkline::id::{AgentId, CallId};
use trunkline::journal::{AgentState, LeaveReason, SegmentEnd, Strategy};

use super::{Floor, agent, agent_settings, call, queue, queue_settings};

/// A queue `support` of so many agents, who are signed in a second apart, the last one first.
fn floor(strategy: Strategy, agents: usize, adjust: impl FnOnce(&mut QueueSettings)) -> Floor {
    let mut support = QueueSettings { strategy, acw_ms: 0, ..queue_settings("support", 0..agents) };
    adjust(&mut support);
    let mut floor = Floor::new(vec![support], agents);
    for number in (0..agents).rev() {
        floor.sign_in(number).pass(1_000);
    }
    floor.take();
    floor
}

/// Who gets each of so many callers, whose conversations last a second longer each time.
fn served(floor: &mut Floor, calls: u64) -> Vec<usize> {
    let mut order = Vec::new();
    for number in 1..=calls {
        floor.enter(number, "support");
        let who = only_phone(floor);
        floor.answer(who, number).pass(number * 1_000).end(who, number).pass(1_000);
        order.push(who);
    }
    order
}

/// The one agent whose phone is to ring.
fn only_phone(floor: &mut Floor) -> usize {
    let presented: Vec<(CallId, AgentId)> = floor.presented();
    let [(_, agent)] = &presented[..] else { panic!("one phone, not {presented:?}") };
    agent.as_str().parse::<usize>().unwrap() - 1001
}

/// The decisions since the last time, as people read them.
fn reasons(floor: &mut Floor) -> Vec<String> {
    let line = |output| match output {
        Output::Present { agent, why, .. } => Some(why.line(&agent)),
        _ => None,
    };
    floor.take().into_iter().filter_map(line).collect()
}

#[test]
fn each_strategy_goes_by_its_own_measure() {
    let order = |strategy| served(&mut floor(strategy, 3, |_| {}), 6);
    assert_eq!(order(Strategy::LongestIdle), [2, 1, 0, 2, 1, 0]);
    assert_eq!(order(Strategy::RoundRobin), [0, 1, 2, 0, 1, 2]);
    assert_eq!(order(Strategy::Linear), [0, 0, 0, 0, 0, 0]);
    assert_eq!(order(Strategy::Sequential), [0, 0, 0, 0, 0, 0], "each caller begins at the top");
    assert_eq!(order(Strategy::FewestCalls), [2, 1, 0, 2, 1, 0]);
    assert_eq!(order(Strategy::LeastTalkTime), [2, 1, 0, 2, 1, 0]);
    assert_eq!(order(Strategy::RingProgressively), [0, 0, 0, 0, 0, 0]);
}

#[test]
fn fewest_calls_count_from_the_sign_in() {
    let mut floor = floor(Strategy::FewestCalls, 2, |_| {});
    assert_eq!(served(&mut floor, 3), [1, 0, 1]);
    // Who signs in anew has answered nothing.
    floor.tell(Input::AgentSignedOut { agent: agent(1) }).sign_in(1).pass(1_000).take();
    floor.enter(9, "support");
    assert_eq!(reasons(&mut floor), ["agent 1002: 0 calls; next best 1001: 1 calls"]);
}

#[test]
fn the_least_occupied_agent_is_who_worked_the_smallest_share_of_the_time() {
    let mut floor = floor(Strategy::LeastOccupied, 2, |_| {});
    // Agent 1 works 9 of 11 seconds, agent 0 1 of 11.
    floor.enter(1, "support").take();
    floor.answer(1, 1).pass(9_000).end(1, 1).enter(2, "support").answer(0, 2).pass(1_000).end(0, 2).enter(3, "support");
    assert_eq!(reasons(&mut floor)[1..], ["agent 1001: occupied 9.0 %; next best 1002: occupied 81.8 %"]);
}

#[test]
fn all_phones_ring_and_the_losers_are_as_idle_as_before() {
    let mut floor = floor(Strategy::RingAll, 51, |_| {});
    floor.enter(1, "support");
    let why = reasons(&mut floor);
    assert_eq!((why.len(), why[0].as_str()), (50, "agent 1051: one of 50 phones"));
    for number in 1..51 {
        floor.ring(number, 1);
    }
    assert_eq!(floor.enter(2, "support").presented(), [(call(2), agent(0))], "no more than 50 for one");
    floor.answer(0, 2).enter(3, "support").take();
    floor.answer(7, 1);
    let outputs = floor.take();
    let cancelled = |output: &&Output| {
        let wanted = call(1);
        matches!(output, Output::CancelPresentation { call, reason: SegmentEnd::Elsewhere, .. } if *call == wanted)
    };
    assert_eq!(outputs.iter().filter(cancelled).count(), 49);
    // All 49 ring for the caller who has waited.
    let wanted = call(3);
    let presented = |output: &&Output| matches!(output, Output::Present { call, .. } if *call == wanted);
    assert_eq!(outputs.iter().filter(presented).count(), 49);
    floor.tell(Input::CallerLeft { call: call(3) });
    assert_eq!((0..51).filter(|number| floor.state(*number) == AgentState::Available).count(), 49);
    assert_eq!(floor.acd.poll_timeout(), None);
}

#[test]
fn phones_that_ring_together_fail_one_by_one() {
    let mut floor = floor(Strategy::RingAll, 3, |support| support.max_wait_ms = Some(10_000));
    floor.enter(1, "support").ring(0, 1).ring(1, 1).take();
    floor.tell(Input::AgentFailed { agent: agent(0), call: call(1), why: Failure::Busy });
    assert_eq!(floor.presented(), []);
    // The wait is over while two ring; the last one to stop ends it.
    floor.pass(14_999).tell(Input::SetNotReady { agent: agent(2), reason: "break".into() });
    let out = Output::CallerOut { call: call(1), reason: LeaveReason::Timeout };
    assert!(!floor.take().contains(&out));
    floor.pass(1);
    assert_eq!(floor.take().last(), Some(&out));
}

#[test]
fn phones_join_one_by_one_while_the_first_rings_on() {
    let mut floor = floor(Strategy::RingProgressively, 3, |support| support.ring_more_ms = 4_000);
    assert_eq!(floor.enter(1, "support").presented(), [(call(1), agent(0))]);
    floor.ring(0, 1);
    assert_eq!(floor.pass(3_999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(1), agent(1))]);
    assert_eq!(floor.pass(4_000).presented(), [(call(1), agent(2))]);
    assert_eq!(floor.pass(2_000).presented(), [], "the first still rings, and nobody is left");
    floor.answer(2, 1);
    assert_eq!((floor.state(0), floor.state(1)), (AgentState::Available, AgentState::Available));
}

#[test]
fn a_caller_goes_down_the_list_from_where_the_last_agent_stood() {
    let mut floor = floor(Strategy::Sequential, 3, |_| {});
    let busy = |number| Input::AgentFailed { agent: agent(number), call: call(1), why: Failure::Busy };
    assert_eq!(floor.enter(1, "support").presented(), [(call(1), agent(0))]);
    assert_eq!(floor.tell(busy(0)).presented(), [(call(1), agent(1))]);
    floor.tell(Input::SetAvailable { agent: agent(0) });
    assert_eq!(floor.tell(busy(1)).presented(), [(call(1), agent(2))], "not the first one again");
    assert_eq!(floor.tell(busy(2)).presented(), [(call(1), agent(0))], "after the last one it begins anew");
}

#[test]
fn lots_are_as_likely_as_their_weights() {
    let draws = |strategy| {
        let mut floor = floor(strategy, 4, |support| {
            support.members.iter_mut().zip([1, 2, 3, 4]).for_each(|(member, weight)| member.weight = weight);
        });
        let (mut won, mut last) = ([0u32; 4], None);
        for number in 1..=10_000 {
            floor.enter(number, "support");
            let who = only_phone(&mut floor);
            floor.answer(who, number).pass(10);
            // Whoever was drawn is missing in the next draw, so that the others hold their lots for long and short times.
            if let Some((who, of)) = last.replace((who, number)) {
                floor.end(who, of);
            }
            won[who] += 1;
        }
        won
    };
    let near = |won: [u32; 4], shares: [f64; 4]| {
        let parts = won.iter().zip(shares).map(|(won, share)| (f64::from(*won) - share * 1e4).powi(2) / (share * 1e4));
        let chi: f64 = parts.sum();
        assert!(chi < 16.27, "chi-squared {chi} of 3 degrees of freedom is beyond 99.9 %: {won:?}");
    };
    // Without whoever was drawn last, draws are a chain whose long-run shares are as w (W - w), W being the sum of the weights.
    near(draws(Strategy::Random), [0.25; 4]);
    near(draws(Strategy::WeightedRandom), [9.0, 16.0, 21.0, 24.0].map(|part| part / 70.0));
}

#[test]
fn thresholds_relax_by_steps_of_exactly_the_wait() {
    // Proficiencies are 0, 20, 40, 60 and 80.
    let mut floor = floor(Strategy::LongestIdle, 5, |support| {
        let billing = |least: u8| BTreeMap::from([("billing".to_owned(), least)]);
        support.required = billing(70);
        let step = |after_ms, least| Relaxation { after_ms, required: billing(least), tier: 255 };
        support.relax = vec![step(10_000, 50), step(20_000, 20)];
    });
    assert_eq!(floor.enter(1, "support").presented(), [(call(1), agent(4))]);
    floor.answer(4, 1);
    assert_eq!(floor.enter(2, "support").pass(9_999).presented(), []);
    floor.pass(1);
    assert_eq!(reasons(&mut floor), ["agent 1004: idle 14 s, ring 1, skill billing 60 ≥ 50"]);
    floor.answer(3, 2).enter(3, "support").pass(10_000).enter(4, "support").take();
    // Agent 1 may take the third caller only after 20 s, agent 4 any: the first in line.
    floor.end(4, 1);
    let free = "agent 1005 free: caller waited 10 s, priority 0, first of 2 waiting, skill billing 80 ≥ 50";
    assert_eq!(reasons(&mut floor), [free]);
    floor.answer(4, 3);
    assert_eq!(floor.pass(10_000).enter(5, "support").presented(), []);
    // At 20 s somebody with 20 will do: who has been idle longest of the two.
    assert_eq!(floor.pass(10_000).presented(), [(call(4), agent(2))]);
}

#[test]
fn a_higher_tier_is_called_only_where_the_lower_ones_are_not_free() {
    let mut floor = floor(Strategy::LongestIdle, 3, |support| {
        support.members[1].tier = 2;
        support.members[2].tier = 1;
        support.tier = 1;
        support.relax = vec![Relaxation { after_ms: 5_000, required: BTreeMap::new(), tier: 2 }];
    });
    assert_eq!(floor.enter(1, "support").enter(2, "support").presented(), [(call(1), agent(0)), (call(2), agent(2))]);
    assert_eq!(floor.enter(3, "support").pass(4_999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(3), agent(1))]);
}

#[test]
fn a_caller_waits_for_the_own_agent_as_long_as_is_said() {
    let mut floor = floor(Strategy::LongestIdle, 3, |_| {});
    let mine = |number: u64, wait_ms, floor: &mut Floor| {
        let (queue, entered_wall_ms) = (queue("support"), floor.now.wall_ms);
        let prefer = Some(Preference { agent: agent(0), wait_ms });
        floor.tell(Input::CallerEntered {
            call: call(number),
            queue,
            priority: 0,
            entered_wall_ms,
            wishes: Vec::new(),
            prefer,
            stays: false,
        });
        floor.presented()
    };
    assert_eq!(mine(1, 0, &mut floor), [(call(1), agent(0))], "not the longest idle");
    floor.answer(0, 1);
    assert_eq!(mine(2, 0, &mut floor), [(call(2), agent(2))], "no wait for who is busy");
    assert_eq!(mine(3, 5_000, &mut floor), []);
    assert_eq!(floor.pass(4_999).presented(), [], "agent 1 is free, and not the one");
    floor.end(0, 1);
    assert_eq!(reasons(&mut floor), ["agent 1001: the caller's own, waited 4 s"]);
    floor.answer(0, 3);
    assert_eq!(mine(4, 5_000, &mut floor), []);
    assert_eq!(floor.pass(5_000).presented(), [(call(4), agent(1))], "then anybody will do");
    assert_eq!(mine(5, 5_000, &mut floor), []);
    floor.tell(Input::AgentSignedOut { agent: agent(0) }).end(0, 3).take();
    floor.answer(1, 4).end(1, 4);
    assert_eq!(floor.presented(), [(call(5), agent(1))], "who signs out is waited for no longer");
}

#[test]
fn queues_that_share_agents_spread_their_calls_evenly() {
    let names = ["a", "b", "c"];
    for strategy in [Strategy::LongestIdle, Strategy::RoundRobin, Strategy::FewestCalls, Strategy::Random] {
        let queues = names.map(|name| QueueSettings { strategy, acw_ms: 0, ..queue_settings(name, 0..6) });
        let agents = (0..6).map(agent_settings).collect();
        let mut floor = Floor::of(Settings { agents, queues: queues.into(), ageing: Ageing::default() });
        for number in 0..6 {
            floor.sign_in(number).pass(1);
        }
        floor.take();
        let mut answered = [0u32; 6];
        for number in 1..=1_080u64 {
            floor.enter(number, names[(number % 3) as usize]);
            let who = only_phone(&mut floor);
            floor.answer(who, number).pass(1_000).end(who, number).pass(10);
            answered[who] += 1;
        }
        // Even within five standard deviations where lots are drawn, exactly where not.
        let slack = if strategy == Strategy::Random { 61 } else { 0 };
        assert!(answered.iter().all(|calls| calls.abs_diff(180) <= slack), "{strategy}: {answered:?}");
    }
}
