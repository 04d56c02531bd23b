//! Where requests within a dialog go, and whether what the peer says of that is of use (RFC 3261 §12.2.1.1).

use std::net::{IpAddr, SocketAddr};

use crate::sip::dialog::Dialog;
use crate::sip::endpoint::NextHop;
use crate::sip::message::{Contacts, Message, Uri};
use crate::sip::transaction::{Flow, Transport};

/// Whether the sender's Contact is of no use from here: a private address (RFC 1918, RFC 6598, RFC 4193) where the message itself
/// comes from a public one; where the settings say `nat`, any other address than that.
pub(super) fn is_behind_nat(msg: &Message, source: Flow, nat: bool) -> bool {
    let Ok(Contacts::List(contacts)) = msg.contacts() else { return false };
    let routed = msg.header("Record-Route").is_some();
    let Some(uri) = contacts.first().map(|contact| &contact.uri).filter(|_| !routed) else { return false };
    let Ok(ip) = uri.host.trim_matches(['[', ']']).parse::<IpAddr>() else { return false };
    let port = uri.port.unwrap_or(source.transport.default_port());
    let elsewhere = ip != source.remote.ip();
    nat && (elsewhere || port != source.remote.port()) || elsewhere && is_private(ip) && !is_private(source.remote.ip())
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Where requests within a dialog go: to the first route, else to the peer's Contact; streams stay on their connection (RFC 3261
/// §12.2.1.1), and what is behind NAT is reached where it comes from.
pub(super) fn next_hop(dialog: &Dialog, flow: Flow, behind_nat: bool) -> NextHop {
    if flow.transport != Transport::Udp || behind_nat {
        return NextHop::Flow(flow);
    }
    let first = dialog.route_set().first().map(String::as_str);
    let uri = match first {
        Some(route) => route.trim().trim_start_matches('<').split('>').next().unwrap_or_default(),
        None => dialog.remote_target(),
    };
    let Ok(uri) = uri.parse::<Uri>() else { return NextHop::Flow(flow) };
    match uri.host.trim_matches(['[', ']']).parse() {
        Ok(ip) => NextHop::Flow(Flow { remote: SocketAddr::new(ip, uri.port.unwrap_or(5060)), ..flow }),
        Err(_) => NextHop::Uri { uri, otherwise: flow },
    }
}
