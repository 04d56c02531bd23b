//! Recordings of a thread's legs: who joins which, who leaves, and what the writer gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::disk::Disk;
use super::thread::MediaThread;
use crate::media::{LegMedia, Recorder, RecordingSpec, RecordingStep, RecordingWork};
use crate::time::Now;

/// The way to the writer.
#[derive(Clone)]
pub(super) struct Desk {
    pub work: Sender<RecordingWork>,
    /// Rung where somebody waits for what is done. Sound waits for the writer's next look: to wake it costs as much as a packet.
    pub bell: Sender<()>,
    /// Hears of sound that found no room.
    pub disk: Arc<Disk>,
}

/// The recordings of a thread's legs.
#[derive(Default)]
pub(super) struct Recorders {
    running: Vec<Option<Recorder>>,
    vacant: Vec<usize>,
    by_name: BTreeMap<Arc<str>, usize>,
    /// Closed, while the writer had no room to hear of it.
    closing: Vec<Recorder>,
}

impl Recorders {
    /// The recording at a place.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Recorder> {
        self.running.get_mut(index).and_then(Option::as_mut)
    }

    /// Lets one more leg into the recording that `spec` names, which begins with the first and is in its law.
    fn join(&mut self, spec: &RecordingSpec, media: &LegMedia, now: Now) -> usize {
        let index = self.by_name.get(spec.id.as_str()).copied().unwrap_or_else(|| {
            let recorder = Recorder::new(spec, media.format.codec.law(), now);
            let index = self.vacant.pop().unwrap_or(self.running.len());
            self.by_name.insert(Arc::clone(recorder.id()), index);
            match self.running.get_mut(index) {
                Some(place) => *place = Some(recorder),
                None => self.running.push(Some(recorder)),
            }
            index
        });
        if let Some(recorder) = self.get_mut(index) {
            recorder.join();
            recorder.follow(&spec.marks);
        }
        index
    }

    /// Takes a leg out; the last one closes the recording.
    pub fn leave(&mut self, index: usize, now: Now, writer: &Desk) {
        let Some(place) = self.running.get_mut(index) else { return };
        if let Some(mut recorder) = place.take_if(|recorder| recorder.leave(now)) {
            self.by_name.remove(recorder.id());
            self.vacant.push(index);
            drain(&mut recorder, writer);
            if recorder.owes_close() {
                self.closing.push(recorder);
            }
        }
    }

    /// Says again what the writer had no room for.
    pub fn handle_tick(&mut self, writer: &Desk) {
        self.closing.retain_mut(|recorder| {
            drain(recorder, writer);
            recorder.owes_close()
        });
    }

    /// Closes all of them, because the thread ends. It has no more packets to delay, so it waits for the writer's room.
    pub fn close(&mut self, now: Now, writer: &Desk) {
        for recorder in self.running.iter_mut().flatten().chain(&mut self.closing) {
            recorder.close(now);
            while let Some(work) = recorder.poll_work() {
                if writer.work.send(work).is_err() {
                    return;
                }
            }
        }
    }
}

impl MediaThread {
    /// Lets a leg join the recording that its command names, and leave another one.
    pub(super) fn choose_recording(&mut self, index: usize, now: Now) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let media = slot.leg.media();
        let running = slot.recording.and_then(|(recording, side)| Some((self.recorders.get_mut(recording)?, side)));
        if let Some((recorder, side)) = running
            && let Some(spec) = media.recording.as_ref().filter(|spec| *spec.id == **recorder.id())
        {
            recorder.follow(&spec.marks);
            if spec.side == side {
                return;
            }
        }
        let wanted = media.recording.as_ref();
        let wanted = wanted.map(|spec| (self.recorders.join(spec, media, now), spec.side));
        if let Some((left, _)) = std::mem::replace(&mut slot.recording, wanted) {
            self.recorders.leave(left, now, &self.links.recordings);
        }
    }
}

/// Hands a recording's work to the writer, which nobody waits for.
pub(super) fn drain(recorder: &mut Recorder, writer: &Desk) {
    while let Some(work) = recorder.poll_work() {
        let closes = matches!(work.step, RecordingStep::Close(_));
        if let Err(refused) = writer.work.try_send(work) {
            if !closes {
                writer.disk.fall_behind();
            }
            recorder.handle_refused(refused.into_inner());
            return;
        }
        if closes {
            // Without room, it rings already.
            let _ = writer.bell.try_send(());
        }
    }
}
