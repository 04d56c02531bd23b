//! A UDP socket and its reader thread.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;

use super::NetEvent;
use super::capture::Capture;
use super::counters::{Counters, Figure};
use super::deliver::LoopEnd;
use super::door::Door;
use super::stun::is_stun;
use crate::sip::message::{Framing, Verdict, judge};
use crate::sip::overload::Sentence;
use crate::sip::transaction::{Flow, Transport};

use crossbeam_channel::TrySendError;

/// The largest datagram.
const DATAGRAM: usize = 64 * 1024;

/// How often a socket is read while new calls are shed: together, as to be woken for each costs as much as to read it.
const BEAT: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Where datagrams go.
pub(super) struct Sink {
    /// Where they come from, and where answers leave.
    pub(super) socket: Arc<UdpSocket>,
    pub(super) deliver: LoopEnd,
    pub(super) counters: Arc<Counters>,
    pub(super) capture: Capture,
}

/// Reads until `stop` is readable. A loop that does not keep up costs datagrams, never memory; peers send again.
pub(super) fn read(stop: &Arc<OwnedFd>, sink: &Sink, mut door: Door) {
    let socket = &sink.socket;
    let Ok(local) = socket.local_addr() else { return };
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let late = door.is_closed(sink.deliver.sender.len());
        let watched = if late { PollFlags::empty() } else { PollFlags::IN };
        let mut ready = [PollFd::new(stop, PollFlags::IN), PollFd::new(socket, watched)];
        match poll(&mut ready, late.then_some(&BEAT)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%local, %error, "SIP over UDP reads no more: poll failed; restart the daemon");
                return;
            }
        }
        if !ready[0].revents().is_empty() {
            return;
        }
        loop {
            let (length, remote) = match socket.recv_from(&mut buffer) {
                Ok(read) => read,
                // A peer that refused what we sent is told here by some systems; what else comes is not its fault.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    tracing::warn!(%local, %error, "a SIP datagram could not be read");
                    break;
                }
            };
            if is_stun(&buffer[..length]) {
                if let Some(answer) = super::stun::answer(&buffer[..length], remote) {
                    // Lost like any datagram: the phone asks again.
                    let _ = socket.send_to(&answer, remote);
                }
                continue;
            }
            let flow = Flow { transport: Transport::Udp, local, remote };
            if !take(&buffer[..length], flow, sink, &mut door) {
                return;
            }
        }
    }
}

/// Judges one datagram and hands it on, or answers it where the loop has no time; false where nobody listens any more.
fn take(bytes: &[u8], flow: Flow, sink: &Sink, door: &mut Door) -> bool {
    let Sink { deliver, counters, capture, .. } = sink;
    // Keep-alives over UDP: blank lines, or zeros of some phones. Nobody waits for an answer.
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return true;
    }
    capture.received(flow, bytes);
    let received = Instant::now();
    if let Some(sentence) = door.handle_bytes(bytes, flow, deliver.sender.len(), received) {
        carry_out(sentence, sink);
        return true;
    }
    let mut verdict = judge(bytes, Framing::Datagram);
    if let Verdict::Drop(why) = verdict {
        tracing::debug!(remote = %flow.remote, why, "datagram dropped");
        counters.add(Figure::Malformed);
        return true;
    }
    if let Verdict::Accept(message) = &mut verdict {
        let sentence = door.handle(message, flow, received);
        if sentence != Sentence::Pass {
            carry_out(sentence, sink);
            return true;
        }
    }
    match deliver.try_send(NetEvent::Message { verdict: Box::new(verdict), flow, received }) {
        Ok(()) => counters.add(Figure::Received),
        Err(TrySendError::Full(_)) => counters.add(Figure::DroppedIn),
        Err(TrySendError::Disconnected(_)) => return false,
    }
    true
}

fn carry_out(sentence: Sentence, sink: &Sink) {
    if let Sentence::Shed(answer) = sentence {
        sink.counters.add(Figure::Shed);
        sink.capture.sent(answer.flow, &answer.payload);
        // Lost like any datagram: the caller asks again.
        let sent = sink.socket.send_to(&answer.payload, answer.flow.remote);
        sink.counters.add(if sent.is_ok() { Figure::Sent } else { Figure::DroppedOut });
    }
}
