//! One floor on a virtual clock: everything that happens, in the order of its instants.

mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use sha2::{Digest, Sha256};
use trunkline::dialplan::Program;
use trunkline::id::{AgentId, CallId};
use trunkline::journal::AgentState;
use trunkline::sip::message::{Framing, judge};
use trunkline::sip::transaction::Transport;
use trunkline::switch::{
    AgentWish, Command, Flow, Input, JournalEvent, MediaReport, Output, Switch, Transmit, Verdict,
};
use trunkline::time::{MS, Now};

use crate::dice::{Dice, stream};
use crate::disk::{Crash, Disk};
use crate::gate::Gate;
use crate::media::Media;
use crate::network::Network;
use crate::person::Person;
use crate::phone::Act;
use crate::plan::{self, AGENTS, address};

/// 2026-10-01, 09:30 in Shanghai.
const MORNING_MS: i64 = 1_790_818_200_000;
/// Events of one seed; a floor that has more runs in circles.
const MOST_STEPS: u64 = 400_000;
/// A stop may take this much longer than its deadline, ms: for silent peers, and for media threads that are.
const FAREWELL_MS: u64 = 4_100;

/// What will happen.
pub enum Happening {
    ToSwitch {
        bytes: Vec<u8>,
        flow: Flow,
    },
    ToPhone {
        bytes: Vec<u8>,
        to: SocketAddr,
    },
    Wake {
        person: usize,
        token: u64,
    },
    Dial {
        person: usize,
    },
    Report(MediaReport),
    Disk {
        seq: u64,
        synced: bool,
    },
    Command(Command),
    Broken {
        person: usize,
    },
    Crash(Crash),
    /// An orderly stop with this deadline, ms.
    Stop(u64),
    /// Whether the journal's backlog is at its limit.
    Full(bool),
    Start,
    SignOff,
}

pub struct Floor {
    pub now: Now,
    program: Arc<Program>,
    seed: u64,
    pub rng: ChaCha12Rng,
    pub switch: Option<Switch>,
    pub people: Vec<Person>,
    numbers: BTreeMap<SocketAddr, usize>,
    network: Network,
    pub media: Media,
    pub disk: Disk,
    gate: Gate,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    /// Things of an earlier run must not reach the next one.
    run: u64,
    cut: Vec<JournalEvent>,
    pub wrong: Vec<String>,
    hash: Sha256,
    pub crashes: u64,
    pub power_cuts: u64,
    pub stops: u64,
    /// When the stop under way must be over.
    stopping: Option<u64>,
    commands: u64,
    pub replies: u64,
    pub steps: u64,
    verbose: bool,
}

impl Floor {
    pub fn new(seed: u64, program: Arc<Program>, verbose: bool) -> Self {
        let mut floor = Self {
            now: Now { mono_ns: 1_000 * MS, wall_ms: MORNING_MS },
            program,
            seed,
            rng: stream(seed, 1),
            switch: None,
            people: Vec::new(),
            numbers: BTreeMap::new(),
            network: Network::new(stream(seed, 2)),
            media: Media::new(stream(seed, 3)),
            disk: Disk::new(stream(seed, 4)),
            gate: Gate::default(),
            queue: BTreeMap::new(),
            sequence: 0,
            run: 0,
            cut: Vec::new(),
            wrong: Vec::new(),
            hash: Sha256::new(),
            crashes: 0,
            power_cuts: 0,
            stops: 0,
            stopping: None,
            commands: 0,
            replies: 0,
            steps: 0,
            verbose,
        };
        floor.start();
        floor
    }

    /// Nobody is left who would call these customers back today.
    pub fn cancel_callbacks(&mut self) {
        let (folds, _) = self.disk.fold();
        for call in folds.live.requests().iter().filter_map(|(_, callback)| callback.attempt) {
            self.in_ms(1, Happening::Command(Command::HangUp { call }));
        }
    }

    pub fn add(&mut self, person: Person) -> usize {
        self.people.push(person);
        let number = self.people.len() - 1;
        let address = self.people[number].ua().addr;
        self.numbers.insert(address, number);
        number
    }

    pub fn plan(&mut self, at_ns: u64, what: Happening) {
        self.sequence += 1;
        self.queue.insert((at_ns, self.sequence), what);
    }

    pub fn in_ms(&mut self, ms: u64, what: Happening) {
        self.plan(self.now.in_ms(ms), what);
    }

    pub fn hash(&self) -> String {
        self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Lets everything happen up to an instant.
    pub fn run_until(&mut self, end_ns: u64) {
        while self.wrong.is_empty() && self.steps < MOST_STEPS {
            let planned = self.queue.first_key_value().map(|((at, _), _)| *at);
            let due = self.switch.as_ref().and_then(|switch| switch.poll_timeout(self.now));
            let Some(next) = planned.into_iter().chain(due).min().filter(|next| *next <= end_ns) else { break };
            let next = next.max(self.now.mono_ns);
            let wall_ms = MORNING_MS + (next / MS) as i64;
            self.now = Now { mono_ns: next, wall_ms };
            self.steps += 1;
            if planned.is_some_and(|at| at <= next)
                && let Some((_, happening)) = self.queue.pop_first()
            {
                self.happen(happening);
            } else if let Some(switch) = &mut self.switch {
                switch.handle_timeout(self.now);
            }
            self.settle();
        }
        if self.steps >= MOST_STEPS {
            self.wrong.push(format!("the floor runs in circles: {MOST_STEPS} steps"));
        }
        self.now.mono_ns = self.now.mono_ns.max(end_ns);
        self.now.wall_ms = MORNING_MS + (self.now.mono_ns / MS) as i64;
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::ToSwitch { bytes, flow } => {
                let framing = if flow.transport == Transport::Tcp { Framing::Stream } else { Framing::Datagram };
                let verdict = judge(&bytes, framing);
                if !matches!(verdict, Verdict::Accept(_)) {
                    self.wrong.push(format!("a phone's message is judged {verdict:?}"));
                }
                self.tell(Input::Sip { verdict: Box::new(verdict), flow, waited_ns: 0 });
            }
            Happening::ToPhone { bytes, to } => {
                if let Some(person) = self.numbers.get(&to).copied() {
                    self.people[person].ua().receive(&bytes, now);
                    self.act(person);
                }
            }
            Happening::Wake { person, token } => {
                self.people[person].ua().wake(token, now);
                self.act(person);
            }
            Happening::Dial { person } => {
                match &mut self.people[person] {
                    Person::Caller(caller) => caller.dial(now),
                    Person::Agent(agent) => agent.start(now),
                }
                self.act(person);
            }
            Happening::Report(report) => {
                if self.media.still_true(&report) {
                    self.tell(Input::Media(report));
                }
            }
            Happening::Disk { seq, synced } => {
                if self.switch.is_some() {
                    let progress = self.disk.reach(seq, synced);
                    self.tell(Input::Journal(progress));
                }
            }
            Happening::Command(command) => {
                if self.switch.is_some() {
                    self.commands += 1;
                    let id = self.commands;
                    self.tell(Input::Command { id, command });
                }
            }
            Happening::Broken { person } => {
                let flow = self.flow_of(person);
                self.tell(Input::FlowBroken { flow });
            }
            Happening::Stop(deadline_ms) => {
                if self.switch.is_some() && self.stopping.is_none() {
                    self.stopping = Some(self.now.in_ms(deadline_ms + FAREWELL_MS));
                    self.tell(Input::Drain { deadline_ms });
                }
            }
            Happening::Full(full) => {
                if self.switch.is_some() {
                    self.disk.progress.full = full;
                    self.tell(Input::Journal(self.disk.progress));
                }
            }
            Happening::Crash(crash) => self.crash(crash),
            Happening::Start => self.start(),
            Happening::SignOff => {
                for person in 0..self.people.len() {
                    if let Person::Agent(agent) = &mut self.people[person] {
                        agent.sign_off(now);
                        self.act(person);
                    }
                }
            }
        }
    }

    fn tell(&mut self, input: Input) {
        if self.verbose {
            eprintln!("{:>12.3} > {input:?}", self.now.mono_ns as f64 / 1e9);
        }
        if let Some(switch) = &mut self.switch {
            switch.handle(input, self.now);
        }
    }

    /// Does what the switch wants, and asks it what is wrong.
    fn settle(&mut self) {
        loop {
            let Some(switch) = &mut self.switch else { return };
            if let Some(output) = switch.poll_output() {
                self.carry_out(output);
            } else if let Some(lease) = switch.wants_lease().and_then(|thread| self.media.lease(thread)) {
                switch.handle(Input::Leased(lease), self.now);
            } else {
                let wrong = switch.check();
                self.wrong.extend(wrong);
                break;
            }
        }
        self.wrong.append(&mut self.media.wrong);
        for (at, report) in std::mem::take(&mut self.media.due) {
            self.plan(at, Happening::Report(report));
        }
    }

    fn carry_out(&mut self, output: Output) {
        self.hash.update(self.now.mono_ns.to_le_bytes());
        self.hash.update(format!("{output:?}"));
        if self.verbose {
            match &output {
                Output::Transmit(t) => eprintln!(
                    "{:>12.3} < to {} {}",
                    self.now.mono_ns as f64 / 1e9,
                    t.flow.remote,
                    String::from_utf8_lossy(&t.payload).lines().next().unwrap_or_default()
                ),
                other => eprintln!("{:>12.3} < {other:?}", self.now.mono_ns as f64 / 1e9),
            }
        }
        self.wrong.extend(self.gate.judge(&output, self.disk.progress.written, self.now.mono_ns));
        match output {
            Output::Traced { .. } => {}
            Output::Journal(entry) => {
                self.gate.note(&entry, self.now.mono_ns);
                self.supervise(&entry.event);
                let seq = entry.seq;
                match self.disk.append(entry, self.now.mono_ns) {
                    Ok([written, synced]) => {
                        self.plan(written, Happening::Disk { seq, synced: false });
                        self.plan(synced, Happening::Disk { seq, synced: true });
                    }
                    Err(wrong) => self.wrong.push(wrong),
                }
            }
            Output::Transmit(transmit) => self.transmit(transmit),
            // A DNS that answers nothing: the floor finds out by its deadlines.
            Output::Resolve(_) => {}
            // Nor does any other system.
            Output::Ask(_) => {}
            Output::Media(command) => self.media.handle(command, self.now),
            Output::Reply { .. } => self.replies += 1,
            Output::Drained => self.stopped(),
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Transmit { flow, payload, .. } = transmit;
        let arrivals = match flow.transport {
            Transport::Udp => self.network.datagram(self.now.mono_ns),
            _ => vec![self.network.piece(flow, true, self.now.mono_ns)],
        };
        for at in arrivals {
            self.plan(at, Happening::ToPhone { bytes: payload.clone(), to: flow.remote });
        }
    }

    /// Does what a phone wants.
    fn act(&mut self, person: usize) {
        self.people[person].run();
        let flow = self.flow_of(person);
        let rtp = SocketAddr::new(flow.remote.ip(), self.people[person].ua().rtp_port);
        while let Some(act) = self.people[person].ua().acts.pop_front() {
            match act {
                Act::Wake(at, token) => self.plan(at, Happening::Wake { person, token }),
                Act::Key(key) => {
                    if let Some(report) = self.media.key(rtp, key, self.now) {
                        self.plan(self.now.in_ms(20), Happening::Report(report));
                    }
                }
                Act::Send(bytes) => {
                    let arrivals = match flow.transport {
                        Transport::Udp => self.network.datagram(self.now.mono_ns),
                        _ => vec![self.network.piece(flow, false, self.now.mono_ns)],
                    };
                    for at in arrivals {
                        self.plan(at, Happening::ToSwitch { bytes: bytes.clone(), flow });
                    }
                }
            }
        }
        let wrong = std::mem::take(&mut self.people[person].ua().wrong);
        self.wrong.extend(wrong);
    }

    fn flow_of(&mut self, person: usize) -> Flow {
        let ua = self.people[person].ua();
        let transport = if ua.tcp { Transport::Tcp } else { Transport::Udp };
        Flow { transport, local: address(plan::LISTEN), remote: ua.addr }
    }

    /// A supervisor brings back whom the floor has taken out, and now and then meddles.
    fn supervise(&mut self, event: &JournalEvent) {
        if let JournalEvent::CallOffered { call, .. } = event
            && self.rng.thousandths(40)
        {
            let delay = self.rng.between(100, 60_000);
            self.in_ms(delay, Happening::Command(Command::HangUp { call: *call }));
        }
        if let JournalEvent::CallbackRequested { call, .. } = event
            && self.rng.thousandths(100)
        {
            let delay = self.rng.between(100, 60_000);
            self.in_ms(delay, Happening::Command(Command::CancelCallback { call: *call }));
        }
        // Somebody fetches the call, or comes too late.
        if let JournalEvent::Parked { slot, .. } = event
            && self.rng.thousandths(500)
        {
            let delay = self.rng.between(100, 25_000);
            let call = CallId::new(self.now.wall_ms, u128::from(self.rng.next_u64()));
            let user = AgentId::from(AGENTS[self.rng.below(AGENTS.len() as u64) as usize]);
            let command = Command::PlaceCall { call, user, to: slot.clone(), queue: None };
            self.in_ms(delay, Happening::Command(command));
        }
        let JournalEvent::AgentChanged { agent, state, .. } = event else { return };
        let agent: AgentId = agent.clone();
        if matches!(state, AgentState::NotReady { .. }) {
            let delay = self.rng.between(1_000, 20_000);
            let command = Command::SetAgent { agent, wish: AgentWish::Available };
            return self.in_ms(delay, Happening::Command(command));
        }
        if *state != AgentState::Offline && self.rng.thousandths(15) {
            let wish = match self.rng.below(3) {
                0 => AgentWish::Offline,
                _ => AgentWish::NotReady { reason: "pause".to_owned() },
            };
            let delay = self.rng.between(10, 8_000);
            if wish == AgentWish::Offline {
                let back = Command::SetAgent { agent: agent.clone(), wish: AgentWish::Available };
                self.in_ms(delay + 60_000, Happening::Command(back));
            }
            self.in_ms(delay, Happening::Command(Command::SetAgent { agent, wish }));
        }
    }
}
