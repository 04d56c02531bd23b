//! What ops order while the switch runs: hours closed by hand, announcements in front of flows.

use super::{CommandError, Switch};
use crate::dialplan::Prompt;
use crate::journal::Event;
use crate::time::Now;

/// Hours as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoursStatus {
    /// Their name.
    pub name: String,
    /// Whether they are open.
    pub open: bool,
    /// What decided, for people.
    pub because: String,
    /// Until when somebody has closed them by hand (wall ms).
    pub closed_until_ms: Option<i64>,
}

/// A prompt in front of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementStatus {
    /// The flow.
    pub flow: String,
    /// The prompt.
    pub prompt: String,
    /// Until when (wall ms).
    pub until_ms: i64,
}

impl Switch {
    pub(super) fn close_hours(&mut self, hours: String, until_ms: i64, now: Now) -> Result<(), CommandError> {
        self.known_hours(&hours)?;
        self.journal(Event::HoursClosed { hours, until_ms }, now);
        self.tell_closing(now);
        self.resume_callbacks(now);
        Ok(())
    }

    pub(super) fn reopen_hours(&mut self, hours: String, now: Now) -> Result<(), CommandError> {
        if self.orders.closed_until(&hours, now.wall_ms).is_none() {
            self.known_hours(&hours)?;
            return Err(CommandError::NotClosed(hours));
        }
        self.journal(Event::HoursReopened { hours }, now);
        self.resume_callbacks(now);
        Ok(())
    }

    pub(super) fn announce(
        &mut self,
        flow: String,
        prompt: String,
        until_ms: i64,
        now: Now,
    ) -> Result<(), CommandError> {
        let Some(language) = self.settings.program.flows().get(&flow).map(|flow| flow.language.clone()) else {
            return Err(CommandError::Unwritten { kind: "flow", name: flow });
        };
        let wanted = Prompt::new(&language, &prompt);
        if !self.settings.prompts.contains_key(&wanted) {
            return Err(CommandError::Unspoken { prompt, language, flow });
        }
        self.journal(Event::AnnouncementSet { flow, prompt, until_ms }, now);
        Ok(())
    }

    pub(super) fn end_announcement(&mut self, flow: String, now: Now) -> Result<(), CommandError> {
        if self.orders.announcement(&flow, now.wall_ms).is_none() {
            return Err(CommandError::NotAnnounced(flow));
        }
        self.journal(Event::AnnouncementTaken { flow }, now);
        Ok(())
    }

    fn known_hours(&self, hours: &str) -> Result<(), CommandError> {
        let known = self.settings.program.hours().contains_key(hours);
        known.then_some(()).ok_or_else(|| CommandError::Unwritten { kind: "hours", name: hours.to_owned() })
    }

    pub(super) fn hours_status(&self, now: Now) -> Vec<HoursStatus> {
        let status = |(name, hours): (&String, &crate::dialplan::Hours)| {
            let closed_until_ms = self.orders.closed_until(name, now.wall_ms);
            let (open, because) = hours.decide(now.wall_ms, closed_until_ms);
            HoursStatus { name: name.clone(), open, because: because.to_string(), closed_until_ms }
        };
        self.settings.program.hours().iter().map(status).collect()
    }

    pub(super) fn announcement_status(&self, now: Now) -> Vec<AnnouncementStatus> {
        let status = |(flow, announcement): (&str, &crate::journal::Announcement)| AnnouncementStatus {
            flow: flow.to_owned(),
            prompt: announcement.prompt.clone(),
            until_ms: announcement.until_ms,
        };
        self.orders.announcements(now.wall_ms).map(status).collect()
    }
}
