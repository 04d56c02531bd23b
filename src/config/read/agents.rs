//! `[agent."NUMBER"]`: who answers, by which phone, and what he or she can do.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::super::settings::{AgentSettings, SecretSource};
use super::{PASSWORD, Reader};
use crate::dialplan::expand_range;
use crate::dialplan::table::Table;

const PIN: [&str; 3] = ["pin", "pin_file", "pin_env"];
const PIN_DIGITS: RangeInclusive<usize> = 4..=12;
/// Calls at once: nobody follows more.
const MOST_CALLS: i64 = 8;

impl Reader<'_> {
    pub(super) fn agents(&mut self, root: &mut Table<'_>) -> BTreeMap<String, AgentSettings> {
        let mut agents = BTreeMap::new();
        for (name, mut table) in root.named("agent", &mut self.report) {
            let place = table.place;
            let (password, pin) = (self.password(&mut table, PASSWORD), self.pin(&mut table));
            // A skill that is only named is had in full.
            let skills = table.levels("skills", 100, &mut self.report);
            let skills: BTreeMap<_, _> = skills.into_iter().map(|(skill, level)| (skill, level.value)).collect();
            let contact = table.string("contact", &mut self.report).map(|contact| contact.value);
            let nat = table.boolean("nat", false, &mut self.report);
            let auto_answer = table.boolean("auto_answer", false, &mut self.report);
            let may_call: Vec<String> =
                table.strings("may_call", &mut self.report).into_iter().map(|class| class.value).collect();
            let srtp = self.srtp(&mut table);
            let acw_ms = table.duration("acw", &mut self.report);
            let capacity = table.integer("capacity", 1..MOST_CALLS + 1, 1, &mut self.report);
            let capacity = u8::try_from(capacity).unwrap_or(1);
            table.finish(&mut self.report);
            if password.is_none() && pin.is_none() && contact.is_none() {
                let hint = Some("set password, password_file or password_env, a pin, or a static contact".to_owned());
                self.report.problem(place, format!("agent \"{name}\" could never sign in"), hint);
            }
            let Some(numbers) = expand_range(&name) else {
                let hint = Some("write [agent.\"1001\"] or a range [agent.\"1001-1004\"]".to_owned());
                self.report.problem(place, format!("\"{name}\" is no agent's number"), hint);
                continue;
            };
            for number in numbers {
                let contact = contact.as_ref().map(|contact| contact.replace("{agent}", &number));
                let (password, pin, skills) = (password.clone(), pin.clone(), skills.clone());
                let may_call = may_call.clone();
                let agent = AgentSettings {
                    password,
                    pin,
                    nat,
                    auto_answer,
                    srtp,
                    skills,
                    may_call,
                    acw_ms,
                    capacity,
                    contact,
                };
                if agents.insert(number.clone(), agent).is_some() {
                    self.report.problem(place, format!("agent \"{number}\" is there twice"), None);
                }
            }
        }
        agents
    }

    fn pin(&mut self, table: &mut Table<'_>) -> Option<SecretSource> {
        let place = table.place_of(PIN[0]);
        let pin = self.password(table, PIN);
        if let Some(SecretSource::Known(secret)) = &pin
            && !is_pin(secret.expose())
        {
            let hint = Some("write 4 to 12 digits, in quotes".to_owned());
            self.report.problem(place, "what is to be typed on a phone is digits alone", hint);
        }
        pin
    }
}

/// Whether that can be typed as a PIN.
pub fn is_pin(text: &str) -> bool {
    PIN_DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
