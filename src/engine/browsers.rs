//! The browsers of a media thread, all on one port: ICE as the side that only answers, DTLS, then SRTP.
//!
//! Who has proved by a check that it knows a leg's password is heard for that leg; from everybody else nothing is taken but checks.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use super::clock;
use super::dtls::{Handshake, Identity, Progress};
use super::slot::Way;
use super::thread::{Buffers, MediaThread};
use crate::id::LegId;
use crate::media::{Browser, BrowserFault, MediaReport, Protection};
use crate::rtp::ice::{self, ANSWER_MOST, Check, Kind};
use crate::time::Now;

/// Addresses of one browser that are heard; the oldest makes way.
const ADDRESSES: usize = 8;
/// Datagrams taken from the port before other sockets have their turn.
const BUDGET: usize = 64;
/// How often datagrams from strangers are told, milliseconds.
const TELL_MS: u64 = 1_000;

/// What the browsers of a thread share.
pub(super) struct Browsers {
    pub socket: Arc<UdpSocket>,
    identity: Identity,
    consent_ms: u64,
    by_ufrag: HashMap<String, usize>,
    by_address: HashMap<SocketAddr, usize>,
    strangers: u64,
    tell_ns: u64,
}

impl Browsers {
    /// Binds their port.
    pub fn bind(address: IpAddr, port: u16, identity: Identity, consent_ms: u64) -> io::Result<Self> {
        let socket = UdpSocket::bind((address, port))?;
        socket.set_nonblocking(true)?;
        let (by_ufrag, by_address) = (HashMap::new(), HashMap::new());
        Ok(Self { socket: Arc::new(socket), identity, consent_ms, by_ufrag, by_address, strangers: 0, tell_ns: 0 })
    }

    /// The way to the browser of the leg in slot `index`.
    pub fn way(&mut self, index: usize, browser: &Browser, now: Now) -> BrowserWay {
        self.by_ufrag.insert(browser.ufrag.clone(), index);
        BrowserWay {
            socket: Arc::clone(&self.socket),
            handshake: Some(self.handshake(browser, now)),
            browser: browser.clone(),
            at: None,
            proved: VecDeque::with_capacity(ADDRESSES + 1),
            consent_ns: now.in_ms(self.consent_ms),
        }
    }

    fn handshake(&self, browser: &Browser, now: Now) -> Handshake {
        Handshake::new(&self.identity, browser.fingerprint, browser.active, now.mono_ns)
    }

    /// Takes what a later description says: other names for checks, or another certificate.
    pub fn change(&mut self, index: usize, way: &mut BrowserWay, browser: &Browser, now: Now) {
        if *browser == way.browser {
            return;
        }
        if browser.ufrag != way.browser.ufrag {
            self.by_ufrag.remove(&way.browser.ufrag);
            self.by_ufrag.insert(browser.ufrag.clone(), index);
        }
        if (browser.fingerprint, browser.active) != (way.browser.fingerprint, way.browser.active) {
            way.handshake = Some(self.handshake(browser, now));
        }
        way.browser = browser.clone();
    }

    /// Nothing is taken from a browser any more.
    pub fn forget(&mut self, way: &BrowserWay) {
        self.by_ufrag.remove(&way.browser.ufrag);
        way.proved.iter().for_each(|address| {
            self.by_address.remove(address);
        });
    }
}

/// One leg's browser.
pub(super) struct BrowserWay {
    socket: Arc<UdpSocket>,
    browser: Browser,
    /// Where it is: the pair that it has nominated, until then the first that it has proved.
    at: Option<SocketAddr>,
    proved: VecDeque<SocketAddr>,
    /// None once it has failed.
    handshake: Option<Handshake>,
    consent_ns: u64,
}

impl BrowserWay {
    /// Sends a datagram to where the browser is, if that is known.
    pub fn send(&self, datagram: &[u8]) {
        send(&self.socket, self.at, datagram);
    }

    /// When to look after it (monotonic nanoseconds).
    pub fn deadline(&self) -> u64 {
        let handshake = self.handshake.as_ref().filter(|_| self.at.is_some());
        handshake.map_or(self.consent_ns, |handshake| handshake.deadline_ns.min(self.consent_ns))
    }

    /// Whether it has made no check for too long; said once.
    fn is_gone(&mut self, now: Now) -> bool {
        let gone = now.mono_ns >= self.consent_ns;
        if gone {
            self.consent_ns = u64::MAX;
        }
        gone
    }
}

/// A datagram that the system does not take is lost, as it might be on the network.
fn send(socket: &UdpSocket, to: Option<SocketAddr>, datagram: &[u8]) {
    if let Some(to) = to {
        let _ = socket.send_to(datagram, to);
    }
}

impl MediaThread {
    /// Takes what has come on the browsers' port.
    pub(super) fn handle_browsers(&mut self, buf: &mut Buffers) {
        for _ in 0..BUDGET {
            let Some(browsers) = &self.browsers else { return };
            let Ok((len, from)) = browsers.socket.recv_from(&mut buf.incoming) else { return };
            let kind = ice::kind(buf.incoming.get(..len).unwrap_or_default());
            if kind == Some(Kind::Stun) {
                self.take_check(from, buf.incoming.get(..len).unwrap_or_default());
                continue;
            }
            match (kind, browsers.by_address.get(&from).copied()) {
                (Some(Kind::Rtp), Some(index)) => self.take_rtp(index, self.seat(index, from), len, buf, clock::now()),
                (Some(Kind::Rtcp), Some(index)) => self.take_rtcp(index, self.seat(index, from), len, buf),
                (Some(Kind::Dtls), Some(index)) => {
                    self.take_dtls(index, buf.incoming.get(..len).unwrap_or_default());
                }
                (None | Some(_), _) => self.count_stranger(),
            }
        }
    }

    /// Where the leg knows its browser to be. A browser that changes its pair speaks from the new one at once and nominates it up to
    /// seconds later; the address was proved, and what comes from it is sealed.
    fn seat(&self, index: usize, from: SocketAddr) -> SocketAddr {
        let way = self.slots.get(index).and_then(Option::as_ref).map(|slot| &slot.way);
        match way {
            Some(Way::Browser(way)) => way.at.unwrap_or(from),
            _ => from,
        }
    }

    fn count_stranger(&mut self) {
        let Some(browsers) = &mut self.browsers else { return };
        browsers.strangers += 1;
        let now = clock::now();
        if now.mono_ns >= browsers.tell_ns {
            browsers.tell_ns = now.in_ms(TELL_MS);
            let count = std::mem::take(&mut browsers.strangers);
            self.tell(MediaReport::WebStrangers { count });
        }
    }

    /// A check that is proved is answered, and shows where its browser is.
    fn take_check(&mut self, from: SocketAddr, datagram: &[u8]) {
        let now = clock::now();
        let check = Check::read(datagram);
        let found = check.zip(self.browsers.as_mut()).and_then(|(check, browsers)| {
            let index = browsers.by_ufrag.get(check.ufrag).copied()?;
            let slot = self.slots.get_mut(index)?.as_mut()?;
            let Way::Browser(way) = &slot.way else { return None };
            check.proves(&way.browser.password).then_some((check, browsers, index, slot))
        });
        let Some((check, browsers, index, slot)) = found else { return self.count_stranger() };
        let Way::Browser(way) = &mut slot.way else { return };
        let mut answer = [0; ANSWER_MOST];
        let len = check.answer(from, &way.browser.password, &mut answer);
        send(&way.socket, Some(from), answer.get(..len).unwrap_or_default());
        if check.claims_our_role {
            return;
        }
        way.consent_ns = now.in_ms(browsers.consent_ms);
        if browsers.by_address.insert(from, index) != Some(index) || !way.proved.contains(&from) {
            way.proved.push_back(from);
            if way.proved.len() > ADDRESSES
                && let Some(oldest) = way.proved.pop_front()
            {
                browsers.by_address.remove(&oldest);
            }
        }
        if way.at.is_none() || (check.nominates && way.at != Some(from)) {
            way.at = Some(from);
            slot.leg.handle_remote(from);
            self.arm(index);
        }
    }

    fn take_dtls(&mut self, index: usize, datagram: &[u8]) {
        let now = clock::now();
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let Way::Browser(way) = &mut slot.way else { return };
        let (socket, at) = (&way.socket, way.at);
        let Some(handshake) = &mut way.handshake else { return };
        let progress = handshake.handle_datagram(datagram, now.mono_ns, |record| send(socket, at, record));
        self.follow(index, progress);
        self.arm(index);
    }

    /// Looks after a browser's handshake and consent.
    pub(super) fn tend_browser(&mut self, index: usize, now: Now) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let id = slot.leg.id();
        let Way::Browser(way) = &mut slot.way else { return };
        let gone = way.is_gone(now);
        let (socket, at) = (&way.socket, way.at);
        let due = way.handshake.as_mut().filter(|handshake| at.is_some() && handshake.deadline_ns <= now.mono_ns);
        let progress = due.map(|handshake| handshake.handle_timeout(now.mono_ns, |record| send(socket, at, record)));
        if let Some(progress) = progress {
            self.follow(index, progress);
        }
        if gone {
            self.lose(id, BrowserFault::Consent, "it makes no checks any more");
        }
    }

    fn follow(&mut self, index: usize, progress: Progress) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let id = slot.leg.id();
        let Way::Browser(way) = &mut slot.way else { return };
        match progress {
            Progress::Underway => {}
            Progress::Done(keys) => slot.border.set(&Protection::Srtp(Box::new(keys))),
            Progress::Stranger => {
                way.handshake = None;
                self.lose(id, BrowserFault::Fingerprint, "its certificate is not the one of its description");
            }
            Progress::Over(why) => {
                way.handshake = None;
                // Once there are keys, a browser that closes DTLS says BYE or falls silent.
                if !slot.border.has_keys() {
                    self.lose(id, BrowserFault::Handshake, &why);
                }
            }
        }
    }

    fn lose(&self, leg: LegId, fault: BrowserFault, why: &str) {
        self.tell(MediaReport::BrowserLost { leg, fault, why: why.to_owned() });
    }
}
