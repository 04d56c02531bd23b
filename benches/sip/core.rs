//! What a bridged call costs the switch itself: the pure core fed with messages as they come off the wire, its outputs read, without
//! sockets, disk and threads. For profilers that count instructions: `cargo bench --bench sip -- core`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use trunkline::config::{self, Opening};
use trunkline::dialplan::{self, Source, Surroundings};
use trunkline::media::MusicId;
use trunkline::sip::message::{Framing, judge};
use trunkline::sip::transaction::Transport;
use trunkline::switch::{Flow, Input, JournalProgress, LegCommand, MediaReport, Output, PortLease, Restart, Switch};
use trunkline::time::Now;

use super::load;

const LISTEN: &str = "127.0.0.1:5060";
const CALLER: &str = "127.0.0.1:5070";
const PHONE: &str = "127.0.0.1:5080";
const SETTINGS: &str = "demo = true\ndata_dir = \"none\"\ndialplans = \"none\"\nprompts = \"none\"\nlocal_nets = [\"127.0.0.0/8\"]\n\
    [sip]\nudp = \"127.0.0.1:5060\"\n[rtp]\naddress = \"127.0.0.1\"\nports = \"20000-29999\"\n[trunk.bench]\n\
    addresses = [\"127.0.0.0/8\"]\nnumbers = [\"1*\", \"2*\"]\n[[route]]\nprefix = \"2\"\ntarget = \"127.0.0.1:5080\"\n";
const PLAN: &str = "version = 1\n[number.\"1*\"]\nflow = \"echo\"\n[flow.echo]\nstart = \"answer\"\nlanguage = \"en\"\n\
    [flow.echo.step.answer]\ndo = \"answer\"\nnext = \"echo\"\n[flow.echo.step.echo]\ndo = \"echo\"\n";

/// The switch, and what the world outside would do.
struct Floor {
    switch: Switch,
    now: Now,
    /// To the switch: bytes and where they come from.
    wire: VecDeque<(String, &'static str)>,
    leases: u32,
    journalled: u64,
}

/// Microseconds of a bridged call, from INVITE to the last 200, at a steady two thousand calls a second of virtual time.
pub fn bridged_us() -> f64 {
    const WARM: u64 = 20_000;
    const MEASURED: u64 = 20_000;
    let mut floor = Floor::open();
    let mut begin = Instant::now();
    for number in 1..=WARM + MEASURED {
        if number == WARM + 1 {
            begin = Instant::now();
        }
        floor.call(number);
    }
    begin.elapsed().as_secs_f64() * 1e6 / MEASURED as f64
}

impl Floor {
    fn open() -> Self {
        let source = |text: &str| Source { file: "bench.toml".to_owned(), text: text.to_owned() };
        let settings = config::load(&source(SETTINGS), &[], []).expect("settings");
        let (prompts, agents) = (BTreeSet::new(), BTreeMap::new());
        let beside = std::collections::BTreeMap::new();
        let surroundings = Surroundings {
            prompts: &prompts,
            agents: Some(&agents),
            trunks: None,
            webhooks: None,
            beside: &beside,
            year: None,
        };
        let program = Arc::new(dialplan::load(&[source(PLAN)], surroundings).expect("a dialplan").0);
        let opening = Opening {
            node: "bench".to_owned(),
            passwords: BTreeMap::new(),
            pins: BTreeMap::new(),
            accounts: BTreeMap::new(),
            inbound: BTreeMap::new(),
            listen: vec![(Transport::Udp, address(LISTEN))],
            fingerprint: None,
            media_threads: 1,
            prompts: BTreeMap::new(),
            music: BTreeMap::new(),
            default_music: MusicId(0),
        };
        let restart = Restart {
            boot: 1,
            next_seq: 1,
            orders: Default::default(),
            callbacks: Default::default(),
            last_agents: Default::default(),
            lost_places: Default::default(),
            desks: Default::default(),
            closing: Vec::new(),
            dialogs: Vec::new(),
            bindings: Vec::new(),
            agents: Vec::new(),
        };
        let now = Now { mono_ns: 1, wall_ms: 1_790_818_200_000 };
        let switch = Switch::new(settings.switch(program, opening), restart, [7; 32], now).expect("a switch");
        let mut floor = Self { switch, now, wire: VecDeque::new(), leases: 0, journalled: 0 };
        floor.carry_out();
        floor
    }

    /// One call: it rings, is answered, acknowledged and hung up by the caller.
    fn call(&mut self, number: u64) {
        self.now = Now { mono_ns: self.now.mono_ns + 500_000, wall_ms: self.now.wall_ms + number as i64 % 2 };
        self.switch.handle_timeout(self.now);
        self.carry_out();
        self.wire.push_back((load::invite(CALLER, &format!("b{number}"), number, "20001"), CALLER));
        let mut ended = false;
        while let Some((text, from)) = self.wire.pop_front() {
            let flow = Flow { transport: Transport::Udp, local: address(LISTEN), remote: address(from) };
            let verdict = Box::new(judge(text.as_bytes(), Framing::Datagram));
            self.switch.handle(Input::Sip { verdict, flow, waited_ns: 0 }, self.now);
            ended |= self.carry_out();
        }
        assert!(ended, "call {number} came to its end");
    }

    /// Does what the switch wants; `true` where the caller's BYE was answered.
    fn carry_out(&mut self) -> bool {
        let mut ended = false;
        loop {
            while let Some(thread) = self.switch.wants_lease() {
                self.leases += 1;
                let rtp_port = 20_000 + (self.leases % 5_000 * 2) as u16;
                self.switch.handle(Input::Leased(PortLease { id: self.leases, thread, rtp_port }), self.now);
            }
            let mut journalled = false;
            while let Some(output) = self.switch.poll_output() {
                match output {
                    Output::Journal(entry) => (self.journalled, journalled) = (entry.seq, true),
                    Output::Transmit(transmit) => ended |= self.receive(&transmit.payload, transmit.flow.remote),
                    Output::Media(LegCommand::Release { leg, .. }) => {
                        let report =
                            MediaReport::Quality { leg, figures: Default::default(), mos: None, rtcp_received: 0 };
                        self.switch.handle(Input::Media(report), self.now);
                    }
                    _ => {}
                }
            }
            if !journalled {
                return ended;
            }
            let seq = self.journalled;
            let progress = JournalProgress { written: seq, synced: seq, stalled: false, full: false };
            self.switch.handle(Input::Journal(progress), self.now);
        }
    }

    /// What the caller and the phone do about a message.
    fn receive(&mut self, payload: &[u8], to: SocketAddr) -> bool {
        let text = String::from_utf8_lossy(payload);
        if to == address(PHONE) {
            if !text.starts_with("ACK") {
                let body = if text.starts_with("INVITE") { load::sdp() } else { String::new() };
                self.wire.push_back((load::accepted(&text, &body), PHONE));
            }
            return false;
        }
        let cseq = load::header(&text, "CSeq");
        let number = load::header(&text, "Call-ID").trim_start_matches('b').parse().expect("a call of ours");
        if text.starts_with("SIP/2.0 200") && cseq == "1 INVITE" {
            let to = load::header(&text, "To");
            self.wire.push_back((load::within("ACK", CALLER, number, to, 1), CALLER));
            self.wire.push_back((load::within("BYE", CALLER, number, to, 2), CALLER));
        }
        text.starts_with("SIP/2.0 200") && cseq == "2 BYE"
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}
