//! Recordings over HTTP.

use std::fs;

use crate::floor::{Floor, TOKEN, answered, call, offered};
use crate::http::ask;

#[test]
fn a_recording_comes_whole_and_in_ranges() {
    let dir = tempfile::tempdir().expect("a folder");
    let recordings = dir.path().join("recordings");
    fs::create_dir(&recordings).expect("a folder");
    let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    fs::write(recordings.join(format!("{}.wav", call(1))), &bytes).expect("a file");
    // The manifest says that it is closed, so that the start leaves it alone.
    fs::write(recordings.join(format!("{}.json", call(1))), "{}").expect("a file");
    let mut floor = Floor::start(dir.path());
    floor.tell_all(answered(call(1), "555"));
    floor.tell_all(answered(call(2), "555"));
    floor.tell(offered(call(3), "555"));
    floor.settle();
    let path = format!("/api/v1/records/{}/recording", call(1));
    let get = |range: &[(&str, &str)]| ask(floor.address(), "GET", &path, &[&[TOKEN], range].concat(), "");
    let whole = get(&[]);
    assert_eq!((whole.status, whole.header("content-type"), whole.body == bytes), (200, Some("audio/wav"), true));
    assert_eq!((whole.header("accept-ranges"), whole.header("etag")), (Some("bytes"), Some("\"ab\"")));
    let part = get(&[("Range", "bytes=100000-100009")]);
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 100000-100009/200000")));
    assert_eq!(part.body, bytes[100_000..100_010]);
    assert_eq!(get(&[("Range", "bytes=-5")]).body, bytes[199_995..]);
    assert_eq!(get(&[("Range", "bytes=0-9"), ("If-Range", "\"ab\"")]).status, 206);
    assert_eq!(get(&[("Range", "bytes=0-9"), ("If-Range", "\"cd\"")]).status, 200);
    let outside = get(&[("Range", "bytes=200000-")]);
    outside.problem(416);
    assert_eq!(outside.header("content-range"), Some("bytes */200000"));
    // No file, and no record yet.
    floor.get(&format!("/api/v1/records/{}/recording", call(2))).problem(404);
    floor.get(&format!("/api/v1/records/{}/recording", call(3))).problem(404);
    floor.stop();
}
