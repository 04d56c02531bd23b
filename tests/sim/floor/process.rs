//! The life of the process: how it ends, in order or not, and how it starts again.

use rand_core::Rng;
use trunkline::switch::{Input, Output, Restart, Switch};

use super::{Floor, Happening};
use crate::dice::{Dice, stream};
use crate::disk::Crash;
use crate::gate::Gate;
use crate::plan;

impl Floor {
    /// The process ends in order: nothing is left in it, and everything is on the disk.
    pub(super) fn stopped(&mut self) {
        let in_time = self.stopping.take().is_some_and(|end| self.now.mono_ns <= end);
        if !in_time {
            self.wrong.push("drained, though nobody asked, or too late".to_owned());
        }
        let Some(mut switch) = self.switch.take() else { return };
        // The media threads say their last words, which belong into the journal.
        for (at, happening) in std::mem::take(&mut self.queue) {
            if let Happening::Report(report) = happening {
                switch.handle(Input::Media(report), self.now);
            } else {
                self.queue.insert(at, happening);
            }
        }
        while let Some(output) = switch.poll_output() {
            if let Output::Journal(entry) = output {
                self.wrong.extend(self.disk.append(entry, self.now.mono_ns).err());
            }
        }
        if switch.load()[..4] != [0; 4] {
            self.wrong.push(format!("calls, legs, sessions, dialogs are left at the stop: {:?}", switch.load()));
        }
        self.wrong.extend(self.media.leftovers());
        let cut = self.media.crash(self.now);
        if !cut.is_empty() {
            self.wrong.push(format!("the stop cut recordings: {cut:?}"));
        }
        self.stops += 1;
        self.disk.flush();
        self.leave();
    }

    pub(super) fn crash(&mut self, crash: Crash) {
        if self.switch.take().is_none() {
            return;
        }
        self.stopping = None;
        self.crashes += 1;
        self.power_cuts += u64::from(crash == Crash::PowerCut);
        self.cut.extend(self.media.crash(self.now));
        self.disk.crash(crash);
        self.leave();
    }

    /// What is left of a process that has ended, and its next start.
    fn leave(&mut self) {
        self.run += 1;
        self.gate = Gate::default();
        // What was on its way into the process is gone; what is on the wire is not.
        self.queue.retain(|_, happening| !matches!(happening, Happening::Report(_) | Happening::Disk { .. }));
        let pause = self.rng.between(500, 15_000);
        self.in_ms(pause, Happening::Start);
    }

    pub(super) fn start(&mut self) {
        if self.switch.is_some() {
            return;
        }
        let cut = std::mem::take(&mut self.cut);
        let restart: Restart = self.disk.restart(cut);
        let mut seed = [0; 32];
        stream(self.seed, 100 + self.run).fill_bytes(&mut seed);
        let settings = plan::settings(&self.program);
        match Switch::new(settings, restart, seed, self.now) {
            Ok(switch) => self.switch = Some(switch),
            Err(error) => self.wrong.push(format!("the switch does not start: {error}")),
        }
        self.settle();
    }
}
