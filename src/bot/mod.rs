//! Bots: callers and agents for the demo floor, on the project's own SIP core, with real RTP.
//!
//! [`script`] decides everything from a seed, as a pure machine; a thread gives everybody a phone and carries the decisions out.
//! Callers come from one endpoint, as from a carrier; each agent has one, at an address of its own.

mod crew;
mod failures;
mod phone;
pub mod script;
mod sound;
mod voice;

use std::net::SocketAddr;
use std::task::Waker;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;

use crate::net::{Limits, Net, NetError, NetSettings};
use crate::sip::digest::Secret;
use crate::sip::transaction::Transport;

/// News of the network that may wait for the bots; more is dropped and sent again.
const BACKLOG: usize = 4_096;

/// Which floor the bots populate, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The floor's SIP over UDP. The bots take free ports of the same address.
    pub udp: SocketAddr,
    /// The floor's SIP over TCP; where it is, some callers come over it.
    pub tcp: Option<SocketAddr>,
    /// Calls a minute on average.
    pub calls_per_minute: u32,
    /// Agents by number, with the passwords of their phones.
    pub agents: Vec<(String, Secret)>,
    /// What chance goes by: the same seed makes the same decisions.
    pub seed: u64,
}

/// Why there are no bots.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// No ports for their phones.
    #[error("the bots get no phones: {0}")]
    Net(#[from] NetError),
    /// No thread.
    #[error("the system gives the bots no thread: {0}; check the limit on threads")]
    Thread(std::io::Error),
}

/// What the bots did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Calls by their fate.
    pub counts: script::Counts,
    /// What went wrong, all kinds together.
    pub failures: u64,
}

/// Bots at work. Dropping them lets them leave by themselves.
pub struct Bots {
    leave: Sender<()>,
    thread: JoinHandle<Tally>,
}

impl Bots {
    /// Lets the bots onto a floor that is open.
    ///
    /// # Errors
    /// Where the system gives no ports or no thread.
    pub fn start(settings: Settings) -> Result<Self, BotError> {
        let own = SocketAddr::new(settings.udp.ip(), 0);
        let (deliver, events) = crossbeam_channel::bounded(BACKLOG);
        let udp = std::iter::repeat_n((Transport::Udp, own), settings.agents.len() + 1);
        let listen = udp.chain(settings.tcp.map(|_| (Transport::Tcp, own))).collect();
        let net = Net::start(
            NetSettings { listen, tls: None, dscp: 0, dns: None, capture: None, limits: Limits::default() },
            deliver,
            // The crew sleeps on its channels.
            Waker::noop().clone(),
        )?;
        let (leave, orders) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name("bots".into())
            .spawn(move || crew::Crew::new(&settings, net, events, orders).run())
            .map_err(BotError::Thread)?;
        Ok(Self { leave, thread })
    }

    /// Hangs up every call, takes back every registration and waits for that, four seconds at most. `None` where the bots came to
    /// grief.
    pub fn stop(self) -> Option<Tally> {
        let _ = self.leave.send(());
        self.thread.join().ok()
    }
}
