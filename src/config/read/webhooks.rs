//! `[webhook.NAME]`

use std::collections::BTreeMap;

use super::Reader;
use crate::config::WebhookSettings;
use crate::dialplan::suggest;
use crate::dialplan::table::Table;
use crate::journal::NoticeKind;

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
            let secret = self.secret(&mut table, "secret_file", "secret_env");
            let timeout_ms = table.duration("timeout", &mut self.report).unwrap_or(5_000);
            if !(100..=LONGEST_MS).contains(&timeout_ms) {
                self.report.problem(table.place_of("timeout"), "an answer may take 100ms to 30s", None);
            }
            let mut events = Vec::new();
            for event in table.strings("events", &mut self.report) {
                match NoticeKind::ALL.into_iter().find(|kind| kind.name() == event.value) {
                    Some(kind) => events.push(kind),
                    None => {
                        let names = NoticeKind::ALL.map(NoticeKind::name);
                        let hint = suggest(&event.value, names).or_else(|| Some(names.join(", ")));
                        self.report.problem(event.place, format!("nobody is told of \"{}\"", event.value), hint);
                    }
                }
            }
            table.finish(&mut self.report);
            hooks.extend(url.map(|url| (name, WebhookSettings { url: url.value, secret, timeout_ms, events })));
        }
        hooks
    }
}
