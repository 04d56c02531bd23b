//! The loop: one thread, one switch, numbered priorities, a budget per turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::tracer::Tracer;
use crate::engine::{self, Engine, PromptStore};
use crate::hooks::{Answer, Asker, Question};
use crate::net::{self, Net, NetEvent};
use crate::store::journal::{JournalHandle, Progress, Report};
use crate::store::{Bell, Feed};
use crate::switch::{
    self, Command, CommandError, Consultation, Entry, Figures, Input, JournalProgress, MediaReport, Output, Switch,
};
use crate::time::Now;

/// Inputs of one kind that a turn takes before the others have theirs.
const BUDGET: usize = 64;
/// The longest sleep, so that figures for metrics are never older.
const NAP: Duration = Duration::from_millis(250);
/// How long the loop stays awake for the journal to be written: the answer to an INVITE waits for that, which takes a tenth of this,
/// and to be woken on an idle machine as long again.
const AWAKE: Duration = Duration::from_micros(200);
/// A disk that is slower than this, and more entries than this, must not keep the live views waiting.
const TELL_WITHIN_NS: u64 = 20 * crate::time::MS;
const TELL_BATCH: usize = 4_096;
/// The journal counts as full from this backlog on; above it is room for what calls in progress still say.
const FULL_BYTES: u64 = 56 << 20;

/// A new plan and all that goes with it.
pub(super) struct Swap {
    pub(super) settings: Box<switch::Settings>,
    pub(super) store: PromptStore,
    /// For the journal.
    pub(super) changes: Vec<String>,
    /// Is told when it is in force, or why not.
    pub(super) done: Sender<Result<(), String>>,
}

/// Orders from the process.
pub(super) enum Control {
    /// Stop in order.
    Drain {
        /// How long calls in progress may go on, ms.
        deadline_ms: u64,
    },
    /// Follow the files.
    Reload(Swap),
}

/// Commands of the API and their answers.
pub struct CommandPort {
    /// What is asked.
    pub requests: Receiver<(u64, Command)>,
    /// Takes what came of it; must not block.
    pub answer: Box<dyn Fn(u64, Result<u64, CommandError>) + Send>,
    /// What the loop sleeps by; to be rung after each request.
    pub bell: Arc<Bell>,
}

/// What the outside may look at while the loop runs.
pub struct Watch {
    figures: Mutex<Figures>,
    /// How far the disk has come.
    pub progress: Progress,
    /// What passes the sockets.
    pub net: Arc<net::Counters>,
    lost: Mutex<Lost>,
}

/// What somebody was too slow for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lost {
    /// Reports of media threads that the switch had no room for.
    pub reports: u64,
    /// Entries of the journal that followers had no room for and read from its files.
    pub entries: u64,
}

impl Watch {
    pub(super) fn new(progress: Progress, net: Arc<net::Counters>) -> Self {
        Self { figures: Mutex::new(Figures::default()), progress, net, lost: Mutex::default() }
    }

    /// What was lost on the way, or took another one; as old as the figures.
    pub fn lost(&self) -> Lost {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The switch's figures, at most a quarter of a second old.
    pub fn figures(&self) -> Figures {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Everything that the loop owns.
pub(super) struct Parts {
    pub(super) switch: Switch,
    pub(super) engine: Engine,
    pub(super) net: Net,
    pub(super) journal: JournalHandle,
    pub(super) feed: Feed,
    pub(super) reports: Receiver<MediaReport>,
    pub(super) progress: Receiver<Report>,
    pub(super) events: Receiver<NetEvent>,
    pub(super) orders: Receiver<Control>,
    pub(super) commands: CommandPort,
    pub(super) tracer: Option<Tracer>,
    pub(super) asker: Asker,
    pub(super) answers: Receiver<Answer>,
}

pub(super) struct EventLoop {
    parts: Parts,
    watch: Arc<Watch>,
    /// Journalled and not appended yet, because the backlog was at its limit.
    pending: Vec<Entry>,
    /// Appended, and not yet told to those who follow the journal.
    untold: Vec<Entry>,
    /// Since when (monotonic nanoseconds).
    untold_ns: u64,
    /// What the switch was told last.
    told: JournalProgress,
    drained: bool,
    published_ns: u64,
}

impl EventLoop {
    pub(super) fn new(parts: Parts, watch: Arc<Watch>) -> Self {
        let told = JournalProgress::default();
        Self {
            parts,
            watch,
            pending: Vec::new(),
            untold: Vec::new(),
            untold_ns: 0,
            told,
            drained: false,
            published_ns: 0,
        }
    }

    /// Runs until the switch is drained, then closes everything in order.
    pub(super) fn run(mut self) {
        self.turn_over(engine::now());
        while !self.drained {
            self.wait();
            self.turn();
        }
        let Parts { engine, net, journal, reports, mut switch, feed, tracer, .. } = self.parts;
        for wrong in switch.check() {
            tracing::error!(wrong, "something was left behind at the stop; please report this");
        }
        net.stop();
        if let Some(tracer) = tracer {
            tracer.join();
        }
        // The media threads say their last words, which belong into the journal, while they end.
        drop(engine);
        let mut last = std::mem::take(&mut self.pending);
        let now = engine::now();
        for report in reports.try_iter() {
            switch.handle(Input::Media(report), now);
        }
        while let Some(output) = switch.poll_output() {
            if let Output::Journal(entry) = output {
                last.push(entry);
            }
        }
        let mut journal = journal;
        if let Err(error) = journal.append(&last) {
            tracing::error!(%error, entries = last.len(), "the last journal entries were not taken");
        }
        let mut told = std::mem::take(&mut self.untold);
        told.append(&mut last);
        feed.push(told);
        if let Err(error) = journal.close() {
            tracing::error!(%error, "the journal was not closed in order");
        }
    }

    /// Sleeps until something comes or is due.
    fn wait(&mut self) {
        let now = engine::now();
        let due = self.parts.switch.poll_timeout(now).map(|at| Duration::from_nanos(at.saturating_sub(now.mono_ns)));
        let Parts { reports, progress, events, commands, answers, .. } = &self.parts;
        // What a turn's budget has left over was rung for already.
        let left = reports.len() + progress.len() + events.len() + commands.requests.len() + answers.len();
        let nap = if self.untold.is_empty() { NAP } else { Duration::from_nanos(TELL_WITHIN_NS) };
        let patience = if left > 0 { Duration::ZERO } else { due.unwrap_or(nap).min(nap) };
        let written = self.told.written.saturating_add(1) >= self.parts.journal.next_seq();
        commands.bell.wait(patience, if written { Duration::ZERO } else { AWAKE });
    }

    /// One turn: 1 orders, 2 what the disk says, 3 media, 4 the network, 5 commands, 6 answers of other systems, 7 deadlines.
    fn turn(&mut self) {
        let (began, mut messages) = (Instant::now(), 0);
        while let Some(order) = next(&mut self.parts.orders) {
            match order {
                Control::Drain { deadline_ms } => self.take(Input::Drain { deadline_ms }),
                Control::Reload(swap) => self.reload(swap),
            }
        }
        // Only wakes: the figures are in Progress.
        for _ in 0..BUDGET {
            let Some(_) = next(&mut self.parts.progress) else { break };
        }
        for _ in 0..BUDGET {
            let Some(report) = next(&mut self.parts.reports) else { break };
            self.take(Input::Media(report));
        }
        for _ in 0..BUDGET {
            let Some(event) = next(&mut self.parts.events) else { break };
            messages += 1;
            self.take(match event {
                NetEvent::Message { verdict, flow, received } => {
                    let waited_ns = u64::try_from(received.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    Input::Sip { verdict, flow, waited_ns }
                }
                NetEvent::Broken { flow } => Input::FlowBroken { flow },
                NetEvent::Resolved { question, reply } => Input::Resolved { question, reply },
            });
        }
        for _ in 0..BUDGET {
            let Some((id, command)) = next(&mut self.parts.commands.requests) else { break };
            self.take(Input::Command { id, command });
        }
        for _ in 0..BUDGET {
            let Some(Answer { call, id, reply }) = next(&mut self.parts.answers) else { break };
            self.take(Input::Answered { call, id, reply });
        }
        let now = engine::now();
        if self.parts.switch.poll_timeout(now).is_some_and(|at| at <= now.mono_ns) {
            self.parts.switch.handle_timeout(now);
        }
        self.turn_over(now);
        self.parts.net.handle_turn(messages, began.elapsed());
    }

    /// What is played first, so that no command names a prompt that the media threads do not have.
    fn reload(&mut self, swap: Swap) {
        let Swap { settings, store, changes, done } = swap;
        let told = self.parts.engine.set_prompts(store).map_err(|error| error.to_string());
        if told.is_ok() {
            // Changed trunks wait for the next start.
            self.parts.net.set_emergency(settings.sip.emergency.clone());
            self.take(Input::Reload { settings, changes });
        }
        // Whoever asked may have lost patience.
        let _ = done.try_send(told);
    }

    /// Each input has its own stamp: the instant at which the loop takes it.
    fn take(&mut self, input: Input) {
        let now = engine::now();
        self.parts.switch.handle(input, now);
        self.stock_up(now);
    }

    fn stock_up(&mut self, now: Now) {
        while let Some(thread) = self.parts.switch.wants_lease() {
            let Some(lease) = self.parts.engine.try_lease(thread) else { break };
            self.parts.switch.handle(Input::Leased(lease), now);
        }
    }

    /// Carries out what the switch wants: entries to the journal in one batch, then what may leave.
    fn turn_over(&mut self, now: Now) {
        self.stock_up(now);
        loop {
            self.carry_out();
            self.append(now);
            if !self.tell_progress() {
                break;
            }
        }
        self.parts.engine.flush();
        self.tell_followers(now);
        if now.mono_ns.saturating_sub(self.published_ns) >= NAP.as_nanos() as u64 {
            self.published_ns = now.mono_ns;
            let storage = self.parts.engine.storage();
            self.parts.switch.handle(Input::Storage(storage), now);
            let lost = Lost { reports: self.parts.engine.reports_lost(), entries: self.parts.feed.dropped() };
            *self.watch.lost.lock().unwrap_or_else(PoisonError::into_inner) = lost;
            *self.watch.figures.lock().unwrap_or_else(PoisonError::into_inner) = self.parts.switch.figures(now);
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.parts.switch.poll_output() {
            match output {
                Output::Journal(entry) => self.pending.push(entry),
                Output::Transmit(transmit) => self.parts.net.send(&transmit),
                Output::Resolve(question) => self.parts.net.resolve(question),
                Output::Ask(Consultation { call, id, hook, key, body, timeout_ms }) => {
                    let timeout = Duration::from_millis(timeout_ms);
                    self.parts.asker.ask(Question { call, id, hook, key, body, timeout });
                }
                Output::Traced { call, sip } => {
                    if let Some(tracer) = &self.parts.tracer {
                        // A label that is lost costs a look by number.
                        let _ = tracer.labels.try_send((call.to_string(), sip));
                    }
                }
                Output::Media(command) => {
                    if let Err(error) = self.parts.engine.send(command) {
                        tracing::error!(%error, "a command for media reached nobody");
                    }
                }
                Output::Reply { id, result } => (self.parts.commands.answer)(id, result),
                Output::Drained => self.drained = true,
            }
        }
    }

    fn append(&mut self, now: Now) {
        if self.pending.is_empty() {
            return;
        }
        match self.parts.journal.append(&self.pending) {
            Ok(()) => {
                if self.untold.is_empty() {
                    self.untold_ns = now.mono_ns;
                }
                self.untold.append(&mut self.pending);
            }
            // Kept, and tried again with the next turn; meanwhile new calls get 503.
            Err(error) => tracing::error!(%error, waiting = self.pending.len(), "the journal takes no entries"),
        }
    }

    /// Hands what was appended to those who follow the journal, once it is written and what waited for that has left: on one core they
    /// would run before the answer does.
    fn tell_followers(&mut self, now: Now) {
        let Some(last) = self.untold.last() else { return };
        let waited_ns = now.mono_ns.saturating_sub(self.untold_ns);
        if self.told.written >= last.seq || waited_ns >= TELL_WITHIN_NS || self.untold.len() >= TELL_BATCH {
            self.parts.feed.push(std::mem::take(&mut self.untold));
        }
    }

    /// Tells the switch how far the disk has come; `true` where that was news.
    fn tell_progress(&mut self) -> bool {
        let progress = self.parts.journal.progress();
        let full = !self.pending.is_empty() || progress.backlog_bytes() >= FULL_BYTES;
        let news = JournalProgress {
            written: progress.written(),
            synced: progress.synced(),
            stalled: progress.stalled(),
            full,
        };
        if news == self.told {
            return false;
        }
        self.told = news;
        self.parts.switch.handle(Input::Journal(news), engine::now());
        true
    }
}

/// The next one of a channel. A channel whose senders are gone is replaced by one that is silent for ever, or waiting would spin.
fn next<T>(channel: &mut Receiver<T>) -> Option<T> {
    match channel.try_recv() {
        Ok(one) => Some(one),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => {
            *channel = crossbeam_channel::never();
            None
        }
    }
}
