//! The load: a caller that dials at a rate and a phone that answers at once, both on one thread, both plain text.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::daemon::Daemon;

const SWITCH: &str = "127.0.0.1:5060";
/// Where the bench floor sends what begins with 2.
const PHONE: &str = "127.0.0.1:5080";
/// How long a call lasts: it takes the daemon's time, not its ports.
const HOLD: Duration = Duration::from_millis(100);
/// How long after the last call was offered the answers still count.
const GRACE: Duration = Duration::from_secs(2);
/// How long what is left of a run may take to be hung up.
const DRAIN: Duration = Duration::from_secs(8);
/// An answer that takes longer is not clean: the caller would have sent its request again.
const LATE_MS: f64 = 500.0;

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The dialplan answers.
    Answered,
    /// It goes on to a phone.
    Bridged,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Calls carried through, a second.
    pub goodput: f64,
    /// Calls that got no final response, or lost their end.
    pub failed: usize,
    /// Calls that got 503.
    pub refused: usize,
    /// What the daemon sent twice.
    pub repeats: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// CPU of the signalling thread, microseconds a call offered.
    pub cpu_us: f64,
    /// The same of all threads together.
    pub all_us: f64,
}

impl Outcome {
    pub fn is_clean(&self) -> bool {
        self.failed + self.refused + self.repeats == 0 && self.p99_ms < LATE_MS
    }
}

/// A call of the caller's.
struct Call {
    sent: Instant,
    to: String,
    answered: bool,
}

pub struct Load {
    caller: UdpSocket,
    phone: UdpSocket,
    own: String,
    calls: HashMap<u64, Call>,
    /// When a call is hung up.
    ends: VecDeque<(Instant, u64)>,
    /// Branches of the daemon's requests.
    seen: HashSet<String>,
    next: u64,
    buffer: Vec<u8>,
}

impl Load {
    pub fn open() -> Self {
        let open = |address: &str| {
            let socket = UdpSocket::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
            socket.set_nonblocking(true).expect("a socket");
            let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20);
            socket
        };
        let (caller, phone) = (open("127.0.0.1:0"), open(PHONE));
        let own = caller.local_addr().expect("bound").to_string();
        Self {
            caller,
            phone,
            own,
            calls: HashMap::new(),
            ends: VecDeque::new(),
            seen: HashSet::new(),
            next: 0,
            buffer: vec![0; 65_536],
        }
    }

    /// Offers calls at a rate for so many seconds, and waits for what is under way.
    pub fn offer(&mut self, daemon: &Daemon, shape: Shape, rate: f64, seconds: f64) -> Outcome {
        self.calls.clear();
        self.ends.clear();
        self.seen.clear();
        let (begin, cpu, all) = (Instant::now(), daemon.signalling_seconds(), daemon.all_seconds());
        let total = (rate * seconds).ceil() as u64;
        let (mut offered, mut outcome, mut took) = (0, Outcome::default(), Vec::new());
        let (mut carried, mut offering) = (0usize, seconds);
        loop {
            let elapsed = begin.elapsed().as_secs_f64();
            let due = ((elapsed * rate) as u64 + 1).min(total);
            while offered < due {
                self.dial(shape);
                offered += 1;
                offering = elapsed.max(seconds);
            }
            let quiet = !self.listen(&mut outcome, &mut took, &mut carried) & !self.answer(&mut outcome);
            self.hang_up_due();
            let over = offered == total && (self.calls.is_empty() || elapsed > seconds + GRACE.as_secs_f64());
            if over {
                break;
            }
            if quiet {
                std::thread::yield_now();
            }
        }
        outcome.failed = self.calls.len();
        // A load that is late itself offers for longer.
        outcome.goodput = carried as f64 / offering;
        outcome.cpu_us = (daemon.signalling_seconds() - cpu) * 1e6 / total.max(1) as f64;
        outcome.all_us = (daemon.all_seconds() - all) * 1e6 / total.max(1) as f64;
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or(f64::INFINITY);
        (outcome.p50_ms, outcome.p99_ms) = (at(0.5), at(0.99));
        self.drain();
        outcome
    }

    /// Hangs up what a run has left, so that the next one finds an idle floor: answers that come late, and BYEs that were lost.
    fn drain(&mut self) {
        let (since, mut last) = (Instant::now(), Instant::now());
        let (mut late, mut took, mut carried) = (Outcome::default(), Vec::new(), 0);
        while !self.calls.is_empty() && since.elapsed() < DRAIN {
            if last.elapsed() > Duration::from_millis(500) {
                last = Instant::now();
                let answered = self.calls.iter().filter(|(_, call)| call.answered).map(|(number, _)| *number);
                self.ends.extend(answered.map(|number| (last, number)));
            }
            self.hang_up_due();
            self.listen(&mut late, &mut took, &mut carried);
            self.answer(&mut late);
        }
    }

    /// Seconds until a run at this rate is clean again.
    pub fn recovery(&mut self, daemon: &Daemon, shape: Shape, rate: f64) -> f64 {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(60) {
            let before = since.elapsed().as_secs_f64();
            if self.offer(daemon, shape, rate, 0.5).is_clean() {
                return before;
            }
        }
        f64::INFINITY
    }

    /// Lets what an unclean run has left run out.
    pub fn settle(&mut self, daemon: &Daemon) {
        self.recovery(daemon, Shape::Answered, 10.0);
    }

    /// Bytes of one more bridged call where `first` are up: from so many more at one time.
    pub fn memory(&mut self, daemon: &Daemon, first: usize, more: usize) -> f64 {
        self.calls.clear();
        self.ends.clear();
        self.raise(first);
        let before = daemon.resident();
        self.raise(first + more);
        let bytes = (daemon.resident() - before) / more as f64;
        self.drain();
        bytes
    }

    /// Dials until so many calls are up, two hundred on the way at most: this is no test of speed. They are hung up later.
    fn raise(&mut self, wanted: usize) {
        let (mut outcome, mut took, mut carried) = (Outcome::default(), Vec::new(), 0);
        let (since, mut up) = (Instant::now(), 0);
        while up < wanted && since.elapsed() < Duration::from_secs(20) {
            if self.calls.len() < wanted.min(up + 200) {
                self.dial(Shape::Bridged);
            }
            self.listen(&mut outcome, &mut took, &mut carried);
            self.answer(&mut outcome);
            up = self.calls.values().filter(|call| call.answered).count();
        }
        assert_eq!(up, wanted, "calls that are up, of those wanted");
        self.ends.clear();
    }

    fn dial(&mut self, shape: Shape) {
        self.next += 1;
        let called = if shape == Shape::Answered { "10001" } else { "20001" };
        let text = invite(&self.own, &format!("b{}", self.next), self.next, called);
        let _ = self.caller.send_to(text.as_bytes(), SWITCH);
        self.calls.insert(self.next, Call { sent: Instant::now(), to: String::new(), answered: false });
    }

    /// The caller's side: responses. `true` where something came.
    fn listen(&mut self, outcome: &mut Outcome, took: &mut Vec<f64>, carried: &mut usize) -> bool {
        let mut any = false;
        while let Ok(length) = self.caller.recv(&mut self.buffer) {
            any = true;
            let text = String::from_utf8_lossy(&self.buffer[..length]).into_owned();
            let number = header(&text, "Call-ID").trim_start_matches('b').parse().unwrap_or_default();
            let Some(call) = self.calls.get_mut(&number) else { continue };
            let (status, cseq) = (text.get(8..11).unwrap_or_default(), header(&text, "CSeq"));
            match (status.as_bytes().first(), cseq.split(' ').nth(1)) {
                (Some(b'2'), Some("INVITE")) if call.answered => outcome.repeats += 1,
                (Some(b'2'), Some("INVITE")) => {
                    call.answered = true;
                    call.to = header(&text, "To").to_owned();
                    took.push(call.sent.elapsed().as_secs_f64() * 1e3);
                    let ack = within("ACK", &self.own, number, &call.to, 1);
                    let _ = self.caller.send_to(ack.as_bytes(), SWITCH);
                    self.ends.push_back((Instant::now() + HOLD, number));
                }
                (Some(b'2'), Some("BYE")) => {
                    *carried += 1;
                    self.calls.remove(&number);
                }
                (Some(b'3'..=b'6'), Some("INVITE")) => {
                    outcome.refused += 1;
                    let ack = refused(&self.own, number, header(&text, "To"));
                    let _ = self.caller.send_to(ack.as_bytes(), SWITCH);
                    self.calls.remove(&number);
                }
                _ => {}
            }
        }
        any
    }

    fn hang_up_due(&mut self) {
        while self.ends.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            let Some((_, number)) = self.ends.pop_front() else { break };
            if let Some(call) = self.calls.get(&number) {
                let bye = within("BYE", &self.own, number, &call.to, 2);
                let _ = self.caller.send_to(bye.as_bytes(), SWITCH);
            }
        }
    }

    /// The phone's side: every call is answered, every BYE is.
    fn answer(&mut self, outcome: &mut Outcome) -> bool {
        let mut any = false;
        while let Ok((length, from)) = self.phone.recv_from(&mut self.buffer) {
            any = true;
            let text = String::from_utf8_lossy(&self.buffer[..length]).into_owned();
            if text.starts_with("ACK") || text.starts_with("SIP/2.0") {
                continue;
            }
            if !self.seen.insert(header(&text, "Via").to_owned()) {
                outcome.repeats += 1;
            }
            let body = if text.starts_with("INVITE") { sdp() } else { String::new() };
            let _ = self.phone.send_to(accepted(&text, &body).as_bytes(), from);
        }
        any
    }
}

pub fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let find = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    text.split("\r\n").find_map(find).unwrap_or_default()
}

pub fn sdp() -> String {
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5082 RTP/AVP 8 0 101\r\n\
     a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
        .to_owned()
}

/// An INVITE as a desk phone sends it.
pub fn invite(own: &str, id: &str, number: u64, called: &str) -> String {
    let body = sdp();
    format!(
        "INVITE sip:{called}@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bKi{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:13800138000@127.0.0.1>;tag=f{number}\r\nTo: <sip:{called}@127.0.0.1>\r\n\
         Call-ID: {id}\r\nCSeq: 1 INVITE\r\nContact: <sip:13800138000@{own}>\r\n\
         Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE\r\nSupported: replaces\r\n\
         User-Agent: bench\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub fn within(method: &str, own: &str, number: u64, to: &str, cseq: u32) -> String {
    format!(
        "{method} sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bK{method}{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:13800138000@127.0.0.1>;tag=f{number}\r\nTo: {to}\r\nCall-ID: b{number}\r\n\
         CSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The ACK of a refusal, with its INVITE's branch.
fn refused(own: &str, number: u64, to: &str) -> String {
    within("ACK", own, number, to, 1).replacen("z9hG4bKACK", "z9hG4bKi", 1)
}

pub fn accepted(request: &str, body: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.split("\r\n").take_while(|line| !line.is_empty()) {
        match line.split(':').next().unwrap_or_default() {
            "To" if !line.contains(";tag=") => text += &format!("{line};tag=p\r\n"),
            "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Record-Route" => text += &format!("{line}\r\n"),
            _ => {}
        }
    }
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    text + &format!("Contact: <sip:phone@{PHONE}>\r\n{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}
