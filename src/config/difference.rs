//! Which settings a reload changes, and which ones wait for the next start.

use super::Settings;

/// What is in force at once after a reload, a line each.
pub fn differences(old: &Settings, new: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let added = new.agents.keys().filter(|name| !old.agents.contains_key(*name));
    lines.extend(added.map(|name| format!("agent {name} added")));
    let gone = old.agents.keys().filter(|name| !new.agents.contains_key(*name));
    lines.extend(gone.map(|name| format!("agent {name} removed")));
    let changed = new.agents.iter().filter(|(name, now)| old.agents.get(*name).is_some_and(|before| before != *now));
    lines.extend(changed.map(|(name, _)| format!("agent {name} changed")));
    if old.reasons != new.reasons {
        lines.push("reasons changed".to_owned());
    }
    if old.ageing != new.ageing {
        lines.push("ageing changed".to_owned());
    }
    if old.tones != new.tones {
        lines.push("tones changed".to_owned());
    }
    if old.volume != new.volume {
        lines.push("volume changed".to_owned());
    }
    if old.routes != new.routes {
        lines.push("routes changed".to_owned());
    }
    let codes = |settings: &Settings| (settings.recording.pause_code.clone(), settings.recording.resume_code.clone());
    if codes(old) != codes(new) {
        lines.push("recording codes changed".to_owned());
    }
    if old.sip.record_internal != new.sip.record_internal {
        lines.push("sip.record_internal changed".to_owned());
    }
    if old.rtp.srtp != new.rtp.srtp {
        lines.push("rtp.srtp changed".to_owned());
    }
    lines
}

/// Settings that have changed and that only a start reads.
pub fn waiting(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let sip = |settings: &Settings| super::SipSettings { record_internal: false, ..settings.sip.clone() };
    let rtp = |settings: &Settings| super::RtpSettings { srtp: crate::switch::Srtp::Off, ..settings.rtp.clone() };
    let recording = |settings: &Settings| super::RecordingSettings {
        pause_code: None,
        resume_code: None,
        ..settings.recording.clone()
    };
    // Of [tls] the files are read again; which files they are is not.
    let tls = |settings: &Settings| {
        settings.tls.as_ref().map(|tls| (tls.pair.clone(), tls.client_ca.clone(), tls.trust.clone()))
    };
    let pairs = [
        ("data_dir", old.data_dir != new.data_dir),
        ("queue_log", old.queue_log != new.queue_log),
        ("demo", old.demo != new.demo),
        ("log", old.log != new.log),
        ("local_nets", old.local_nets != new.local_nets),
        ("sip", sip(old) != sip(new)),
        ("tls", tls(old) != tls(new)),
        ("dns", old.dns != new.dns),
        ("trace", old.trace != new.trace),
        ("rtp", rtp(old) != rtp(new)),
        ("recording", recording(old) != recording(new)),
        ("http", old.http_listen != new.http_listen || old.api_token != new.api_token),
        ("dscp", (old.dscp_sip, old.dscp_rtp) != (new.dscp_sip, new.dscp_rtp)),
        ("shutdown", old.shutdown_deadline_ms != new.shutdown_deadline_ms),
        ("guard", old.guard != new.guard),
        ("trunk", old.trunks != new.trunks),
        ("webhook", old.webhooks != new.webhooks),
    ];
    pairs.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}
