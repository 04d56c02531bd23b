//! What a leg sends its party: others' packets passed on, what is played, what is mixed.

use std::net::SocketAddr;

use super::{COMFORT_NOISE, Leg};
use crate::codec::g711::Law;
use crate::codec::{Band, Codec};
use crate::id::LegId;
use crate::media::arrival::{Arrival, Kind};
use crate::media::chunk::{Chunk, ChunkOrder};
use crate::media::command::Source;
use crate::media::play::{LONGEST_MIX, LONGEST_PACKET, Player, Step};
use crate::media::prompt::PromptStore;
use crate::media::report::MediaReport;
use crate::rtp::event;
use crate::rtp::packet::{self, HEADER_LEN, Header};
use crate::time::Now;

impl Leg {
    /// Makes a packet of leg `from` one of this leg's own in `out`: header, payload type, law. Gives where to send how much of it,
    /// or `None` where this leg does not listen to `from` or cannot carry it.
    pub fn send_bridged(
        &mut self,
        from: LegId,
        arrival: &Arrival<'_>,
        out: &mut [u8],
        now: Now,
    ) -> Option<(SocketAddr, usize)> {
        match &self.media.send {
            Source::Bridge(heard) if *heard == from => self.send(arrival, out, now),
            Source::Mix(heard) if heard.first() == Some(&from) => {
                let (timestamp, takes) = (self.stream.timestamp_at(now), self.media.dtmf_pt.is_some());
                self.mixer.as_mut()?.handle_key(arrival, timestamp, takes, now);
                None
            }
            _ => None,
        }
    }

    pub(super) fn send(&mut self, arrival: &Arrival<'_>, out: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        let to = self.lock.destination()?;
        let format = self.media.format;
        let payload_type = match arrival.kind {
            Kind::Sound(codec) if codec.passes_as(format.codec) => format.payload_type,
            Kind::Digit(_) => self.media.dtmf_pt?,
            Kind::Quiet if self.media.noise => COMFORT_NOISE,
            Kind::Sound(_) | Kind::Quiet => {
                // The other party takes no comfort noise, or not this codec: a pause, and not a lost packet.
                self.stream.pass_over(self.source, &arrival.header);
                return None;
            }
        };
        let header = self.stream.handle_packet(self.source, &Header { payload_type, ..arrival.header }, now)?;
        let len = self.write(&header, arrival.payload, out)?;
        let payload = out.get_mut(HEADER_LEN..len)?;
        match (arrival.kind, format.codec) {
            (Kind::Sound(Codec::G711(law)), Codec::G711(own)) => law.transcode(own, payload),
            (Kind::Digit(factor), _) => event::rescale(payload, factor, self.media.dtmf_clock),
            _ => {}
        }
        Some((to, len))
    }

    /// Writes one of our packets, its timestamp by the party's clock, and counts it.
    fn write(&mut self, header: &Header, payload: &[u8], out: &mut [u8]) -> Option<usize> {
        let timestamp = header.timestamp.wrapping_mul(self.media.format.codec.clock_factor());
        let len = packet::write(&Header { timestamp, ..*header }, payload, out)?;
        self.stream.count_sent(payload.len());
        Some(len)
    }

    /// Does what is due: gives a packet to send from `buf`. Call until `None`.
    pub fn handle_tick(&mut self, store: &PromptStore, buf: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        if now.mono_ns >= self.watch_ns {
            self.watch(now);
        }
        if let Some(key) = self.send_key(buf, now) {
            return Some(key);
        }
        let (format, samples) = (self.media.format, self.packet_samples());
        while self.player.as_ref().is_some_and(|player| player.deadline() <= now.mono_ns) {
            let mut room = [0; LONGEST_PACKET];
            let mut encoded;
            let payload = match self.player.as_mut()?.handle_tick(store, format.codec, samples, now, &mut room)? {
                Step::Coded(coded) => Some(coded),
                Step::Plain(octets) => {
                    let mut linear = [0; LONGEST_PACKET];
                    linear.iter_mut().zip(octets).for_each(|(sample, octet)| *sample = Law::Alaw.decode(*octet));
                    encoded = [0; LONGEST_PACKET];
                    let len = self.voice.as_mut()?.encode_narrow(linear.get(..octets.len())?, &mut encoded);
                    len.and_then(|len| encoded.get(..len))
                }
                Step::Finished { id, completed } => {
                    self.player = None;
                    self.reports.push_back(MediaReport::PlayFinished { leg: self.id, id, completed });
                    return None;
                }
                Step::Nothing => {
                    self.player = None;
                    return None;
                }
            };
            // A party whose address is unknown misses what is played, as it would on the network.
            let Some((to, payload)) = self.lock.destination().zip(Some(payload?)) else { continue };
            let header = self.stream.handle_frame(self.source, format.payload_type, samples as u32, now);
            return Some((to, self.write(&header, payload, buf)?));
        }
        None
    }

    /// Sends what is due of a key; it goes in between whatever else the party is sent.
    fn send_key(&mut self, buf: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        let (payload_type, to) = self.media.dtmf_pt.zip(self.lock.destination())?;
        let packet = self.keyer.poll_packet(self.stream.timestamp_at(now), now)?;
        let header = self.stream.handle_event(payload_type, packet.marker, packet.timestamp, now);
        let mut payload = packet.event.write()?;
        event::rescale(&mut payload, 1, self.media.dtmf_clock);
        Some((to, self.write(&header, &payload, buf)?))
    }

    /// The chunk of a long prompt that is to be read from the disk; to be asked after [`Self::handle_tick`].
    pub fn poll_chunk_order(&mut self, store: &PromptStore) -> Option<ChunkOrder> {
        self.player.as_mut()?.poll_order(store)
    }

    /// A chunk has come from the disk, or (`None`) its order found no room and is to be given again.
    pub fn handle_chunk(&mut self, chunk: Option<Chunk>) {
        match (&mut self.player, chunk) {
            (Some(player), Some(chunk)) => player.handle_chunk(chunk),
            (Some(player), None) => player.handle_refused(),
            (None, _) => {}
        }
    }

    /// Whether the last packet held silence because the disk was late.
    pub fn is_starved(&self) -> bool {
        self.player.as_ref().is_some_and(Player::is_starved)
    }

    /// The instant (8,000ths of a second) up to which a mix is due, how many samples of it, and in which band. Call until `None`, each
    /// time followed by [`Self::send_mix`].
    pub fn mix_due(&mut self, now: Now) -> Option<(u64, usize, Band)> {
        let (samples, band) = (self.packet_samples(), self.media.format.codec.band());
        let end = self.mixer.as_mut()?.handle_tick(samples as u64 / 8, now)?;
        Some((end, samples * band.factor(), band))
    }

    /// Whom the party hears: number `index` of them.
    pub fn mixed(&self, index: usize) -> Option<LegId> {
        match &self.media.send {
            Source::Mix(of) => of.get(index).copied(),
            _ => None,
        }
    }

    /// Adds what is heard of this leg's party before the instant `end`, in a band; gives whether anything is.
    pub fn hear(&mut self, end: u64, band: Band, mix: &mut [i32]) -> bool {
        self.ear.as_mut().is_some_and(|ear| ear.hear(end, band, mix))
    }

    /// Sends the party a mix, or the key that is down among those whom it hears. Nothing where nobody is heard.
    pub fn send_mix(&mut self, mix: &mut [i32], heard: bool, out: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        let to = self.lock.destination()?;
        let mixer = self.mixer.as_mut()?;
        if let Some(packet) = mixer.poll_event() {
            let header = self.stream.handle_event(self.media.dtmf_pt?, packet.marker, packet.timestamp, now);
            let mut payload = packet.event.write()?;
            event::rescale(&mut payload, 1, self.media.dtmf_clock);
            return Some((to, self.write(&header, &payload, out)?));
        }
        if self.media.dtmf_pt.is_none()
            && let Some(key) = self.keyer.poll_key(now)
        {
            mixer.press(key.digit, key.ms);
        }
        if !(mixer.add_tones(mix) || heard) {
            return None;
        }
        let (mut linear, mut payload) = ([0; LONGEST_MIX], [0; LONGEST_PACKET]);
        for (sample, sum) in linear.iter_mut().zip(mix.iter()) {
            *sample = (*sum).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        let samples = mix.len().min(LONGEST_MIX);
        let len = self.voice.as_mut()?.encode(linear.get(..samples)?, &mut payload)?;
        let units = (samples / self.media.format.codec.band().factor()) as u32;
        let header = self.stream.handle_frame(self.source, self.media.format.payload_type, units, now);
        Some((to, self.write(&header, payload.get(..len)?, out)?))
    }

    /// Milliseconds of a packet that the party gets.
    pub fn packet_ms(&self) -> u64 {
        self.packet_samples() as u64 / 8
    }

    /// Samples in a packet that the party gets. Opus has frames of 10, 20, 40 and 60 ms.
    fn packet_samples(&self) -> usize {
        let ms = match (self.media.format.codec, self.media.format.packet_ms) {
            (Codec::Opus, ms) if !matches!(ms, 10 | 20 | 40 | 60) => 20,
            (_, ms) => ms.clamp(10, 60),
        };
        usize::from(ms) * 8
    }
}
