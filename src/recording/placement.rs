//! Where a frame belongs on the time line.

/// A source whose frames come this much before their place (samples, 120 ms) was anchored on a late packet, or its clock runs
/// fast.
const EARLY: i64 = 960;

/// A source of which even the promptest frame of a second comes this much after its place (samples, 60 ms) runs slow.
const LATE: i64 = 480;

/// A frame this far from its place (samples, 1 s) belongs to a new clock.
const FAR: i64 = 8_000;

/// A frame that comes this much after its place (samples, 300 ms) finds it given out already.
const TOO_LATE: i64 = 2_400;

/// So many frames in a row that are too late, all by about as much (samples, 20 ms), show that the path has become longer, or that the
/// source's clock has stood still: what a network lets go at once is less late with each frame.
const STEP: (u32, i64) = (5, 160);

/// Frames over which the promptest is sought: one second of 20 ms.
const WINDOW: u32 = 50;

#[derive(Clone, Copy, Debug)]
struct Anchor {
    ssrc: u32,
    /// The newest timestamp and its place.
    timestamp: u32,
    position: i64,
    promptest: i64,
    frames: u32,
    /// How many frames in a row were too late, and by how much the first of them.
    too_late: (u32, i64),
}

/// One party's RTP clock against the arrival clock: jitter moves nothing, drift never adds up.
#[derive(Clone, Debug, Default)]
pub(super) struct Placement {
    anchor: Option<Anchor>,
}

impl Placement {
    /// The place (samples from the start) of a frame that arrived at the place `arrival`.
    pub(super) fn place(&mut self, ssrc: u32, timestamp: u32, arrival: i64) -> i64 {
        let position = match self.anchor.filter(|anchor| anchor.ssrc == ssrc) {
            Some(anchor) => anchor.position + i64::from(timestamp.wrapping_sub(anchor.timestamp) as i32),
            None => return self.restart(ssrc, timestamp, arrival),
        };
        let lateness = arrival - position;
        if lateness.abs() > FAR || lateness < -EARLY {
            return self.restart(ssrc, timestamp, arrival);
        }
        let Some(anchor) = self.anchor.as_mut() else { return arrival };
        if position > anchor.position {
            (anchor.timestamp, anchor.position) = (timestamp, position);
        }
        if lateness <= TOO_LATE || (lateness - anchor.too_late.1).abs() > STEP.1 {
            anchor.too_late = (0, lateness);
        }
        if lateness > TOO_LATE {
            anchor.too_late.0 += 1;
            if anchor.too_late.0 >= STEP.0 {
                return self.restart(ssrc, timestamp, arrival);
            }
        }
        anchor.promptest = anchor.promptest.min(lateness);
        anchor.frames += 1;
        if anchor.frames >= WINDOW {
            if anchor.promptest > LATE {
                anchor.position += anchor.promptest;
            }
            (anchor.promptest, anchor.frames) = (i64::MAX, 0);
        }
        position
    }

    fn restart(&mut self, ssrc: u32, timestamp: u32, arrival: i64) -> i64 {
        self.anchor =
            Some(Anchor { ssrc, timestamp, position: arrival, promptest: i64::MAX, frames: 0, too_late: (0, 0) });
        arrival
    }
}
