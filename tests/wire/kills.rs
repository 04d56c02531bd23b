//! `kill -9` under load, again and again: every call that saw a 200 has exactly one record afterwards, every peer its BYE.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::daemon::{Daemon, PATIENCE};
use super::phone::{Phone, Text};

/// How often the daemon is killed.
const KILLS: usize = 100;

/// Places calls as fast as they are answered, until told to stop; gives the callers' numbers that saw a 200.
fn load(
    daemon_sip: std::net::SocketAddr,
    host: std::net::Ipv4Addr,
    lane: usize,
    stop: &AtomicBool,
) -> BTreeSet<String> {
    let socket = UdpSocket::bind((host, 0)).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time-out");
    let local = socket.local_addr().expect("bound");
    let mut answered = BTreeSet::new();
    let mut buf = [0; 8192];
    for number in 0.. {
        if stop.load(Ordering::Acquire) {
            return answered;
        }
        let caller = format!("9{lane:02}{number:06}");
        let sdp =
            format!("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n");
        let invite = format!(
            "INVITE sip:4002@{daemon_sip} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{caller}\r\n\
             From: <sip:{caller}@{local}>;tag=t\r\nTo: <sip:4002@{daemon_sip}>\r\nCall-ID: {caller}\r\nCSeq: 1 INVITE\r\n\
             Max-Forwards: 70\r\nContact: <sip:{caller}@{local}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        // While nobody listens the datagram is lost, and the next call is as good.
        let _ = socket.send_to(invite.as_bytes(), daemon_sip);
        while let Ok(len) = socket.recv(&mut buf) {
            let text = Text(String::from_utf8_lossy(&buf[..len]).into_owned());
            if text.is("200") {
                answered.insert(text.header("Call-ID").to_owned());
            }
        }
    }
    answered
}

/// A caller and an agent who talk whenever the daemon lets them; tells the caller's number of each conversation, and gives all
/// numbers that saw a 200.
fn converse(mut caller: Phone, mut agent: Phone, stop: &AtomicBool, talking: &Sender<String>) -> BTreeSet<String> {
    let mut answered = BTreeSet::new();
    let mut number = 0;
    let mut invited: Option<Instant> = None;
    let mut ringing = String::new();
    while !stop.load(Ordering::Acquire) {
        // An INVITE that met a dead daemon is not repeated; the next call is as good.
        if invited.is_none_or(|at| at.elapsed() > Duration::from_secs(3)) {
            number += 1;
            caller.user = format!("8{number:06}");
            caller.invite("4001");
            invited = Some(Instant::now());
        }
        if let Some(text) = caller.try_receive() {
            if text.is("200") && text.header("From").contains(&caller.user) && answered.insert(caller.user.clone()) {
                caller.confirm(&text);
            } else if text.is("BYE") {
                caller.reply(&text, "200 OK", "");
                invited = None;
            }
        }
        if let Some(text) = agent.try_receive() {
            match text.first().split(' ').next() {
                Some("INVITE") => {
                    agent.take(&text);
                    agent.answer_unheard(&text);
                    ringing = user_of(text.header("From"));
                }
                Some("ACK") => talking.send(ringing.clone()).expect("the test listens"),
                Some("BYE" | "OPTIONS" | "CANCEL") => agent.reply(&text, "200 OK", ""),
                _ => {}
            }
        }
    }
    answered
}

fn user_of(from: &str) -> String {
    from.split("sip:").nth(1).and_then(|rest| rest.split('@').next()).expect("a user").to_owned()
}

/// The floor with a recording notice of a tenth of a second, so that calls come to an agent between two kills.
fn hasty_floor() -> (Daemon, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts");
    for language in ["en", "zh"] {
        std::fs::create_dir(folder.path().join(language)).expect("made");
        for file in std::fs::read_dir(from.join(language)).expect("prompts") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), folder.path().join(language).join(file.file_name())).expect("copied");
        }
        let notice = folder.path().join(language).join("recording_notice.wav");
        let short = std::fs::read(&notice).expect("the notice");
        std::fs::write(notice, shortened(short)).expect("written");
    }
    let prompts = folder.path().display().to_string();
    (Daemon::start_with(super::daemon::without_acw, &[("TRUNKLINE__PROMPTS", &prompts)]), folder)
}

/// The first tenth of a second of a prompt.
fn shortened(mut wav: Vec<u8>) -> Vec<u8> {
    let data = wav.windows(4).position(|window| window == b"data").expect("samples") + 8;
    wav.truncate(data + 800);
    wav[data - 4..data].copy_from_slice(&800u32.to_le_bytes());
    let riff = u32::try_from(wav.len() - 8).expect("small");
    wav[4..8].copy_from_slice(&riff.to_le_bytes());
    wav
}

#[test]
fn every_call_that_saw_a_200_has_one_record_after_a_hundred_kills() {
    let (mut daemon, _prompts) = hasty_floor();
    let (caller, agent) = (super::queue::caller(&daemon), super::queue::agent(&daemon, "1001"));
    let (talking, conversations) = channel();
    let mut talked = BTreeSet::new();
    let stop = AtomicBool::new(false);
    let (sip, host) = (daemon.sip, daemon.host);
    let answered: BTreeSet<String> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..4)
            .map(|lane| {
                scope.spawn({
                    let stop = &stop;
                    move || load(sip, host, lane, stop)
                })
            })
            .collect();
        let pair = scope.spawn({
            let stop = &stop;
            move || converse(caller, agent, stop, &talking)
        });
        for kill in 0..KILLS {
            // Every tenth one cuts a conversation that is being recorded.
            if kill % 10 == 0 {
                let number = conversations.recv_timeout(4 * PATIENCE).expect("caller and agent talk");
                talked.insert(number);
            }
            daemon.kill();
            daemon.run();
        }
        stop.store(true, Ordering::Release);
        lanes.into_iter().chain([pair]).flat_map(|lane| lane.join().expect("a lane")).collect()
    });
    daemon.kill();
    daemon.run();
    daemon.hurry();
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    let records = daemon.records();
    assert!(answered.len() > KILLS, "a real load: {} calls", answered.len());
    let mut recorded = BTreeSet::new();
    for record in &records {
        assert!(recorded.insert(record.caller.clone()), "two records of {}", record.caller);
        assert!(record.is_final && trunkline::records::check(record).is_empty(), "{record:?}");
    }
    let lost: Vec<_> = answered.difference(&recorded).collect();
    // Where a machine starves the journal's writer for 50 ms, calls pass with an alarm: then, and only then, a kill may lose some.
    let told = daemon.log().contains("a crash now would lose them");
    assert!(lost.is_empty() || told, "calls that were answered and have no record: {lost:?}");
    talked.extend(conversations.try_iter());
    for number in &talked {
        let record = records.iter().find(|record| record.caller == *number).expect("recorded");
        assert!(record.agent_answered.is_some() && record.recording.is_some(), "{record:?}");
    }
    let cut = records.iter().filter(|record| record.cause.text == "switch_restart").count();
    assert!(cut > 0, "kills cut calls");
    let (answered, records, talked) = (answered.len(), records.len(), talked.len());
    eprintln!(
        "{KILLS} kills, {answered} answered calls, {talked} conversations, {records} records, {cut} cut by a restart"
    );
}

#[test]
fn a_conversation_cut_by_a_kill_ends_for_both_and_loses_a_second_at_most() {
    let mut daemon = Daemon::start();
    let (caller, agent) = super::queue::conversation(&daemon);
    // Silence at the end too: the file must grow while nobody speaks as well.
    caller.ear.hear(150);
    daemon.kill();
    let killed = std::time::SystemTime::now();
    daemon.run();
    caller.expect_bye();
    agent.expect_bye();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.cause.text.as_str(), record.is_final), ("switch_restart", true));
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.state, Some(trunkline::journal::RecordingState::Partial));
    let since_epoch = killed.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let spoken = since_epoch - record.agent_answered.expect("answered").0;
    let lost = spoken - recording.written_ms as i64;
    assert!(lost <= 1_000, "{lost} ms of {spoken} ms are lost");
    let (left, right) = super::tone::channels(&daemon.recording(record));
    assert!(super::tone::share(&left, 440.0) > 0.9 && super::tone::share(&right, 1_000.0) > 0.8);
}
