//! `[speech]`

use super::Reader;
use crate::config::SpeechSettings;
use crate::dialplan::table::Table;

impl Reader<'_> {
    pub(super) fn speech(&mut self, root: &mut Table<'_>) -> SpeechSettings {
        let usual = SpeechSettings::default();
        let Some(mut table) = root.table("speech", &mut self.report) else { return usual };
        let command = table.strings("command", &mut self.report);
        if table.has("command")
            && !["{file}", "{text}"].iter().all(|part| command.iter().any(|word| word.value.contains(part)))
        {
            let hint = Some(usual.command.join(" "));
            self.report.problem(table.place_of("command"), "the command has to hold {file} and {text}", hint);
        }
        let command: Vec<String> = command.into_iter().map(|word| word.value).collect();
        let own = table.string_map("voices", &mut self.report).into_iter();
        let voices = usual.voices.into_iter().chain(own.map(|(language, voice)| (language, voice.value))).collect();
        table.finish(&mut self.report);
        SpeechSettings { command: if command.is_empty() { usual.command } else { command }, voices }
    }
}
