//! `trunkline trace`: one call's messages out of the ring, as a ladder, as text, or as pcap.

mod ladder;
mod pcap;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::check::report;
use super::floor;
use crate::sip::message::{Framing, Message, Verdict, judge};
use crate::sip::transaction::Flow;
use crate::store::trace::{Frame, What, read_trace, trace_dir};

/// One call's SIP: who said what to whom, and when
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline trace 01996e1c3d0a7d2b8f0e --config config/demo.toml\n  \
    trunkline trace --number 13800138000 --messages --config config/demo.toml\n  \
    trunkline trace --number 4001 --pcap call.pcap --config config/demo.toml\n\n\
    It reads the ring that the daemon keeps where the settings have a table [trace]; digits, credentials and keys are masked\n\
    in it. In pcap every message is a UDP datagram between the true addresses, whatever carried it.\n\
    Exit codes: 0 done, 1 the ring holds nothing of it, 2 usage, 3 the ring cannot be read")]
pub(super) struct Trace {
    /// The call, as records name it
    #[arg(required_unless_present = "number", conflicts_with = "number")]
    call: Option<String>,
    /// Every call from or to this number, or one that ends so
    #[arg(long, value_name = "N")]
    number: Option<String>,
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print the messages themselves after the ladder
    #[arg(long)]
    messages: bool,
    /// Write the messages to a file for Wireshark, in place of the ladder
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// A message of the ring.
struct Traced {
    at_us: i64,
    outbound: bool,
    flow: Flow,
    message: Message,
    bytes: Vec<u8>,
}

impl Trace {
    pub(super) fn run(&self) -> Exit {
        self.show().unwrap_or_else(|exit| exit)
    }

    fn show(&self) -> Result<Exit, Exit> {
        let settings = floor::load(&self.config).map_err(|error| report(&error))?.settings;
        let dir = trace_dir(Path::new(&settings.data_dir));
        let frames = read_trace(&dir).map_err(|error| {
            let hint =
                if settings.trace.is_none() { ": the settings have no table [trace], so none is kept" } else { "" };
            eprintln!("cannot read the trace in {}: {error}{hint}", dir.display());
            Exit::Environment
        })?;
        let messages = self.chosen(frames);
        if messages.is_empty() {
            let sought = self.call.as_deref().or(self.number.as_deref()).unwrap_or_default();
            eprintln!("the trace holds nothing of {sought}: it is older than the ring, or there was no such call");
            return Err(Exit::No);
        }
        if let Some(path) = &self.pcap {
            let written = std::fs::write(path, pcap::pcap(&messages));
            written.map_err(|error| {
                eprintln!("cannot write {}: {error}", path.display());
                Exit::Environment
            })?;
            println!("{}: {} messages", path.display(), messages.len());
            return Ok(Exit::Fine);
        }
        print!("{}", ladder::ladder(&messages));
        if self.messages {
            for traced in &messages {
                let direction = if traced.outbound { "sent to" } else { "received from" };
                println!("\n--- {direction} {} ({})", traced.flow.remote, traced.flow.transport.via_name());
                print!("{}", String::from_utf8_lossy(&traced.bytes));
            }
        }
        Ok(Exit::Fine)
    }

    /// The messages of every dialog that belongs to what is sought, in their order.
    fn chosen(&self, frames: Vec<Frame>) -> Vec<Traced> {
        let mut labels = Vec::new();
        let mut messages = Vec::new();
        for frame in frames {
            match frame.what {
                What::Label { call, sip } => labels.push((call, sip)),
                What::In(way) => messages.extend(read(frame.at_us, false, &way, frame.bytes)),
                What::Out(way) => messages.extend(read(frame.at_us, true, &way, frame.bytes)),
            }
        }
        let id = |traced: &Traced| traced.message.call_id().unwrap_or_default().to_owned();
        let mut calls: BTreeSet<&str> = self.call.as_deref().into_iter().collect();
        let mut dialogs = BTreeSet::new();
        if let Some(number) = &self.number {
            dialogs.extend(messages.iter().filter(|traced| names(&traced.message, number)).map(id));
            let of_dialogs = labels.iter().filter(|(_, sip)| dialogs.contains(sip));
            calls.extend(of_dialogs.map(|(call, _)| call.as_str()));
        }
        dialogs.extend(labels.iter().filter(|(call, _)| calls.contains(call.as_str())).map(|(_, sip)| sip.clone()));
        messages.retain(|traced| dialogs.contains(&id(traced)));
        messages.sort_by_key(|traced| traced.at_us);
        messages
    }
}

fn read(at_us: i64, outbound: bool, way: &str, bytes: Vec<u8>) -> Option<Traced> {
    let flow = way.parse().ok()?;
    let message = match judge(&bytes, Framing::Datagram) {
        Verdict::Accept(message) | Verdict::Reject { reply: Some(message), .. } => message,
        Verdict::Reject { reply: None, .. } | Verdict::Drop(_) => return None,
    };
    Some(Traced { at_us, outbound, flow, message, bytes })
}

/// Whether a call's INVITE is from or to a number that ends so.
fn names(message: &Message, number: &str) -> bool {
    let wanted = number.trim_start_matches('+');
    let is_call = message.cseq().is_ok_and(|cseq| cseq.method.as_str() == "INVITE");
    let parties = [message.from().ok(), message.to().ok()].into_iter().flatten().map(|party| party.uri);
    is_call && parties.chain(message.uri().cloned()).any(|uri| uri.number().is_some_and(|n| n.ends_with(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(at_us: i64, what: What, text: &str) -> Frame {
        Frame { at_us, what, bytes: text.replace('\n', "\r\n").into() }
    }

    fn invite(id: &str, from: &str) -> String {
        format!(
            "INVITE sip:4001@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{id}\nFrom: <sip:{from}@x>;tag=1\n\
             To: <sip:4001@x>\nCall-ID: {id}\nCSeq: 1 INVITE\nMax-Forwards: 70\nContact: <sip:a@192.0.2.7>\n\
             Content-Length: 0\n\n"
        )
    }

    fn trace(call: Option<&str>, number: Option<&str>) -> Trace {
        let own = |text: &str| text.to_owned();
        let config = PathBuf::new();
        Trace { call: call.map(own), number: number.map(own), config, messages: false, pcap: None }
    }

    #[test]
    fn a_number_leads_to_every_leg_of_its_calls() {
        let way = "udp:192.0.2.7:5060@192.0.2.1:5060".to_owned();
        let label = |call: &str, sip: &str| What::Label { call: call.into(), sip: sip.into() };
        let frames = || {
            vec![
                frame(1, label("c1", "in1"), ""),
                frame(1, What::In(way.clone()), &invite("in1", "13800138000")),
                frame(2, label("c2", "in2"), ""),
                frame(2, What::In(way.clone()), &invite("in2", "10010")),
                frame(3, label("c1", "out1"), ""),
                frame(3, What::Out(way.clone()), &invite("out1", "1001")),
            ]
        };
        let ids = |trace: Trace| {
            let chosen = trace.chosen(frames());
            chosen.iter().map(|traced| traced.message.call_id().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(trace(None, Some("00138000"))), "in1 out1");
        assert_eq!(ids(trace(Some("c2"), None)), "in2");
        assert_eq!(ids(trace(Some("c3"), None)), "");
        let shown = ladder::ladder(&trace(Some("c1"), None).chosen(frames()));
        assert!(shown.contains("192.0.2.7:5060") && shown.contains("INVITE 4001"), "{shown}");
        let written = pcap::pcap(&trace(Some("c1"), None).chosen(frames()));
        assert_eq!(written[..4], 0xa1b2_c3d4_u32.to_le_bytes());
        assert!(written.windows(7).any(|part| part == b"INVITE "));
    }
}
