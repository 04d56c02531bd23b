//! Subscriptions to what users' phones are doing and to their messages (RFC 6665): packages, what they tell, and the table of them.

mod dialog_info;
mod summary;
mod table;

pub use dialog_info::{Direction, Phase, WatchedDialog};
pub use summary::Messages;
pub(in crate::sip) use table::{MAX_IN_ALL, MAX_OF_USER, Subscription, Subscriptions};

/// The packages that we serve, for Allow-Events.
pub(in crate::sip) const ALLOW_EVENTS: &str = "dialog, message-summary";

/// Names a subscription for as long as the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionId(pub(in crate::sip) u64);

/// What can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    /// The calls of a user (RFC 4235).
    Dialog,
    /// The messages that wait for a user (RFC 3842).
    MessageSummary,
}

impl Package {
    /// The package that an Event header names; its parameters make no difference to what is told.
    pub fn of_event(value: &str) -> Option<Self> {
        match value.split(';').next().unwrap_or_default().trim() {
            "dialog" => Some(Self::Dialog),
            "message-summary" => Some(Self::MessageSummary),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
        }
    }

    /// What its NOTIFYs carry.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
        }
    }
}

/// What is to be told of a user: all of it, never a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Every call of the user's phones.
    Dialogs(Vec<WatchedDialog>),
    /// The messages that wait.
    Messages(Messages),
}

/// The value of Event that NOTIFYs repeat: the package, and the `id` by which the subscriber tells its subscriptions apart.
pub(in crate::sip) fn event_of(package: Package, value: &str) -> String {
    let id = value.split(';').skip(1).map(str::trim).find(|param| param.starts_with("id="));
    id.map_or_else(|| package.name().to_owned(), |id| format!("{};{id}", package.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_package_and_the_id_comes_back() {
        for (value, package, event) in [
            ("dialog", Package::Dialog, "dialog"),
            ("dialog;sla;id=7", Package::Dialog, "dialog;id=7"),
            ("message-summary ; id=a", Package::MessageSummary, "message-summary;id=a"),
        ] {
            assert_eq!(Package::of_event(value), Some(package));
            assert_eq!(event_of(package, value), event);
        }
        assert_eq!(Package::of_event("presence"), None);
        assert_eq!(Package::of_event("dialog.winfo"), None);
        assert!(ALLOW_EVENTS.split(", ").all(|name| Package::of_event(name).is_some()));
    }
}
