//! The switch: owns the SIP endpoint, the calls, the dialplan, the ACD and the outbox, and introduces them to one another.
//!
//! [`Switch::handle`] takes one input, [`Switch::poll_output`] gives what to do about it, [`Switch::poll_timeout`] says when to call
//! [`Switch::handle_timeout`]. One thread owns it: no locks, no reordering.

mod announcement;
mod callback;
mod commands;
mod conference;
mod desks;
mod dial;
mod early;
mod figures;
mod flow;
mod inbound;
mod io;
mod keys;
mod legs;
mod media;
mod orders;
mod outbox;
mod parking;
mod party;
mod phones;
mod places;
mod recording;
mod refusal;
mod reload;
mod replace;
mod restart;
mod secrecy;
mod settings;
mod storage;
mod summon;
mod supervise;
mod three_way;
mod transfer;
mod users;
mod watch;

pub use crate::acd::{Forced, follows_phone};
pub use crate::journal::{AgentState, Entry, Event as JournalEvent};
pub use crate::media::{LegCommand, MediaReport, PortLease, Storage, StorageFigures};
pub use crate::sdp::{AudioCodec, Srtp};
pub use crate::sip::endpoint::{Standing, TrunkStatus};
pub use crate::sip::guard::Ban;
pub use crate::sip::locate::{Question, Reply};
pub use crate::sip::message::Verdict;
pub use crate::sip::registrar::Binding;
pub use crate::sip::transaction::{Flow, Transmit};
pub use crate::sip::trunk::Health;
pub use desks::{Proofs, Seats};
pub use figures::Figures;
pub use flow::Floor;
pub use io::{AgentWish, Command, Consultation, FollowUp, Input, JournalProgress, Output, Supervision};
pub use orders::{AnnouncementStatus, HoursStatus};
pub use refusal::CommandError;
pub use settings::{RecordingCodes, Restart, Route, RouteTo, Settings, TrunkMedia, WebSettings};

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use crate::acd::{self, Acd, BadSettings};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{Callbacks, Cause, Cue, Desks, Event, LastAgents, LostPlaces, Orders};
use crate::sip::endpoint::{self, Confirmation, Endpoint};
use crate::time::{MS, Now, Timers};
use media::Stock;
use outbox::Outbox;
use party::{Party, PartyCall};

/// Deadlines of the switch's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// When a flow waits for a key no longer.
    Flow(CallId),
    /// When a routed call has rung long enough.
    RingOut(LegId),
    /// When a customer who asked in this call is to be called back.
    Callback(CallId),
    /// When a leg's media counts as gone though its thread has not said so.
    MediaGone(LegId),
    /// When a stop waits no longer for registrars to take our registrations back.
    Unregistered,
    /// When a stop waits for calls no longer.
    Drain,
    /// When a stop waits for the answers to its BYEs no longer.
    DrainOver,
}

/// Something that waits until the journal is synced.
enum Waiting {
    Register(Box<Confirmation>),
    Reply { id: u64 },
}

/// The whole floor as one state machine.
pub struct Switch {
    settings: Settings,
    endpoint: Endpoint,
    acd: Acd,
    calls: BTreeMap<CallId, Box<PartyCall>>,
    // In boxes, as a map that grows at its end leaves much of its room empty.
    legs: BTreeMap<LegId, Box<Party>>,
    /// Dialogs that a crash left open, until their BYE is answered.
    orphans: BTreeMap<LegId, CallId>,
    /// Calls whose outputs are to be looked at in this turn.
    touched: VecDeque<CallId>,
    /// What watchers are told of.
    lines: watch::Lines,
    /// Who is in each room.
    rooms: BTreeMap<String, Vec<CallId>>,
    /// Whose caller waits in each slot.
    slots: BTreeMap<String, CallId>,
    stock: Stock,
    outbox: Outbox,
    /// By the entry that they wait for.
    waiting: VecDeque<(u64, Waiting)>,
    /// Plans that go on once what their callers have left is synced, by the entry that they wait for. A caller is more patient than a
    /// phone that registers: a stalled disk refuses nothing here, the plan has a deadline of its own.
    storing: VecDeque<(u64, CallId)>,
    timers: Timers<Timer>,
    /// How the disk of the recordings fares.
    storage: StorageFigures,
    /// When the message that is being handled was received.
    received: Now,
    /// What ops have ordered.
    orders: Orders,
    /// Who is to be called back.
    callbacks: Callbacks,
    /// Whom customers have spoken with last.
    last_agents: LastAgents,
    lost_places: LostPlaces,
    desks: Desks,
    attempts: desks::Attempts,
    rng: ChaCha12Rng,
    draining: bool,
    drained: bool,
    counts: figures::Counts,
}

impl Switch {
    /// A switch that goes on where the journal ends. Its first outputs close what a crash cut.
    ///
    /// # Errors
    /// Where the floor's settings contradict themselves.
    pub fn new(settings: Settings, restart: Restart, seed: [u8; 32], now: Now) -> Result<Self, BadSettings> {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut endpoint_seed = [0; 32];
        rng.fill_bytes(&mut endpoint_seed);
        let mut acd_seed = [0; 32];
        rng.fill_bytes(&mut acd_seed);
        let endpoint = Endpoint::new(settings.sip.clone(), restart.boot, ChaCha12Rng::from_seed(endpoint_seed));
        let mut switch = Self {
            acd: Acd::new(settings.acd.clone(), acd_seed)?,
            stock: Stock::new(settings.media_threads),
            outbox: Outbox::new(restart.next_seq),
            endpoint,
            settings,
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            orphans: BTreeMap::new(),
            touched: VecDeque::new(),
            lines: watch::Lines::default(),
            rooms: BTreeMap::new(),
            slots: BTreeMap::new(),
            waiting: VecDeque::new(),
            storing: VecDeque::new(),
            timers: Timers::default(),
            storage: StorageFigures::default(),
            received: now,
            orders: Orders::default(),
            callbacks: Callbacks::default(),
            last_agents: LastAgents::default(),
            lost_places: LostPlaces::default(),
            desks: Desks::default(),
            attempts: desks::Attempts::default(),
            rng,
            draining: false,
            drained: false,
            counts: figures::Counts::default(),
        };
        switch.resume(restart, now);
        switch.settle(now);
        Ok(switch)
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Sip { verdict, flow, waited_ns } => {
                let waited_ms = i64::try_from(waited_ns / MS).unwrap_or(i64::MAX);
                self.received = recording::instant(now.wall_ms.saturating_sub(waited_ms), now);
                self.endpoint.handle_wait(waited_ns, now);
                self.endpoint.handle_verdict(*verdict, flow, now);
            }
            Input::FlowBroken { flow } => self.endpoint.handle_flow_broken(flow, now),
            Input::Resolved { question, reply } => self.endpoint.handle_dns(&question, reply, now),
            Input::Media(report) => self.handle_media(report, now),
            Input::Leased(lease) => self.stock.put(lease),
            Input::Storage(figures) => self.handle_storage(figures, now),
            Input::Journal(progress) => self.handle_progress(progress, now),
            Input::Answered { call, id, reply } => {
                self.advance(call, crate::dialplan::CursorInput::Replied { id, reply }, now);
            }
            Input::Command { id, command } => self.handle_command(id, command, now),
            Input::Reload { settings, changes } => self.handle_reload(*settings, changes, now),
            Input::Drain { deadline_ms } => self.handle_drain(deadline_ms, now),
        }
        self.settle(now);
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.outbox.handle_timeout(now);
        self.endpoint.handle_timeout(now);
        self.acd.handle_timeout(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Flow(call) => self.handle_flow_timeout(call, now),
                Timer::RingOut(leg) => self.handle_ring_out(leg, now),
                Timer::Callback(request) => self.place_callback(request, now),
                Timer::MediaGone(leg) => self.handle_media_gone(leg, now),
                Timer::Unregistered => self.endpoint.abandon_registrations(),
                Timer::Drain => self.handle_drain_deadline(now),
                Timer::DrainOver => self.abandon_all(now),
            }
        }
        self.settle(now);
    }

    /// When to call [`Self::handle_timeout`] (monotonic nanoseconds, seen from `now`).
    pub fn poll_timeout(&self, now: Now) -> Option<u64> {
        let deadlines = [
            self.endpoint.poll_timeout(now),
            self.acd.poll_timeout(),
            self.timers.next_deadline(),
            self.outbox.poll_timeout(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Call until `None` after each input.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.outbox.poll() {
            return Some(output);
        }
        let idle = self.calls.is_empty() && self.orphans.is_empty() && self.legs.is_empty() && self.waiting.is_empty();
        // A registrar challenges the last REGISTER as it does every other one, and we have to be there to answer.
        let gone = idle && !self.endpoint.is_unregistering();
        if self.draining && !self.drained && gone && self.outbox.is_empty() {
            self.drained = true;
            return Some(Output::Drained);
        }
        None
    }

    /// The media thread whose leases in stock are few; answer with [`Input::Leased`] where there are more.
    pub fn wants_lease(&self) -> Option<u16> {
        self.stock.wanted()
    }

    /// What is wrong inside: empty in a sound switch. Looks at everything; for simulations and tests.
    pub fn check(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self.acd.check_invariants().err().into_iter().collect();
        for (id, leg) in &self.legs {
            if !self.calls.contains_key(&leg.call) {
                wrong.push(format!("leg {id} has outlived its call {}", leg.call));
            }
        }
        if !self.endpoint.subscriptions_agree() {
            wrong.push("the indexes of subscriptions disagree with their table".to_owned());
        }
        if self.draining && self.endpoint.subscriptions() > 0 {
            wrong.push(format!("{} subscriptions have outlived the stop", self.endpoint.subscriptions()));
        }
        for (slot, call) in &self.slots {
            if self.calls.get(call).is_none_or(|cell| cell.slot.as_ref() != Some(slot)) {
                wrong.push(format!("nobody waits in slot {slot}, which is taken by call {call}"));
            }
        }
        if self.calls.is_empty() && self.lines.len() > 0 {
            wrong.push(format!("{} watched dialogs have outlived their calls", self.lines.len()));
        }
        if self.calls.is_empty() && self.orphans.is_empty() {
            let load = self.endpoint.load();
            if load[..3] != [0, 0, 0] {
                wrong.push(format!("sessions, dialogs and INVITEs {:?} have outlived their calls", &load[..3]));
            }
        }
        wrong
    }

    /// Calls, legs, and what the endpoint holds (sessions, dialogs, transactions, timers): zero on an idle floor.
    pub fn load(&self) -> [usize; 6] {
        let [sessions, dialogs, _, transactions, timers] = self.endpoint.load();
        [self.calls.len(), self.legs.len(), sessions, dialogs, transactions, timers]
    }

    fn journal(&mut self, event: Event, now: Now) -> u64 {
        self.orders.handle_event(&event);
        self.callbacks.handle_event(&event);
        self.last_agents.handle_event(&event);
        self.lost_places.handle_event(&event, now.wall_ms);
        if let Some(agent) = self.desks.handle_event(&event) {
            self.tell_reach(agent, now);
        }
        let place = event.call().zip(Cue::of(&event));
        let seq = self.outbox.journal(event, now);
        if let Some((call, (cue, at_ms))) = place {
            self.mark(call, cue, at_ms, now);
        }
        seq
    }

    /// Lets every room say what it has to say, until all are silent.
    fn settle(&mut self, now: Now) {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                self.handle_sip(event, now);
            } else if let Some(output) = self.acd.poll_output() {
                self.handle_acd(output, now);
            } else if let Some(call) = self.touched.pop_front() {
                self.handle_call(call, now);
                self.follow_lines(call, now);
            } else {
                break;
            }
        }
        while let Some(question) = self.endpoint.poll_question() {
            self.outbox.push(Output::Resolve(question), now);
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.outbox.push(Output::Transmit(transmit), now);
        }
    }

    fn handle_sip(&mut self, event: endpoint::Event, now: Now) {
        use endpoint::Event as Sip;
        match event {
            Sip::Invited { leg, invite } => self.handle_invited(leg, *invite, now),
            Sip::Cancelled { leg, why } | Sip::HungUp { leg, why } => {
                self.handle_hung_up(leg, Cause::new(why.code, &why.text), now)
            }
            Sip::Acked { leg, body } | Sip::ModifyAnswered { leg, body } => {
                self.handle_acked(leg, body.as_deref(), now)
            }
            Sip::Progressed { leg, code, body } => self.handle_progressed(leg, code, body.as_deref(), now),
            Sip::Dialling { leg, call_id } => {
                if let Some(call) = self.legs.get(&leg).map(|party| party.call) {
                    self.trace(call, call_id, now);
                }
            }
            Sip::Answered { leg, body } => self.handle_answered(leg, body.as_deref(), now),
            Sip::Failed { leg, why } => self.handle_failed(leg, Cause::new(why.code, &why.text), now),
            Sip::Modified { leg, body } => self.handle_modified(leg, body.as_deref(), now),
            Sip::ModifyFailed { leg, why } => self.handle_offer_refused(leg, why.code),
            Sip::Referred { leg, target, replaces } => self.handle_referred(leg, &target, replaces.as_ref(), now),
            Sip::Digit { leg, digit, ms } => {
                self.handle_digit(leg, digit, self.received, now);
                self.pass_signalled_key(leg, digit, ms, now);
            }
            Sip::RecordWish { leg, on } => self.handle_record_wish(leg, on, now),
            Sip::Gone { leg } => self.handle_dialog_gone(leg, now),
            Sip::DialogChanged { leg, dialog } => self.handle_dialog(leg, *dialog, now),
            Sip::Registered { confirmation, changes } => self.handle_registered(confirmation, changes, now),
            Sip::BindingExpired { aor, uri } => self.handle_binding_expired(aor, uri, now),
            Sip::SignedIn { user } => {
                if let Some(agent) = self.reached_by(&user) {
                    self.acd.handle(acd::Input::AgentSignedIn { agent }, now);
                }
            }
            Sip::SignedOut { user } => {
                if let Some(agent) = self.reached_by(&user) {
                    self.acd.handle(acd::Input::AgentSignedOut { agent }, now);
                }
            }
            Sip::Reachability { user, uri, reachable } => self.handle_reachability(&user, &uri, reachable, now),
            Sip::StateWanted { subscription, watched, package } => {
                self.handle_state_wanted(subscription, &watched, package, now);
            }
            Sip::RegistrationChanged { .. } => {}
        }
    }

    fn handle_acd(&mut self, output: acd::Output, now: Now) {
        use crate::call::Input;
        match output {
            acd::Output::Journal(event) => {
                self.journal(event, now);
            }
            acd::Output::Present { call, agent, queue, why } => {
                let leg = self.endpoint.next_leg();
                self.tell(call, Input::Present { agent, queue, leg, why });
            }
            acd::Output::CancelPresentation { call, agent, reason } => self.cancel_presentation(call, &agent, reason),
            acd::Output::CallerOut { call, reason } => {
                self.tell(call, Input::Dequeued);
                if self.calls.get(&call).is_some_and(|cell| cell.calls_back.is_some()) {
                    // Only where the queue is there no more.
                    let cause = Cause::new(480, "no_queue");
                    return self.tell(call, Input::Hangup { cause, as_designed: false });
                }
                self.advance(call, crate::dialplan::CursorInput::QueueLeft { reason }, now);
            }
            acd::Output::WishesUnheeded { call, queue } => {
                tracing::warn!(%call, %queue, "too many kinds of callers wait: this one is served without what the rules ask");
                self.counts.wishes_unheeded += 1;
            }
        }
    }

    /// Tells a call something; what it wants done is done in this turn.
    fn tell(&mut self, call: CallId, input: crate::call::Input) {
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.call.handle(input);
            self.touched.push_back(call);
        }
    }

    /// Says that a Call-ID belongs to a call, where a trace is kept.
    fn trace(&mut self, call: CallId, sip: String, now: Now) {
        if self.settings.trace {
            self.outbox.push(Output::Traced { call, sip }, now);
        }
    }

    fn random_u128(&mut self) -> u128 {
        (u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64())
    }
}

fn as_agent(user: &str) -> AgentId {
    AgentId::from(user)
}
