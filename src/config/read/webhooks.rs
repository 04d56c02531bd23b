//! `[webhook.NAME]`

use std::collections::BTreeMap;

use super::Reader;
use crate::config::{Secret, SecretSource, WebhookSettings};
use crate::dialplan::suggest;
use crate::dialplan::table::Table;

/// What can be told; as in the notices themselves.
pub const NOTICES: [&str; 5] =
    ["voicemail_left", "callback_requested", "callback_put_off", "callback_ended", "survey_answered"];
/// The longest that an answer may take, ms.
const LONGEST_MS: u64 = 30_000;

impl Reader<'_> {
    pub(super) fn webhooks(&mut self, root: &mut Table<'_>) -> BTreeMap<String, WebhookSettings> {
        let mut hooks = BTreeMap::new();
        for (name, mut table) in root.named("webhook", &mut self.report) {
            let sound = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
            if !sound || name.is_empty() {
                let hint = Some("letters, digits, - and _".to_owned());
                self.report.problem(table.place, format!("\"{name}\" is no name of a webhook"), hint);
            }
            let url = table.required("url", &mut self.report);
            if let Some(url) = &url
                && !(url.value.starts_with("https://") || url.value.starts_with("http://"))
            {
                let hint = Some("write https://host/path; http:// only where nobody else can listen".to_owned());
                self.report.problem(url.place, format!("\"{}\" is no address of a webhook", url.value), hint);
            }
            let secret = self.webhook_secret(&mut table);
            let timeout_ms = table.duration("timeout", &mut self.report).unwrap_or(5_000);
            if !(100..=LONGEST_MS).contains(&timeout_ms) {
                self.report.problem(table.place_of("timeout"), "an answer may take 100ms to 30s", None);
            }
            let mut events = Vec::new();
            for event in table.strings("events", &mut self.report) {
                if NOTICES.contains(&event.value.as_str()) {
                    events.push(event.value);
                } else {
                    let hint = suggest(&event.value, NOTICES).or_else(|| Some(NOTICES.join(", ")));
                    self.report.problem(event.place, format!("nobody is told of \"{}\"", event.value), hint);
                }
            }
            table.finish(&mut self.report);
            hooks.extend(url.map(|url| (name, WebhookSettings { url: url.value, secret, timeout_ms, events })));
        }
        hooks
    }

    fn webhook_secret(&mut self, table: &mut Table<'_>) -> Option<SecretSource> {
        let file = table.string("secret_file", &mut self.report);
        let variable = table.string("secret_env", &mut self.report);
        if file.is_some() && variable.is_some() {
            let hint = Some("keep one of secret_file, secret_env".to_owned());
            self.report.problem(table.place, "the secret is given more than once", hint);
        }
        if let Some(variable) = variable {
            let secret = self.variable(&variable.value);
            if secret.is_none() {
                let message = format!("the environment variable {} is not set", variable.value);
                self.report.problem(variable.place, message, None);
            }
            // The stand-in is never used: its problem refuses the settings as a whole.
            return Some(SecretSource::Known(secret.unwrap_or_else(|| Secret::new(""))));
        }
        file.map(|file| SecretSource::File(file.value))
    }
}
