//! Keys that a peer sends by INFO instead of in its media (the formats of Cisco and of RFC 2976's time).

use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event};
use crate::sip::message::{Message, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::Now;

impl Endpoint {
    pub(in crate::sip) fn handle_info(&mut self, leg: LegId, key: &TransactionKey, msg: &Message, now: Now) {
        let kind = msg.header("Content-Type").map(|value| value.split(';').next().unwrap_or_default().trim());
        let known = ["application/dtmf-relay", "application/dtmf"];
        let status = match kind {
            // A sign of life.
            None if msg.body.is_empty() => 200,
            Some(kind) if known.iter().any(|name| name.eq_ignore_ascii_case(kind)) => match digit_of(&msg.body) {
                Some(digit) => {
                    self.events.push_back(Event::Digit { leg, digit });
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

#[cfg(test)]
mod tests {
    use super::digit_of;

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
