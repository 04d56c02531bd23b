//! Who exists cannot be told by how long a refusal takes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::daemon::{Daemon, PATIENCE, own_address};
use super::phone::{Phone, answer};
use super::way::Way;

/// Guesses of each kind. The floor takes some ten microseconds for one; the median of so many is not moved by a busy machine.
const GUESSES: u32 = 600;

/// A REGISTER of `user` that answers the challenge wrongly.
fn guess(local: SocketAddr, server: SocketAddr, user: &str, authorization: &str, number: u32) -> String {
    format!(
        "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKg{number}\r\n\
         From: <sip:{user}@x>;tag=g\r\nTo: <sip:{user}@x>\r\nCall-ID: g{number}-{local}\r\nCSeq: 1 REGISTER\r\n\
         Max-Forwards: 70\r\nContact: <sip:{user}@{local}>\r\nAuthorization: {authorization}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

/// How long each kind of guess takes, as a ratio of medians; guesses of both kinds take turns.
fn ratio(daemon: &Daemon, known: &str, unknown: &str, first: u32) -> f64 {
    let mut phone = Phone::new(known, own_address(), daemon.sip, 0.0);
    let challenge = phone.challenge_to_register();
    let uri = format!("sip:{}", daemon.sip);
    let local = SocketAddr::from((own_address(), 5060));
    let mut way = Way::udp(local, daemon.sip);
    let wrong = [known, unknown].map(|user| (user, answer(&challenge, user, "wrong", "REGISTER", &uri)));
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..2 * GUESSES {
        let kind = (number % 2) as usize;
        let (user, authorization) = &wrong[kind];
        let text = guess(local, daemon.sip, user, authorization, first + number);
        let since = Instant::now();
        way.send(text.as_bytes());
        let refused = loop {
            if let Some(refused) = way.receive() {
                break refused;
            }
            assert!(since.elapsed() < PATIENCE, "no answer");
        };
        times[kind].push(since.elapsed());
        assert!(refused.is("401"), "{refused:?}");
    }
    let [mut of_known, mut of_unknown] = times;
    median(&mut of_known) / median(&mut of_unknown)
}

#[test]
fn a_wrong_password_takes_as_long_for_a_user_who_exists_as_for_one_who_does_not() {
    // All of 127.0.0.0/8 is a trunk's here, so that no guess is slowed.
    let mut daemon = Daemon::start();
    let mut ratios: Vec<f64> = (0..3).map(|round| ratio(&daemon, "1001", "9999", round * 2 * GUESSES)).collect();
    ratios.sort_by(f64::total_cmp);
    println!("known to unknown: {ratios:.3?}");
    assert!((0.8..1.25).contains(&ratios[1]), "known to unknown: {ratios:?}");
    daemon.stop();
}
