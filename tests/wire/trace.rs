//! One call's messages out of the ring: every leg, nothing secret.

use std::net::UdpSocket;

use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::phone::Phone;
use super::queue::agent;
use super::way::next_datagram;

/// What the ring's files hold, as text.
fn ring(daemon: &Daemon) -> String {
    let files = std::fs::read_dir(daemon.data_dir().join("trace")).expect("the ring");
    let read =
        |file: std::fs::DirEntry| String::from_utf8_lossy(&std::fs::read(file.path()).expect("read")).into_owned();
    files.flatten().map(read).collect()
}

#[test]
fn a_calls_ladder_has_every_leg_and_no_secret_stays() {
    let mut daemon = Daemon::start();
    let mut agent = agent(&daemon, "1001");
    let mut caller = Phone::new("13800138000", own_address(), daemon.sip, 440.0);
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    agent.answer(&invite);
    let info = "Content-Type: application/dtmf-relay\r\n";
    assert!(caller.within("INFO", info, "Signal=7\r\nDuration=160\r\n").is("200"));
    let digest = ring(&daemon);
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    // A stranger's call, which is another one.
    let mut other = Phone::new("10010", own_address(), daemon.sip, 440.0);
    other.call("4002");
    other.hang_up();
    let records = daemon.stop();
    let id = records.iter().find(|record| record.caller == "13800138000").expect("a record").call_id.to_string();

    let shown = daemon.run_command(&["trace", &id]);
    let (phone, desk) = (caller.local().to_string(), agent.local().to_string());
    for part in [&phone, &desk, "trunkline", "INVITE 4001", "INVITE 1001", "180 INVITE", "INFO", "BYE", "200 BYE"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains(&other.local().to_string()), "{shown}");
    // The caller's column is the first, ours the second, the agent's the third.
    let line = |word: &str| shown.lines().find(|line| line.contains(word)).expect("a line").to_owned();
    assert!(line("INVITE 4001").find("INVITE 4001") < line("INVITE 1001").find("INVITE 1001"), "{shown}");
    let by_number = daemon.run_command(&["trace", "--number", "00138000", "--messages"]);
    assert!(by_number.contains("INVITE sip:4001@") && by_number.contains(&desk), "{by_number}");
    assert!(!by_number.contains("Signal=7") && by_number.contains("xxxxxxxx"), "{by_number}");
    let file = daemon.data_dir().join("call.pcap");
    let written = daemon.run_command(&["trace", &id, "--pcap", file.to_str().expect("a name")]);
    assert!(written.contains("messages"), "{written}");
    let bytes = std::fs::read(&file).expect("a capture");
    assert_eq!(bytes[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    assert!(bytes.windows(8).filter(|part| part == b" SIP/2.0").count() >= 5);

    // The agent's registration is in the ring without its proof.
    let kept = ring(&daemon);
    assert!(digest.contains("REGISTER sip:") || kept.contains("REGISTER sip:"));
    let proofs: Vec<&str> = kept.lines().filter(|line| line.starts_with("Authorization:")).collect();
    assert!(!proofs.is_empty() && proofs.iter().all(|line| !line.contains("response=")), "{proofs:?}");
    let none = daemon.try_command(&["trace", "--number", "99999999"]);
    assert_eq!(none.status.code(), Some(1), "{}", String::from_utf8_lossy(&none.stderr));
}

#[test]
fn homer_gets_a_copy_of_every_message() {
    let homer = UdpSocket::bind((own_address(), 0)).expect("a socket");
    homer.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let to = format!("hep = \"{}\"\nhep_id = 2001\nkeep_mb", homer.local_addr().expect("bound"));
    let mut daemon = Daemon::start_set(own_address(), |settings| settings.replace("keep_mb", &to), without_acw, &[]);
    let mut caller = Phone::new("13800138000", own_address(), daemon.sip, 440.0);
    caller.invite("4002");
    let mut buffer = [0; 8_192];
    // Chunks as the specification has them: vendor, type, length with the head, value.
    let chunk = |packet: &[u8], wanted: u16| {
        let mut rest = &packet[6..];
        while rest.len() > 6 {
            let (kind, length) =
                (u16::from_be_bytes([rest[2], rest[3]]), usize::from(u16::from_be_bytes([rest[4], rest[5]])));
            if kind == wanted {
                return rest[6..length].to_vec();
            }
            rest = &rest[length..];
        }
        panic!("no chunk {wanted}")
    };
    let invite = loop {
        let (length, _) = next_datagram(&homer, &mut buffer).expect("a packet");
        let packet = buffer[..length].to_vec();
        assert_eq!((&packet[..4], usize::from(u16::from_be_bytes([packet[4], packet[5]]))), (&b"HEP3"[..], length));
        if chunk(&packet, 15).starts_with(b"INVITE") {
            break packet;
        }
    };
    let std::net::IpAddr::V4(ip) = caller.local().ip() else { panic!("IPv4") };
    assert_eq!(chunk(&invite, 3), ip.octets());
    assert_eq!(chunk(&invite, 7), caller.local().port().to_be_bytes());
    assert_eq!(
        (chunk(&invite, 2), chunk(&invite, 11), chunk(&invite, 12)),
        (vec![17], vec![1], 2001u32.to_be_bytes().to_vec())
    );
    assert!(
        String::from_utf8_lossy(&chunk(&invite, 15))
            .contains(&String::from_utf8_lossy(&chunk(&invite, 17)).into_owned())
    );
    assert!(caller.outcome().is("200"));
    caller.hang_up();
    daemon.stop();
}
