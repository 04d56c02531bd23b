//! What the endpoint waits for: the ends of transactions, and deadlines.

use crate::id::{LegId, TrunkId};
use crate::sip::invite::Act;
use crate::sip::message::Message;
use crate::sip::subscription::SubscriptionId;
use crate::sip::transaction::TransactionKey;

/// Why a transaction is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Purpose {
    /// A peer's INVITE that made this leg and has no final response.
    Offered(LegId),
    /// Our INVITE.
    Dialled(LegId),
    /// Our INVITE that another one has taken the place of, and whether it was cancelled.
    Abandoned { cancelled: bool },
    /// Our request within a dialog; `kept` is what is sent again with the answer to a challenge.
    Within { leg: LegId, act: Act, kept: Option<Box<Message>> },
    /// Our OPTIONS to a contact, and whether a proxy stands between.
    Qualify { aor: String, uri: String, by_proxy: bool },
    /// Our OPTIONS to a target of a trunk, by its place in the list.
    Probe(TrunkId, usize),
    /// Our NOTIFY to a subscriber.
    Notified(SubscriptionId),
    /// Our REGISTER for the registration of this name.
    Registering(String),
}

/// Deadlines of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Timer {
    /// When to send a 2xx again that was not acknowledged.
    Repeat(LegId),
    /// When to give up on an INVITE that was cancelled and got no final response.
    CancelPatience(LegId),
    /// When to forget an abandoned INVITE that was cancelled and got no final response.
    Abandoned(TransactionKey),
    /// When to send a reliable provisional response again that was not acknowledged.
    Provisional(LegId),
    /// When to make an offer that had to wait.
    Modify(LegId),
    /// When to refresh a session, or to give it up.
    Refresh(LegId),
    /// When to try the next way of a call, because the present one says nothing.
    WayPatience(LegId),
    /// When to ask a trunk's target again, or no longer to wait for its answer.
    Probe(TrunkId, usize),
    /// When a subscription ends that was not refreshed.
    Subscription(SubscriptionId),
    /// When to register again, by the registration's name.
    Register(String),
}
