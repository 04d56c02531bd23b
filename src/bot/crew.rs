//! Everybody on one thread: the network's news, 20 ms of sound, deadlines, and what the script wants.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, never, select};

use super::phone::{Phone, Tools, Who};
use super::script::{Input, Output, Script};
use super::{Settings, Tally};
use crate::net::{Net, NetEvent};
use crate::sip::transaction::{Flow, Transport};
use crate::time::{MS, Now};

/// News of the network that a turn takes before deadlines have theirs.
const BUDGET: usize = 256;
/// The longest sleep.
const NAP: Duration = Duration::from_secs(1);
/// One frame of sound, ms.
const FRAME_MS: u64 = 20;
/// How far sound may lag behind before the lost frames are left out, ms.
const LAG_MS: u64 = 200;
/// How long hanging up, and signing off after it, may take, ms.
const PATIENCE_MS: u64 = 2_000;

/// How far the leaving has come.
enum Stage {
    Open,
    /// Calls are being hung up.
    HangingUp {
        until_ns: u64,
    },
    /// Registrations are being taken back.
    SigningOff {
        until_ns: u64,
    },
}

struct Clock(Instant);

impl Clock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ns: self.0.elapsed().as_nanos() as u64, wall_ms: wall.as_millis() as i64 }
    }
}

pub(super) struct Crew {
    clock: Clock,
    script: Script,
    /// The carrier first, then the agents.
    phones: Vec<Phone>,
    tools: Tools,
    net: Net,
    events: Receiver<NetEvent>,
    orders: Receiver<()>,
    /// The carrier's way over TCP.
    stream: Option<Flow>,
    stage: Stage,
    next_frame_ns: u64,
}

impl Crew {
    /// Everybody at a phone of their own, agents on the way to the registrar.
    pub(super) fn new(settings: &Settings, net: Net, events: Receiver<NetEvent>, orders: Receiver<()>) -> Self {
        let clock = Clock(Instant::now());
        let now = clock.now();
        let addresses = net.local_addresses().clone();
        let mut dice = super::script::Dice::new(settings.seed);
        let script = Script::new(settings.calls_per_minute, settings.agents.len(), dice.seed(), now);
        let mut phones = Vec::new();
        let names = settings.agents.iter().enumerate().map(|(agent, (name, _))| (name.as_str(), Some(agent)));
        for ((name, agent), local) in [("carrier", None)].into_iter().chain(names).zip(addresses.of(Transport::Udp)) {
            phones.push(Phone::new(name, agent, local, settings.udp, &mut dice));
        }
        for (phone, (_, password)) in phones.iter_mut().skip(1).zip(&settings.agents) {
            phone.register(password, now);
        }
        let over_tcp = |(local, remote)| Flow { transport: Transport::Tcp, local, remote };
        let stream = addresses.of(Transport::Tcp).next().zip(settings.tcp).map(over_tcp);
        let tools = Tools { dice, failures: Default::default(), inputs: Vec::new() };
        Self { clock, script, phones, tools, net, events, orders, stream, stage: Stage::Open, next_frame_ns: 0 }
    }

    /// Runs until told to leave, and everybody has left.
    pub(super) fn run(mut self) -> Tally {
        while !self.turn() {
            self.wait();
        }
        for phone in self.phones.iter().filter(|phone| phone.is_registered()) {
            self.tools.failures.note(format!("{} could not sign off in time", phone.name));
        }
        self.net.stop();
        let counts = self.script.counts();
        let failures = &self.tools.failures;
        tracing::info!(
            placed = counts.placed, held_back = counts.held_back, taken = counts.taken, not_taken = counts.not_taken,
            failures = %failures.told(), "the bots are gone"
        );
        Tally { counts, failures: failures.count() }
    }

    fn wait(&mut self) {
        let now = self.clock.now();
        let sound = self.phones.iter().any(Phone::is_busy).then_some(self.next_frame_ns);
        let stage = match self.stage {
            Stage::Open => None,
            Stage::HangingUp { until_ns } | Stage::SigningOff { until_ns } => Some(until_ns),
        };
        let phones = self.phones.iter().filter_map(|phone| phone.poll_timeout(now));
        let due = phones.chain(self.script.poll_timeout()).chain(sound).chain(stage).min();
        let nap = due.map_or(NAP, |due| Duration::from_nanos(due.saturating_sub(now.mono_ns)).min(NAP));
        select! {
            recv(self.events) -> event => self.take_news(event.ok()),
            // Also where whoever started the bots has dropped them.
            recv(self.orders) -> _ => self.leave(),
            default(nap) => {}
        }
    }

    fn take_news(&mut self, first: Option<NetEvent>) {
        let now = self.clock.now();
        let more: Vec<NetEvent> = self.events.try_iter().take(BUDGET).collect();
        for event in first.into_iter().chain(more) {
            // Bots know addresses alone and look nothing up.
            let (NetEvent::Message { flow, .. } | NetEvent::Broken { flow }) = &event else { continue };
            let flow = *flow;
            // The stream is the carrier's.
            let number = match flow.transport {
                Transport::Udp => self.net.local_addresses().of(Transport::Udp).position(|local| local == flow.local),
                _ => Some(0),
            };
            let Some(phone) = number.and_then(|number| self.phones.get_mut(number)) else { continue };
            match event {
                NetEvent::Message { verdict, .. } => phone.handle_verdict(*verdict, flow, now),
                NetEvent::Broken { .. } | NetEvent::Resolved { .. } => phone.handle_flow_broken(flow, now),
            }
        }
    }

    fn leave(&mut self) {
        let now = self.clock.now();
        self.orders = never();
        if matches!(self.stage, Stage::Open) {
            self.stage = Stage::HangingUp { until_ns: now.in_ms(PATIENCE_MS) };
            self.script.handle(Input::Stop, now);
            self.phones.iter_mut().for_each(|phone| phone.leave_codes(now));
        }
    }

    /// Everything that is due or was told; `true` when all have left.
    fn turn(&mut self) -> bool {
        let now = self.clock.now();
        if now.mono_ns >= self.next_frame_ns {
            self.next_frame_ns = self.next_frame_ns.max(now.mono_ns.saturating_sub(LAG_MS * MS)) + FRAME_MS * MS;
            self.phones.iter_mut().for_each(Phone::tick);
        }
        self.phones.iter_mut().for_each(|phone| phone.handle_timeout(now));
        self.script.handle_timeout(now);
        self.settle(now);
        let done = self.step_stage(now);
        self.settle(now);
        done
    }

    /// Until nobody has anything more to say.
    fn settle(&mut self, now: Now) {
        loop {
            self.phones.iter_mut().for_each(|phone| phone.handle_events(&mut self.tools, now));
            for input in std::mem::take(&mut self.tools.inputs) {
                self.script.handle(input, now);
            }
            let mut quiet = true;
            while let Some(output) = self.script.poll_output() {
                quiet = false;
                self.carry_out(output, now);
            }
            for phone in &mut self.phones {
                while let Some(transmit) = phone.poll_transmit() {
                    self.net.send(&transmit);
                }
            }
            if quiet && self.tools.inputs.is_empty() {
                return;
            }
        }
    }

    fn carry_out(&mut self, output: Output, now: Now) {
        let Self { phones, tools, stream, .. } = self;
        // Agents stand behind the carrier.
        let number = match output {
            Output::Ring(agent)
            | Output::Answer(agent)
            | Output::Refuse(agent, _)
            | Output::HangUp(agent)
            | Output::Dial(agent, _) => agent + 1,
            Output::Call { .. } | Output::Press(..) | Output::Leave(_) => 0,
        };
        let Some(phone) = phones.get_mut(number) else { return };
        match output {
            Output::Ring(_) => phone.ring(now),
            Output::Answer(_) => phone.answer(tools, now),
            Output::Refuse(_, status) => phone.refuse(status, now),
            Output::HangUp(_) => phone.leave(Who::Work, now),
            Output::Dial(_, code) => {
                let name = phone.name.clone();
                phone.dial(Who::Code(code), &name, code, None, tools, now);
            }
            Output::Call { caller, from, to, stream: over_tcp } => {
                phone.dial(Who::Caller(caller), &from, to, stream.filter(|_| over_tcp), tools, now);
            }
            Output::Press(caller, key) => phone.press(Who::Caller(caller), key),
            Output::Leave(caller) => phone.leave(Who::Caller(caller), now),
        }
    }

    fn step_stage(&mut self, now: Now) -> bool {
        match self.stage {
            Stage::Open => false,
            Stage::HangingUp { until_ns } => {
                if now.mono_ns >= until_ns || !self.phones.iter().any(Phone::is_busy) {
                    self.phones.iter_mut().for_each(|phone| phone.unregister(now));
                    self.stage = Stage::SigningOff { until_ns: now.in_ms(PATIENCE_MS) };
                }
                false
            }
            Stage::SigningOff { until_ns } => now.mono_ns >= until_ns || !self.phones.iter().any(Phone::is_registered),
        }
    }
}
