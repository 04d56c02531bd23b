//! Work is admitted by how late the loop is, not by a number: a new call that has waited too long behind others gets its 503 at once,
//! cheaply, so that those that are let in are served in time (RFC 7339's concern, by measured delay). Most are shed by the [`Gate`] of
//! the socket that reads them; what gets past it (streams, phones, trunks that register or prove themselves, strangers) by [`Overload`].

mod gate;

pub use gate::{Gate, Rules, Sentence};

use super::message::{Message, Method, Uri};
use crate::time::{MS, Now};

/// How long a message may wait for its turn, ns: a third of the time after which its sender repeats it (RFC 3261 T1), and half as long
/// again as the gates let anybody wait.
const TARGET_NS: u64 = 150 * MS;
/// How long the loop must be late before it sheds, ns. A stumble, such as a slow disk's, passes by itself.
const PATIENCE_NS: u64 = 100 * MS;

/// How late the loop is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overload {
    late_since_ns: Option<u64>,
    sheds: bool,
}

impl Overload {
    /// Takes how long the next message has waited since it was received.
    pub fn handle_wait(&mut self, waited_ns: u64, now: Now) {
        if waited_ns < TARGET_NS {
            *self = Self::default();
            return;
        }
        let since = *self.late_since_ns.get_or_insert(now.mono_ns);
        self.sheds = now.mono_ns.saturating_sub(since) >= PATIENCE_NS;
    }

    /// Whether the message whose wait was told last is to be shed, if it would be a new call.
    pub fn sheds(self) -> bool {
        self.sheds
    }
}

/// Whether a message is a call that belongs to nothing here: an INVITE outside any dialog that asks to replace none (RFC 3891). Whether
/// there is what it asks to replace, the loop knows.
fn is_new_call(msg: &Message) -> bool {
    msg.method() == Some(&Method::Invite) && msg.to_tag().is_none() && msg.header("Replaces").is_none()
}

/// Whether what is called is one of these numbers.
pub(in crate::sip) fn is_emergency(called: Option<&Uri>, numbers: &[String]) -> bool {
    let called = called.filter(|uri| uri.is_sip()).and_then(Uri::number);
    called.is_some_and(|called| numbers.contains(&called))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that needs 1 ms for a call and 50 µs to shed one, and is offered `times` what it can do for ten seconds: what it
    /// served of what it could, and the longest wait of a served call (ms).
    fn goodput(times: u64) -> (f64, u64) {
        let (mut overload, mut clock, mut served, mut longest) = (Overload::default(), 0u64, 0u64, 0u64);
        let calls = 10_000 * times;
        for call in 0..calls {
            let received = call * MS / times;
            clock = clock.max(received);
            let waited = clock - received;
            overload.handle_wait(waited, Now { mono_ns: clock, wall_ms: 0 });
            if overload.sheds() {
                clock += MS / 20;
            } else {
                clock += MS;
                served += 1;
                longest = longest.max(waited / MS);
            }
        }
        (served as f64 / (clock as f64 / MS as f64), longest)
    }

    #[test]
    fn at_twice_and_five_times_capacity_nearly_all_of_it_is_served_in_time() {
        let (clean, _) = goodput(1);
        assert!(clean > 0.99, "{clean}");
        let (twice, longest) = goodput(2);
        assert!(twice > 0.9 && longest <= 210, "{twice}, {longest} ms");
        let (five, longest) = goodput(5);
        assert!(five > 0.75 && longest <= 350, "{five}, {longest} ms");
    }

    #[test]
    fn a_stumble_sheds_nobody() {
        let mut overload = Overload::default();
        for ms in 0..99 {
            overload.handle_wait(200 * MS, Now { mono_ns: ms * MS, wall_ms: 0 });
            assert!(!overload.sheds());
        }
        overload.handle_wait(TARGET_NS - 1, Now { mono_ns: 99 * MS, wall_ms: 0 });
        overload.handle_wait(200 * MS, Now { mono_ns: 150 * MS, wall_ms: 0 });
        assert!(!overload.sheds());
    }
}
