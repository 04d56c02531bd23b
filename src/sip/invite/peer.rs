//! Where requests within a dialog go, and whether what the peer says of that is of use (RFC 3261 §12.2.1.1).

use crate::id::LegId;
use crate::sip::dialog::{Dialog, uri_of};
use crate::sip::endpoint::{Endpoint, NextHop};
use crate::sip::message::{Contacts, Message, Method, Uri};
use crate::sip::transaction::Flow;
use crate::sip::trunk::is_private;

/// How a peer has come.
#[derive(Clone, Copy, Debug)]
pub(in crate::sip) struct Came {
    /// By what way.
    pub(in crate::sip) flow: Flow,
    /// Whether its Contact is of no use from here.
    pub(in crate::sip) behind_nat: bool,
    /// Whether that way is a stream which is open.
    pub(in crate::sip) connected: bool,
}

/// Whether the sender's Contact is of no use from here. A proxy's Record-Route is used in its place.
pub(in crate::sip) fn is_behind_nat(msg: &Message, source: Flow, nat: bool) -> bool {
    let Ok(Contacts::List(contacts)) = msg.contacts() else { return false };
    let routed = msg.header("Record-Route").is_some();
    contacts.first().is_some_and(|contact| !routed && is_translated(&contact.uri, source, nat))
}

/// Whether a Contact is of no use from here: a private address (RFC 1918, RFC 6598, RFC 4193) where its message comes from a public
/// one; where the settings say `nat`, any other address than that.
pub(in crate::sip) fn is_translated(uri: &Uri, source: Flow, nat: bool) -> bool {
    let Some(ip) = uri.address() else { return false };
    let port = uri.port.unwrap_or(source.transport.default_port());
    let elsewhere = ip != source.remote.ip();
    nat && (elsewhere || port != source.remote.port()) || elsewhere && is_private(ip) && !is_private(source.remote.ip())
}

impl Endpoint {
    /// What requests within a dialog are sent by, where its peer has come by this flow.
    pub(super) fn came(&self, flow: Flow, behind_nat: bool) -> Came {
        Came { flow, behind_nat, connected: self.ways.is_connected(flow) }
    }

    /// The same of a session's peer.
    pub(super) fn came_on(&self, leg: LegId) -> Option<Came> {
        self.sessions.get(&leg).map(|session| self.came(session.flow, session.behind_nat))
    }

    /// A peer that is reached where its own requests come from may come from elsewhere: its NAT has forgotten it and gave it another
    /// port, or its stream is a new one. Over UDP another host is believed where the request moves the session's target anyway.
    pub(in crate::sip) fn follow_peer(&mut self, leg: LegId, msg: &Message, source: Flow) {
        let moves_target = matches!(msg.method(), Some(Method::Invite | Method::Update));
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        // Whoever is reached by proxies goes on to be: only the first request of a dialog names them.
        let direct = session.dialog.as_ref().is_some_and(|dialog| dialog.route_set().is_empty());
        session.behind_nat |= direct && moves_target && is_behind_nat(msg, source, false);
        let same_host = session.flow.remote.ip() == source.remote.ip();
        // Nobody opens a stream from an address that is not his.
        let reconnected = source.is_reliable() && session.flow.is_reliable() && (direct || same_host);
        let only_there = session.behind_nat || !source.transport.can_be_opened();
        if session.flow != source && (reconnected || only_there && (moves_target || same_host)) {
            tracing::info!(%leg, from = %session.flow, to = %source, "a peer that is reached where it comes from has moved");
            session.flow = source;
            self.tell_dialog(leg);
        }
    }
}

/// Where requests within a dialog go: by the peer's stream while that is open, and to where the peer comes from where nothing else
/// leads there; else to the first route or the Contact, by the transport that it names (RFC 3261 §12.2.1.1, RFC 3263 §4).
pub(in crate::sip) fn next_hop(dialog: &Dialog, came: Came) -> NextHop {
    let Came { flow, behind_nat, connected } = came;
    if connected || behind_nat || !flow.transport.can_be_opened() {
        return NextHop::Flow(flow);
    }
    let first = dialog.route_set().first().map(String::as_str);
    let uri = match first {
        Some(route) => uri_of(route),
        None => dialog.remote_target(),
    };
    let Ok(uri) = uri.parse::<Uri>() else { return NextHop::Flow(flow) };
    match flow.towards(&uri) {
        Some(flow) => NextHop::Flow(flow),
        None => NextHop::Uri { uri, otherwise: flow },
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SWITCH, endpoint, flow, sent};
    use super::*;
    use crate::sip::endpoint::{Admission, Event, Why};
    use crate::sip::message::{Framing, judge};
    use crate::time::Now;

    const START: Now = Now { mono_ns: 0, wall_ms: 0 };
    const NAT: &str = "203.0.113.5:61000";

    /// A request of a phone that knows its private address only, as it comes from `source`.
    fn ask(endpoint: &mut Endpoint, (method, number): (&str, u32), to: &str, source: &str, now: Now) {
        let text = format!(
            "{method} sip:4002@{SWITCH} SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.7.10;rport;branch=z9hG4bK{method}{number}\r\n\
             From: <sip:1@{SWITCH}>;tag=f\r\nTo: {to}\r\nCall-ID: c1\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:1@192.168.7.10:5060>\r\nSupported: timer\r\nSession-Expires: 1800;refresher=uas\r\n\
             Content-Length: 0\r\n\r\n"
        );
        endpoint.handle_verdict(judge(text.as_bytes(), Framing::Datagram), flow(SWITCH, source), now);
    }

    /// A session of such a phone that is answered and acknowledged, and To with our tag.
    fn session(endpoint: &mut Endpoint) -> (LegId, String) {
        ask(endpoint, ("INVITE", 1), &format!("<sip:4002@{SWITCH}>"), NAT, START);
        let leg = std::iter::from_fn(|| endpoint.poll_event()).find_map(|event| match event {
            Event::Invited { leg, .. } => Some(leg),
            _ => None,
        });
        let leg = leg.unwrap();
        endpoint.answer(leg, "v=0".into(), START);
        let to = sent(endpoint)[0].1.header("To").unwrap().to_owned();
        ask(endpoint, ("ACK", 1), &to, NAT, START);
        (leg, to)
    }

    #[test]
    fn a_session_is_refreshed_by_the_way_on_which_its_phone_came() {
        let mut endpoint = endpoint(Admission::Open, 1);
        session(&mut endpoint);
        let mut now = START;
        let refresh = loop {
            now = Now { mono_ns: endpoint.poll_timeout(now).unwrap(), ..now };
            endpoint.handle_timeout(now);
            let requests = sent(&mut endpoint);
            if let Some(found) = requests.into_iter().find(|(_, msg)| msg.method().is_some()) {
                break found;
            }
        };
        assert_eq!(now.mono_ns, START.in_ms(900_000));
        assert_eq!((refresh.0, refresh.1.uri().unwrap().to_string().as_str()), (61_000, "sip:1@192.168.7.10:5060"));
    }

    #[test]
    fn a_phone_that_its_nat_moves_is_followed_and_others_are_not() {
        let mut endpoint = endpoint(Admission::Open, 2);
        let (leg, to) = session(&mut endpoint);
        let remote = |endpoint: &Endpoint| endpoint.flow_of(leg).unwrap().remote.to_string();
        // Only a request that may move the session's target is believed from another host.
        ask(&mut endpoint, ("INFO", 2), &to, "198.51.100.7:5060", START);
        assert_eq!(remote(&endpoint), NAT);
        ask(&mut endpoint, ("INFO", 3), &to, "203.0.113.5:62000", START);
        assert_eq!(remote(&endpoint), "203.0.113.5:62000");
        ask(&mut endpoint, ("UPDATE", 4), &to, "198.51.100.7:5060", START);
        assert_eq!(remote(&endpoint), "198.51.100.7:5060");
        ask(&mut endpoint, ("INFO", 5), &format!("{to}x"), "198.51.100.8:5060", START);
        assert_eq!(remote(&endpoint), "198.51.100.7:5060", "a guessed tag moves nothing");
        sent(&mut endpoint);
        endpoint.hang_up(leg, Why::new(16, "normal"), START);
        let bye = sent(&mut endpoint);
        assert!(bye.iter().any(|(port, msg)| *port == 5060 && msg.method() == Some(&Method::Bye)), "{bye:?}");
    }
}
