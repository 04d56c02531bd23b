//! What the floor's settings say about agents and queues.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{AgentId, QueueId};
use crate::journal::Strategy;

/// Agents, queues and how a wait is weighed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Every agent, in the order that breaks ties of equal idle time.
    pub agents: Vec<AgentSettings>,
    /// Every queue.
    pub queues: Vec<QueueSettings>,
    /// How priority and waiting add up.
    pub ageing: Ageing,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSettings {
    /// The agent.
    pub id: AgentId,
    /// Skill → proficiency, 1–100.
    pub skills: BTreeMap<String, u8>,
    /// After-call work (ms) whatever the queue; 0 for none, as the queue says where `None`.
    pub acw_ms: Option<u64>,
    /// How many calls the agent takes at once, 1 at least.
    pub capacity: u8,
}

impl AgentSettings {
    /// An agent without skills who takes one call at a time, with after-call work as the queues say.
    pub fn named(id: AgentId) -> Self {
        Self { id, skills: BTreeMap::new(), acw_ms: None, capacity: 1 }
    }
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// The queue.
    pub id: QueueId,
    /// Who may be called for it, in the order that strategies by place go by; whoever is named twice counts as named first.
    pub members: Vec<Member>,
    /// Whom of several free agents a caller gets.
    pub strategy: Strategy,
    /// How long a phone may ring, and how long a reservation may stay without ringing (ms each).
    pub ring_timeout_ms: u64,
    /// After how long one more phone rings, by [`Strategy::RingProgressively`] (ms).
    pub ring_more_ms: u64,
    /// What becomes of agents who do not take a call.
    pub untaken: Untaken,
    /// After-call work (ms); 0 for none.
    pub acw_ms: u64,
    /// The longest wait (ms). A phone that rings at that instant may ring on.
    pub max_wait_ms: Option<u64>,
    /// Further queues that a caller who entered here is added to, by time.
    pub overflow: Vec<OverflowStep>,
    /// How many callers may wait at once, those whose agent's phone rings included; further ones are refused.
    pub capacity: Option<u32>,
    /// Who has to be there for a caller to join, one who is to be called back aside.
    pub join_needs: Needs,
    /// Who has to be there, in one of the queues in which a caller waits who entered here, for him or her to go on waiting.
    pub wait_needs: Needs,
    /// The longest wait (ms) that may be expected of whoever joins.
    pub max_expected_ms: Option<u64>,
    /// The longest further wait (ms) that may be expected of whoever waits, looked at every ten seconds.
    pub leave_expected_ms: Option<u64>,
    /// Skill → least proficiency that a member needs for this queue.
    pub required: BTreeMap<String, u8>,
    /// The highest tier that is called at first.
    pub tier: u8,
    /// What is asked of members once a caller has waited; who qualified before still does. At most 255 steps count.
    pub relax: Vec<Relaxation>,
}

impl QueueSettings {
    /// A queue without members: longest idle, rings 15 s, no after-call work, no limits.
    pub fn named(id: QueueId) -> Self {
        Self {
            id,
            members: Vec::new(),
            strategy: Strategy::LongestIdle,
            ring_timeout_ms: 15_000,
            ring_more_ms: 5_000,
            untaken: Untaken::default(),
            acw_ms: 0,
            max_wait_ms: None,
            overflow: Vec::new(),
            capacity: None,
            join_needs: Needs::Nobody,
            wait_needs: Needs::Nobody,
            max_expected_ms: None,
            leave_expected_ms: None,
            required: BTreeMap::new(),
            tier: u8::MAX,
            relax: Vec::new(),
        }
    }
}

/// Who of a queue's members has to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Needs {
    /// Nobody.
    #[default]
    Nobody,
    /// One who is signed in, "not ready" or not.
    SignedIn,
    /// One who is signed in and not "not ready", busy or not.
    Ready,
}

/// After how long an agent who did not take a call gets calls again (ms each); not before saying so where `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untaken {
    /// After the phone rang out.
    pub no_answer_ms: Option<u64>,
    /// After how many calls in a row that rang out the agent has to say so all the same; never where `None`.
    pub most: Option<u32>,
    /// After the phone was busy.
    pub busy_ms: Option<u64>,
    /// After the agent refused.
    pub rejected_ms: Option<u64>,
}

/// One who may be called for a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The agent.
    pub agent: AgentId,
    /// Lower tiers are called first, higher ones only while no one of a lower tier is free. What Asterisk calls a penalty and
    /// FreeSWITCH a level.
    pub tier: u8,
    /// How likely the agent is, by [`Strategy::WeightedRandom`]; at least 1.
    pub weight: u8,
}

impl From<AgentId> for Member {
    /// In the first tier, as likely as everybody.
    fn from(agent: AgentId) -> Self {
        Self { agent, tier: 0, weight: 1 }
    }
}

/// "After `after_ms`, this is asked instead."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relaxation {
    /// Milliseconds after the caller entered.
    pub after_ms: u64,
    /// Skill → least proficiency.
    pub required: BTreeMap<String, u8>,
    /// The highest tier that is called.
    pub tier: u8,
}

/// "After `after_ms`, wait in `to` as well."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverflowStep {
    /// Milliseconds after the caller entered.
    pub after_ms: u64,
    /// The queue to add; the caller keeps the place in the former ones, and the time waited counts in the new one.
    pub to: QueueId,
}

/// Score of a caller = `base` × priority class + `rate` × seconds waited; the highest is served first.
///
/// All callers age at the same rate, so the order of two never changes while they wait, and nobody starves while
/// `rate` > 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ageing {
    /// Points for each priority class.
    pub base: u32,
    /// Points for each second of waiting; 0 makes the classes strict.
    pub rate: u32,
}

impl Default for Ageing {
    /// A class is worth five minutes of waiting.
    fn default() -> Self {
        Self { base: 300, rate: 1 }
    }
}

/// Settings that contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// Two agents of one name.
    #[error("agent \"{0}\" is defined twice: remove one definition")]
    AgentTwice(AgentId),
    /// Two queues of one name.
    #[error("queue \"{0}\" is defined twice: remove one definition")]
    QueueTwice(QueueId),
    /// A member that is no agent.
    #[error("queue \"{queue}\" has the member \"{agent}\", who is no agent: define the agent or remove the member")]
    UnknownMember {
        /// The queue.
        queue: QueueId,
        /// The member.
        agent: AgentId,
    },
    /// An overflow to nowhere.
    #[error("queue \"{queue}\" overflows to \"{to}\", which is no queue: define it or remove the step")]
    UnknownOverflow {
        /// The queue.
        queue: QueueId,
        /// Where it should overflow to.
        to: QueueId,
    },
}

impl Settings {
    /// Every contradiction, in the order of the settings; empty when they are sound.
    pub fn faults(&self) -> Vec<BadSettings> {
        let mut faults = Vec::new();
        let mut agents = BTreeSet::new();
        for agent in &self.agents {
            if !agents.insert(&agent.id) {
                faults.push(BadSettings::AgentTwice(agent.id.clone()));
            }
        }
        let mut queues = BTreeSet::new();
        for queue in &self.queues {
            if !queues.insert(&queue.id) {
                faults.push(BadSettings::QueueTwice(queue.id.clone()));
            }
        }
        for queue in &self.queues {
            for member in queue.members.iter().filter(|member| !agents.contains(&member.agent)) {
                let (queue, agent) = (queue.id.clone(), member.agent.clone());
                faults.push(BadSettings::UnknownMember { queue, agent });
            }
            for step in queue.overflow.iter().filter(|step| !queues.contains(&step.to)) {
                faults.push(BadSettings::UnknownOverflow { queue: queue.id.clone(), to: step.to.clone() });
            }
        }
        faults
    }
}
