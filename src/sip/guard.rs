//! Who guesses passwords or scans is slowed, and then ignored for a while. Trunks are never; a source that has proved a password
//! lately only for wrong ones.
//!
//! A source address can be forged in a datagram, so what needs no answer of ours weighs little and costs a proven source nothing;
//! only who has read our challenge can be wrong about it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::time::{MS, Now};

/// How much a wrong answer to a challenge weighs; everything else weighs one.
const WRONG_ANSWER: u32 = 10;
/// Challenges that a source gets at once, and how often one more comes (ms).
const BURST: u64 = 20;
const REFILL_MS: u64 = 500;
/// How long a source that has proved a password is trusted, ms.
const TRUST_MS: u64 = 3_600_000;
/// Sources that are remembered. With more, new ones are neither slowed nor banned until there is room.
const MOST: usize = 10_000;
/// How often room is looked for, ms: a look at all of them must not become a cost of each message.
const TIDY_MS: u64 = 1_000;

/// How a [`Guard`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Weight within `window_ms` at which a source is banned: five wrong answers or fifty of anything else in the usual case.
    pub strikes: u32,
    /// Milliseconds after which strikes are forgotten.
    pub window_ms: u64,
    /// Milliseconds for which a source is ignored; 0 where none is.
    pub ban_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { strikes: 50, window_ms: 60_000, ban_ms: 600_000 }
    }
}

/// What a source did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Answered a challenge of ours with a wrong password.
    WrongAnswer,
    /// Asked without a password, or sent what cannot be read.
    Probe,
}

/// A source that is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Its address.
    pub address: IpAddr,
    /// Until when, wall milliseconds.
    pub until_ms: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    strikes: u32,
    /// When the strikes are forgotten (monotonic ns, as all that follow).
    window_end_ns: u64,
    /// Challenges that it has had, less what was refilled: when it has its whole burst again.
    full_again_ns: u64,
    trusted_until_ns: u64,
    banned: Option<(u64, i64)>,
}

/// What is known of sources. Bounded by `MOST`.
#[derive(Debug)]
pub struct Guard {
    settings: Settings,
    sources: BTreeMap<IpAddr, Source>,
    tidied_ns: u64,
}

impl Guard {
    /// Nobody is known yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, sources: BTreeMap::new(), tidied_ns: 0 }
    }

    /// Whether what comes from there is to be ignored.
    pub fn is_banned(&self, address: IpAddr, now: Now) -> bool {
        let source = self.sources.get(&address);
        source.and_then(|source| source.banned).is_some_and(|(until, _)| until > now.mono_ns)
    }

    /// Whether a source that has not proved anything gets one more challenge. Who asks faster than that gets none and may ask again.
    pub fn may_challenge(&mut self, address: IpAddr, now: Now) -> bool {
        let Some(source) = self.source(address, now) else { return true };
        if source.trusted_until_ns > now.mono_ns {
            return true;
        }
        let full = source.full_again_ns.max(now.mono_ns).saturating_add(REFILL_MS * MS);
        if full.saturating_sub(now.mono_ns) > BURST * REFILL_MS * MS {
            return false;
        }
        source.full_again_ns = full;
        true
    }

    /// A source proved a password.
    pub fn handle_proof(&mut self, address: IpAddr, now: Now) {
        if let Some(source) = self.source(address, now) {
            *source = Source { trusted_until_ns: now.in_ms(TRUST_MS), banned: source.banned, ..Source::default() };
        }
    }

    /// A source did something that guessers and scanners do; gives the ban where that was once too often.
    pub fn handle_offence(&mut self, address: IpAddr, offence: Offence, now: Now) -> Option<Ban> {
        let Settings { strikes, window_ms, ban_ms } = self.settings;
        let source = self.source(address, now)?;
        let weight = match offence {
            Offence::WrongAnswer => WRONG_ANSWER,
            Offence::Probe if source.trusted_until_ns > now.mono_ns => 0,
            Offence::Probe => 1,
        };
        if source.window_end_ns <= now.mono_ns {
            (source.strikes, source.window_end_ns) = (0, now.in_ms(window_ms));
        }
        source.strikes = source.strikes.saturating_add(weight);
        if source.strikes < strikes || ban_ms == 0 || source.banned.is_some_and(|(until, _)| until > now.mono_ns) {
            return None;
        }
        let until_ms = now.wall_ms.saturating_add(i64::try_from(ban_ms).unwrap_or(i64::MAX));
        *source = Source { banned: Some((now.in_ms(ban_ms), until_ms)), ..Source::default() };
        Some(Ban { address, until_ms })
    }

    /// Ends a ban before its time; `false` where there is none.
    pub fn lift(&mut self, address: IpAddr, now: Now) -> bool {
        self.is_banned(address, now) && self.sources.remove(&address).is_some()
    }

    /// Who is ignored now, by address.
    pub fn bans(&self, now: Now) -> impl Iterator<Item = Ban> {
        let banned = move |(address, source): (&IpAddr, &Source)| {
            let (until, until_ms) = source.banned?;
            (until > now.mono_ns).then_some(Ban { address: *address, until_ms })
        };
        self.sources.iter().filter_map(banned)
    }

    /// What is known of a source; `None` where no more can be remembered.
    fn source(&mut self, address: IpAddr, now: Now) -> Option<&mut Source> {
        let full = self.sources.len() >= MOST && !self.sources.contains_key(&address);
        if full && now.mono_ns >= self.tidied_ns.saturating_add(TIDY_MS * MS) {
            self.tidied_ns = now.mono_ns;
            self.sources.retain(|_, source| source.matters(now));
        }
        if self.sources.len() >= MOST && !self.sources.contains_key(&address) {
            return None;
        }
        Some(self.sources.entry(address).or_default())
    }
}

impl Source {
    fn matters(&self, now: Now) -> bool {
        let banned = self.banned.map_or(0, |(until, _)| until);
        [self.window_end_ns, self.full_again_ns, self.trusted_until_ns, banned].iter().any(|until| *until > now.mono_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const START: Now = Now { mono_ns: 1_000 * MS, wall_ms: 5_000 };

    #[test]
    fn five_wrong_answers_ban_for_ten_minutes() {
        let mut guard = Guard::new(Settings::default());
        for _ in 0..4 {
            assert_eq!(guard.handle_offence(HERE, Offence::WrongAnswer, START), None);
        }
        let ban = Ban { address: HERE, until_ms: 605_000 };
        assert_eq!(guard.handle_offence(HERE, Offence::WrongAnswer, START), Some(ban));
        assert_eq!(guard.handle_offence(HERE, Offence::WrongAnswer, START), None, "told once");
        assert!(guard.is_banned(HERE, START.plus_ms(599_999)) && !guard.is_banned(HERE, START.plus_ms(600_000)));
        assert_eq!(guard.bans(START).collect::<Vec<_>>(), [ban]);
        assert!(guard.lift(HERE, START) && !guard.lift(HERE, START) && !guard.is_banned(HERE, START));
    }

    #[test]
    fn strikes_are_forgotten_after_a_minute_and_by_a_proof() {
        let mut guard = Guard::new(Settings::default());
        for minute in 0..10 {
            for _ in 0..4 {
                assert_eq!(guard.handle_offence(HERE, Offence::WrongAnswer, START.plus_ms(minute * 60_000)), None);
            }
        }
        let later = START.plus_ms(9 * 60_000);
        guard.handle_proof(HERE, later);
        assert_eq!(guard.handle_offence(HERE, Offence::WrongAnswer, later), None);
    }

    #[test]
    fn a_scanner_is_slowed_and_then_banned_and_a_proven_source_is_neither() {
        let mut guard = Guard::new(Settings::default());
        let granted = (0..100).filter(|_| guard.may_challenge(HERE, START)).count();
        assert_eq!(granted, 20);
        assert!(!guard.may_challenge(HERE, START.plus_ms(499)) && guard.may_challenge(HERE, START.plus_ms(500)));
        let banned = (0..60).find_map(|n| guard.handle_offence(HERE, Offence::Probe, START).map(|_| n));
        assert_eq!(banned, Some(49));

        let proven = IpAddr::from([192, 0, 2, 2]);
        guard.handle_proof(proven, START);
        assert!((0..1_000).all(|_| guard.may_challenge(proven, START)));
        assert!((0..1_000).all(|_| guard.handle_offence(proven, Offence::Probe, START).is_none()));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_makes_room() {
        let mut guard = Guard::new(Settings::default());
        for number in 0..20_000u32 {
            guard.handle_offence(IpAddr::V4(number.into()), Offence::Probe, START);
        }
        assert_eq!(guard.sources.len(), MOST);
        guard.handle_offence(HERE, Offence::Probe, START.plus_ms(60_000));
        assert_eq!(guard.sources.len(), 1);
    }
}
