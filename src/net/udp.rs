//! A UDP socket and its reader thread.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;

use super::NetEvent;
use super::capture::Capture;
use super::counters::{Counters, Figure};
use super::deliver::LoopEnd;
use super::stun::is_stun;
use crate::sip::message::{Framing, Verdict, judge};
use crate::sip::transaction::{Flow, Transport};

use crossbeam_channel::TrySendError;

/// The largest datagram.
const DATAGRAM: usize = 64 * 1024;

/// Where datagrams go.
pub(super) struct Sink {
    pub(super) deliver: LoopEnd,
    pub(super) counters: Arc<Counters>,
    pub(super) capture: Capture,
}

/// Reads until `stop` is readable. A loop that does not keep up costs datagrams, never memory; peers send again.
pub(super) fn read(socket: &Arc<UdpSocket>, stop: &Arc<OwnedFd>, sink: &Sink) {
    let Ok(local) = socket.local_addr() else { return };
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let mut ready = [PollFd::new(socket, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%local, %error, "SIP over UDP reads no more: poll failed; restart the daemon");
                return;
            }
        }
        if !ready[1].revents().is_empty() {
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
            if !take(&buffer[..length], flow, sink) {
                return;
            }
        }
    }
}

/// Judges one datagram and hands it on; false where nobody listens any more.
fn take(bytes: &[u8], flow: Flow, sink: &Sink) -> bool {
    let Sink { deliver, counters, capture } = sink;
    // Keep-alives over UDP: blank lines, or zeros of some phones. Nobody waits for an answer.
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return true;
    }
    capture.received(flow, bytes);
    let verdict = judge(bytes, Framing::Datagram);
    if let Verdict::Drop(why) = verdict {
        tracing::debug!(remote = %flow.remote, why, "datagram dropped");
        counters.add(Figure::Malformed);
        return true;
    }
    match deliver.try_send(NetEvent::Message { verdict: Box::new(verdict), flow, received: Instant::now() }) {
        Ok(()) => counters.add(Figure::Received),
        Err(TrySendError::Full(_)) => counters.add(Figure::DroppedIn),
        Err(TrySendError::Disconnected(_)) => return false,
    }
    true
}
