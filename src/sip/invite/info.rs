//! Keys that a peer sends by INFO instead of in its media (the formats of Cisco and of RFC 2976's time), and the wish of desk phones
//! about the recording (`Record: on` and `Record: off`, as Snom and Yealink send it).

use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event};
use crate::sip::message::{Message, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::Now;

/// How long a key is down where nobody says, ms: what phones send of one that is pressed shortly.
const USUAL_MS: u16 = 160;

impl Endpoint {
    pub(in crate::sip) fn handle_info(&mut self, leg: LegId, key: &TransactionKey, msg: &Message, now: Now) {
        if let Some(wish) = msg.header("Record") {
            return self.handle_record_wish(leg, wish.trim(), key, msg, now);
        }
        let kind = msg.header("Content-Type").map(|value| value.split(';').next().unwrap_or_default().trim());
        let known = ["application/dtmf-relay", "application/dtmf"];
        let status = match kind {
            // A sign of life.
            None if msg.body.is_empty() => 200,
            Some(kind) if known.iter().any(|name| name.eq_ignore_ascii_case(kind)) => match digit_of(&msg.body) {
                Some(digit) => {
                    self.events.push_back(Event::Digit { leg, digit, ms: duration_of(&msg.body) });
                    200
                }
                None => 400,
            },
            _ => 415,
        };
        let mut response = response_to(msg, status, reason_phrase(status), None);
        if status == 415 {
            response = response.with("Accept", known.join(", "));
        }
        self.respond_within(key, response, now);
    }

    fn handle_record_wish(&mut self, leg: LegId, wish: &str, key: &TransactionKey, msg: &Message, now: Now) {
        let on = match wish {
            _ if wish.eq_ignore_ascii_case("on") => true,
            _ if wish.eq_ignore_ascii_case("off") => false,
            _ => return self.refuse_within(key, msg, 400, now),
        };
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        // The owner answers in the same turn; one that is left would be a second INFO within it.
        if session.record_wish.is_some() {
            return self.refuse_for_now(key, msg, now);
        }
        session.record_wish = Some((key.clone(), Box::new(msg.clone())));
        self.events.push_back(Event::RecordWish { leg, on });
    }

    /// Tells the peer what came of its wish about the recording, by a final status.
    pub fn answer_record(&mut self, leg: LegId, code: u16, now: Now) {
        let wish = self.sessions.get_mut(&leg).and_then(|session| session.record_wish.take());
        if let Some((key, request)) = wish {
            self.respond_within(&key, response_to(&request, code, reason_phrase(code), None), now);
        }
    }
}

/// The key of `Signal=5`, or of a body that is only the key.
fn digit_of(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("Signal").then(|| value.trim())
    });
    let key = signal.unwrap_or_else(|| text.trim());
    let mut chars = key.chars();
    match (chars.next().map(|key| key.to_ascii_uppercase()), chars.next()) {
        (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(key),
        // Some phones send the event's number.
        (Some('1'), Some('0')) if key == "10" => Some('*'),
        (Some('1'), Some('1')) if key == "11" => Some('#'),
        _ => None,
    }
}

/// The milliseconds of `Duration=160`, within what a key may last.
fn duration_of(body: &[u8]) -> u16 {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let told = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("Duration").then(|| value.trim().parse().ok())?
    });
    told.unwrap_or(USUAL_MS).clamp(40, 8_000)
}

#[cfg(test)]
mod tests {
    use super::{digit_of, duration_of};

    #[test]
    fn a_key_lasts_as_long_as_is_told_within_reason() {
        let of = |text: &str| duration_of(text.as_bytes());
        assert_eq!((of("Signal=5\r\nDuration=250\r\n"), of("Signal=5\nduration = 100")), (250, 100));
        assert_eq!((of("Signal=5\r\nDuration=1"), of("Duration=60000")), (40, 8_000));
        assert_eq!((of("5"), of("Duration=-1"), of("Duration=99999"), duration_of(&[0xff])), (160, 160, 160, 160));
    }

    #[test]
    fn keys_in_the_forms_that_phones_send() {
        let read = |text: &str| digit_of(text.as_bytes());
        assert_eq!(read("Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(read("Signal= #\nDuration= 100"), Some('#'));
        assert_eq!(
            (read("7"), read("*\r\n"), read("Signal=10"), read("11")),
            (Some('7'), Some('*'), Some('*'), Some('#'))
        );
        assert_eq!(
            (read(""), read("Signal="), read("12"), read("x"), digit_of(&[0xff])),
            (None, None, None, None, None)
        );
    }
}
