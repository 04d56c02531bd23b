//! After-call work: whose, and how long.

use trunkline::acd::{Ageing, Input, Settings};
use trunkline::journal::AgentState;

use super::{Floor, agent, agent_settings, call, queue_settings};

#[test]
fn acw_is_the_agents_own_and_can_be_extended() {
    let mut agents = vec![agent_settings(0)];
    agents[0].acw_ms = Some(20_000);
    let queues = vec![queue_settings("support", 0..1)];
    let mut floor = Floor::of(Settings { agents, queues, ageing: Ageing::default() });
    let extend = |by_ms| Input::ExtendAcw { agent: agent(0), by_ms };
    floor.sign_in(0).tell(extend(60_000)).enter(1, "support").answer(0, 1).tell(extend(10_000)).end(0, 1);
    let until_ms = floor.now.wall_ms + 30_000;
    assert_eq!(floor.state(0), AgentState::Acw { call: call(1), until_ms });
    floor.pass(29_000).tell(extend(5_000));
    assert_eq!(floor.state(0), AgentState::Acw { call: call(1), until_ms: until_ms + 5_000 });
    assert_eq!(floor.pass(5_999).state(0), AgentState::Acw { call: call(1), until_ms: until_ms + 5_000 });
    assert_eq!(floor.pass(1).state(0), AgentState::Available);
    // What was asked for in one call is not for the next one.
    floor.enter(2, "support").answer(0, 2).end(0, 2);
    let until_ms = floor.now.wall_ms + 20_000;
    assert_eq!(floor.state(0), AgentState::Acw { call: call(2), until_ms });
}
