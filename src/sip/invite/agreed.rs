//! What two parties agree on of a session's timer (RFC 4028): how often it is refreshed, and by whom.

use crate::sip::message::Message;

/// The shortest interval that we agree to, seconds (§4).
pub(super) const MIN_SE: u32 = 90;

/// Who refreshes, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) interval_s: u32,
    /// Whether we do.
    pub(super) ours: bool,
}

/// Whether the sender knows session timers.
pub(super) fn knows_timers(msg: &Message) -> bool {
    msg.names("Supported", "timer") || msg.names("Require", "timer")
}

/// Session-Expires: seconds and who is to refresh.
pub(super) fn session_expires(msg: &Message) -> Option<(u32, Option<String>)> {
    let value = msg.header("Session-Expires")?;
    let mut parts = value.split(';').map(str::trim);
    let seconds = parts.next()?.parse().ok()?;
    let refresher = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("refresher").then(|| value.trim().to_ascii_lowercase())
    });
    Some((seconds, refresher))
}

impl Agreed {
    /// What we answer to a request: what it asks for, `usual_s` where it leaves that to us and knows timers.
    pub(super) fn of_request(request: &Message, usual_s: u32) -> Option<Self> {
        let known = knows_timers(request);
        match session_expires(request) {
            Some((interval_s, refresher)) => {
                // A proxy may have asked for a peer that cannot refresh.
                let ours = refresher.map_or(!known, |refresher| refresher == "uas");
                Some(Self { interval_s: interval_s.max(MIN_SE), ours })
            }
            None if known && usual_s > 0 => Some(Self { interval_s: usual_s, ours: false }),
            None => None,
        }
    }

    /// What a 2xx to a request of ours settles.
    pub(super) fn of_response(response: &Message) -> Option<Self> {
        let (interval_s, refresher) = session_expires(response)?;
        Some(Self { interval_s: interval_s.max(MIN_SE), ours: refresher.is_none_or(|refresher| refresher == "uac") })
    }

    /// Milliseconds until we give the session up (§10).
    pub(super) fn end_ms(self) -> u64 {
        let whole = u64::from(self.interval_s) * 1_000;
        whole - (whole / 3).min(32_000)
    }

    /// Milliseconds until there is something to do.
    pub(super) fn due_ms(self) -> u64 {
        if self.ours { u64::from(self.interval_s) * 500 } else { self.end_ms() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_refreshers_are_agreed_as_the_rfc_says() {
        let request = |lines: &str| {
            let text = format!(
                "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\n\
                                Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n"
            );
            match crate::sip::message::judge(text.as_bytes(), crate::sip::message::Framing::Datagram) {
                crate::sip::message::Verdict::Accept(message) => message,
                other => panic!("{other:?}"),
            }
        };
        let agreed =
            |lines: &str| Agreed::of_request(&request(lines), 1_800).map(|agreed| (agreed.interval_s, agreed.ours));
        assert_eq!(agreed(""), None, "who knows no timers and asks for none has none");
        assert_eq!(agreed("Supported: timer\r\n"), Some((1_800, false)));
        assert_eq!(agreed("k: 100rel, timer\r\nx: 600\r\n"), Some((600, false)));
        assert_eq!(agreed("Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n"), Some((600, true)));
        assert_eq!(agreed("Session-Expires: 600\r\n"), Some((600, true)), "a proxy asks for a phone that cannot");
    }
}
