//! The trace's thread: masks copies of messages, keeps them in the ring, and sends them to Homer.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use crate::config::TraceSettings;
use crate::net::{Captured, hep, mask};
use crate::store::trace::{Frame, TraceRing, What, trace_dir};

/// Copies that may wait; further ones are dropped and counted.
const BACKLOG: usize = 16_384;
/// How often the thread looks at what has come, and hands it to the system so that a reader sees it. [`BACKLOG`] lasts for it at
/// 300,000 messages a second.
const LOOK: Duration = Duration::from_millis(50);

/// A call and the Call-ID of one of its legs.
pub(super) type Label = (String, String);

/// A running trace. It ends when both senders are gone.
pub(super) struct Tracer {
    pub(super) messages: Sender<Captured>,
    pub(super) labels: Sender<Label>,
    thread: JoinHandle<()>,
}

impl Tracer {
    /// Opens the ring and starts the thread.
    pub(super) fn start(data_dir: &Path, settings: &TraceSettings) -> std::io::Result<Self> {
        let ring = TraceRing::open(&trace_dir(data_dir), settings.keep_bytes)?;
        let homer = settings.hep.map(|address| Homer::open(address, settings.hep_id)).transpose()?;
        let (messages, taken) = bounded(BACKLOG);
        let (labels, told) = bounded(BACKLOG);
        let work = Work { ring, homer, failing: false };
        let thread = std::thread::Builder::new().name("sip-trace".into()).spawn(move || work.run(taken, told))?;
        Ok(Self { messages, labels, thread })
    }

    /// Waits for the end, after whoever sends has let go.
    pub(super) fn join(self) {
        drop((self.messages, self.labels));
        if self.thread.join().is_err() {
            tracing::error!("the trace's thread had panicked; messages since then are not in the ring");
        }
    }
}

/// Where HEP packets go.
struct Homer {
    socket: UdpSocket,
    id: u32,
}

impl Homer {
    fn open(address: SocketAddr, id: u32) -> std::io::Result<Self> {
        let own: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(own)?;
        socket.connect(address)?;
        Ok(Self { socket, id })
    }
}

struct Work {
    ring: TraceRing,
    homer: Option<Homer>,
    /// The disk has refused the last frame.
    failing: bool,
}

impl Work {
    /// Looks every [`LOOK`] at what has come. Nobody waits in the channels, so that putting something in wakes nobody: a thread
    /// woken for each message cost the signalling more than the copy.
    fn run(mut self, messages: Receiver<Captured>, labels: Receiver<Label>) {
        loop {
            // Labels first: a reader looks for them to find the messages.
            let told = drain(&labels, |(call, sip)| {
                self.keep(Frame { at_us: wall_us(), what: What::Label { call, sip }, bytes: Vec::new() });
            });
            let over = drain(&messages, |captured| self.take(captured)) && told;
            self.flush();
            if over {
                return;
            }
            // Nobody waits in the channels, so that putting something in wakes nobody: a thread that is woken for each message costs
            // the signalling more than the copy does.
            std::thread::park_timeout(LOOK);
        }
    }

    fn take(&mut self, mut captured: Captured) {
        mask(&mut captured.bytes);
        if let Some(homer) = &self.homer {
            let packet = hep(&captured, homer.id, call_id(&captured.bytes));
            // A collector that is away costs nothing but its copy.
            let _ = homer.socket.send(&packet);
        }
        let flow = captured.flow.to_string();
        let what = if captured.outbound { What::Out(flow) } else { What::In(flow) };
        self.keep(Frame { at_us: captured.at_us, what, bytes: captured.bytes });
    }

    fn keep(&mut self, frame: Frame) {
        let kept = self.ring.append(&frame);
        self.note(kept);
    }

    fn flush(&mut self) {
        let flushed = self.ring.flush();
        self.note(flushed);
    }

    /// Tells of the first failure, and of its end.
    fn note(&mut self, outcome: std::io::Result<()>) {
        match outcome {
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(%error, "the trace cannot be written; calls go on. Look at the space left in data_dir");
            }
            Ok(()) if self.failing => {
                self.failing = false;
                tracing::warn!("the trace is written again");
            }
            _ => {}
        }
    }
}

/// Takes what is there, at most a backlog of it; `true` where nothing will come any more.
fn drain<T>(channel: &Receiver<T>, mut take: impl FnMut(T)) -> bool {
    for _ in 0..BACKLOG {
        match channel.try_recv() {
            Ok(one) => take(one),
            Err(error) => return error == TryRecvError::Disconnected,
        }
    }
    false
}

/// The value of Call-ID, in its long or compact form.
fn call_id(message: &[u8]) -> &str {
    let lines = message.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let mut values = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = line[..colon].trim_ascii();
        let ours = name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
        ours.then(|| std::str::from_utf8(line[colon + 1..].trim_ascii()).ok())?
    });
    values.next().unwrap_or_default()
}

fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
