//! A line of `queue_log`, as Asterisk writes it and QueueMetrics reads it.

use std::fmt;

use crate::id::{AgentId, CallId, QueueId};
use crate::records::Wall;

/// One line: `epoch|callid|queue|agent|EVENT|data…`. What a line is not about is `NONE` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLogLine {
    /// When; seconds are written.
    pub at: Wall,
    /// The call.
    pub call: Option<CallId>,
    /// The queue.
    pub queue: Option<QueueId>,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The event by Asterisk's name for it.
    pub event: &'static str,
    /// What Asterisk documents as its parameters, in that order.
    pub data: Vec<String>,
}

impl fmt::Display for QueueLogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "NONE".to_owned();
        let call = self.call.map_or_else(none, |call| call.to_string());
        let queue = self.queue.as_ref().map_or_else(none, |queue| field(queue.as_str()));
        let agent = self.agent.as_ref().map_or_else(none, |agent| field(agent.as_str()));
        write!(f, "{}|{call}|{queue}|{agent}|{}", self.at.0.div_euclid(1_000), self.event)?;
        self.data.iter().try_for_each(|data| write!(f, "|{}", field(data)))
    }
}

/// What a caller sends must neither end a field nor a line.
fn field(text: &str) -> String {
    text.chars().map(|c| if c == '|' || c.is_control() { '_' } else { c }).collect()
}
