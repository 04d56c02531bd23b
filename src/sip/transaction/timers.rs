//! The timers of RFC 3261 §17 and RFC 6026, table 4 of the former. (Timer C belongs to proxies.)

/// The round-trip estimate, in ms.
pub const T1: u64 = 500;
/// The longest interval between retransmissions of a request other than INVITE, and of responses to INVITE, in ms.
pub const T2: u64 = 4_000;
/// How long a message may stay in the network, in ms.
pub const T4: u64 = 5_000;
/// How long a transaction is given, 64·T1, in ms.
pub const GIVE_UP: u64 = 64 * T1;
/// How long UDP's client keeps absorbing final responses to INVITE: more than 32 s.
pub const TIMER_D: u64 = 33_000;
/// How soon an INVITE is answered with 100 where its user says nothing, in ms (§17.2.1).
pub const TRYING: u64 = 200;

/// A transaction's timers by the letters of the RFCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// When to send an INVITE again: T1, doubling.
    A,
    /// When to give up on an INVITE without any response: 64·T1.
    B,
    /// When to stop absorbing repeated refusals of an INVITE: 33 s, at once on streams.
    D,
    /// When to send another request again: T1, doubling up to T2.
    E,
    /// When to give up on another request: 64·T1.
    F,
    /// When to send a refusal of an INVITE again: T1, doubling up to T2.
    G,
    /// When to give up waiting for the ACK of a refusal: 64·T1.
    H,
    /// When to stop absorbing repeated ACKs: T4, at once on streams.
    I,
    /// When to stop absorbing repeats of another request: 64·T1, at once on streams.
    J,
    /// When to stop absorbing repeats of a final response to another request: T4, at once on streams.
    K,
    /// When an accepted INVITE's server stops absorbing its repeats: 64·T1 (RFC 6026).
    L,
    /// When an accepted INVITE's client stops passing on repeated and forked 2xx: 64·T1 (RFC 6026).
    M,
    /// When to answer an INVITE with 100 in its user's place: 200 ms.
    Trying,
    /// When to send a large request over UDP, because nothing has come back over TCP: 500 ms (RFC 3261 §18.1.1).
    Stream,
}

/// What a transaction machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// These bytes leave for the transaction's peer.
    Send(Vec<u8>),
    /// The message that caused this goes up to the transaction's user.
    Pass,
    /// Arm a timer, in ms from now; an armed one of the same letter is replaced.
    Arm(Timer, u64),
    /// Disarm a timer.
    Disarm(Timer),
    /// Tell the user that the peer never answered.
    TimedOut,
    /// Forget the transaction and its timers.
    Terminated,
}
