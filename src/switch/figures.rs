//! Figures for metrics: what the switch holds and what it has done since its start.

use std::collections::BTreeMap;

use super::party::Unopened;
use super::{AnnouncementStatus, Ban, HoursStatus, Storage, StorageFigures, Switch, TrunkStatus};
use crate::media::Refusal;
use crate::time::Now;

/// Counters of the switch's own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) calls_offered: u64,
    pub(super) calls_ended: u64,
    pub(super) calls_bridged: u64,
    pub(super) strangers: u64,
    pub(super) unusable: u64,
    pub(super) silences: u64,
    pub(super) media_timeouts: u64,
    pub(super) without_ports: u64,
    pub(super) unopened: Unopened,
    pub(super) browsers_lost: u64,
    pub(super) web_strangers: u64,
    pub(super) unrecordable: u64,
    pub(super) desks_refused: u64,
    pub(super) wishes_unheeded: u64,
}

/// A snapshot for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Opening hours as they are now.
    pub hours: Vec<HoursStatus>,
    /// Prompts that stand in front of flows.
    pub announcements: Vec<AnnouncementStatus>,
    /// Calls in progress.
    pub calls: u64,
    /// Legs in progress.
    pub legs: u64,
    /// Pairs of ports that legs hold.
    pub leases: u64,
    /// Open SIP dialogs.
    pub dialogs: u64,
    /// Open SIP transactions.
    pub transactions: u64,
    /// Bindings of phones.
    pub bindings: u64,
    /// Subscriptions to users' calls and messages.
    pub subscriptions: u64,
    /// Requests to be called back that stand.
    pub callbacks: u64,
    /// Calls offered since the start.
    pub calls_offered: u64,
    /// Calls ended since the start.
    pub calls_ended: u64,
    /// Calls in which two parties were joined.
    pub calls_bridged: u64,
    /// INVITEs outside dialogs.
    pub invites: u64,
    /// Final responses to INVITEs outside dialogs by status.
    pub responses: BTreeMap<u16, u64>,
    /// Requests that were challenged.
    pub challenges: u64,
    /// Wrong answers to challenges.
    pub wrong_answers: u64,
    /// Messages refused or dropped before they were read whole.
    pub malformed: u64,
    /// Effects that left before their journal entry was written, because the disk was too slow.
    pub early_effects: u64,
    /// Media packets from strangers that were dropped.
    pub stranger_packets: u64,
    /// Media packets of payload types that were not agreed on, dropped.
    pub unusable_packets: u64,
    /// SRTP packets that were dropped, by why.
    pub srtp_dropped: BTreeMap<&'static str, u64>,
    /// Browsers' calls that ended because their media failed.
    pub browsers_lost: u64,
    /// Datagrams to browsers' ports of who has proved nothing.
    pub web_strangers: u64,
    /// Times that no sound came from a party of a conversation.
    pub silences: u64,
    /// Calls that were ended because nothing at all came from a party.
    pub media_timeouts: u64,
    /// Calls, and phones to be called, that got no ports because all were taken.
    pub without_ports: u64,
    /// Requests that got no challenge because their source asked too often.
    pub slowed: u64,
    /// New calls that got 503 because the loop was late.
    pub shed: u64,
    /// Messages of banned sources.
    pub ignored: u64,
    /// Sources that were banned since the start.
    pub banned: u64,
    /// Who is ignored now.
    pub bans: Vec<Ban>,
    /// Questions to DNS.
    pub dns_questions: u64,
    /// Those that were not answered with sense, or in time.
    pub dns_failures: u64,
    /// Times that records served on after their end.
    pub dns_stale: u64,
    /// Answers of DNS that are remembered.
    pub dns_cached: u64,
    /// Large requests that went back from TCP to UDP.
    pub udp_fallbacks: u64,
    /// How the disk of the recordings fares.
    pub storage: StorageFigures,
    /// Calls that were not put through because they must be recorded and could not be.
    pub unrecordable: u64,
    /// Agents who were not let in at a phone.
    pub desks_refused: u64,
    /// Callers who were served without what the rules of their queue ask for them.
    pub wishes_unheeded: u64,
    /// Expected waits that were put to the test by an answer, over all queues.
    pub estimates: u64,
    /// The sum of their errors, whatever the direction, ms.
    pub estimates_error_ms: u64,
    /// Trunks as they stand.
    pub trunks: Vec<TrunkStatus>,
    /// The last journal entry.
    pub journal_seq: u64,
}

impl Figures {
    /// What somebody has to see to, by name; calls go on.
    pub fn alarms(&self) -> Vec<String> {
        let trouble = Some(self.storage.storage).filter(|storage| *storage != Storage::Fine);
        trouble.into_iter().map(|trouble| format!("recordings_{}", trouble.name())).collect()
    }
}

impl Switch {
    /// The figures as they stand.
    pub fn figures(&self, now: Now) -> Figures {
        let sip = self.endpoint.counts();
        let (dns, dns_cached) = self.endpoint.dns_counts();
        let [_, dialogs, _, transactions, _] = self.endpoint.load();
        Figures {
            hours: self.hours_status(now),
            announcements: self.announcement_status(now),
            calls: self.calls.len() as u64,
            legs: self.legs.len() as u64,
            leases: self.legs.values().filter(|leg| leg.media.is_some()).count() as u64,
            dialogs: dialogs as u64,
            transactions: transactions as u64,
            bindings: self.endpoint.registrar().len() as u64,
            subscriptions: self.endpoint.subscriptions() as u64,
            callbacks: self.callbacks.iter().count() as u64,
            calls_offered: self.counts.calls_offered,
            calls_ended: self.counts.calls_ended,
            calls_bridged: self.counts.calls_bridged,
            invites: sip.invites,
            responses: sip.responses.clone(),
            challenges: sip.challenges,
            wrong_answers: sip.wrong_answers,
            malformed: sip.malformed,
            slowed: sip.slowed,
            shed: self.endpoint.shed(),
            ignored: sip.ignored,
            banned: sip.banned,
            bans: self.endpoint.bans(now).collect(),
            trunks: self.endpoint.trunks(),
            early_effects: self.outbox.early(),
            stranger_packets: self.counts.strangers,
            unusable_packets: self.counts.unusable,
            srtp_dropped: Refusal::ALL.iter().map(|why| why.as_str()).zip(self.counts.unopened).collect(),
            browsers_lost: self.counts.browsers_lost,
            web_strangers: self.counts.web_strangers,
            silences: self.counts.silences,
            media_timeouts: self.counts.media_timeouts,
            without_ports: self.counts.without_ports,
            storage: self.storage,
            unrecordable: self.counts.unrecordable,
            desks_refused: self.counts.desks_refused,
            wishes_unheeded: self.counts.wishes_unheeded,
            estimates: self.acd.view().queues().map(|queue| queue.estimates).sum(),
            estimates_error_ms: self.acd.view().queues().map(|queue| queue.estimates_error_ms).sum(),
            dns_questions: dns.questions,
            dns_failures: dns.failures,
            dns_stale: dns.stale,
            dns_cached: dns_cached as u64,
            udp_fallbacks: self.endpoint.udp_fallbacks(),
            journal_seq: self.outbox.last_seq(),
        }
    }
}
