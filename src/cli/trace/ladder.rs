//! A call as people draw it: a line for each party, an arrow for each message.

use std::net::SocketAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Traced;
use crate::sip::message::{Message, Method};

/// Characters from one party's line to the next.
const WIDTH: usize = 34;
/// Characters before the first line: the time, and since the first message.
const MARGIN: usize = 24;

pub(super) fn ladder(messages: &[Traced]) -> String {
    let mut peers: Vec<SocketAddr> = Vec::new();
    for traced in messages {
        if !peers.contains(&traced.flow.remote) {
            peers.push(traced.flow.remote);
        }
    }
    // The caller on the left of us, everybody else on the right.
    let column = |peer: &SocketAddr| match peers.iter().position(|known| known == peer) {
        Some(0) => 0,
        other => other.unwrap_or_default() + 1,
    };
    let columns = peers.len() + 1;
    let mut heads: Vec<String> = peers.iter().map(ToString::to_string).collect();
    heads.insert(1, "trunkline".to_owned());
    let mut text = " ".repeat(MARGIN);
    heads.iter().for_each(|head| text += &format!("{head:<WIDTH$}"));
    text = text.trim_end().to_owned() + "\n";
    let first_us = messages.first().map_or(0, |traced| traced.at_us);
    for (index, traced) in messages.iter().enumerate() {
        let again = messages[..index].iter().any(|before| same(before, traced));
        let label = label(&traced.message) + if again { " again" } else { "" };
        let (from, to) = (column(&traced.flow.remote), 1);
        let (from, to) = if traced.outbound { (to, from) } else { (from, to) };
        let since = (traced.at_us - first_us) as f64 / 1e6;
        text += &format!("{} {since:>+9.3}  {}\n", clock(traced.at_us), arrow(columns, from, to, &label));
    }
    text
}

fn same(one: &Traced, other: &Traced) -> bool {
    one.outbound == other.outbound && one.flow == other.flow && one.bytes == other.bytes
}

/// What stands on an arrow.
fn label(message: &Message) -> String {
    let sdp = if message.body.is_empty() { "" } else { " +body" };
    let cseq = message.cseq().ok();
    match (message.method(), message.code()) {
        (Some(Method::Invite), _) if message.to_tag().is_some() => format!("re-INVITE{sdp}"),
        (Some(method), _) => {
            let number = message.uri().and_then(|uri| uri.number()).map(|number| format!(" {number}"));
            format!("{method}{}{sdp}", number.unwrap_or_default())
        }
        (None, code) => {
            let method = cseq.map(|cseq| cseq.method.to_string()).unwrap_or_default();
            format!("{} {method}{sdp}", code.unwrap_or_default())
        }
    }
}

fn clock(at_us: i64) -> String {
    let instant = Timestamp::from_microsecond(at_us).unwrap_or_default();
    TimeZone::system().to_datetime(instant).strftime("%H:%M:%S%.3f").to_string()
}

/// One line: every party's line, and an arrow between two of them.
fn arrow(columns: usize, from: usize, to: usize, label: &str) -> String {
    let mut line: Vec<char> = vec![' '; (columns - 1) * WIDTH + 1];
    (0..columns).for_each(|column| line[column * WIDTH] = '|');
    let (left, right) = (from.min(to) * WIDTH + 1, from.max(to) * WIDTH);
    line[left..right].iter_mut().for_each(|place| *place = '-');
    if to > from {
        line[right - 1] = '>';
    } else {
        line[left] = '<';
    }
    // On the side of us where there is nobody else's line in between.
    let room = right - left - 4;
    let shown: Vec<char> = format!(" {label} ").chars().take(room).collect();
    let start = left + 2 + (room - shown.len()) / 2;
    line[start..start + shown.len()].copy_from_slice(&shown);
    line.into_iter().collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_from_one_line_to_the_other() {
        assert_eq!(
            arrow(3, 0, 1, "INVITE 4001 +body"),
            "|------- INVITE 4001 +body ------>|                                 |"
        );
        assert_eq!(
            arrow(3, 2, 1, "200 INVITE"),
            "|                                 |<--------- 200 INVITE -----------|"
        );
        assert!(arrow(4, 1, 3, &"x".repeat(200)).ends_with(">|"));
    }
}
