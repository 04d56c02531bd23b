//! Whether a party that should be heard is heard.

use super::report::MediaReport;
use crate::id::LegId;
use crate::time::{MS, Now};

/// A party that sends nothing for so long (milliseconds) is reported as silent.
const SILENT_MS: u64 = 5_000;
/// So many times as much patience has a party whose last packet was comfort noise: it is in a pause, of which nothing more may come
/// until it is over (RFC 3389).
const PAUSE_TIMES: u64 = 6;

/// What has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Heard,
    Silent,
    Lost,
}

/// Watches for one-way sound. RTP is sound; RTCP is only a sign of life: phones that send nothing while their user is quiet go on
/// with their reports.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    leg: LegId,
    due: bool,
    /// How long a party may give no sign of life; for ever where none.
    lost_ms: Option<u64>,
    heard_ns: u64,
    alive_ns: u64,
    /// Whether the last packet was comfort noise.
    pauses: bool,
    state: State,
}

impl Silence {
    pub(super) fn new(leg: LegId, due: bool, lost_ms: Option<u64>, now: Now) -> Self {
        Self { leg, due, lost_ms, heard_ns: now.mono_ns, alive_ns: now.mono_ns, pauses: false, state: State::Heard }
    }

    /// Sound is due from now on, or is not; `moved` where the party has another address, which it may need a while to use.
    pub(super) fn handle_due(&mut self, due: bool, moved: bool, now: Now) {
        if moved || due != self.due {
            *self = Self::new(self.leg, due, self.lost_ms, now);
        }
    }

    /// RTP came, sound or (`pauses`) comfort noise; gives what is to be told.
    pub(super) fn handle_sound(&mut self, pauses: bool, now: Now) -> Option<MediaReport> {
        self.pauses = pauses;
        let ms = self.quiet_ms(now);
        (self.heard_ns, self.alive_ns) = (now.mono_ns, now.mono_ns);
        (std::mem::replace(&mut self.state, State::Heard) != State::Heard)
            .then_some(MediaReport::Heard { leg: self.leg, ms })
    }

    /// For how long nothing was heard, milliseconds.
    pub(super) fn quiet_ms(&self, now: Now) -> u64 {
        now.mono_ns.saturating_sub(self.heard_ns) / MS
    }

    /// RTCP came.
    pub(super) fn handle_life(&mut self, now: Now) {
        self.alive_ns = now.mono_ns;
    }

    /// Looks at the clock; gives what is to be told.
    pub(super) fn handle_tick(&mut self, now: Now) -> Option<MediaReport> {
        if !self.due {
            return None;
        }
        let leg = self.leg;
        let since = |ns: u64| now.mono_ns.saturating_sub(ns) / MS;
        let times = if self.pauses { PAUSE_TIMES } else { 1 };
        match self.state {
            State::Heard if since(self.heard_ns) >= SILENT_MS * times => {
                self.state = State::Silent;
                Some(MediaReport::Silent { leg, ms: since(self.heard_ns) })
            }
            State::Silent if self.lost_ms.is_some_and(|most| since(self.alive_ns) >= most.saturating_mul(times)) => {
                self.state = State::Lost;
                Some(MediaReport::Lost { leg, ms: since(self.alive_ns) })
            }
            State::Heard | State::Silent | State::Lost => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEG: LegId = LegId(1);

    fn at(ms: u64) -> Now {
        Now::default().plus_ms(ms)
    }

    /// What is told at each second of a minute.
    fn minute(silence: &mut Silence, from: u64) -> Vec<(u64, MediaReport)> {
        (from..from + 60).filter_map(|s| Some((s, silence.handle_tick(at(s * 1_000))?))).collect()
    }

    #[test]
    fn silence_is_told_after_five_seconds_and_loss_after_its_time_each_once() {
        let mut silence = Silence::new(LEG, true, Some(30_000), at(0));
        let told = minute(&mut silence, 0);
        let silent = MediaReport::Silent { leg: LEG, ms: 5_000 };
        assert_eq!(told, [(5, silent), (30, MediaReport::Lost { leg: LEG, ms: 30_000 })]);
        assert_eq!(silence.handle_sound(false, at(61_000)), Some(MediaReport::Heard { leg: LEG, ms: 61_000 }));
        assert_eq!(silence.handle_sound(false, at(61_020)), None);
        assert_eq!(minute(&mut silence, 62).len(), 2, "the next silence is another one");
    }

    #[test]
    fn reports_of_a_quiet_phone_are_life_and_no_sound() {
        let mut silence = Silence::new(LEG, true, Some(30_000), at(0));
        let mut told = Vec::new();
        for second in 0..600 {
            if second % 5 == 0 && second < 300 {
                silence.handle_life(at(second * 1_000));
            }
            told.extend(silence.handle_tick(at(second * 1_000)).map(|report| (second, report)));
        }
        let silent = MediaReport::Silent { leg: LEG, ms: 5_000 };
        assert_eq!(told, [(5, silent), (325, MediaReport::Lost { leg: LEG, ms: 30_000 })]);
    }

    #[test]
    fn a_pause_may_last_longer_than_a_silence() {
        let mut silence = Silence::new(LEG, true, Some(10_000), at(0));
        assert_eq!(silence.handle_sound(true, at(0)), None);
        let silent = MediaReport::Silent { leg: LEG, ms: 30_000 };
        assert_eq!(minute(&mut silence, 0), [(30, silent)]);
        assert!(matches!(minute(&mut silence, 60)[..], [(60, MediaReport::Lost { .. })]));
        assert!(silence.handle_sound(false, at(120_000)).is_some());
        assert_eq!(minute(&mut silence, 121).len(), 2, "sound ends the pause");
    }

    #[test]
    fn nobody_is_missed_on_hold_nor_where_loss_is_turned_off() {
        let mut silence = Silence::new(LEG, false, Some(10_000), at(0));
        assert_eq!(minute(&mut silence, 0), []);
        // The hold's time does not count.
        silence.handle_due(true, false, at(60_000));
        assert_eq!(silence.handle_tick(at(64_999)), None);
        assert!(matches!(silence.handle_tick(at(65_000)), Some(MediaReport::Silent { .. })));
        // Another address is another beginning.
        silence.handle_due(true, true, at(66_000));
        assert_eq!(silence.handle_tick(at(70_999)), None);
        let mut patient = Silence::new(LEG, true, None, at(0));
        assert_eq!(minute(&mut patient, 0).len(), 1);
    }
}
