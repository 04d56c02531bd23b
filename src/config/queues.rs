//! From the queues of a checked plan to what the ACD wants to know.

use crate::acd;
use crate::dialplan::{Needs, Program, Queue};
use crate::id::{AgentId, QueueId};

/// Every queue of the plan.
pub fn acd_queues(program: &Program) -> Vec<acd::QueueSettings> {
    program.queues().iter().map(|(name, queue)| acd_queue(name, queue)).collect()
}

fn acd_queue(name: &str, queue: &Queue) -> acd::QueueSettings {
    let member = |member: &String| acd::Member {
        agent: AgentId::from(member.as_str()),
        tier: queue.tiers.get(member).copied().unwrap_or(0),
        weight: queue.weights.get(member).copied().unwrap_or(1),
    };
    let overflow = queue.overflow.iter().map(|step| acd::OverflowStep { after_ms: step.after_ms, to: step.to.clone() });
    let relax = queue.relax.iter().map(|step| acd::Relaxation {
        after_ms: step.after_ms,
        required: step.skills.clone(),
        tier: step.tier,
    });
    acd::QueueSettings {
        id: QueueId::from(name),
        members: queue.members.iter().map(member).collect(),
        strategy: queue.strategy,
        ring_timeout_ms: queue.ring_ms,
        ring_more_ms: queue.ring_more_ms,
        untaken: acd::Untaken {
            no_answer_ms: queue.untaken.no_answer_ms,
            most: queue.untaken.most,
            busy_ms: queue.untaken.busy_ms,
            rejected_ms: queue.untaken.rejected_ms,
        },
        acw_ms: queue.acw_ms,
        max_wait_ms: queue.max_wait_ms,
        overflow: overflow.collect(),
        capacity: queue.capacity,
        join_needs: needs(queue.join_needs),
        wait_needs: needs(queue.wait_needs),
        max_expected_ms: queue.max_expected_ms,
        leave_expected_ms: queue.leave_expected_ms,
        required: queue.skills.clone(),
        tier: queue.tier,
        relax: relax.collect(),
    }
}

fn needs(needs: Needs) -> acd::Needs {
    match needs {
        Needs::Nobody => acd::Needs::Nobody,
        Needs::SignedIn => acd::Needs::SignedIn,
        Needs::Ready => acd::Needs::Ready,
    }
}
