//! Answers that leave nothing behind (RFC 3261 §8.2.7): a repeat of the request is a new one, and gets the same tag.

use hmac::{Hmac, KeyInit, Mac};
use rand_core::Rng;
use sha2::Sha256;

use super::flow::{Flow, Transmit, reply_flow};
use super::layer::{NoTransaction, Transactions};
use super::{TransactionKey, timers};
use crate::sip::message::{Message, response_to};

/// Makes the tags of such answers, which nobody guesses and which are the same for each copy of a request.
#[derive(Debug)]
pub(super) struct Tags([u8; 32]);

impl Tags {
    /// With a key that is drawn anew at each start.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self(key)
    }

    /// The tag for a request: of what its copies have in common and other requests have not.
    fn tag_of(&self, request: &Message) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        let via = request.via().ok().and_then(|via| via.unique_branch().map(str::to_owned));
        for part in [via.as_deref(), request.call_id(), request.header("From"), request.header("CSeq")] {
            mac.update(part.unwrap_or_default().as_bytes());
            mac.update(b"\n");
        }
        let tag: u64 = mac.finalize().into_bytes().iter().take(8).fold(0, |tag, byte| tag << 8 | u64::from(*byte));
        format!("{tag:016x}")
    }
}

impl Transactions {
    /// The tag in the answer to somebody for whom no transaction is kept.
    pub fn tag_of(&self, request: &Message) -> String {
        self.tags.tag_of(request)
    }

    /// Gives a request its final response and forgets it at once. The response has the tag of [`Self::tag_of`], and nothing may
    /// have been said before: whoever has heard that we try does not ask again.
    ///
    /// # Errors
    /// Where the request is not open.
    pub fn respond_once(&mut self, key: &TransactionKey, response: &Message) -> Result<(), NoTransaction> {
        let entry = self.entries.get(key).ok_or_else(|| NoTransaction(key.clone()))?;
        debug_assert!(entry.armed.iter().all(|(timer, _)| *timer == timers::Timer::Trying), "nothing was said yet");
        let (flow, payload) = (entry.flow, response.to_bytes());
        self.forget(key);
        self.transmits.push_back(Transmit { flow, payload, peer: None });
        Ok(())
    }

    /// Refuses a request that has no transaction.
    pub(super) fn refuse(&mut self, request: &Message, code: u16, reason: &str, source: Flow) {
        let payload = response_to(request, code, reason, Some(&self.tag_of(request))).to_bytes();
        self.transmits.push_back(Transmit { flow: reply_flow(request, source), payload, peer: None });
    }
}
