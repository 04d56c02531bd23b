//! The virtual journal: entries are written a little later and synced later still; a crash takes what was not.

use rand_chacha::ChaCha12Rng;
use trunkline::id::AgentId;
use trunkline::journal::{AgentState, Seen};
use trunkline::records::CallRecord;
use trunkline::store::Folds;
use trunkline::switch::{Entry, JournalEvent, JournalProgress, Restart};
use trunkline::time::MS;

use crate::dice::Dice;

/// What a crash spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// `kill -9`: what was written is there.
    Kill,
    /// No power: what was synced is there.
    PowerCut,
}

pub struct Disk {
    rng: ChaCha12Rng,
    entries: Vec<Entry>,
    pub progress: JournalProgress,
    last_written_at: u64,
    /// Entries that crashes took.
    pub lost: usize,
}

impl Disk {
    pub fn new(rng: ChaCha12Rng) -> Self {
        Self { rng, entries: Vec::new(), progress: JournalProgress::default(), last_written_at: 0, lost: 0 }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes an entry and says when its writing and its sync are to be told.
    pub fn append(&mut self, entry: Entry, now_ns: u64) -> Result<[u64; 2], String> {
        if entry.seq != self.entries.len() as u64 + 1 {
            return Err(format!("entry {} follows entry {}", entry.seq, self.entries.len()));
        }
        let stall = if self.rng.thousandths(2) { 30 + self.rng.below(60) } else { 0 };
        let written = now_ns + 50_000 + self.rng.below(4_000) * 1_000 + stall * MS;
        let written = written.max(self.last_written_at);
        self.last_written_at = written;
        let synced = written + self.rng.between(5, 45) * MS;
        self.entries.push(entry);
        Ok([written, synced])
    }

    /// How far the disk has come when `seq` is written or synced.
    pub fn reach(&mut self, seq: u64, synced: bool) -> JournalProgress {
        self.progress.written = self.progress.written.max(seq);
        if synced {
            self.progress.synced = self.progress.synced.max(seq);
        }
        self.progress
    }

    /// An orderly end: all is written and synced.
    pub fn flush(&mut self) {
        let all = self.entries.len() as u64;
        self.progress = JournalProgress { written: all, synced: all, ..JournalProgress::default() };
        self.last_written_at = 0;
    }

    pub fn crash(&mut self, crash: Crash) {
        let kept = if crash == Crash::Kill { self.progress.written } else { self.progress.synced };
        self.lost += self.entries.len() - kept as usize;
        self.entries.truncate(kept as usize);
        self.progress = JournalProgress { written: kept, synced: kept, ..JournalProgress::default() };
        self.last_written_at = 0;
    }

    /// Folds everything that is there.
    pub fn fold(&self) -> (Folds, Vec<CallRecord>) {
        let mut folds = Folds::default();
        let mut records = Vec::new();
        for entry in &self.entries {
            folds.handle_entry(entry);
            records.extend(std::iter::from_fn(|| folds.records.poll_record()));
        }
        (folds, records)
    }

    /// What a start needs; `recordings` are the ends of those that the crash cut.
    pub fn restart(&self, recordings: Vec<JournalEvent>) -> Restart {
        let (folds, _) = self.fold();
        let known = |event: &JournalEvent| match event {
            JournalEvent::RecordingClosed { recording, .. } => self.entries.iter().any(
                |entry| matches!(&entry.event, JournalEvent::RecordingStarted { recording: id, .. } if id == recording),
            ),
            _ => true,
        };
        let mended: Vec<_> = recordings.into_iter().filter(known).collect();
        let mut closing = folds.records.cut_by_restart();
        closing.extend(self.unclosed(&mended));
        closing.extend(mended);
        let agents = folds.agents.agents().collect();
        Restart {
            boot: folds.boot() + 1,
            next_seq: folds.seq() + 1,
            closing,
            dialogs: folds.records.dialogs().dialogs().map(|(call, leg, dialog)| (call, leg, dialog.clone())).collect(),
            bindings: folds
                .bindings
                .bindings()
                .map(|(aor, uri, binding)| crate::plan::binding(aor, uri, binding))
                .collect(),
            orders: folds.orders.clone(),
            callbacks: folds.live.requests().clone(),
            last_agents: folds.last_agents.clone(),
            lost_places: folds.lost_places.clone(),
            desks: folds.live.desks().clone(),
            agents,
        }
    }

    /// Recordings whose files were closed before the crash, but whose end was not journalled any more.
    fn unclosed(&self, known: &[JournalEvent]) -> Vec<JournalEvent> {
        let mut open = std::collections::BTreeMap::new();
        for entry in &self.entries {
            match &entry.event {
                JournalEvent::RecordingStarted { call, recording, .. } => {
                    open.insert(recording.clone(), *call);
                }
                JournalEvent::RecordingClosed { recording, .. } => {
                    open.remove(recording);
                }
                _ => {}
            }
        }
        for event in known {
            if let JournalEvent::RecordingClosed { recording, .. } = event {
                open.remove(recording);
            }
        }
        let closed = |(recording, call)| JournalEvent::RecordingClosed {
            call,
            recording,
            state: trunkline::journal::RecordingState::Partial,
            expected_ms: 0,
            written_ms: 0,
            sha256: None,
        };
        open.into_iter().map(closed).collect()
    }

    /// Agents who are not signed out, by the journal.
    pub fn signed_in(&self) -> Vec<String> {
        let (folds, _) = self.fold();
        let there = |(agent, seen): (AgentId, Vec<Seen>)| {
            let there = seen.into_iter().filter(|seen| seen.state != AgentState::Offline);
            there.map(|seen| format!("{agent}: {:?}", seen.state)).collect::<Vec<_>>()
        };
        folds.agents.agents().flat_map(there).collect()
    }
}
