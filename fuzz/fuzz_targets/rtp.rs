//! Whatever a phone sends on its media ports, in whatever codec: nothing breaks, what is made of it can be read, and the party that
//! hears it decoded is sent one stream without a hole.
#![no_main]

use std::net::SocketAddr;

use rooms::id::LegId;
use rooms::media::{
    AudioFormat, LONGEST_MIX, Learn, Leg, LegMedia, PacketFate, PortLease, Protection, Source, StreamStart,
};
use rooms::rtp::packet;
use rooms::time::Now;

const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 4_000);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [first, second, rest @ ..] = data else { return };
    let mut now = Now { mono_ns: 1_000_000_000, wall_ms: 1_700_000_000_000 };
    let (mut speaker, mut listener) = (leg(1, 2, *first, now), leg(2, 1, *second, now));
    let (mut narrow, mut out, mut mix) = ([0; 2_048], [0; 2_048], [0; LONGEST_MIX]);
    let (mut rest, mut last) = (rest, None);
    // Each datagram after its length and how long it was waited for.
    while let [length, wait, tail @ ..] = rest {
        let (datagram, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        now = now.plus_ms(u64::from(*wait));
        speaker.handle_rtcp(SocketAddr::from(HERE), datagram, now);
        let fate = speaker.handle_packet(SocketAddr::from(HERE), datagram, &mut narrow, &mut out, now);
        let _ = fate.frame();
        if let PacketFate::Forward { arrival, .. } = fate {
            let sent = listener.send_bridged(LegId(1), &arrival, &mut out, now);
            sent.iter().for_each(|(_, len)| assert!(packet::parse(&out[..*len]).is_some()));
        }
        while let Some((end, samples, band)) = listener.mix_due(now) {
            let mix = &mut mix[..samples];
            mix.fill(0);
            let heard = speaker.hear(end, band, mix);
            let Some((_, len)) = listener.send_mix(mix, heard, &mut out, now) else { continue };
            let sequence = packet::parse(&out[..len]).expect("a packet of ours can be read").header.sequence;
            assert!(last.replace(sequence).is_none_or(|last: u16| last.wrapping_add(1) == sequence));
        }
        while speaker.poll_report().is_some() {}
    }
    let _ = (speaker.quality(), speaker.poll_rtcp(&mut out, now));
});

/// A leg of the codec that a byte says, which hears the other one as it is or decoded.
fn leg(id: u64, other: u64, what: u8, now: Now) -> Leg {
    let format = [AudioFormat::PCMA, AudioFormat::PCMU, AudioFormat::G722, AudioFormat::OPUS][usize::from(what & 3)];
    let mixes = what & 4 != 0;
    let media = LegMedia {
        lease: PortLease { id: id as u32, thread: 0, rtp_port: 4_000 },
        remote: Some(SocketAddr::from(HERE)),
        remote_rtcp: None,
        learn: Learn::Anywhere,
        format: AudioFormat { packet_ms: what >> 3 << 1, ..format },
        dtmf_pt: Some(101),
        dtmf_received: Some(101),
        dtmf_clock: format.codec.clock_factor(),
        noise: false,
        send: if mixes { Source::Mix(vec![LegId(other)]) } else { Source::Bridge(LegId(other)) },
        recording: None,
        heard: true,
        sound_due: true,
        deliver_digits: true,
        keys: Vec::new(),
        protection: Protection::Plain,
    };
    Leg::new(
        LegId(id),
        1,
        media,
        StreamStart { ssrc: 7, sequence: 65_000, timestamp: u32::MAX, reporter: id },
        None,
        now,
    )
}
