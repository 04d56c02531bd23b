//! Which silence between two frames of a party is lost sound, and which one is a pause of its own.

use super::tap::Frame;

/// Follows one party's stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    /// The stream, and the timestamp that follows its newest frame.
    next: Option<(u32, u32)>,
}

impl Losses {
    /// Takes a frame; gives how many samples before it were lost. Only where packets are missing, and no more is between the frames
    /// than those held: a party that falls silent, or sends a key meanwhile, leaves more.
    pub(super) fn handle_frame(&mut self, frame: &Frame<'_>) -> i64 {
        let len = frame.payload.len() as u32;
        let next = self.next.filter(|(ssrc, _)| *ssrc == frame.ssrc).map(|(_, timestamp)| timestamp);
        let ahead = next.map_or(0, |next| frame.timestamp.wrapping_sub(next) as i32);
        if ahead < 0 {
            // A straggler: what follows the newest frame stays what it is.
            return 0;
        }
        self.next = Some((frame.ssrc, frame.timestamp.wrapping_add(len)));
        if u64::from(frame.lost) * u64::from(len) == u64::from(ahead.unsigned_abs()) { i64::from(ahead) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::g711::Law;

    #[test]
    fn only_what_is_missing_between_two_frames_is_lost() {
        let mut losses = Losses::default();
        let mut gap = |ssrc, timestamp: u32, lost| {
            losses.handle_frame(&Frame { ssrc, timestamp, lost, law: Law::Alaw, payload: &[0; 160] })
        };
        let begin = u32::MAX - 200;
        let at = |frame: u32| begin.wrapping_add(frame * 160);
        assert_eq!([gap(1, at(0), 0), gap(1, at(1), 0)], [0, 0]);
        assert_eq!(gap(1, at(4), 2), 320, "over the wrap of the clock");
        assert_eq!([gap(1, at(3), 0), gap(1, at(5), 0)], [0, 0], "a straggler");
        assert_eq!(gap(1, at(50), 0), 0, "a pause of the party's");
        assert_eq!(gap(1, at(80), 3), 0, "a pause within which packets are missing, such as a key's");
        assert_eq!(gap(2, at(90), 1), 0, "another stream");
    }
}
