//! Asterisk's `extensions.conf` and `queues.conf`.

mod apps;
mod ask;
mod branch;
mod conf;
mod contexts;
mod numbers;
mod queues;
mod walk;

use std::collections::BTreeMap;

use super::draft::{Plan, Wishes};
use super::{Imported, finish};
use crate::dialplan::{Report, Source};
use contexts::Contexts;
use walk::Walk;

/// Makes a plan of a dialplan and, where there is one, of the file of queues.
pub fn asterisk(extensions: &Source, queues: Option<&Source>, wishes: &Wishes) -> Imported {
    let mut report = Report::default();
    let contexts = Contexts::read(extensions, &mut report);
    let (mut plan, mut agents) = (Plan::default(), BTreeMap::new());
    if let Some(source) = queues {
        (plan.queues, agents) = queues::read(source, contexts.speaks(&wishes.language), &mut report);
    }
    let plan = Walk::new(&contexts, plan, wishes, &mut report).run();
    finish(plan, &agents, &extensions.file, wishes, report)
}
