//! Dialplan files, checked into a program that a cursor runs.
//!
//! Texts go in, and either a whole [`Program`] or every [`Problem`] at once comes out; nothing loads half.

mod act;
mod catalogue;
mod check;
mod cursor;
mod hours;
mod load;
mod program;
mod report;
mod steps;
pub mod table;

pub use act::{Act, CallFacts, CursorInput, FloorView};
pub use catalogue::Catalogue;
pub use cursor::Cursor;
pub use hours::Hours;
pub(crate) use load::expand_range;
pub use load::{Surroundings, load};
pub use program::{Action, AgentChange, Ask, Flow, Overflow, Program, Prompt, Queue, Step, StepRef};
pub(crate) use report::suggest;
pub use report::{Place, Problem, Report, Source};
