//! People who call: they wait, press keys, hold, lose patience, and hang up anywhere.

use trunkline::time::Now;

use super::{Event, Step, Ua};
use crate::dice::Dice;

/// What a caller is up to.
#[derive(Clone, Debug)]
pub struct Errand {
    pub number: String,
    /// Keys and how long after the answer they are pressed, ms.
    pub keys: Vec<(u64, char)>,
    /// When the caller gives up on a phone that is not answered, ms after dialling.
    pub cancel_ms: u64,
    /// How long after the answer the caller hangs up, ms; none for who waits for the other side.
    pub stay_ms: Option<u64>,
    /// When the caller holds and for how long, ms.
    pub hold: Option<(u64, u64)>,
}

/// Longer than any call of a floor may last, ms.
const FORGOTTEN: u64 = 1_500_000;

pub struct Caller {
    pub ua: Ua,
    errand: Errand,
}

impl Caller {
    pub fn new(ua: Ua, errand: Errand) -> Self {
        Self { ua, errand }
    }

    pub fn dial(&mut self, now: Now) {
        self.ua.now = now;
        let formats: &[u8] = match self.ua.rng.below(3) {
            0 => &[8, 0],
            1 => &[0, 8],
            _ => &[0],
        };
        let session = self.ua.dial(&self.errand.number, formats);
        self.ua.plan(self.errand.cancel_ms, Step::Cancel { session });
        self.ua.plan(FORGOTTEN, Step::Forgotten { session });
    }

    pub fn run(&mut self) {
        while let Some(event) = self.ua.next_event() {
            match event {
                Event::Answered { session } => self.answered(session),
                Event::Due(Step::Cancel { session }) => self.ua.cancel(session),
                Event::Due(Step::HangUp { session }) => self.ua.hang_up(session),
                Event::Due(Step::Hold { session, on }) => self.ua.hold(session, on),
                Event::Due(Step::Press { key }) => self.ua.acts.push_back(super::Act::Key(key)),
                Event::Due(Step::Forgotten { session }) => self.ua.forget(session),
                _ => {}
            }
        }
    }

    fn answered(&mut self, session: usize) {
        for (ms, key) in self.errand.keys.clone() {
            self.ua.plan(ms, Step::Press { key });
        }
        if let Some(ms) = self.errand.stay_ms {
            self.ua.plan(ms, Step::HangUp { session });
        }
        if let Some((after, length)) = self.errand.hold {
            self.ua.plan(after, Step::Hold { session, on: true });
            self.ua.plan(after + length, Step::Hold { session, on: false });
        }
    }
}
