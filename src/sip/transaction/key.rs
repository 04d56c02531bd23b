//! What a message is matched to its transaction by (RFC 3261 §17.1.3 and §17.2.3).

use std::sync::Arc;

use crate::sip::message::{Message, Method};

/// Names one transaction. Copies of it cost a counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionKey {
    /// One of ours: the branch is our own.
    Client {
        /// The top Via's branch, in lower case.
        branch: Arc<str>,
        /// The method of CSeq.
        method: Method,
    },
    /// One of a peer's.
    Server {
        /// The top Via's branch and sent-by in lower case; of a peer of RFC 2543, without the cookie in its branch, the top Via as a
        /// whole, the From tag, the Call-ID and the number of CSeq. A line each.
        id: Arc<str>,
        /// The method; an ACK looks for its INVITE.
        method: Method,
    },
}

/// What two copies of one request share that came by different ways (RFC 3261 §8.2.2.2): From tag, Call-ID and CSeq.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MergeKey(Arc<str>);

impl TransactionKey {
    /// The key of a request that came to us; `None` where identifying headers cannot be read.
    pub fn of_request(request: &Message) -> Option<Self> {
        let via = request.via().ok()?;
        let method = request.method()?.clone();
        if let Some(branch) = via.unique_branch() {
            let mut id = String::with_capacity(branch.len().saturating_add(via.host.len()).saturating_add(8));
            id.push_str(branch);
            id.push('\n');
            via.write_sent_by(&mut id);
            id.make_ascii_lowercase();
            return Some(Self::Server { id: id.into(), method });
        }
        let (tag, call_id) = (request.from_tag().unwrap_or_default(), request.call_id()?);
        let id = format!("{via}\n{tag}\n{call_id}\n{}", request.cseq().ok()?.number);
        Some(Self::Server { id: id.into(), method })
    }

    /// The key of the transaction of ours that a response belongs to, or that a request of ours starts.
    pub fn of_ours(message: &Message) -> Option<Self> {
        let branch = message.via().ok()?.unique_branch()?.to_ascii_lowercase();
        Some(Self::Client { branch: branch.into(), method: message.cseq().ok()?.method })
    }

    /// The key of the INVITE that an ACK or CANCEL with this key means.
    pub fn of_invite(&self) -> Self {
        let mut key = self.clone();
        match &mut key {
            Self::Client { method, .. } | Self::Server { method, .. } => *method = Method::Invite,
        }
        key
    }
}

impl MergeKey {
    /// `None` for a request inside a dialog, and where the sender gave no tag.
    pub fn of(request: &Message) -> Option<Self> {
        if request.to_tag().is_some() {
            return None;
        }
        let (tag, call_id, cseq) = (request.from_tag()?, request.call_id()?, request.cseq().ok()?);
        Some(Self(format!("{tag}\n{call_id}\n{} {}", cseq.number, cseq.method).into()))
    }
}
