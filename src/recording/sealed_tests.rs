//! What was sealed opens; whatever was done to it does not.

use proptest::prelude::*;

use super::*;

const OLD: &str = "old:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW: &str = "new:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn keys(text: &str) -> KeyRing {
    KeyRing::parse(text).unwrap()
}

fn drawn(number: u8) -> Drawn {
    let mut random = [number; 51];
    random[50] = 7;
    Drawn::from(&random)
}

fn sound(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 % 251) as u8).collect()
}

/// A file of the recording `name`, from sound that comes in pieces.
fn sealed(name: &str, number: u8, sound: &[u8], piece: usize) -> Vec<u8> {
    let (mut sealer, head) = Sealer::begin(Form::Sound(Law::Alaw), name, &keys(OLD), &drawn(number)).unwrap();
    let mut file = head.to_vec();
    sound.chunks(piece).for_each(|piece| sealer.push(piece, &mut file).unwrap());
    sealer.finish(&mut file).unwrap();
    file
}

fn open(file: &[u8], name: &str, keys: &KeyRing) -> Result<Vec<u8>, SealError> {
    let opened = Opened::open(file, name, keys)?;
    let layout = Layout::of(file.len() as u64, file).unwrap();
    let mut whole = Vec::new();
    for number in 0..layout.full {
        let at = layout.offset(number) as usize;
        let mut chunk = file[at..at + layout.sealed_chunk()].to_vec();
        whole.extend_from_slice(opened.chunk(number, false, &mut chunk)?);
    }
    let mut last = file[layout.offset(layout.full) as usize..].to_vec();
    whole.extend_from_slice(opened.chunk(layout.full, true, &mut last)?);
    assert_eq!(Some(whole.len() as u64), layout.sound_len());
    Ok(whole)
}

#[test]
fn what_was_sealed_in_any_pieces_opens_whole() {
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 10_007] {
        let sound = sound(len);
        let first = sealed("r", 1, &sound, 1_601);
        assert_eq!(open(&first, "r", &keys(OLD)).unwrap(), sound, "{len}");
        assert_eq!(sealed("r", 1, &sound, 9_999), first, "pieces make no difference");
        assert!(len < 64 || !first.windows(32).any(|window| sound.windows(32).any(|plain| plain == window)));
        assert_ne!(sealed("r", 2, &sound, 1_601)[HEAD_LEN..], first[HEAD_LEN..], "no two files have one key");
    }
}

#[test]
fn cut_moved_repeated_spliced_and_renamed_files_do_not_open() {
    let sound = sound(4 * CHUNK + 100);
    let (file, other) = (sealed("r", 1, &sound, 800), sealed("s", 2, &sound, 800));
    let ring = keys(OLD);
    let offset = |number: u32| HEAD_LEN + number as usize * SEALED_CHUNK;
    let chunk = |number: u32| offset(number)..offset(number + 1);
    let refused = |file: &[u8]| open(file, "r", &ring).unwrap_err();
    for number in 0..=4 {
        let cut = &file[..offset(number)];
        assert!(matches!(refused(cut), SealError::Cut), "cut behind chunk {number}");
    }
    assert!(matches!(refused(&file[..file.len() - 1]), SealError::Cut));
    let mut moved = file.clone();
    moved[chunk(1)].copy_from_slice(&file[chunk(2)]);
    moved[chunk(2)].copy_from_slice(&file[chunk(1)]);
    assert_eq!(refused(&moved), SealError::Chunk(1));
    let mut left_out = file.clone();
    left_out.drain(chunk(2));
    assert_eq!(refused(&left_out), SealError::Chunk(2));
    let mut repeated = file.clone();
    let again = file[chunk(3)].to_vec();
    repeated.splice(chunk(3).end..chunk(3).end, again);
    assert_eq!(refused(&repeated), SealError::Chunk(4), "each has one place");
    let mut spliced = file.clone();
    spliced[chunk(0)].copy_from_slice(&other[chunk(0)]);
    assert_eq!(refused(&spliced), SealError::Chunk(0));
    assert_eq!(refused(&other), SealError::WrongKey("old".into()), "another recording under this name");
    let mut head = other;
    head[..HEAD_LEN].copy_from_slice(&file[..HEAD_LEN]);
    assert_eq!(refused(&head), SealError::Chunk(0), "another recording's sound under this head");
}

#[test]
fn a_key_that_is_missing_or_another_one_is_told_by_its_name() {
    let file = sealed("r", 1, &sound(10), 10);
    assert_eq!(open(&file, "r", &keys(NEW)).unwrap_err(), SealError::UnknownKey("old".into()));
    let wrong = keys(&NEW.replace("new", "old"));
    assert_eq!(open(&file, "r", &wrong).unwrap_err(), SealError::WrongKey("old".into()));
    assert_eq!(open(b"RIFF", "r", &wrong).unwrap_err(), SealError::Foreign);
}

#[test]
fn a_rotated_file_opens_under_the_new_key_alone_and_its_sound_stays() {
    let sound = sound(5_000);
    let mut file = sealed("r", 1, &sound, 800);
    let mut head = *file.first_chunk::<HEAD_LEN>().unwrap();
    let both = keys(&format!("{OLD}\n{NEW}"));
    assert_eq!(rewrap(&mut head, "r", &both, [9; 12]), Ok(true));
    assert_eq!(rewrap(&mut head, "r", &both, [10; 12]), Ok(false), "once is enough");
    file[..HEAD_LEN].copy_from_slice(&head);
    assert_eq!(open(&file, "r", &keys(NEW)).unwrap(), sound);
    assert_eq!(open(&file, "r", &keys(OLD)).unwrap_err(), SealError::UnknownKey("new".into()));
    assert_eq!(rewrap(&mut head, "s", &both, [11; 12]), Err(SealError::WrongKey("new".into())));
}

#[test]
fn a_file_that_a_kill_left_goes_on_behind_its_last_whole_chunk() {
    let sound = sound(3 * CHUNK);
    let file = sealed("r", 1, &sound, 800);
    let torn = &file[..HEAD_LEN + 2 * SEALED_CHUNK + 500];
    let opened = Opened::open(torn, "r", &keys(OLD)).unwrap();
    let layout = Layout::of(torn.len() as u64, torn).unwrap();
    assert_eq!(layout, Layout { chunk: CHUNK, full: 2, rest: 500 });
    let mut mended = torn[..layout.offset(layout.full) as usize].to_vec();
    Sealer::go_on(&opened, layout.full).finish(&mut mended).unwrap();
    assert_eq!(open(&mended, "r", &keys(OLD)).unwrap(), sound[..2 * CHUNK]);
}

#[test]
fn an_older_file_of_longer_chunks_opens_and_goes_on() {
    let (sound, ring) = (sound(2 * OLDER_CHUNK + 5), keys(OLD));
    let begun = Sealer::begin_in(OLDER_CHUNK, Form::Sound(Law::Ulaw), "r", &ring, &drawn(1)).unwrap();
    let (mut sealer, mut file) = (begun.0, begun.1.to_vec());
    sealer.push(&sound, &mut file).unwrap();
    let mut killed = file.clone();
    sealer.finish(&mut file).unwrap();
    assert_eq!(open(&file, "r", &ring).unwrap(), sound);
    let layout = Layout::of(killed.len() as u64, &killed).unwrap();
    assert_eq!(layout, Layout { chunk: OLDER_CHUNK, full: 2, rest: 0 });
    Sealer::go_on(&Opened::open(&killed, "r", &ring).unwrap(), 2).finish(&mut killed).unwrap();
    assert_eq!(open(&killed, "r", &ring).unwrap(), sound[..2 * OLDER_CHUNK]);
    // What the head says of it is sealed with the key: nobody reads an older file as a newer one.
    killed[12..16].copy_from_slice(&(CHUNK as u32).to_le_bytes());
    assert_eq!(open(&killed, "r", &ring), Err(SealError::WrongKey("old".into())));
}

proptest! {
    #[test]
    fn one_changed_octet_is_always_found(at in 0usize..HEAD_LEN + 2 * SEALED_CHUNK, bit in 0u32..8) {
        let file = sealed("r", 1, &sound(CHUNK + 500), 800);
        let at = at % file.len();
        let mut changed = file;
        changed[at] ^= 1 << bit;
        // No key covers the octets that are zero for ever.
        let free = (117..120).contains(&at);
        if !free {
            prop_assert!(open(&changed, "r", &keys(OLD)).is_err(), "octet {}", at);
        }
    }

    #[test]
    fn hostile_files_are_refused_and_never_panic(file in proptest::collection::vec(any::<u8>(), 0..400), magic: bool) {
        let mut file = file;
        if magic && file.len() > 16 {
            file[..8].copy_from_slice(MAGIC);
            file[8..10].copy_from_slice(&[VERSION, 6]);
            file[12..16].copy_from_slice(&(CHUNK as u32).to_le_bytes());
        }
        prop_assert!(Opened::open(&file, "r", &keys(OLD)).is_err());
        let _ = Layout::of(file.len() as u64, &file).and_then(Layout::sound_len);
    }
}
