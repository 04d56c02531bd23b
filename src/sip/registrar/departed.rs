//! Phones that have taken their contacts away: a REGISTER of theirs that was overtaken on its way must not bring them back, though
//! no binding is left whose CSeq would tell (RFC 3261 §10.3, step 7).

use std::collections::{BTreeMap, VecDeque};

use super::register::RegisterRequest;
use crate::time::Now;

/// How long a request may be on its way, ms: as long as its client sends it again (RFC 3261 §17.1.2.2, timer F).
const OVERTAKEN_MS: u64 = 32_000;
/// Phones that are remembered at most.
const MOST: usize = 4_096;

/// Address of record and Call-ID.
type Key = (String, String);

/// Who has gone a while ago.
#[derive(Default)]
pub(super) struct Departed {
    /// The last CSeq of each, and until when it counts (monotonic nanoseconds).
    last: BTreeMap<Key, (u32, u64)>,
    /// The oldest first; one who goes again is there twice.
    order: VecDeque<Key>,
}

impl Departed {
    /// This request has taken contacts away.
    pub(super) fn remember(&mut self, request: &RegisterRequest, now: Now) {
        let key = (request.aor.clone(), request.call_id.clone());
        self.last.insert(key.clone(), (request.cseq, now.in_ms(OVERTAKEN_MS)));
        self.order.push_back(key);
        while let Some(oldest) = self.order.front() {
            let over = self.last.get(oldest).is_none_or(|(_, until_ns)| *until_ns <= now.mono_ns);
            if !over && self.order.len() <= MOST {
                break;
            }
            if let Some(oldest) = self.order.pop_front() {
                self.last.remove(&oldest);
            }
        }
    }

    /// Whether a later request of the same phone has taken its contacts away.
    pub(super) fn has_overtaken(&self, request: &RegisterRequest, now: Now) -> bool {
        let last = self.last.get(&(request.aor.clone(), request.call_id.clone()));
        last.is_some_and(|(cseq, until_ns)| *cseq >= request.cseq && *until_ns > now.mono_ns)
    }
}
