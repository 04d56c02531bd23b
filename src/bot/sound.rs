//! A bot's ear and mouth: one RTP socket that speaks a voice and keys, and counts what it hears.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, UdpSocket};

use super::script::Dice;
use super::voice::{FRAME, Voice};
use crate::codec::g711::Law;
use crate::rtp::event::DigitSender;
use crate::rtp::packet::{self, HEADER_LEN, Header};
use crate::sdp::{AudioCodec, Description, Direction, LocalMedia, Negotiated, Negotiator};

/// How long a key is held down, ms.
const KEY_MS: u16 = 120;
/// How often a pair of ports is tried for.
const TRIES: u32 = 32;

/// The sound of one call.
pub(super) struct Sound {
    socket: UdpSocket,
    /// Bound and never read: so that the peer's RTCP reaches no other bot's ear.
    _rtcp: UdpSocket,
    local: LocalMedia,
    negotiator: Negotiator,
    agreed: Option<Negotiated>,
    voice: Voice,
    keys: VecDeque<char>,
    pressed: Option<DigitSender>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    began: bool,
    sent: u64,
    heard: u64,
}

impl Sound {
    /// A socket at `addr`, on an even port with the odd one above it.
    ///
    /// # Errors
    /// Where the system gives no such pair.
    pub(super) fn open(addr: IpAddr, voice: u64, dice: &mut Dice) -> io::Result<Self> {
        let (socket, rtcp, port) = pair(addr)?;
        let local = LocalMedia {
            addr,
            port,
            codecs: vec![AudioCodec::Pcma, AudioCodec::Pcmu],
            dtmf: true,
            noise: false,
            direction: Direction::SendRecv,
            ptime_ms: 20,
            protection: Default::default(),
        };
        Ok(Self {
            socket,
            _rtcp: rtcp,
            local,
            negotiator: Negotiator::new(dice.seed()),
            agreed: None,
            voice: Voice::new(voice),
            keys: VecDeque::new(),
            pressed: None,
            sequence: dice.seed() as u16,
            timestamp: dice.seed() as u32,
            ssrc: dice.seed() as u32,
            began: false,
            sent: 0,
            heard: 0,
        })
    }

    /// Our offer.
    pub(super) fn offer(&mut self) -> String {
        self.negotiator.offer(&self.local)
    }

    /// Our answer to the peer's offer; why there is none otherwise.
    pub(super) fn answer(&mut self, offer: &[u8]) -> Result<String, String> {
        let offer = Description::parse(offer).map_err(|error| error.to_string())?;
        let (text, agreed) = self.negotiator.answer(&offer, &self.local).map_err(|error| error.to_string())?;
        self.agreed = Some(agreed);
        Ok(text)
    }

    /// Takes the peer's answer to our offer.
    pub(super) fn accept(&mut self, answer: &[u8]) -> Result<(), String> {
        let answer = Description::parse(answer).map_err(|error| error.to_string())?;
        self.agreed = Some(self.negotiator.accept_answer(&answer).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Presses a key as soon as the one before is up (RFC 4733).
    pub(super) fn press(&mut self, key: char) {
        self.keys.push_back(key);
    }

    /// Frames of 20 ms sent, and packets of voice heard.
    pub(super) fn figures(&self) -> (u64, u64) {
        (self.sent, self.heard)
    }

    /// To be called every 20 ms: hears what has come, says what is next.
    pub(super) fn tick(&mut self) {
        self.hear();
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        let Some(agreed) = self.agreed.as_ref().filter(|agreed| agreed.direction.sends()) else { return };
        let (remote, law) = (agreed.remote_rtp, law_of(agreed.codec));
        let (payload_type, events) = (agreed.pt_send, agreed.dtmf_send);
        let mut packet = [0; HEADER_LEN + FRAME];
        let header = Header {
            marker: !self.began,
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let length = match (events, self.digit()) {
            (Some(payload_type), Some(digit)) => digit.event.write().and_then(|payload| {
                let header = Header { marker: digit.marker, payload_type, timestamp: digit.timestamp, ..header };
                packet::write(&header, &payload, &mut packet)
            }),
            _ => {
                let mut octets = [0; FRAME];
                law.encode_slice(&self.voice.frame(), &mut octets);
                packet::write(&header, &octets, &mut packet)
            }
        };
        let Some(length) = length else { return };
        self.sequence = self.sequence.wrapping_add(1);
        self.began = true;
        self.sent += 1;
        // A full buffer or a peer that has just gone costs 20 ms of babble.
        let _ = self.socket.send_to(&packet[..length], remote);
    }

    fn digit(&mut self) -> Option<crate::rtp::event::DigitPacket> {
        if self.pressed.is_none() {
            self.pressed = self.keys.pop_front().and_then(|key| DigitSender::new(key, self.timestamp, KEY_MS));
        }
        let packet = self.pressed.as_mut()?.poll_packet();
        if packet.is_none() {
            self.pressed = None;
        }
        packet
    }

    fn hear(&mut self) {
        let mut buffer = [0; 2_048];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let voice = self.agreed.as_ref().map(|agreed| agreed.pt_receive);
                    let packet = packet::parse(&buffer[..length]);
                    self.heard += u64::from(packet.is_some_and(|packet| Some(packet.header.payload_type) == voice));
                }
                // The answer to an earlier packet of ours.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    }
}

fn law_of(codec: AudioCodec) -> Law {
    match codec {
        AudioCodec::Pcmu => Law::Ulaw,
        // Bots neither offer nor take anything else.
        AudioCodec::Pcma | AudioCodec::G722 | AudioCodec::Opus => Law::Alaw,
    }
}

fn pair(addr: IpAddr) -> io::Result<(UdpSocket, UdpSocket, u16)> {
    let mut refused = Vec::new();
    for _ in 0..TRIES {
        let socket = UdpSocket::bind((addr, 0))?;
        let port = socket.local_addr()?.port();
        if port % 2 == 0
            && let Ok(rtcp) = UdpSocket::bind((addr, port + 1))
        {
            socket.set_nonblocking(true)?;
            return Ok((socket, rtcp, port));
        }
        // Kept until the end, or the system might give the same one again.
        refused.push(socket);
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no free pair of ports at {addr} in {TRIES} tries")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::event::{DigitReceiver, Key};

    #[test]
    fn two_bots_hear_each_other_and_keys_arrive_once() {
        let mut dice = Dice::new(1);
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut one = Sound::open(here, 1, &mut dice).expect("ports");
        let mut two = Sound::open(here, 2, &mut dice).expect("ports");
        let offer = one.offer();
        let answer = two.answer(offer.as_bytes()).expect("agreed");
        one.accept(answer.as_bytes()).expect("agreed");
        for _ in 0..10 {
            one.tick();
            two.tick();
        }
        one.hear();
        assert_eq!((one.figures().0, two.figures().0, one.figures().1), (10, 10, 10));
        one.press('1');
        one.press('2');
        let mut receiver = DigitReceiver::default();
        let mut keys = String::new();
        let mut buffer = [0; 256];
        for _ in 0..20 {
            one.tick();
            let length = two.socket.recv(&mut buffer).expect("loopback is at once");
            let packet = packet::parse(&buffer[..length]).expect("RTP");
            if packet.header.payload_type == 101
                && let Some(Key::Down { digit }) = receiver.handle_packet(&packet.header, packet.payload)
            {
                keys.push(digit);
            }
        }
        assert_eq!(keys, "12");
    }
}
