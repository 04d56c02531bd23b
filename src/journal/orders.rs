//! What ops order while the switch runs: hours closed by hand, announcements in front of flows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Event;

/// An announcement in front of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The prompt.
    pub prompt: String,
    /// Until when, wall milliseconds.
    pub until_ms: i64,
}

/// The orders that stand, those included that have run out since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Until when hours are closed, wall milliseconds.
    closed: BTreeMap<String, i64>,
    announcements: BTreeMap<String, Announcement>,
}

impl Orders {
    /// Takes in what happened; other events change nothing.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::HoursClosed { hours, until_ms } => drop(self.closed.insert(hours.clone(), *until_ms)),
            Event::HoursReopened { hours } => drop(self.closed.remove(hours)),
            Event::AnnouncementSet { flow, prompt, until_ms } => {
                let announcement = Announcement { prompt: prompt.clone(), until_ms: *until_ms };
                self.announcements.insert(flow.clone(), announcement);
            }
            Event::AnnouncementTaken { flow } => drop(self.announcements.remove(flow)),
            _ => {}
        }
    }

    /// Until when hours are closed by hand at `wall_ms`.
    pub fn closed_until(&self, hours: &str, wall_ms: i64) -> Option<i64> {
        self.closed.get(hours).copied().filter(|until| *until > wall_ms)
    }

    /// What stands in front of a flow at `wall_ms`.
    pub fn announcement(&self, flow: &str, wall_ms: i64) -> Option<&Announcement> {
        self.announcements.get(flow).filter(|announcement| announcement.until_ms > wall_ms)
    }

    /// Hours that are closed by hand at `wall_ms`, and until when.
    pub fn closures(&self, wall_ms: i64) -> impl Iterator<Item = (&str, i64)> {
        self.closed.iter().map(|(hours, until)| (hours.as_str(), *until)).filter(move |(_, until)| *until > wall_ms)
    }

    /// Announcements that stand at `wall_ms`, by their flow.
    pub fn announcements(&self, wall_ms: i64) -> impl Iterator<Item = (&str, &Announcement)> {
        let all = self.announcements.iter().map(|(flow, announcement)| (flow.as_str(), announcement));
        all.filter(move |(_, announcement)| announcement.until_ms > wall_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_run_out() {
        let mut orders = Orders::default();
        orders.handle_event(&Event::HoursClosed { hours: "h".into(), until_ms: 100 });
        assert_eq!(orders.closed_until("h", 99), Some(100));
        assert_eq!(orders.closed_until("h", 100), None);
        orders.handle_event(&Event::HoursReopened { hours: "h".into() });
        assert_eq!(orders.closed_until("h", 0), None);
        orders.handle_event(&Event::AnnouncementSet { flow: "f".into(), prompt: "outage".into(), until_ms: 100 });
        assert_eq!(orders.announcements(0).count(), 1);
        assert_eq!(orders.announcement("f", 100), None);
        orders.handle_event(&Event::AnnouncementTaken { flow: "f".into() });
        assert_eq!(orders.announcements(0).count(), 0);
    }
}
