//! How the sound of a leg is kept secret: what its peer is agreed with, our keys, and what media threads are told.

use super::Switch;
use crate::call::Input;
use crate::id::LegId;
use crate::journal::Cause;
use crate::media::{Browser, BrowserFault, MasterKey, PortLease, Protection as Wanted, SrtpKeys, Suite};
use crate::sdp::{CryptoKey, CryptoSuite, Description, OwnKeys, OwnWeb, Protection, Secured, Srtp};
use rand_core::Rng;

use super::party::{Media, Party, Role};

impl Switch {
    /// New keys for a leg, which nobody has used.
    pub(super) fn draw_keys(&mut self) -> OwnKeys {
        OwnKeys::drawn(|key| self.rng.fill_bytes(key))
    }

    /// Our side's secrecy towards a party whose media is there.
    pub(super) fn protection_of(&self, party: &Party) -> Option<Protection> {
        let media = party.media.as_ref()?;
        Some(Protection { srtp: self.srtp_of(party), keys: media.keys.clone(), web: media.web.clone() })
    }

    /// Media of a browser on this thread; `None` where browsers are not served.
    pub(super) fn web_media(&mut self, thread: u16, nat: bool) -> Option<Media> {
        let settings = self.settings.web?;
        let rtp_port = settings.first_port.checked_add(thread)?;
        let keys = self.draw_keys();
        let web = Some(self.draw_web(settings.fingerprint));
        Some(Media { web, ..Media::new(PortLease { id: 0, thread, rtp_port }, nat, keys) })
    }

    /// Names and passwords of the letters that ICE allows (RFC 8839 §5.4).
    fn draw_web(&mut self, fingerprint: [u8; 32]) -> OwnWeb {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut word = |length: usize| {
            let mut bytes = vec![0; length];
            self.rng.fill_bytes(&mut bytes);
            bytes.into_iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect()
        };
        OwnWeb { fingerprint, ufrag: word(12), password: word(32) }
    }

    /// A browser's media has come to an end: so does its call.
    pub(super) fn handle_browser_lost(&mut self, leg: LegId, fault: BrowserFault, why: &str) {
        let Some(call) = self.legs.get(&leg).map(|party| party.call) else { return };
        let (code, text) = match fault {
            BrowserFault::Fingerprint => (488, "browser_fingerprint"),
            BrowserFault::Handshake => (488, "browser_handshake"),
            BrowserFault::Consent => (41, "browser_lost"),
        };
        self.counts.browsers_lost += 1;
        tracing::warn!(%leg, %call, ?fault, why, "a browser has no sound; its call ends");
        self.tell(call, Input::Hangup { cause: Cause::new(code, text), as_designed: false });
    }

    /// What is agreed with the party's trunk or user; else what is usual.
    fn srtp_of(&self, party: &Party) -> Srtp {
        let user = match &party.role {
            Role::Agent(agent) => Some(agent),
            Role::Caller | Role::Target | Role::Supervisor => party.user.as_ref(),
        };
        let trunk = party.trunk.as_ref().and_then(|trunk| self.settings.trunks.get(trunk)).map(|agreed| agreed.srtp);
        let user = || user.and_then(|user| self.settings.users_srtp.get(self.desks.phone_of(user))).copied();
        trunk.or_else(user).unwrap_or(self.settings.srtp)
    }

    /// Draws new keys for a leg whose peer has done so: none of ours is used with two of the peer's, nor again after plain sound.
    pub(super) fn renew_keys(&mut self, leg: LegId, offer: &Description) {
        let Some(media) = self.legs.get(&leg).and_then(|party| party.media.as_ref()) else { return };
        let known = match media.negotiated.as_ref().map(|negotiated| &negotiated.secured) {
            Some(Secured::Sdes { theirs, .. }) => tells(offer, theirs),
            Some(Secured::Plain) => false,
            // Other names begin the checks anew (RFC 8839 §4.4.1.1.1), and ours have to be others then, too.
            Some(Secured::Dtls { peer, .. }) => {
                offer.media.iter().filter_map(|line| line.web.as_ref()).any(|web| web.ufrag == peer.ufrag)
            }
            None => true,
        };
        if known {
            return;
        }
        let fingerprint = media.web.as_ref().map(|web| web.fingerprint);
        let (keys, web) = (self.draw_keys(), fingerprint.map(|fingerprint| self.draw_web(fingerprint)));
        if let Some(media) = self.media_of(leg) {
            media.keys = keys;
            media.web = web;
        }
    }
}

/// Whether a description has a key in it that is known.
fn tells(offer: &Description, key: &CryptoKey) -> bool {
    offer.media.iter().flat_map(|line| &line.crypto).any(|line| line.key == *key)
}

/// What a media thread is to do about what was agreed on.
pub(super) fn wanted(secured: &Secured, web: Option<&OwnWeb>) -> Wanted {
    match secured {
        Secured::Plain => Wanted::Plain,
        Secured::Dtls { peer, active } => {
            // Without a name of our own nothing was answered in this way.
            let (ufrag, password) = web.map(|web| (web.ufrag.clone(), web.password.clone())).unwrap_or_default();
            Wanted::Browser(Box::new(Browser { ufrag, password, fingerprint: peer.fingerprint, active: *active }))
        }
        Secured::Sdes { suite, ours, theirs } => {
            let suite = match suite {
                CryptoSuite::AesCm128Sha1_80 => Suite::AesCm128Sha1_80,
                CryptoSuite::AesCm256Sha1_80 => Suite::AesCm256Sha1_80,
                CryptoSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
                CryptoSuite::AeadAes256Gcm => Suite::AeadAes256Gcm,
            };
            // The description took no key of another length.
            let key = |key: &CryptoKey| MasterKey::new(suite, key.bytes()).expect("a key has its suite's length");
            Wanted::Srtp(Box::new(SrtpKeys { ours: key(ours), theirs: key(theirs) }))
        }
    }
}
