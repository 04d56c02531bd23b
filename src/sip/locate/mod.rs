//! Finding the next hop of a request from its URI (RFC 3263 §4): NAPTR, SRV and addresses, cached, with failover.
//!
//! [`Locator::locate`] knows at once where a URI with a numeric host leads, or one whose records are cached. Otherwise
//! [`Locator::poll_question`] says what to ask of DNS, [`Locator::handle_reply`] takes what came of it, and
//! [`Locator::poll_located`] names the hops, best first.
//!
//! What is remembered: records for as long as they say, a second at least and a day at most; that there are none for five minutes at
//! most. While DNS does not answer, records that have run out are used for up to a day more (RFC 8767) and asked for again every
//! half minute; without such records a failure is remembered for five seconds, so that DNS that is down is not asked for every call.
//! Hops that did not answer, or answered 503, come last for half a minute (RFC 3263 §4.3).

mod cache;
mod locator;
mod penalties;
mod question;
mod resolution;
mod weights;

pub use locator::{Counts, Located, Location, Locator, LookupId, NoWay};
pub use question::{Naptr, Question, Record, RecordType, Reply, Srv};
pub use resolution::Hop;

#[cfg(test)]
mod locator_tests;
#[cfg(test)]
mod resolution_tests;
