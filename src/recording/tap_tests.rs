//! What a listener would hear, measured.

use super::*;
use crate::codec::tone::{Sine, energy_at};

const LAW: Law = Law::Alaw;

/// A frame of 20 ms of a tone, by its number since the start.
fn tone(hz: f64, law: Law, number: u64) -> Vec<u8> {
    let samples = Sine::new(hz, 8_000, 8_000).skip((number * 160 % 8_000) as usize).take(160);
    samples.map(|sample| law.encode(sample)).collect()
}

struct Room {
    tap: Tap,
    start: Now,
    octets: Vec<u8>,
    closed: Option<Closed>,
}

impl Room {
    fn new() -> Self {
        let start = Now { mono_ns: 5_000 * MS, wall_ms: 1_700_000_000_000 };
        Self { tap: Tap::new(TapSettings::new(LAW), start), start, octets: Vec::new(), closed: None }
    }

    fn armed() -> Self {
        let mut room = Self::new();
        room.tap.arm(Consent::Announced, room.start);
        room
    }

    fn at(&self, ms: u64) -> Now {
        self.start.plus_ms(ms)
    }

    /// Frame `number` of a side's tone arrives `delay` ms after its time.
    fn hear(&mut self, side: Side, hz: f64, number: u64, delay: u64) {
        self.hear_after(0, side, hz, number, delay);
    }

    /// The same, where so many packets before it are missing.
    fn hear_after(&mut self, lost: u16, side: Side, hz: f64, number: u64, delay: u64) {
        let law = if side == Side::Caller { Law::Ulaw } else { Law::Alaw };
        let payload = tone(hz, law, number);
        let timestamp = 4_000_000_000u32.wrapping_add((number * 160) as u32);
        let frame = Frame { ssrc: side as u32, timestamp, lost, law, payload: &payload };
        self.tap.handle_frame(side, frame, self.at(number * 20 + delay));
        self.drain();
    }

    fn both(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.hear(Side::Caller, 400.0, number, 0);
            self.hear(Side::Agent, 1_000.0, number, 0);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.tap.poll_output() {
            match output {
                TapOutput::Write(octets) => self.octets.extend(octets),
                TapOutput::Close(closed) => self.closed = Some(closed),
            }
        }
    }

    fn close(&mut self, ms: u64) -> Closed {
        self.tap.close(self.at(ms));
        self.drain();
        self.closed.clone().unwrap()
    }

    fn channel(&self, side: Side) -> Vec<i16> {
        self.octets.chunks(2).map(|pair| LAW.decode(pair[side as usize])).collect()
    }
}

#[test]
fn the_caller_is_left_and_the_agent_right() {
    let mut room = Room::armed();
    room.both(0..100);
    let closed = room.close(2_000);
    assert_eq!((closed.expected_ms, closed.written_ms, closed.misplaced), (2_000, 2_000, 0));
    assert_eq!(closed.consent, Some(Consent::Announced));
    let (left, right) = (room.channel(Side::Caller), room.channel(Side::Agent));
    assert_eq!(left.len(), 16_000);
    let full = 8_000.0 * 8_000.0 / 2.0;
    for (sound, own, other) in [(left, 400.0, 1_000.0), (right, 1_000.0, 400.0)] {
        assert!((energy_at(&sound, own, 8_000) / full - 1.0).abs() < 0.05);
        assert!(energy_at(&sound, other, 8_000) < full / 1e4);
    }
}

#[test]
fn nothing_is_kept_before_consent() {
    let mut room = Room::new();
    room.both(0..50);
    assert_eq!(room.tap.poll_timeout(), None);
    let at = room.at(1_000);
    room.tap.arm(Consent::Announced, at);
    let closed = room.close(3_000);
    assert_eq!((closed.started_ms, closed.written_ms), (1_700_000_001_000, 2_000));
    assert!(room.channel(Side::Caller).iter().all(|sample| sample.abs() <= 8));

    let mut never = Room::new();
    never.both(0..50);
    let closed = never.close(1_000);
    assert_eq!((closed.consent, closed.expected_ms, never.octets.len()), (None, 0, 0));
}

#[test]
fn a_pause_keeps_the_digits_out_even_300_ms_late() {
    for late in [0, 100, 300] {
        let mut room = Room::armed();
        let pause_seen = (1_000 + late) / 20;
        room.both(0..pause_seen + 1);
        let from = room.at(1_000);
        room.tap.handle_pause(from);
        assert_eq!(room.tap.state(), State::Paused { consent: Consent::Announced });
        room.both(pause_seen + 1..100);
        let until = room.at(2_000);
        room.tap.handle_resume(until);
        room.both(100..150);
        let closed = room.close(3_000);
        assert_eq!(closed.pauses, [Pause { from_ms: 1_000, to_ms: 2_000, late_ms: 0 }]);
        assert_eq!(closed.written_ms, 3_000);
        for side in [Side::Caller, Side::Agent] {
            let sound = room.channel(side);
            assert!(sound[8_000..16_000].iter().all(|sample| sample.abs() <= 8), "{late} ms late");
            let hz = if side == Side::Caller { 400.0 } else { 1_000.0 };
            assert!(energy_at(&sound[..8_000], hz, 8_000) > 1e7);
            assert!(energy_at(&sound[16_000..], hz, 8_000) > 1e7);
        }
    }
}

#[test]
fn a_pause_that_came_too_late_is_told() {
    let mut room = Room::armed();
    room.both(0..100);
    let from = room.at(1_000);
    room.tap.handle_pause(from);
    let closed = room.close(2_000);
    assert!(closed.pauses[0].late_ms > 0);
    assert_eq!(closed.pauses[0].to_ms, 2_000);
}

#[test]
fn an_hour_does_not_drift() {
    let mut room = Room::armed();
    let frames = 3_600 * 50;
    for number in 0..frames {
        let payload = if number + 1 == frames { [LAW.encode(20_000); 160] } else { [LAW.silence(); 160] };
        for side in [Side::Caller, Side::Agent] {
            // The caller's clock is 200 ppm slow: after an hour its timestamps alone would be 720 ms off.
            let samples = if side == Side::Caller { number * 160 * 9_998 / 10_000 } else { number * 160 };
            let frame = Frame { ssrc: 1, timestamp: samples as u32, lost: 0, law: LAW, payload: &payload };
            room.tap.handle_frame(side, frame, room.at(number * 20 + number % 7 * 3));
        }
        room.drain();
    }
    let closed = room.close(3_600_000);
    assert_eq!((closed.expected_ms, closed.written_ms), (3_600_000, 3_600_000));
    let place = |side| room.channel(side).iter().position(|sample| *sample > 10_000).unwrap() as u64;
    assert_eq!(place(Side::Agent), (frames - 1) * 160);
    assert!(place(Side::Caller).abs_diff((frames - 1) * 160) <= 640, "at most 80 ms");
}

#[test]
fn loss_disorder_and_copies_change_neither_length_nor_place() {
    let mut room = Room::armed();
    for group in 0..100u64 {
        for number in [1, 0, 2, 3, 3, 4, 6, 5, 7, 8] {
            // Nine of ten arrive; each waits for the slowest of its group.
            let number = group * 9 + number;
            if number % 10 != 3 {
                room.hear(Side::Caller, 400.0, number, 25 - number % 3);
            }
        }
    }
    let closed = room.close(18_000);
    assert!(closed.expected_ms.abs_diff(closed.written_ms) <= 100);
    assert_eq!(closed.misplaced, 0);
    let sound = room.channel(Side::Caller);
    assert_eq!(sound.len(), 144_000);
    // A tenth is silent; what is there is in phase from beginning to end.
    let mut whole = Room::armed();
    (0..900).for_each(|number| whole.hear(Side::Caller, 400.0, number, 0));
    whole.close(18_000);
    let energy = energy_at(&sound, 400.0, 8_000) / energy_at(&whole.channel(Side::Caller), 400.0, 8_000);
    assert!((energy - 0.81).abs() < 0.01, "{energy}");
}

#[test]
fn frames_far_out_of_time_are_dropped_and_a_stalled_thread_writes_in_pieces() {
    let mut room = Room::armed();
    room.both(0..100);
    room.hear(Side::Caller, 400.0, 60, 780);
    let later = room.at(60_000);
    room.tap.handle_timeout(later);
    let mut largest = 0;
    while let Some(TapOutput::Write(octets)) = room.tap.poll_output() {
        largest = largest.max(octets.len());
        room.octets.extend(octets);
    }
    assert_eq!(largest, 16_000);
    let closed = room.close(60_000);
    assert_eq!((closed.misplaced, closed.written_ms), (1, 60_000));
    assert_eq!(room.octets.len(), 60_000 * 16);
}

#[test]
fn a_path_that_becomes_half_a_second_longer_costs_a_tenth_of_one() {
    let mut room = Room::armed();
    room.both(0..100);
    (100..200).for_each(|number| room.hear(Side::Caller, 400.0, number, 500));
    let closed = room.close(4_500);
    assert!(closed.misplaced <= 5, "{}", closed.misplaced);
    let left = room.channel(Side::Caller);
    let loud = |ms: usize| energy_at(&left[ms * 8..(ms + 100) * 8], 400.0, 8_000) > 4e6;
    assert!(loud(1_800) && !loud(2_200) && loud(2_620) && loud(4_300), "said at 2,000 it is heard from 2,500 on");
}

#[test]
fn what_a_network_held_back_for_a_while_still_finds_its_place() {
    let mut room = Room::armed();
    room.both(0..100);
    // 500 ms of sound at once, as the last of it is said.
    (100..125).for_each(|number| room.hear(Side::Caller, 400.0, number, 500 - (number - 100) * 20));
    (125..200).for_each(|number| room.hear(Side::Caller, 400.0, number, 0));
    room.close(4_000);
    let left = room.channel(Side::Caller);
    for ms in (2_240..3_900).step_by(100) {
        assert!(energy_at(&left[ms * 8..(ms + 100) * 8], 400.0, 8_000) > 1.4e7, "at {ms} ms");
    }
}

#[test]
fn pauses_that_overlap_out_of_order_leave_no_gap() {
    let mut room = Room::armed();
    room.both(0..51);
    for (from, until) in [(800, 1_200), (850, 900)] {
        let (from, until) = (room.at(from), room.at(until));
        room.tap.handle_pause(from);
        room.tap.handle_resume(until);
    }
    room.both(51..100);
    room.close(2_000);
    assert!(room.channel(Side::Agent)[6_400..9_600].iter().all(|sample| sample.abs() <= 8));
    assert!(energy_at(&room.channel(Side::Agent)[9_600..], 1_000.0, 8_000) > 1e7);
}

/// A channel's samples of these frames.
fn frames(octets: &[u8], side: Side, frames: std::ops::Range<usize>) -> Vec<i16> {
    octets[frames.start * 320..frames.end * 320].chunks(2).map(|pair| LAW.decode(pair[side as usize])).collect()
}

#[test]
fn what_is_lost_is_stood_in_for_and_what_comes_late_takes_its_place_back() {
    let mut room = Room::armed();
    room.both(0..50);
    // Two packets of the caller are lost, and one comes late.
    (50..52).for_each(|number| room.hear(Side::Agent, 1_000.0, number, 0));
    room.hear_after(2, Side::Caller, 400.0, 52, 0);
    room.hear(Side::Agent, 1_000.0, 52, 0);
    room.both(53..70);
    room.hear_after(1, Side::Caller, 400.0, 71, 0);
    room.hear(Side::Caller, 400.0, 70, 30);
    room.both(72..100);
    room.tap.close(room.at(2_000));
    room.drain();
    let heard = |range| frames(&room.octets, Side::Caller, range);
    let full = energy_at(&heard(40..48), 400.0, 8_000);
    assert!(energy_at(&heard(50..51), 400.0, 8_000) > 0.7 * full, "the first of them is hardly fainter");
    assert!(energy_at(&heard(51..52), 400.0, 8_000) > 0.2 * full, "the second one fades");
    let late = energy_at(&heard(70..71), 400.0, 8_000) / full;
    assert!((0.95..1.05).contains(&late), "the late one is as it was sent: {late}");
    let jump = |range| heard(range).windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap_or(0);
    assert!(jump(49..54) <= 2 * jump(30..40), "no click: {} beside {}", jump(49..54), jump(30..40));
}

#[test]
fn neither_a_pause_of_the_partys_nor_one_of_the_recordings_is_filled() {
    let mut room = Room::armed();
    room.both(0..50);
    // The party says nothing for a while, by its own choice: no packet is missing.
    room.hear(Side::Caller, 400.0, 60, 0);
    (61..80).for_each(|number| room.hear(Side::Caller, 400.0, number, 0));
    // What was said while the recording was paused stands in for nothing after it.
    room.tap.handle_pause(room.at(1_600));
    (80..90).for_each(|number| room.hear(Side::Caller, 400.0, number, 0));
    room.tap.handle_resume(room.at(1_800));
    room.hear_after(2, Side::Caller, 400.0, 92, 0);
    room.tap.close(room.at(1_900));
    room.drain();
    for quiet in [50..60, 80..92] {
        let heard = frames(&room.octets, Side::Caller, quiet.clone());
        assert!(heard.iter().all(|sample| sample.abs() < 100), "{quiet:?}");
    }
}
