//! Anything happens on floors where agents take several calls and callers have wishes; each event is looked at.

use std::collections::BTreeMap;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use trunkline::acd::{Acd, Failure, Forced, Input, Output, Preference, Settings, Untaken};
use trunkline::id::{AgentId, CallId};
use trunkline::journal::{AgentState, Decision, Event, LeaveReason, SkillWish, Strategy};

use super::beside::{below, busy_settings};
use super::{START, agent, call, queue};

/// What the journal tells of a floor on which anything happens.
#[derive(Default)]
struct Told {
    /// Who was presented to whom since the last event.
    presented: Vec<(CallId, AgentId, Decision)>,
    /// Calls that each agent has answered since signing in.
    calls: BTreeMap<AgentId, i64>,
    /// What callers wish for good.
    wishes: BTreeMap<CallId, Vec<SkillWish>>,
    states: BTreeMap<(String, u8), AgentState>,
    answered: u64,
    finished: u64,
    most: usize,
}

impl Told {
    fn drain(&mut self, acd: &mut Acd) {
        while let Some(output) = acd.poll_output() {
            match output {
                Output::Journal(Event::AgentChanged { agent, appearance, state }) => {
                    let was = self.states.insert((agent.to_string(), appearance), state.clone());
                    let was = was.unwrap_or(AgentState::Offline);
                    assert_ne!(was, state, "a change that changes nothing");
                    let answers = was.presented().is_some() && matches!(state, AgentState::Talking { .. });
                    *self.calls.entry(agent.clone()).or_default() += i64::from(answers);
                    let mut all = self.states.iter().filter(|((of, _), _)| agent.as_str() == of);
                    if all.all(|(_, state)| *state == AgentState::Offline) {
                        self.calls.remove(&agent);
                    }
                }
                Output::Journal(Event::QueueLeft { reason, .. }) => {
                    self.answered += u64::from(reason == LeaveReason::Answered);
                }
                Output::Journal(Event::AcwEnded { .. }) => self.finished += 1,
                Output::Present { call, agent, why, .. } => self.presented.push((call, agent, why)),
                _ => {}
            }
        }
    }

    /// Who comes gets a member who has what is wished, and nobody in more calls than another such member. True where somebody
    /// was chosen among those who were in calls.
    fn check_choice(&mut self, acd: &Acd, settings: &Settings, input: &Input) -> bool {
        let presented = std::mem::take(&mut self.presented);
        let level = |agent: &AgentId, skill: &str| {
            let agent = settings.agents.iter().find(|known| known.id == *agent);
            agent.and_then(|agent| agent.skills.get(skill)).copied()
        };
        let has = |agent: &AgentId, wish: &SkillWish| level(agent, &wish.skill).is_some_and(|has| has >= wish.least);
        for (call, agent, why) in &presented {
            let all = self.wishes.get(call).into_iter().flatten().all(|wish| has(agent, wish));
            assert!(all || matches!(why, Decision::Preferred { .. }), "{agent} has not what {call} wishes for good");
        }
        let Input::CallerEntered { call, queue, wishes, .. } = input else { return false };
        let Some((_, chosen, why)) = presented.into_iter().find(|(of, ..)| of == call) else { return false };
        let Decision::Strategy { calls, strategy, figure, .. } = why else { return false };
        let fits = |agent: &AgentId| wishes.iter().all(|wish| has(agent, wish));
        assert!(fits(&chosen), "{chosen} has not what is wished: {input:?}");
        let queue = settings.queues.iter().find(|known| known.id == *queue).expect("a queue");
        let talks =
            |agent: &AgentId| acd.view().appearances(agent).filter(|state| state.conversation().is_some()).count();
        // Where tiers relax, who comes later may be freer.
        for member in queue.members.iter().map(|member| &member.agent).filter(|_| queue.relax.is_empty()) {
            let free = acd.view().agent(member).is_some_and(|agent| agent.takes_call);
            let fits = free && fits(member);
            assert!(
                !fits || talks(member) >= usize::from(calls),
                "{chosen} is in {calls} calls, {member} in fewer: {input:?}"
            );
            if strategy == Strategy::FewestCalls && fits && talks(member) == usize::from(calls) {
                let had = self.calls.get(member).copied().unwrap_or_default();
                assert!(had >= figure, "{chosen} has had {figure} calls, {member} {had}: {input:?}");
            }
        }
        calls > 0
    }

    fn compare(&mut self, acd: &Acd) {
        acd.check_invariants().unwrap();
        let handling = self.states.values().filter(|state| state.is_handling()).count() as u64;
        assert_eq!(self.answered, self.finished + handling, "every conversation gives one AcwEnded");
        for seen in acd.view().agents() {
            for (appearance, state) in acd.view().appearances(seen.id).enumerate() {
                let told = self.states.get(&(seen.id.to_string(), appearance as u8));
                assert_eq!(told.unwrap_or(&AgentState::Offline), state, "agent {} appearance {appearance}", seen.id);
            }
            let talks = acd.view().appearances(seen.id).filter(|state| state.conversation().is_some()).count();
            self.most = self.most.max(talks);
        }
    }
}

/// On a calm floor few callers come, so that agents wait for them.
fn draw(acd: &Acd, calm: bool, wall_ms: i64, calls: &mut u64, random: &mut ChaCha12Rng) -> Input {
    let agent = agent(below(random, 14) as usize);
    let about: Vec<_> = acd.view().appearances(&agent).filter_map(AgentState::call).collect();
    let call = match about.len() as u64 {
        0 => call(below(random, *calls + 1)),
        len => about[below(random, len) as usize],
    };
    let reason = "break".to_owned();
    match below(random, 40) {
        0..=9 if calm && below(random, 4) > 0 => Input::AgentAnswered { agent, call },
        0..=9 => {
            *calls += 1;
            let queue = queue(["sales", "support", "vip", "night"][below(random, 4) as usize]);
            let prefer = Preference { agent: agent.clone(), wait_ms: below(random, 3) * 1_500 };
            let prefer = Some(prefer).filter(|_| below(random, 5) == 0);
            let priority = below(random, 3) as i32;
            let for_ms = [None, Some(2_000), Some(6_000)][below(random, 3) as usize];
            let wish = SkillWish { skill: "billing".to_owned(), least: below(random, 10) as u8 * 10, for_ms };
            let wishes: Vec<SkillWish> = Some(wish).filter(|_| below(random, 3) == 0).into_iter().collect();
            Input::CallerEntered {
                call: super::call(*calls),
                queue,
                priority,
                entered_wall_ms: wall_ms,
                wishes,
                prefer,
                stays: false,
            }
        }
        10 => Input::CallerLeft { call },
        11..=14 => Input::PhoneRinging { agent, call },
        15..=20 => Input::AgentAnswered { agent, call },
        21 => Input::AgentFailed { agent, call, why: [Failure::NoAnswer, Failure::Busy][below(random, 2) as usize] },
        22 => Input::Hold { agent, call },
        23 => Input::Resume { agent, call },
        24..=26 => Input::ConversationEnded { agent, call },
        27 if below(random, 2) == 0 => Input::EndAcw { agent },
        27 => Input::ExtendAcw { agent, by_ms: below(random, 2_000) },
        28..=30 => Input::SetAvailable { agent },
        31 => Input::SetNotReady { agent, reason },
        32 => Input::PhoneTaken { agent, call: super::call(2_000_000) },
        33 => Input::PhoneFree { agent, call: super::call(2_000_000) },
        34 => Input::PhoneReach { agent, reachable: below(random, 4) > 0 },
        35..=37 => Input::AgentSignedIn { agent },
        38 => Input::AgentSignedOut { agent },
        _ => Input::Forced {
            agent,
            to: [Forced::Available, Forced::NotReady { reason }, Forced::Offline][below(random, 3) as usize].clone(),
        },
    }
}

#[test]
fn anything_may_happen_where_agents_take_up_to_three_calls_and_callers_have_wishes() {
    let (mut most, mut chosen_beside) = (0, 0);
    // `make soak` plays more of these days as well.
    let seeds = std::env::var("SOAK_SEEDS").map_or(20, |seeds| seeds.parse().expect("a number of seeds"));
    for seed in 0..seeds {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let drawn = |random: &mut ChaCha12Rng| {
            let mut settings = busy_settings(seed as usize);
            settings.agents.iter_mut().for_each(|agent| agent.capacity = 1 + below(random, 3) as u8);
            settings.queues.iter_mut().for_each(|queue| {
                queue.untaken = Untaken { no_answer_ms: Some(1_000), busy_ms: Some(500), ..queue.untaken }
            });
            settings
        };
        let mut settings = drawn(&mut random);
        let mut acd = Acd::new(settings.clone(), [seed as u8; 32]).unwrap();
        let mut told = Told::default();
        let (mut now, mut calls) = (START, 0);
        for step in 1..=5_000 {
            if seed % 2 == 1 && step % 500 == 0 {
                settings = drawn(&mut random);
                acd.reconfigure(settings.clone(), now).unwrap();
                told.drain(&mut acd);
            } else {
                let input = draw(&acd, seed % 4 > 1, now.wall_ms, &mut calls, &mut random);
                told.presented.clear();
                if let Input::CallerEntered { call, wishes, .. } = &input {
                    let good = wishes.iter().filter(|wish| wish.for_ms.is_none()).cloned().collect();
                    told.wishes.insert(*call, good);
                }
                acd.handle(input.clone(), now);
                told.drain(&mut acd);
                chosen_beside += u32::from(told.check_choice(&acd, &settings, &input));
            }
            told.compare(&acd);
            let end = now.plus_ms(below(&mut random, 300));
            while let Some(due) = acd.poll_timeout().filter(|due| *due <= end.mono_ns) {
                now = now.plus_ms(due.saturating_sub(now.mono_ns) / trunkline::time::MS);
                acd.handle_timeout(now);
                told.drain(&mut acd);
                told.compare(&acd);
            }
            now = end;
        }
        most = most.max(told.most);
    }
    assert_eq!(most, 3, "somebody was in three calls at once");
    assert!(chosen_beside > 20, "{chosen_beside} callers went to somebody who was in a call");
}
