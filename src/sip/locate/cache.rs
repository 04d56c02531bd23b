//! What DNS has said.

use std::collections::BTreeMap;

use super::question::{Question, Record, Reply};
use crate::time::Now;

/// Answers that are kept; a further one takes the place of that which runs out first.
const MOST: usize = 4_096;
/// The shortest and longest life of records, ms.
const TTL_MS: (u64, u64) = (1_000, 86_400_000);
/// The shortest, usual and longest time for which there is nothing, ms.
const NOTHING_MS: (u64, u64, u64) = (1_000, 60_000, 300_000);
/// How long a failure is remembered where there is nothing better, ms.
const FAILED_MS: u64 = 5_000;
/// For how long records may be used after their end while DNS does not answer, ms.
const STALE_MS: u64 = 86_400_000;
/// After how long DNS is asked again while such records are used, ms.
const RECHECK_MS: u64 = 30_000;

#[derive(Clone, Debug)]
struct Entry {
    records: Vec<Record>,
    answered_ns: u64,
    fresh_until_ns: u64,
    stale_until_ns: u64,
}

/// Answers by their question.
#[derive(Clone, Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<Question, Entry>,
}

impl Cache {
    /// What holds at `now`, or was answered since `since_ns`: a lookup may use an answer that was its own, however short its life.
    pub(super) fn fresh(&self, question: &Question, since_ns: u64, now: Now) -> Option<&[Record]> {
        let entry = self.entries.get(question)?;
        let holds = entry.fresh_until_ns > now.mono_ns || entry.answered_ns > since_ns;
        holds.then_some(entry.records.as_slice())
    }

    /// What held not too long ago.
    pub(super) fn stale(&self, question: &Question, now: Now) -> Option<&[Record]> {
        let entry = self.entries.get(question)?;
        (entry.stale_until_ns > now.mono_ns).then_some(entry.records.as_slice())
    }

    /// Takes an answer. Says whether records that had run out are used on.
    pub(super) fn put(&mut self, question: Question, reply: Reply, now: Now) -> bool {
        let (records, ttl_ms) = match reply {
            Reply::Found { records, ttl_s } => (records, (u64::from(ttl_s) * 1_000).clamp(TTL_MS.0, TTL_MS.1)),
            Reply::Nothing { ttl_s } => {
                let ttl_ms = ttl_s.map_or(NOTHING_MS.1, |ttl_s| u64::from(ttl_s) * 1_000);
                (Vec::new(), ttl_ms.clamp(NOTHING_MS.0, NOTHING_MS.2))
            }
            Reply::Failed => {
                if let Some(old) = self.entries.get_mut(&question).filter(|old| old.stale_until_ns > now.mono_ns) {
                    old.fresh_until_ns = now.in_ms(RECHECK_MS);
                    return true;
                }
                (Vec::new(), FAILED_MS)
            }
        };
        let stale_ms = if records.is_empty() { 0 } else { STALE_MS };
        let entry = Entry {
            records,
            answered_ns: now.mono_ns,
            fresh_until_ns: now.in_ms(ttl_ms),
            stale_until_ns: now.in_ms(ttl_ms + stale_ms),
        };
        self.entries.insert(question, entry);
        if self.entries.len() > MOST {
            let first = self.entries.iter().min_by_key(|(_, entry)| entry.fresh_until_ns).map(|(key, _)| key.clone());
            first.and_then(|question| self.entries.remove(&question));
        }
        false
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::RecordType;
    use super::*;

    fn question(name: &str) -> Question {
        Question::new(name, RecordType::A)
    }

    fn found(ttl_s: u32) -> Reply {
        Reply::Found { records: vec![Record::Address([192, 0, 2, 1].into())], ttl_s }
    }

    #[test]
    fn answers_hold_as_long_as_they_say_within_limits() {
        let start = Now::default();
        for (reply, holds_ms) in [
            (found(0), 1_000),
            (found(60), 60_000),
            (found(1_000_000), 86_400_000),
            (Reply::Nothing { ttl_s: None }, 60_000),
            (Reply::Nothing { ttl_s: Some(0) }, 1_000),
            (Reply::Nothing { ttl_s: Some(90_000) }, 300_000),
            (Reply::Failed, 5_000),
        ] {
            let (mut cache, asked) = (Cache::default(), question("a.example"));
            cache.put(asked.clone(), reply.clone(), start);
            let at = |ms| cache.fresh(&asked, u64::MAX, start.plus_ms(ms)).is_some();
            assert!(at(holds_ms - 1) && !at(holds_ms), "{reply:?}");
        }
    }

    #[test]
    fn old_records_serve_while_dns_is_silent_and_not_for_ever() {
        let (mut cache, asked, start) = (Cache::default(), question("a.example"), Now::default());
        cache.put(asked.clone(), found(60), start);
        let silent = start.plus_ms(61_000);
        assert_eq!(cache.fresh(&asked, u64::MAX, silent), None);
        assert!(cache.put(asked.clone(), Reply::Failed, silent));
        assert_eq!(cache.fresh(&asked, u64::MAX, silent.plus_ms(29_999)).map(<[_]>::len), Some(1));
        assert_eq!(cache.fresh(&asked, u64::MAX, silent.plus_ms(30_000)), None);
        let late = start.plus_ms(60_000 + STALE_MS);
        assert!(!cache.put(asked.clone(), Reply::Failed, late));
        assert_eq!(cache.fresh(&asked, u64::MAX, late).map(<[_]>::len), Some(0));
        // That a name is gone is an answer, and no reason to use what it had.
        cache.put(asked.clone(), found(60), late);
        cache.put(asked.clone(), Reply::Nothing { ttl_s: Some(1) }, late);
        assert_eq!(cache.stale(&asked, late.plus_ms(1_000)), None);
    }

    #[test]
    fn the_cache_is_bounded_and_lets_go_of_what_ends_first() {
        let (mut cache, now) = (Cache::default(), Now::default());
        cache.put(question("first.example"), found(60), now);
        for number in 0..MOST {
            cache.put(question(&format!("n{number}.example")), found(600), now);
        }
        assert_eq!(cache.len(), MOST);
        assert_eq!(cache.fresh(&question("first.example"), u64::MAX, now), None);
    }
}
