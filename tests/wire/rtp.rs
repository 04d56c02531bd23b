//! A phone's ear and mouth: sends a tone and keys, keeps what it hears.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::daemon::PATIENCE;
use super::tone;
use trunkline::codec::g711::Law;

enum Order {
    Towards(SocketAddr),
    Key(char),
}

/// What was heard, with the payload type of each packet.
#[derive(Default)]
struct Heard {
    samples: Vec<i16>,
    packets: u64,
    events: u64,
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

    /// Presses a key (RFC 4733, payload type 101).
    pub fn press(&self, key: char) {
        self.orders.as_ref().expect("open").send(Order::Key(key)).expect("the thread runs");
    }

    /// Waits until so many more packets were heard, and gives their samples (the last ones).
    pub fn hear(&self, packets: u64) -> Vec<i16> {
        let before = self.heard.lock().expect("sound").packets;
        self.wait(|heard| heard.packets >= before + packets);
        let heard = self.heard.lock().expect("sound");
        let wanted = (packets * 160) as usize;
        heard.samples[heard.samples.len().saturating_sub(wanted)..].to_vec()
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

fn speak(socket: &UdpSocket, hz: f64, orders: &Receiver<Order>, heard: &Mutex<Heard>) {
    socket.set_nonblocking(true).expect("a socket");
    let start = Instant::now();
    let (mut remote, mut keys) = (None, Vec::new());
    let mut sequence = 1u16;
    for number in 0u64.. {
        let due = start + Duration::from_millis(20 * number);
        loop {
            match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Order::Towards(to)) => remote = Some(to),
                Ok(Order::Key(key)) => keys.push(key),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        listen(socket, heard);
        let Some(remote) = remote else { continue };
        let timestamp = (number * 160) as u32;
        for key in keys.drain(..) {
            for payload in key_press(key) {
                let _ = socket.send_to(&packet(101, sequence, timestamp, &payload), remote);
                sequence = sequence.wrapping_add(1);
            }
        }
        let _ = socket.send_to(&packet(8, sequence, timestamp, &tone::frame(hz, number)), remote);
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

fn listen(socket: &UdpSocket, heard: &Mutex<Heard>) {
    let mut buf = [0; 2048];
    while let Ok(len) = socket.recv(&mut buf) {
        let mut heard = heard.lock().expect("sound");
        match buf[1] & 0x7f {
            8 => heard.samples.extend(tone::decode(Law::Alaw, &buf[12..len])),
            0 => heard.samples.extend(tone::decode(Law::Ulaw, &buf[12..len])),
            101 => {
                heard.events += 1;
                continue;
            }
            other => panic!("payload type {other}"),
        }
        heard.packets += 1;
    }
}
