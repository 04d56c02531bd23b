//! `[recording]`

use super::Reader;
use crate::config::{RecordingSettings, SecretSource};
use crate::dialplan::table::Table;
use crate::recording::KeyRing;

/// The longest code that pauses a recording or lets it go on, in keys.
const LONGEST_CODE: usize = 8;
/// The most that can be asked to be left free, in megabytes: a petabyte.
const MOST_FREE_MB: i64 = 1 << 30;

impl Reader<'_> {
    pub(super) fn recording(&mut self, root: &mut Table<'_>) -> RecordingSettings {
        let usual = RecordingSettings::default();
        let Some(mut table) = root.table("recording", &mut self.report) else {
            let keys = self.keys(&usual.keys_env, None);
            return RecordingSettings { keys, ..usual };
        };
        let keys_env = self.text(&mut table, "keys_env", &usual.keys_env);
        let file = table.string("key_file", &mut self.report).map(|file| file.value);
        let usual_mb = (usual.min_free_bytes >> 20) as i64;
        let recording = RecordingSettings {
            pause_code: self.code(&mut table, "pause_code", usual.pause_code),
            resume_code: self.code(&mut table, "resume_code", usual.resume_code),
            keys: self.keys(&keys_env, file),
            keys_env,
            compress: self.compress(&mut table),
            // The range fits.
            min_free_bytes: (table.integer("min_free_mb", 0..MOST_FREE_MB, usual_mb, &mut self.report) as u64) << 20,
        };
        let codes = recording.pause_code.as_deref().zip(recording.resume_code.as_deref());
        if codes.is_some_and(|(pause, resume)| pause.ends_with(resume) || resume.ends_with(pause)) {
            let hint = Some("choose two codes of which none ends with the other".to_owned());
            self.report.problem(table.place_of("resume_code"), "\"pause_code\" and \"resume_code\" are alike", hint);
        }
        table.finish(&mut self.report);
        recording
    }

    fn compress(&mut self, table: &mut Table<'_>) -> bool {
        let Some(text) = table.string("compress", &mut self.report) else { return false };
        if !matches!(text.value.as_str(), "opus" | "none") {
            let message = format!("recordings cannot be compressed as \"{}\"", text.value);
            self.report.problem(text.place, message, Some("write \"opus\" or \"none\"".to_owned()));
        }
        text.value == "opus"
    }

    /// The keys' file, or else their variable, which is read at once.
    fn keys(&mut self, variable: &str, file: Option<String>) -> Option<SecretSource> {
        if let Some(file) = file {
            return Some(SecretSource::File(file));
        }
        let secret = self.variable(variable)?;
        if let Err(error) = KeyRing::parse(secret.expose()) {
            let span = self.report.add_variable(variable);
            let place = crate::dialplan::Place { file: 0, offset: span.start };
            self.report.problem(place, format!("these are no keys of recordings: {error}"), None);
        }
        Some(SecretSource::Known(secret))
    }

    /// Keys that our users press in a conversation; none where the text is empty.
    fn code(&mut self, table: &mut Table<'_>, key: &'static str, usual: Option<String>) -> Option<String> {
        let Some(text) = table.string(key, &mut self.report) else { return usual };
        let keys = text.value.chars().all(|key| "0123456789*#ABCD".contains(key));
        // One key alone would be pressed by chance.
        if !keys || text.value.len() == 1 || text.value.len() > LONGEST_CODE {
            let hint = Some(format!("two to {LONGEST_CODE} of the keys 0-9, *, # and A-D, or \"\" for no code"));
            self.report.problem(text.place, format!("\"{}\" is no code", text.value), hint);
        }
        Some(text.value).filter(|code| !code.is_empty())
    }
}
