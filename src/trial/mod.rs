//! Tests of dialplans: a call that a file describes, played through the very plan, ACD and call machine on a virtual clock, and
//! what its record and its steps have to be.
//!
//! [`read`] turns a text into [`Case`]s, [`play`] plays one and gives its [`Course`], [`judge`] says what came otherwise than
//! expected. Nothing of SIP or media is here: phones ring and answer as the case has it, prompts take as long as their files.

mod acts;
mod case;
mod course;
mod dial;
mod diff;
mod judge;
mod junit;
mod phones;
mod play;
mod read;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

pub use case::{Answer, Bounds, Case, Closure, Expected, Given, Other, Person, Phone, Press, When};
pub use course::{Course, Heard, Step};
pub use diff::Line;
pub use judge::{Failure, judge};
pub use junit::junit;
pub use play::{Floor, play};
pub use read::{Known, Suite, plan_of, read};
