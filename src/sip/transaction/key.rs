//! What a message is matched to its transaction by (RFC 3261 §17.1.3 and §17.2.3).

use crate::sip::message::{Message, Method};

/// Names one transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionKey {
    /// One of ours: the branch is our own.
    Client {
        /// The top Via's branch.
        branch: String,
        /// The method of CSeq.
        method: Method,
    },
    /// One of a peer that writes unique branches.
    Server {
        /// The top Via's branch.
        branch: String,
        /// The top Via's host and port.
        sent_by: String,
        /// The method; an ACK looks for its INVITE.
        method: Method,
    },
    /// One of a peer of RFC 2543, without the cookie in its branch.
    Old {
        /// The top Via as a whole.
        via: String,
        /// The From tag.
        from_tag: String,
        /// The Call-ID.
        call_id: String,
        /// The number of CSeq.
        number: u32,
        /// The method; an ACK looks for its INVITE.
        method: Method,
    },
}

/// What two copies of one request share that came by different ways (RFC 3261 §8.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MergeKey {
    from_tag: String,
    call_id: String,
    number: u32,
    method: Method,
}

impl TransactionKey {
    /// The key of a request that came to us; `None` where identifying headers cannot be read.
    pub fn of_request(request: &Message) -> Option<Self> {
        let via = request.via().ok()?;
        let method = request.method()?.clone();
        if let Some(branch) = via.unique_branch() {
            return Some(Self::Server { branch: branch.to_ascii_lowercase(), sent_by: via.sent_by(), method });
        }
        let from_tag = request.from().ok()?.tag().unwrap_or_default().to_owned();
        let call_id = request.call_id()?.to_owned();
        Some(Self::Old { via: via.to_string(), from_tag, call_id, number: request.cseq().ok()?.number, method })
    }

    /// The key of the transaction of ours that a response belongs to, or that a request of ours starts.
    pub fn of_ours(message: &Message) -> Option<Self> {
        let branch = message.via().ok()?.unique_branch()?.to_ascii_lowercase();
        Some(Self::Client { branch, method: message.cseq().ok()?.method })
    }

    /// The key of the INVITE that an ACK or CANCEL with this key means.
    pub fn of_invite(&self) -> Self {
        let mut key = self.clone();
        match &mut key {
            Self::Client { method, .. } | Self::Server { method, .. } | Self::Old { method, .. } => {
                *method = Method::Invite;
            }
        }
        key
    }
}

impl MergeKey {
    /// `None` for a request inside a dialog, and where the sender gave no tag.
    pub fn of(request: &Message) -> Option<Self> {
        if request.to().ok()?.tag().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?;
        let from_tag = request.from().ok()?.tag()?.to_owned();
        Some(Self { from_tag, call_id: request.call_id()?.to_owned(), number: cseq.number, method: cseq.method })
    }
}
