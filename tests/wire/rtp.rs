//! A phone's ear and mouth: sends a tone and keys, keeps what it hears.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::daemon::PATIENCE;
use super::tone;
use super::way::next_datagram;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder, Encoder};
use trunkline::codec::g711::Law;

enum Order {
    Towards(SocketAddr),
    Quiet,
    Pause,
    Wide,
    Sing(f64),
    Key(char),
    Aloud(char),
}

/// What was heard, with the payload type of each packet.
#[derive(Default)]
struct Heard {
    samples: Vec<i16>,
    packets: u64,
    events: u64,
    noise: u64,
}

pub struct Ear {
    pub port: u16,
    orders: Option<Sender<Order>>,
    heard: Arc<Mutex<Heard>>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    /// An ear at `host` that will send a tone of `hz` once it knows where to.
    pub fn open(host: std::net::Ipv4Addr, hz: f64) -> Self {
        let socket = UdpSocket::bind((host, 0)).expect("an RTP socket");
        let port = socket.local_addr().expect("bound").port();
        let (orders, inbox) = channel();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = Arc::clone(&heard);
        let thread = std::thread::spawn(move || speak(&socket, hz, &inbox, &shared));
        Self { port, orders: Some(orders), heard, thread: Some(thread) }
    }

    pub fn speak_to(&self, remote: SocketAddr) {
        self.orders.as_ref().expect("open").send(Order::Towards(remote)).expect("the thread runs");
    }

    /// Sends nothing from now on.
    pub fn fall_silent(&self) {
        self.orders.as_ref().expect("open").send(Order::Quiet).expect("the thread runs");
    }

    /// Sends comfort noise alone from now on (RFC 3389, payload type 13), a packet each 160 ms.
    pub fn pause(&self) {
        self.orders.as_ref().expect("open").send(Order::Pause).expect("the thread runs");
    }

    /// Waits until so many packets of comfort noise were heard.
    pub fn hear_noise(&self, count: u64) {
        self.wait(|heard| heard.noise >= count);
    }

    /// Speaks G.722 from now on.
    pub fn speak_wide(&self) {
        self.orders.as_ref().expect("open").send(Order::Wide).expect("the thread runs");
    }

    /// Changes the tone that it sends.
    pub fn sing(&self, hz: f64) {
        self.orders.as_ref().expect("open").send(Order::Sing(hz)).expect("the thread runs");
    }

    /// Presses a key (RFC 4733, payload type 101).
    pub fn press(&self, key: char) {
        self.orders.as_ref().expect("open").send(Order::Key(key)).expect("the thread runs");
    }

    /// Presses a key that is sent as sound, in the place of the tone.
    pub fn press_aloud(&self, key: char) {
        self.orders.as_ref().expect("open").send(Order::Aloud(key)).expect("the thread runs");
    }

    /// Waits until so many more packets were heard, and gives their samples (the last ones).
    pub fn hear(&self, packets: u64) -> Vec<i16> {
        let before = self.heard.lock().expect("sound").packets;
        self.wait(|heard| heard.packets >= before + packets);
        let heard = self.heard.lock().expect("sound");
        let wanted = (packets * 160) as usize;
        heard.samples[heard.samples.len().saturating_sub(wanted)..].to_vec()
    }

    /// Waits until the last so many packets are a tone of `hz`, and little else.
    pub fn until(&self, packets: u64, hz: f64) {
        let since = Instant::now();
        while tone::share(&self.hear(packets), hz) < 0.9 {
            assert!(since.elapsed() < PATIENCE, "{hz} Hz is not heard");
        }
    }

    pub fn packets(&self) -> u64 {
        self.heard.lock().expect("sound").packets
    }

    /// Waits until so many telephone-event packets were heard.
    pub fn hear_events(&self, count: u64) {
        self.wait(|heard| heard.events >= count);
    }

    fn wait(&self, done: impl Fn(&Heard) -> bool) {
        let since = Instant::now();
        // Looks again with each frame that the other side would have sent.
        let (_keep, tick) = channel::<()>();
        while !done(&self.heard.lock().expect("sound")) {
            assert!(since.elapsed() < PATIENCE, "too little was heard");
            let _ = tick.recv_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn speak(socket: &UdpSocket, mut hz: f64, orders: &Receiver<Order>, heard: &Mutex<Heard>) {
    socket.set_nonblocking(true).expect("a socket");
    let start = Instant::now();
    let (mut remote, mut keys, mut aloud) = (None, VecDeque::new(), VecDeque::new());
    let (mut wide, mut ear, mut pauses) = (None, G722Decoder::new(), false);
    let mut sequence = 1u16;
    for number in 0u64.. {
        let due = start + Duration::from_millis(20 * number);
        loop {
            match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Order::Towards(to)) => remote = Some(to),
                Ok(Order::Quiet) => remote = None,
                Ok(Order::Pause) => pauses = true,
                Ok(Order::Wide) => wide = Some(G722Encoder::new()),
                Ok(Order::Sing(other)) => hz = other,
                Ok(Order::Key(key)) => keys.push_back(key),
                Ok(Order::Aloud(key)) => aloud.extend(tone::key(key)),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        listen(socket, &mut ear, heard);
        let Some(remote) = remote else { continue };
        let timestamp = (number * 160) as u32;
        // One in each frame: keys of one timestamp would be one key (RFC 4733 §2.5.1.2).
        if let Some(key) = keys.pop_front() {
            for payload in key_press(key) {
                let _ = socket.send_to(&packet(101, sequence, timestamp, &payload), remote);
                sequence = sequence.wrapping_add(1);
            }
        }
        if pauses {
            if number % 8 == 0 {
                let _ = socket.send_to(&packet(13, sequence, timestamp, &[60]), remote);
                sequence = sequence.wrapping_add(1);
            }
            continue;
        }
        let frame = match &mut wide {
            Some(encoder) => packet(9, sequence, timestamp, &wide_frame(encoder, hz, number)),
            None => {
                let key = aloud.pop_front();
                packet(8, sequence, timestamp, &key.unwrap_or_else(|| tone::frame(hz, number)))
            }
        };
        let _ = socket.send_to(&frame, remote);
        sequence = sequence.wrapping_add(1);
    }
}

/// The payloads of a key (RFC 4733): three packets while it is down, three that end it.
pub fn key_press(key: char) -> [[u8; 4]; 6] {
    let event = "0123456789*#ABCD".find(key).expect("a key") as u8;
    [(1u16, 0), (2, 0), (3, 0), (3, 0x80), (3, 0x80), (3, 0x80)].map(|(n, end)| {
        let [high, low] = (n * 160).to_be_bytes();
        [event, 10 | end, high, low]
    })
}

/// An RTP packet.
pub fn packet(kind: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, kind];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&0x0506_0708u32.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// A frame of 20 ms of a sine in G.722.
fn wide_frame(encoder: &mut G722Encoder, hz: f64, number: u64) -> [u8; 160] {
    let at = |n: u64| (number * 320 + n) as f64 / 16_000.0;
    let samples: Vec<i16> = (0..320).map(|n| (8_000.0 * (at(n) * hz * std::f64::consts::TAU).sin()) as i16).collect();
    let mut octets = [0; 160];
    encoder.encode_into(&samples, &mut octets).expect("room");
    octets
}

fn listen(socket: &UdpSocket, ear: &mut G722Decoder, heard: &Mutex<Heard>) {
    let mut buf = [0; 2048];
    while let Ok((len, _)) = next_datagram(socket, &mut buf) {
        let mut heard = heard.lock().expect("sound");
        match buf[1] & 0x7f {
            8 => heard.samples.extend(tone::decode(Law::Alaw, &buf[12..len])),
            0 => heard.samples.extend(tone::decode(Law::Ulaw, &buf[12..len])),
            9 => {
                let mut wide = [0; 640];
                let count = ear.decode_into(&buf[12..len], &mut wide).expect("room");
                // Tones of the tests lie far below what folds back.
                heard.samples.extend(wide[..count].iter().step_by(2));
            }
            101 => {
                heard.events += 1;
                continue;
            }
            13 => {
                heard.noise += 1;
                continue;
            }
            other => panic!("payload type {other}"),
        }
        heard.packets += 1;
    }
}
