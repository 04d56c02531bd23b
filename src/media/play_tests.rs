//! A player on a virtual clock.

use super::*;
use crate::codec::tone::Sine;
use crate::media::PromptId;

const ULAW: Codec = Codec::G711(Law::Ulaw);

fn room() -> [u8; LONGEST_PACKET] {
    [0; LONGEST_PACKET]
}

fn store() -> PromptStore {
    let mut store = PromptStore::default();
    store.add_prompt(PromptId(1), &[1000; 200]);
    store.add_music(MusicId(1), &Sine::new(440.0, 8_000, 9_000).take(1_600).collect::<Vec<_>>());
    store
}

fn list(prompts: &[u32]) -> Source {
    Source::Play(Playlist { prompts: prompts.iter().map(|id| PromptId(*id)).collect(), id: 7 })
}

#[test]
fn deadlines_keep_to_the_first_one_when_ticks_come_late() {
    let store = store();
    let mut now = Now { mono_ns: 1_000 * MS, wall_ms: 0 };
    let mut player = Player::new(&Source::Music(MusicId(1)), now).unwrap();
    for frame in 1..=500u64 {
        assert!(matches!(player.handle_tick(&store, ULAW, 160, now, &mut room()), Some(Step::Coded(_))));
        assert_eq!(player.handle_tick(&store, ULAW, 160, now, &mut room()), None);
        assert_eq!(player.deadline(), (1_000 + frame * 20) * MS);
        now = Now { mono_ns: player.deadline() + 3 * MS, wall_ms: 0 };
    }
}

#[test]
fn a_list_is_played_once_and_a_missing_prompt_is_told() {
    let store = store();
    let late = Now { mono_ns: 100 * MS, wall_ms: 0 };
    for (prompts, frames, completed) in [(&[1, 1][..], 4, true), (&[1, 9], 2, false), (&[], 0, true)] {
        let mut player = Player::new(&list(prompts), Now::default()).unwrap();
        for _ in 0..frames {
            let mut room = room();
            let step = player.handle_tick(&store, Codec::G711(Law::Alaw), 160, late, &mut room);
            assert!(matches!(step, Some(Step::Coded(octets)) if octets.len() == 160));
        }
        let mut room = room();
        let step = player.handle_tick(&store, Codec::G711(Law::Alaw), 160, late, &mut room);
        assert_eq!(step, Some(Step::Finished { id: 7, completed }));
    }
}

#[test]
fn quiet_is_silence_in_every_codec_for_as_long_as_it_is_wanted() {
    let (store, now) = (PromptStore::default(), Now::default());
    let player = Player::new(&Source::Quiet, now).unwrap();
    assert!(player.serves(&Source::Quiet) && !player.serves(&Source::Silence) && player.playlist().is_none());
    for (codec, law) in [(ULAW, Law::Ulaw), (Codec::G711(Law::Alaw), Law::Alaw), (Codec::G722, Law::Alaw)] {
        let mut player = player.clone();
        for _ in 0..100 {
            let mut room = room();
            let due = Now { mono_ns: player.deadline(), wall_ms: 0 };
            let step = player.handle_tick(&store, codec, 240, due, &mut room);
            let octets = match step {
                Some(Step::Coded(octets)) if codec == Codec::G711(law) => octets,
                Some(Step::Plain(octets)) if codec == Codec::G722 => octets,
                other => panic!("{codec:?}: {other:?}"),
            };
            assert!(octets.len() == 240 && octets.iter().all(|octet| *octet == law.silence()));
        }
    }
}

/// Everything that a player gives out, and whether it had been encoded before.
fn played(store: &PromptStore, codec: Codec, samples: usize, prompts: &[u32]) -> (Vec<Vec<u8>>, Vec<bool>) {
    let mut player = Player::new(&list(prompts), Now::default()).unwrap();
    let (mut packets, mut ready) = (Vec::new(), Vec::new());
    loop {
        let now = Now { mono_ns: player.deadline(), wall_ms: 0 };
        let mut room = room();
        let (packet, coded) = match player.handle_tick(store, codec, samples, now, &mut room).unwrap() {
            Step::Coded(packet) => (packet, true),
            Step::Plain(packet) => (packet, false),
            Step::Finished { .. } | Step::Nothing => return (packets, ready),
        };
        packets.push(packet.to_vec());
        ready.push(coded);
    }
}

#[test]
fn packets_of_every_length_have_no_gap_between_prompts() {
    let store = store();
    let (packets, _) = played(&store, ULAW, 160, &[1, 1]);
    let whole = packets.concat();
    for ms in [10, 20, 30, 40, 60] {
        let (packets, ready) = played(&store, ULAW, ms * 8, &[1, 1]);
        assert!(ready.iter().all(|ready| *ready) && packets.iter().all(|packet| packet.len() == ms * 8));
        let mut octets = packets.concat();
        assert!(octets.len() < whole.len() + ms * 8 && octets[whole.len()..].iter().all(|octet| *octet == 0xff));
        octets.truncate(whole.len());
        assert_eq!(octets, whole, "{ms} ms");
    }
}

#[test]
fn wider_codecs_are_plain_until_they_are_encoded() {
    let store = store();
    for codec in [Codec::G722, Codec::Opus] {
        assert_eq!(played(&store, codec, 160, &[1, 1]).1, [false; 4]);
    }
    store.encode();
    for codec in [Codec::G722, Codec::Opus] {
        let (packets, ready) = played(&store, codec, 160, &[1, 1]);
        assert_eq!(ready, [true; 4]);
        assert_eq!(packets[0], packets[2]);
    }
    // No frame of Opus that has been made is as long, and the end of a list in G.722 is filled up before it is encoded.
    assert_eq!(played(&store, Codec::Opus, 480, &[1]).1, [false]);
    assert_eq!(played(&store, Codec::G722, 240, &[1]).1, [true, false]);
}

#[test]
fn a_long_prompt_comes_from_the_disk_chunk_by_chunk_and_a_late_disk_is_silence() {
    let whole: Vec<u8> = (0..CHUNK_BYTES * 3 + 160).map(|octet| (octet / FRAME_BYTES % 200) as u8 ^ 0x55).collect();
    let mut store = store();
    store.add_long_prompt(PromptId(5), &whole[..CHUNK_BYTES], whole.len(), std::path::Path::new("long").into());
    assert_eq!(store.prompt_ms(PromptId(5)), Some(30_020));
    let chunk = |number: usize| {
        let end = whole.len().min((number + 1) * CHUNK_BYTES);
        Chunk { prompt: PromptId(5), number, octets: Some(whole[number * CHUNK_BYTES..end].into()) }
    };
    let mut player = Player::new(&list(&[5, 1]), Now::default()).unwrap();
    let (mut heard, mut silent, mut orders) = (Vec::new(), 0, Vec::new());
    loop {
        if let Some(order) = player.poll_order(&store) {
            assert_eq!(player.poll_order(&store), None, "told once");
            orders.push((order.number, order.len, heard.len()));
            // The second one comes late.
            if order.number != 2 {
                player.handle_chunk(chunk(order.number));
            }
        }
        let now = Now { mono_ns: player.deadline(), wall_ms: 0 };
        let (alaw, starved) = match player.handle_tick(&store, Codec::G711(Law::Alaw), 160, now, &mut room()).unwrap() {
            Step::Coded(octets) => (octets.to_vec(), false),
            Step::Plain(_) => panic!("A-law is what there is"),
            Step::Finished { completed, .. } => {
                assert!(completed);
                break;
            }
            Step::Nothing => panic!("there is something"),
        };
        let starved = starved || player.is_starved();
        if starved {
            silent += 1;
            assert!(alaw.iter().all(|octet| *octet == Law::Alaw.silence()));
            if silent == 10 {
                player.handle_chunk(chunk(2));
            }
        } else {
            heard.extend(alaw);
        }
    }
    assert_eq!(heard[..whole.len()], whole, "nothing is lost by it");
    assert_eq!((silent, heard.len()), (10, whole.len() + 320));
    let (one, last) = (CHUNK_BYTES, 160);
    assert_eq!(orders, [(1, one, 0), (2, one, one), (3, last, 2 * one)]);
    // What cannot be read is passed over, and told; a telephone of the other law hears the same.
    let mut player = Player::new(&list(&[5, 1]), Now::default()).unwrap();
    assert!(player.poll_order(&store).is_some());
    player.handle_refused();
    assert!(player.poll_order(&store).is_some(), "told again");
    player.handle_chunk(Chunk { prompt: PromptId(5), number: 1, octets: None });
    let mut steps = 0;
    loop {
        let now = Now { mono_ns: player.deadline(), wall_ms: 0 };
        match player.handle_tick(&store, ULAW, 160, now, &mut room()).unwrap() {
            Step::Finished { completed, .. } => break assert!(!completed && steps == 2),
            _ => steps += 1,
        }
    }
    let mut player = Player::new(&list(&[5]), Now::default()).unwrap();
    player.place = Some(Place { item: 0, offset: CHUNK_BYTES, missing: false });
    let order = player.poll_order(&store).unwrap();
    player.handle_chunk(chunk(order.number));
    let mut room = room();
    let step = player.handle_tick(&store, ULAW, 160, Now::default(), &mut room).unwrap();
    assert_eq!(step, Step::Plain(&whole[CHUNK_BYTES..CHUNK_BYTES + 160]));
}

#[test]
fn whoever_listens_to_music_hears_what_all_hear() {
    let (store, start) = (store(), 12_346 * MS);
    let mut first = Player::new(&Source::Music(MusicId(1)), Now { mono_ns: start, wall_ms: 0 }).unwrap();
    let mut heard = Vec::new();
    for n in 0..20 {
        let now = Now { mono_ns: start + n * 20 * MS, wall_ms: 0 };
        let mut room = room();
        let Some(Step::Coded(octets)) = first.handle_tick(&store, ULAW, 160, now, &mut room) else { panic!() };
        heard.push(octets.to_vec());
    }
    let later = Now { mono_ns: start + 7 * 20 * MS, wall_ms: 0 };
    let mut second = Player::new(&Source::Music(MusicId(1)), later).unwrap();
    assert_eq!(second.handle_tick(&store, ULAW, 160, later, &mut room()), Some(Step::Coded(&heard[7])));
    assert_ne!(heard[6], heard[7]);
}

#[test]
fn a_long_stall_makes_no_burst() {
    let store = store();
    let mut player = Player::new(&Source::Music(MusicId(1)), Now::default()).unwrap();
    let now = Now { mono_ns: 5_005 * MS, wall_ms: 0 };
    assert!(player.handle_tick(&store, ULAW, 160, now, &mut room()).is_some());
    assert_eq!(player.handle_tick(&store, ULAW, 160, now, &mut room()), None);
    assert_eq!(player.deadline(), 5_020 * MS);
}
