use super::*;
use crate::rtp::packet::Header;

const START: Now = Now { mono_ns: 5_000_000_000, wall_ms: 1_700_000_000_000 };

fn from() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], 4001))
}

/// A leg's stream both ways for `ms` milliseconds: twenty sends a second each way, one in ten of the peer's lost.
fn talk(stream: &mut Rewriter, stats: &mut Receiver, ms: u64) {
    for number in 0..ms / 20 {
        let now = START.plus_ms(number * 20);
        stream.handle_frame(1, 8, 160, now);
        stream.count_sent(160);
        let header =
            Header { marker: false, payload_type: 8, sequence: number as u16, timestamp: number as u32 * 160, ssrc: 9 };
        if number % 10 != 5 {
            stats.handle_packet(&header, now);
        }
    }
}

fn sent(reporter: &mut Reporter, stream: &Rewriter, stats: &mut Receiver, now: Now) -> Vec<u8> {
    let mut out = [0; 256];
    let length = reporter.poll(stream, stats, &mut out, now).expect("due");
    out[..length].to_vec()
}

#[test]
fn intervals_are_spread_around_five_seconds_and_the_first_is_half_as_long() {
    let mut intervals = Vec::new();
    for seed in 0..50 {
        let (stream, mut stats) = (Rewriter::new(1, 1, 1), Receiver::default());
        let mut reporter = Reporter::new(seed, START);
        let first = (reporter.deadline() - START.mono_ns) / MS;
        assert!((1_026..=3_079).contains(&first), "{first}");
        let mut now = START.plus_ms(first);
        assert!(reporter.poll(&stream, &mut stats, &mut [0; 128], START.plus_ms(first - 1)).is_none());
        for _ in 0..20 {
            sent(&mut reporter, &stream, &mut stats, now);
            let next = (reporter.deadline() - now.mono_ns) / MS;
            assert!((2_051..=6_157).contains(&next), "{next}");
            intervals.push(next);
            now = now.plus_ms(next);
        }
    }
    let mean = intervals.iter().sum::<u64>() / intervals.len() as u64;
    assert!((3_900..4_300).contains(&mean), "5 s over the compensation: {mean}");
    assert!(intervals.iter().min() < Some(&2_300) && intervals.iter().max() > Some(&5_900), "both ends are drawn");
}

#[test]
fn who_sends_reports_as_a_sender_and_who_has_stopped_as_a_receiver() {
    let (mut stream, mut stats) = (Rewriter::new(7, 1, 1_000), Receiver::default());
    let mut reporter = Reporter::new(3, START);
    talk(&mut stream, &mut stats, 4_000);
    let now = START.plus_ms(4_000);
    let bytes = sent(&mut reporter, &stream, &mut stats, now);
    let first = rtcp::parse(&bytes).unwrap().reports().next().unwrap();
    let sender = first.sender.expect("it sends");
    assert_eq!((first.ssrc, sender.packets, sender.octets), (7, 200, 32_000));
    assert_eq!(sender.timestamp, 1_000 + 199 * 160 + 160, "the stream's clock at the report");
    assert_eq!(sender.ntp, rtcp::ntp(1_700_000_004_000 * MS));
    let block = first.blocks().next().expect("it hears");
    assert_eq!((block.ssrc, block.cumulative_lost, block.fraction_lost), (9, 20, 25));
    let mut kinds = Vec::new();
    let mut at = now;
    for _ in 0..3 {
        at = at.plus_ms(6_200);
        let bytes = sent(&mut reporter, &stream, &mut stats, at);
        kinds.push(rtcp::parse(&bytes).unwrap().reports().next().unwrap().sender.is_some());
    }
    assert_eq!(kinds, [true, false, false], "a sender for two intervals after its last packet");
}

#[test]
fn the_peers_blocks_give_round_trip_loss_and_jitter_whatever_the_wall_clock_does() {
    let (mut stream, mut stats) = (Rewriter::new(7, 1, 1_000), Receiver::default());
    let mut reporter = Reporter::new(3, START);
    talk(&mut stream, &mut stats, 4_000);
    let now = START.plus_ms(4_000);
    let bytes = sent(&mut reporter, &stream, &mut stats, now);
    let ntp = rtcp::parse(&bytes).unwrap().reports().next().unwrap().sender.unwrap().ntp;
    let block = ReportBlock {
        ssrc: 7,
        fraction_lost: 64,
        cumulative_lost: 50,
        highest_sequence: 200,
        jitter: 80,
        last_sender_report: rtcp::ntp_middle(ntp),
        delay_since_last: 65_536,
    };
    let mut out = [0; 256];
    for (trip, other) in [(80, false), (120, false), (500, true)] {
        let block = if other { ReportBlock { ssrc: 8, ..block } } else { block };
        let report = Outgoing { ssrc: 9, sender: None, block: Some(block), cname: b"x", goodbye: false };
        let length = rtcp::write(&report, &mut out).unwrap();
        // Somebody sets the clock meanwhile.
        let arrived = Now { wall_ms: 5, ..now.plus_ms(1_000 + trip) };
        assert!(reporter.handle_compound(from(), &out[..length], &stream, &mut stats, arrived));
    }
    let told = reporter.told();
    assert!(told.round_trip_ms.is_some_and(|ms| (ms - 100.0).abs() < 0.1), "{told:?}");
    assert_eq!((told.loss, told.jitter_ms), (Some(0.25), Some(10.0)));
    assert_eq!((reporter.received(), reporter.source()), (3, Some(from())));
    assert!(!reporter.handle_compound(from(), b"no RTCP", &stream, &mut stats, now));
}

#[test]
fn leave_is_taken_by_whoever_was_heard() {
    let (mut stream, mut stats) = (Rewriter::new(7, 1, 1_000), Receiver::default());
    let mut reporter = Reporter::new(3, START);
    let mut out = [0; 256];
    assert_eq!(reporter.goodbye(&stream, &mut stats, &mut out, START), None);
    talk(&mut stream, &mut stats, 100);
    let length = reporter.goodbye(&stream, &mut stats, &mut out, START.plus_ms(100)).unwrap();
    let compound = rtcp::parse(&out[..length]).unwrap();
    assert!(compound.goodbye() && compound.reports().count() == 1);
}
