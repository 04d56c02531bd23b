//! SRTP and SRTCP (RFC 3711, 6188, 7714): packets are protected and opened in place, without allocation.
//!
//! A [`Sealer`] protects what one side sends under one master key, an [`Opener`] opens what the other side sends under its own.
//! Neither draws keys nor learns them: SDES (RFC 4568) and DTLS (RFC 5764) do.

mod cipher;
mod key;
mod window;

pub use key::{MASTER_MOST, MasterKey, Suite};

use cipher::Session;
use window::Window;

/// Bytes that protection adds to a packet at most: the tag, and the index of SRTCP.
pub const OVERHEAD: usize = 20;
/// Sources that one side may speak under in the life of a key. Only who has the key can use one up; none is forgotten, or its
/// packets could be replayed.
const SOURCES: usize = 32;
/// Packets that are longer are in no sound of ours.
const LONGEST: usize = 2_048;
/// The fixed part of an RTCP packet that stays readable: its header and the sender's source.
const RTCP_CLEAR: usize = 8;
/// Says that an SRTCP packet is encrypted (RFC 3711 §3.4).
const ENCRYPTED: u32 = 1 << 31;

/// Why a packet is not opened, or not protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// Too short, too long, or no RTP or RTCP.
    #[error("not a packet of SRTP")]
    Malformed,
    /// The tag is wrong: not from who has the key, or damaged.
    #[error("forged or damaged")]
    Forged,
    /// Its number was used before, or is too old to tell.
    #[error("replayed")]
    Replayed,
    /// Its sender has used more sources under one key than are kept apart.
    #[error("more sources than one key is good for")]
    Sources,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Malformed, Self::Forged, Self::Replayed, Self::Sources];

    /// One word for a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Sources => "sources",
        }
    }
}

/// What is remembered of one source.
#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

/// The sources of one direction.
#[derive(Clone, Debug)]
struct Sources(Vec<Source>);

impl Sources {
    /// The source of that name, and whether it is new: one that is enters the table only by [`Self::keep`].
    fn find(&self, ssrc: u32) -> (Source, Option<usize>) {
        let at = self.0.iter().position(|source| source.ssrc == ssrc);
        let known = at.and_then(|at| self.0.get(at)).cloned();
        (known.unwrap_or(Source { ssrc, rtp: Window::default(), rtcp: Window::default() }), at)
    }

    fn has_room(&self, at: Option<usize>) -> bool {
        at.is_some() || self.0.len() < SOURCES
    }

    fn keep(&mut self, source: Source, at: Option<usize>) {
        match at.and_then(|at| self.0.get_mut(at)) {
            Some(place) => *place = source,
            None => self.0.push(source),
        }
    }

    /// The same sources under another key: the counts of rollovers go on (RFC 3711 §3.3.1), the packets are all new.
    fn rekeyed(&self) -> Self {
        let mut sources = Vec::with_capacity(SOURCES);
        let rekeyed = |source: &Source| Source { rtp: source.rtp.rekeyed(), rtcp: Window::default(), ..*source };
        sources.extend(self.0.iter().map(rekeyed));
        Self(sources)
    }
}

impl Default for Sources {
    fn default() -> Self {
        // All the room at once, so that no packet allocates.
        Self(Vec::with_capacity(SOURCES))
    }
}

/// Protects what is sent.
pub struct Sealer {
    session: Session,
    sources: Sources,
    rtcp_index: u32,
}

impl Sealer {
    /// Under a master key that nobody has used before.
    pub fn new(key: &MasterKey) -> Self {
        Self { session: Session::new(key), sources: Sources::default(), rtcp_index: 0 }
    }

    /// The same sources go on under another key.
    pub fn rekeyed(&self, key: &MasterKey) -> Self {
        Self { session: Session::new(key), sources: self.sources.rekeyed(), rtcp_index: 0 }
    }

    /// Protects the RTP packet in the first `len` bytes of `buf`, which has [`OVERHEAD`] bytes to spare; gives its new length.
    ///
    /// # Errors
    /// Where it is no RTP packet, or one of its number was protected before: the same key stream must not cover two packets.
    pub fn seal_rtp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, Refusal> {
        let packet = buf.get(..len).ok_or(Refusal::Malformed)?;
        let clear = header_len(packet).ok_or(Refusal::Malformed)?;
        let (sequence, ssrc) = numbers(packet).ok_or(Refusal::Malformed)?;
        let (mut source, at) = self.sources.find(ssrc);
        if !self.sources.has_room(at) {
            return Err(Refusal::Sources);
        }
        let index = source.rtp.estimate(sequence);
        if !source.rtp.is_new(index) {
            return Err(Refusal::Replayed);
        }
        let len = self.session.rtp.seal_rtp(buf, clear, len, ssrc, index).ok_or(Refusal::Malformed)?;
        source.rtp.take(index);
        self.sources.keep(source, at);
        Ok(len)
    }

    /// The same for a compound RTCP packet.
    ///
    /// # Errors
    /// Where it is too short, or the key is used up after 2³¹ packets.
    pub fn seal_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, Refusal> {
        let ssrc = word(buf.get(..len).ok_or(Refusal::Malformed)?, 4).ok_or(Refusal::Malformed)?;
        if self.rtcp_index >= ENCRYPTED - 1 {
            return Err(Refusal::Replayed);
        }
        let index = self.rtcp_index + 1;
        let len = self.session.rtcp.seal_rtcp(buf, len, ssrc, index | ENCRYPTED).ok_or(Refusal::Malformed)?;
        self.rtcp_index = index;
        Ok(len)
    }
}

/// Opens what is received.
pub struct Opener {
    session: Session,
    sources: Sources,
}

impl Opener {
    /// Under the peer's master key.
    pub fn new(key: &MasterKey) -> Self {
        Self { session: Session::new(key), sources: Sources::default() }
    }

    /// The same sources go on under another key.
    pub fn rekeyed(&self, key: &MasterKey) -> Self {
        Self { session: Session::new(key), sources: self.sources.rekeyed() }
    }

    /// Opens an SRTP packet in place; gives the length of the RTP packet that is left. What is refused leaves no trace here, and
    /// the buffer is not to be used.
    ///
    /// # Errors
    /// Where the packet is not its sender's, or not for the first time.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let clear = header_len(packet).ok_or(Refusal::Malformed)?;
        let (sequence, ssrc) = numbers(packet).ok_or(Refusal::Malformed)?;
        let (mut source, at) = self.sources.find(ssrc);
        if !self.sources.has_room(at) {
            return Err(Refusal::Sources);
        }
        let index = source.rtp.estimate(sequence);
        if !source.rtp.is_new(index) {
            return Err(Refusal::Replayed);
        }
        if source.rtp.may_have_restarted() && self.restarts(packet, clear, ssrc, sequence) {
            source.rtp = Window::default();
        }
        let index = source.rtp.estimate(sequence);
        let len = self.session.rtp.open_rtp(packet, clear, ssrc, index)?;
        source.rtp.take(index);
        self.sources.keep(source, at);
        Ok(len)
    }

    /// Whether a peer counts rollovers from zero again under its new key, as some do. Tried on a copy, for a packet that is not
    /// opened is spoiled; it is the first one of the key, or forged.
    fn restarts(&self, packet: &[u8], clear: usize, ssrc: u32, sequence: u16) -> bool {
        let mut copy = [0; LONGEST];
        let Some(copy) = copy.get_mut(..packet.len()) else { return false };
        copy.copy_from_slice(packet);
        self.session.rtp.open_rtp(copy, clear, ssrc, Window::default().estimate(sequence)).is_ok()
    }

    /// The same for SRTCP.
    ///
    /// # Errors
    /// As [`Self::open_rtp`]; an SRTCP packet that is not encrypted is refused as malformed.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let ssrc = word(packet, 4).filter(|_| packet[0] >> 6 == 2).ok_or(Refusal::Malformed)?;
        let (mut source, at) = self.sources.find(ssrc);
        if !self.sources.has_room(at) {
            return Err(Refusal::Sources);
        }
        let trailer = self.session.rtcp.rtcp_trailer(packet).ok_or(Refusal::Malformed)?;
        if trailer & ENCRYPTED == 0 {
            return Err(Refusal::Malformed);
        }
        let index = u64::from(trailer & !ENCRYPTED);
        if !source.rtcp.is_new(index) {
            return Err(Refusal::Replayed);
        }
        let len = self.session.rtcp.open_rtcp(packet, ssrc, trailer)?;
        source.rtcp.take(index);
        self.sources.keep(source, at);
        Ok(len)
    }
}

/// Both directions of one party's packets.
pub struct Srtp {
    theirs: MasterKey,
    ours: MasterKey,
    opener: Opener,
    sealer: Sealer,
}

impl Srtp {
    /// Opens what comes under `theirs`, seals what goes under `ours`.
    pub fn new(ours: &MasterKey, theirs: &MasterKey) -> Self {
        let (opener, sealer) = (Opener::new(theirs), Sealer::new(ours));
        Self { theirs: theirs.clone(), ours: ours.clone(), opener, sealer }
    }

    /// Takes other keys, of which each may be the one that is in use: then that direction goes on as it was.
    pub fn rekey(&mut self, ours: &MasterKey, theirs: &MasterKey) {
        if *theirs != self.theirs {
            self.opener = self.opener.rekeyed(theirs);
            self.theirs = theirs.clone();
        }
        if *ours != self.ours {
            self.sealer = self.sealer.rekeyed(ours);
            self.ours = ours.clone();
        }
    }

    /// What opens the party's packets.
    pub fn opener(&mut self) -> &mut Opener {
        &mut self.opener
    }

    /// What seals the packets to it.
    pub fn sealer(&mut self) -> &mut Sealer {
        &mut self.sealer
    }
}

/// The length of an RTP packet's header with its sources and extension, which stay readable (RFC 3711 §3.1).
fn header_len(packet: &[u8]) -> Option<usize> {
    let first = *packet.first().filter(|first| *first >> 6 == 2)?;
    let fixed = 12 + 4 * usize::from(first & 0x0f);
    let len = if first & 0x10 == 0 { fixed } else { fixed + 4 + 4 * usize::from(word(packet, fixed)? as u16) };
    (len <= packet.len()).then_some(len)
}

/// Sequence number and source of an RTP packet.
fn numbers(packet: &[u8]) -> Option<(u16, u32)> {
    Some((word(packet, 0)? as u16, word(packet, 8)?))
}

fn word(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
