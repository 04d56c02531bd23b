//! Call records, folded from the journal.
//!
//! [`Folder`] turns entries into one [`CallRecord`] per call; [`AgentsFold`], [`BindingsFold`] and [`DialogsFold`] keep what a
//! restart needs, [`live::LiveFold`] what is going on, and [`QueueLog`] gives the lines of `queue_log`. All of them are plain data: serialised, they are the snapshot.

mod agents;
mod bindings;
mod check;
mod dialogs;
mod folder;
mod heard;
pub mod live;
mod open_call;
#[cfg(test)]
mod property;
mod queue_log;
mod record;
mod wall;

pub use agents::AgentsFold;
pub use bindings::{Binding, BindingsFold};
pub use check::{Inconsistency, check};
pub use dialogs::DialogsFold;
pub use folder::{Folder, OpenCallView};
pub use heard::OpenRecording;
pub use open_call::OpenCall;
pub use queue_log::{QueueLog, QueueLogLine};
pub use record::{CallRecord, Disposition, Joined, KeptOut, Quality, Recording, Segment, Survey, Transfer};
pub use wall::Wall;
