//! Recordings of a thread's legs: who joins which, who leaves, and what the writer gets.

use crossbeam_channel::Sender;

use super::thread::MediaThread;
use crate::media::{Recorder, RecordingWork};
use crate::time::Now;

impl MediaThread {
    /// Lets a leg join the recording that its command names, and leave another one.
    pub(super) fn choose_recording(&mut self, index: usize, now: Now) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let media = slot.leg.media();
        if let Some((name, _)) = &slot.recording
            && let Some(spec) = media.recording.as_ref().filter(|spec| spec.id == *name)
            && let Some(recorder) = self.recorders.get_mut(name)
        {
            recorder.follow(&spec.marks);
        }
        let wanted = media.recording.as_ref().map(|spec| (spec.id.clone(), spec.side));
        if wanted == slot.recording {
            return;
        }
        if let Some(spec) = &media.recording {
            let new = || Recorder::new(spec, media.format.codec.law(), now);
            let recorder = self.recorders.entry(spec.id.clone()).or_insert_with(new);
            recorder.join();
            recorder.follow(&spec.marks);
        }
        if let Some((name, _)) = std::mem::replace(&mut slot.recording, wanted) {
            self.leave_recording(&name, now);
        }
    }

    pub(super) fn leave_recording(&mut self, name: &str, now: Now) {
        if self.recorders.get_mut(name).is_some_and(|recorder| recorder.leave(now))
            && let Some(mut recorder) = self.recorders.remove(name)
        {
            drain(&mut recorder, &self.links.recordings);
            if recorder.owes_close() {
                self.closing.push(recorder);
            }
        }
    }
}

/// Hands a recording's work to the writer, which nobody waits for.
pub(super) fn drain(recorder: &mut Recorder, writer: &Sender<RecordingWork>) {
    while let Some(work) = recorder.poll_work() {
        if let Err(refused) = writer.try_send(work) {
            recorder.handle_refused(refused.into_inner());
            return;
        }
    }
}
