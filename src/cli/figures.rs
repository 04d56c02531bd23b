//! What `/metrics` shows of the floor.

use super::running::Hooks;
use crate::api::{Figure, Figures, Kind};
use crate::hooks::NotifierStatus;
use crate::node::Watch;
use crate::switch::{Health, Standing, Storage, TrunkStatus};

/// Where figures come from, looked at once for all of them.
struct Sources {
    switch: crate::switch::Figures,
    net: crate::net::Figures,
    lost: crate::node::Lost,
}

/// A name, what it means, and where it is found.
type Row<T> = (&'static str, &'static str, fn(&Sources) -> T);

const GAUGES: [Row<f64>; 12] = [
    ("trunkline_calls", "Calls that the switch holds, until the last leg of each is gone.", |of| {
        of.switch.calls as f64
    }),
    ("trunkline_legs", "Legs in progress.", |of| of.switch.legs as f64),
    ("trunkline_rtp_leases", "Pairs of RTP and RTCP ports that legs hold.", |of| of.switch.leases as f64),
    ("trunkline_sip_dialogs", "Open SIP dialogs.", |of| of.switch.dialogs as f64),
    ("trunkline_sip_transactions", "Open SIP transactions.", |of| of.switch.transactions as f64),
    ("trunkline_sip_bindings", "Contacts that are bound.", |of| of.switch.bindings as f64),
    ("trunkline_sip_subscriptions", "Subscriptions that stand.", |of| of.switch.subscriptions as f64),
    ("trunkline_callbacks", "Requests to be called back that stand.", |of| of.switch.callbacks as f64),
    ("trunkline_sip_bans", "Sources that are ignored now.", |of| of.switch.bans.len() as f64),
    ("trunkline_recording_free_bytes", "Bytes that are left where recordings lie.", |of| {
        of.switch.storage.free_bytes as f64
    }),
    ("trunkline_dns_cached", "Answers of DNS that are remembered.", |of| of.switch.dns_cached as f64),
    ("trunkline_net_inbound_connections", "Connections that peers have open to SIP.", |of| of.net.inbound as f64),
];

const COUNTERS: [Row<u64>; 36] = [
    ("trunkline_calls_offered", "Calls offered.", |of| of.switch.calls_offered),
    ("trunkline_calls_ended", "Calls ended.", |of| of.switch.calls_ended),
    ("trunkline_calls_bridged", "Calls in which two parties were joined.", |of| of.switch.calls_bridged),
    ("trunkline_expected_waits", "Expected waits that an answer has put to the test.", |of| of.switch.estimates),
    ("trunkline_expected_waits_error_milliseconds", "The sum of their errors, whatever the direction.", |of| {
        of.switch.estimates_error_ms
    }),
    ("trunkline_sip_invites", "INVITEs outside dialogs.", |of| of.switch.invites),
    ("trunkline_sip_challenges", "Requests that were challenged.", |of| of.switch.challenges),
    ("trunkline_sip_wrong_answers", "Wrong answers to challenges.", |of| of.switch.wrong_answers),
    ("trunkline_sip_malformed", "Messages refused or dropped unread.", |of| of.switch.malformed),
    ("trunkline_sip_banned", "Sources that were banned.", |of| of.switch.banned),
    ("trunkline_sip_shed", "New calls that got 503 because signalling was late.", |of| of.switch.shed + of.net.shed),
    ("trunkline_sip_ignored", "Messages of banned sources, not looked at.", |of| of.switch.ignored),
    ("trunkline_sip_slowed", "Requests without an answer, because their source asks too often.", |of| of.switch.slowed),
    ("trunkline_rtp_stranger_packets", "Media packets from strangers, dropped.", |of| of.switch.stranger_packets),
    ("trunkline_rtp_unusable_packets", "Media packets of payload types that were not agreed on, dropped.", |of| {
        of.switch.unusable_packets
    }),
    ("trunkline_webrtc_lost", "Browsers' calls that ended because their media failed.", |of| of.switch.browsers_lost),
    ("trunkline_webrtc_stranger_packets", "Datagrams to browsers' ports from who has proved nothing.", |of| {
        of.switch.web_strangers
    }),
    ("trunkline_rtp_silences", "Times that a party of a conversation sent no sound.", |of| of.switch.silences),
    ("trunkline_rtp_timeouts", "Calls that were ended because nothing came from a party.", |of| {
        of.switch.media_timeouts
    }),
    (
        "trunkline_rtp_without_ports",
        "Calls, and phones to be called, that got 503 because all media ports were taken.",
        |of| of.switch.without_ports,
    ),
    (
        "trunkline_recording_lost_ms",
        "Milliseconds of sound that could not be written; silence stands for them.",
        |of| of.switch.storage.lost_ms,
    ),
    (
        "trunkline_prompt_late_ms",
        "Milliseconds of long prompts that came too late from the disk; silence was heard in their place.",
        |of| of.switch.storage.late_ms,
    ),
    (
        "trunkline_recording_refused_calls",
        "Calls that were not put through because they must be recorded and could not be.",
        |of| of.switch.unrecordable,
    ),
    ("trunkline_desks_refused", "Agents who were not let in at a phone, by a wrong PIN mostly.", |of| {
        of.switch.desks_refused
    }),
    (
        "trunkline_queue_wishes_unheeded",
        "Callers who were served without what the rules of their queue ask, as too many kinds of callers waited.",
        |of| of.switch.wishes_unheeded,
    ),
    ("trunkline_journal_early_effects", "Effects that left before they were written.", |of| of.switch.early_effects),
    ("trunkline_dns_questions", "Questions put to DNS servers.", |of| of.switch.dns_questions),
    ("trunkline_dns_failures", "Questions that no DNS server answered with sense in time.", |of| {
        of.switch.dns_failures
    }),
    ("trunkline_dns_stale", "Times that records served on after their end for want of an answer.", |of| {
        of.switch.dns_stale
    }),
    ("trunkline_sip_udp_fallbacks", "Requests too large for a datagram that went back from TCP to UDP.", |of| {
        of.switch.udp_fallbacks
    }),
    ("trunkline_net_received", "SIP messages taken from the network.", |of| of.net.received),
    ("trunkline_trace_dropped", "Copies for the trace that its writer was too slow for.", |of| of.net.trace_dropped),
    ("trunkline_net_sent", "SIP messages handed to the network.", |of| of.net.sent),
    ("trunkline_net_refused", "Connections closed because of a limit, or in their handshake.", |of| of.net.refused),
    ("trunkline_media_reports_lost", "What media threads had to tell and the switch had no room for.", |of| {
        of.lost.reports
    }),
    (
        "trunkline_journal_late_entries",
        "Entries that followers of the journal were too slow for, and read from its files.",
        |of| of.lost.entries,
    ),
];

/// The figures as they are now.
pub(super) fn figures(watch: &Watch, hooks: &Hooks) -> Figures {
    let of = Sources { switch: watch.figures(), net: watch.net.figures(), lost: watch.lost() };
    let mut figures = Figures::default();
    for (name, help, value) in GAUGES {
        figures.gauge(name, help, value(&of));
    }
    for (name, help, value) in COUNTERS {
        figures.counter(name, help, value(&of));
    }
    let mut add = |name, help, kind, label: (&'static str, String), value| {
        figures.add(Figure { name, help, kind, labels: vec![label], value });
    };
    for trouble in Storage::TROUBLES {
        let help = "Whether recordings cannot be written, and why: 1 for the reason that holds.";
        let holds = f64::from(u8::from(of.switch.storage.storage == trouble));
        add("trunkline_recording_alarm", help, Kind::Gauge, ("reason", trouble.name().to_owned()), holds);
    }
    for (status, count) in &of.switch.responses {
        let help = "Final responses to INVITEs outside dialogs.";
        add("trunkline_sip_invite_responses", help, Kind::Counter, ("status", status.to_string()), *count as f64);
    }
    for (reason, count) in &of.switch.srtp_dropped {
        let help = "Media packets that could not be opened, dropped.";
        add("trunkline_srtp_dropped_packets", help, Kind::Counter, ("reason", (*reason).to_owned()), *count as f64);
    }
    of.switch.trunks.iter().for_each(|trunk| add_trunk(&mut figures, trunk));
    hooks.iter().for_each(|(name, status)| add_hook(&mut figures, name, status));
    figures
}

fn add_hook(figures: &mut Figures, name: &str, status: &NotifierStatus) {
    use Kind::{Counter, Gauge};
    let mut add = |metric: &'static str, help, kind, value: u64| {
        let labels = vec![("webhook", name.to_owned())];
        figures.add(Figure { name: metric, help, kind, labels, value: value as f64 });
    };
    add("trunkline_webhook_notices", "Notices that a webhook has taken.", Counter, status.told());
    add("trunkline_webhook_failures", "How often a notice was not taken.", Counter, status.failures());
    add("trunkline_webhook_waiting", "Notices that are not taken yet.", Gauge, status.waiting());
}

fn add_trunk(figures: &mut Figures, trunk: &TrunkStatus) {
    use Kind::{Counter, Gauge};
    let mut add = |name: &'static str, help, kind, label: Option<(&'static str, &str)>, value: f64| {
        let own = [("trunk", trunk.id.to_string())].into_iter();
        let labels = own.chain(label.map(|(name, value)| (name, value.to_owned()))).collect();
        figures.add(Figure { name, help, kind, labels, value });
    };
    for (direction, (present, total)) in [("in", trunk.inbound), ("out", trunk.outbound)] {
        let label = Some(("direction", direction));
        add("trunkline_trunk_calls", "Calls that the trunk carries now.", Gauge, label, f64::from(present));
        add("trunkline_trunk_calls_carried", "Calls that the trunk has carried.", Counter, label, total as f64);
    }
    for (reason, count) in [("full", trunk.refused.0), ("rate", trunk.refused.1)] {
        let help = "Calls that did not fit the trunk's limits.";
        add("trunkline_trunk_refused", help, Counter, Some(("reason", reason)), count as f64);
    }
    for target in &trunk.targets {
        let help = "Whether a target of the trunk answers OPTIONS: 1, 0, or 0.5 where it was not asked yet.";
        let value = match target.health {
            Health::Up => 1.0,
            Health::Unknown => 0.5,
            Health::Down => 0.0,
        };
        add("trunkline_trunk_target_up", help, Gauge, Some(("target", &target.uri.to_string())), value);
    }
    if let Some((standing, _)) = trunk.registration {
        let stands = matches!(standing, Standing::Registered { .. });
        add("trunkline_trunk_registered", "Whether we are registered at the trunk.", Gauge, None, f64::from(stands));
    }
}
