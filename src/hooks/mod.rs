//! The outside world over HTTP: questions of dialplans to other systems, and notices of what has happened, which are told until
//! somebody has taken them.
//!
//! Both are POSTs of JSON, signed as <https://www.standardwebhooks.com> says. Neither ever keeps a call or the journal waiting:
//! questions have threads and a bounded backlog of their own, notices follow the journal's files.

mod asker;
mod notice;
mod notifier;
mod post;

pub use asker::{Answer, Asker, Question};
pub use notifier::{Notifier, NotifierStatus};
pub use post::{Key, Poster};

use std::time::Duration;

use crate::journal::NoticeKind;

/// Where something is posted to.
#[derive(Clone)]
pub struct Hook {
    /// Its name in settings and dialplans.
    pub name: String,
    /// The address, `http` or `https`.
    pub url: String,
    /// Signs what is posted; nothing is signed where absent.
    pub key: Option<Key>,
    /// How long an answer to a notice may take.
    pub timeout: Duration,
    /// What is told there.
    pub tells: Vec<NoticeKind>,
}
