//! Redirections of an INVITE of ours (RFC 3261 §8.1.3.4, §21.3): followed only as far as the [`Dial`](super::Dial) allows.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::Way;
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Settings};
use crate::sip::message::{Contacts, Message, Scheme, Uri};
use crate::sip::transaction::Flow;
use crate::sip::trunk::Net;
use crate::time::Now;

/// Targets that a call may be led to, one after the other, where it may be led elsewhere at all.
pub(super) const MOST_REDIRECTS: u8 = 5;

/// How far an INVITE may be led elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Redirects {
    /// How many more targets may be tried.
    left: u8,
    /// Where they must be.
    nets: Vec<Net>,
    /// Targets that were named and not tried.
    targets: VecDeque<(Uri, Flow)>,
    /// Every target so far, as text: none is tried twice.
    seen: Vec<String>,
}

impl Redirects {
    pub(super) fn new(left: u8, nets: Vec<Net>, first: Option<&Uri>) -> Self {
        Self { left, nets, targets: VecDeque::new(), seen: first.map(Uri::to_string).into_iter().collect() }
    }

    /// Takes the targets that a 3xx names, the preferred one first, before those of an earlier one.
    fn take(&mut self, refusal: &Message, secure: bool, settings: &Settings) {
        let Ok(Contacts::List(mut list)) = refusal.contacts() else { return };
        let weight = |text: &str| text.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q));
        let q = |params: &crate::sip::message::Params| params.value("q").and_then(weight).unwrap_or(1.0);
        list.sort_by(|a, b| q(&b.params).total_cmp(&q(&a.params)));
        let mut found = VecDeque::new();
        for contact in list {
            let target = Uri { headers: None, ..contact.uri };
            let text = target.to_string();
            if self.seen.contains(&text) || found.len() >= usize::from(self.left) {
                continue;
            }
            // Who called by `sips` is not led to a way that can be overheard (RFC 5630 §5.1).
            let fits = target.is_sip() && (!secure || target.scheme == Scheme::Sips);
            let flow = settings.way_of(&target).filter(|flow| fits && self.allows(flow.remote, settings));
            match flow {
                Some(flow) => {
                    self.seen.push(text);
                    found.push_back((target, flow));
                }
                None => tracing::warn!(target = text, "a redirection leads where calls must not go: not followed"),
            }
        }
        found.append(&mut self.targets);
        self.targets = found;
    }

    fn allows(&self, remote: SocketAddr, settings: &Settings) -> bool {
        let own = |listen: SocketAddr| {
            let here = listen.ip() == remote.ip() || settings.public_address == Some(remote.ip());
            listen.port() == remote.port() && (here || (listen.ip().is_unspecified() && remote.ip().is_loopback()))
        };
        self.nets.iter().any(|net| net.contains(remote.ip())) && !settings.listen.iter().any(|(_, listen)| own(*listen))
    }

    fn next(&mut self) -> Option<(Uri, Flow)> {
        let way = self.targets.pop_front().filter(|_| self.left > 0)?;
        self.left -= 1;
        Some(way)
    }
}

impl Endpoint {
    /// Goes where a 3xx says; `false` where that leads nowhere.
    pub(super) fn follow(&mut self, leg: LegId, refusal: &Message, now: Now) -> bool {
        let Some(super::Session { state: super::State::Calling(calling), .. }) =
            self.sessions.get_mut(&leg).map(Box::as_mut)
        else {
            return false;
        };
        if matches!(refusal.code(), Some(300..=305 | 380)) {
            let secure = calling.request.uri().is_some_and(|uri| uri.scheme == Scheme::Sips);
            calling.redirects.take(refusal, secure, &self.settings);
        }
        self.try_next_target(leg, now)
    }

    /// Tries the next target of a redirection, in the same call with the next number.
    pub(super) fn try_next_target(&mut self, leg: LegId, now: Now) -> bool {
        let Some(calling) = self.calling(leg).filter(|calling| calling.cancelling.is_none()) else { return false };
        let Some((target, flow)) = calling.redirects.next() else { return false };
        self.aim(leg, Way { target, flow: Some(flow), routes: Vec::new() }, flow);
        self.send_again(leg, 1, now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, dial_to, endpoint, sent, told, way};
    use super::*;
    use crate::sip::endpoint::{Admission, Dial, Event, Why};

    fn dialled(redirects: u8) -> (Endpoint, LegId, (u16, Message)) {
        let mut endpoint = endpoint(Admission::Open, 1);
        endpoint.settings.listen = vec![(crate::sip::transaction::Transport::Udp, "127.0.0.1:6000".parse().unwrap())];
        let leg = endpoint.next_leg();
        let nets = vec!["127.0.0.0/30".parse().unwrap()];
        let dial = Dial { ways: vec![way(5071)], redirects, redirect_nets: nets, ..dial_to("sip:x@127.0.0.1") };
        endpoint.dial(leg, dial, Now::default());
        let first = sent(&mut endpoint).remove(0);
        (endpoint, leg, first)
    }

    fn next(endpoint: &mut Endpoint) -> Option<(u16, Message)> {
        sent(endpoint).into_iter().find(|(_, msg)| msg.method().is_some_and(|method| method.as_str() == "INVITE"))
    }

    const CONTACTS: &str = "<sip:low@127.0.0.2:5072>;q=0.1, <tel:+861>, <sip:far@10.0.0.1>, <sip:me@127.0.0.1:6000>, \
                            <sip:high@127.0.0.1:5073?X=y>;q=0.9, <sip:10086@127.0.0.1:5071>, <sip:name@host.example>";

    #[test]
    fn targets_are_tried_by_preference_within_their_nets_and_none_twice() {
        let now = Now::default();
        let (mut endpoint, leg, first) = dialled(5);
        answer(&mut endpoint, &first, 302, Some(("Contact", CONTACTS)), now);
        let second = next(&mut endpoint).unwrap();
        assert_eq!(second.1.uri().unwrap().to_string(), "sip:high@127.0.0.1:5073");
        assert_eq!((second.0, second.1.cseq().unwrap().number), (5073, 2));
        for same in ["Call-ID", "From", "To"] {
            assert_eq!(first.1.header(same), second.1.header(same));
        }
        // It leads back to where the call was, and to where it would have gone next.
        let back = "<sip:10086@127.0.0.1:5071>, <sip:low@127.0.0.2:5072>";
        answer(&mut endpoint, &second, 301, Some(("Contact", back)), now);
        let third = next(&mut endpoint).unwrap();
        assert_eq!((third.0, third.1.cseq().unwrap().number), (5072, 3));
        answer(&mut endpoint, &third, 486, None, now);
        assert_eq!(next(&mut endpoint), None);
        assert_eq!(told(&mut endpoint), [Event::Failed { leg, why: Why::new(486, "busy") }]);
        assert_eq!(endpoint.load()[..3], [0, 0, 0]);
    }

    #[test]
    fn no_more_than_allowed_are_tried_and_none_where_none_is() {
        let now = Now::default();
        for allowed in [0, 1, 3] {
            let (mut endpoint, leg, mut asked) = dialled(allowed);
            let mut tried = 0;
            loop {
                let contact = format!("<sip:{tried}@127.0.0.1:5080>");
                answer(&mut endpoint, &asked, 302, Some(("Contact", &contact)), now);
                let Some(again) = next(&mut endpoint) else { break };
                (asked, tried) = (again, tried + 1);
            }
            assert_eq!(tried, allowed);
            assert_eq!(told(&mut endpoint), [Event::Failed { leg, why: Why::new(302, "redirected") }]);
        }
    }

    #[test]
    fn a_declined_call_goes_nowhere_else() {
        let now = Now::default();
        let (mut endpoint, _, first) = dialled(5);
        answer(&mut endpoint, &first, 300, Some(("Contact", CONTACTS)), now);
        let second = next(&mut endpoint).unwrap();
        answer(&mut endpoint, &second, 603, None, now);
        assert_eq!(next(&mut endpoint), None);
    }
}
