//! Dialplan files, checked into a program that a cursor runs.
//!
//! Texts go in, and either a whole [`Program`] or every [`Problem`] at once comes out; nothing loads half.

mod act;
mod action;
mod catalogue;
mod change;
mod check;
mod condition;
mod cursor;
mod customers;
mod decision;
mod difference;
mod graph;
mod hours;
mod inquiry;
mod leads;
mod load;
mod numbers;
mod pattern;
mod program;
mod queues;
mod report;
mod speech;
mod staff;
mod steps;
pub mod table;
mod talk;
mod told;
mod values;
mod volume;

#[cfg(test)]
mod schema_tests;

pub use act::{Act, CallFacts, CallbackWish, CursorInput, DialPlace, FloorView, Question};
pub use action::Action;
pub use catalogue::Catalogue;
pub use change::{AgentChange, RecordChange, Tone};
pub use condition::{Condition, Measure, Test};
pub use cursor::Cursor;
pub use decision::{Decision, Unseated};
pub use difference::differences;
pub use graph::{mermaid, svg};
pub use hours::{Because, Hours};
pub use inquiry::Inquiry;
pub use load::{Agents, Surroundings, includes, is_beside, load};
pub use numbers::{Destination, Numbers};
pub use pattern::Pattern;
pub use program::{CallerRule, Customer, Flow, Music, Needs, Overflow, Program, Prompt, Queue, Step, StepRef, Untaken};
pub(crate) use queues::expand_range;
pub(crate) use report::suggest;
pub use report::{Place, Problem, Report, Severity, Source};
pub use speech::said;
pub use talk::{Ask, Entry, Item, Message, Outside, Prefer, Said, Waiting};
pub(crate) use values::FACTS;
pub use values::{Kind, Variable};
pub(crate) use volume::read_volume;
