//! Dialogs (RFC 3261 §12): the relation of two peers that requests within a call are built from and judged by.

/// Who sent the request that created the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We did.
    Uac,
    /// The peer did.
    Uas,
}

/// What names a dialog: Call-ID and both tags (§12).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag; empty for a peer of RFC 2543.
    pub remote_tag: String,
}

/// What the messages that made the dialog said, as values of their header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub id: DialogId,
    /// Our URI, from From (UAC) or To (UAS), without the tag.
    pub local_uri: String,
    /// The peer's URI.
    pub remote_uri: String,
    /// The URI of the peer's Contact.
    pub remote_target: String,
    /// Record-Route values, each in its angle brackets, in the order of the message.
    pub record_route: Vec<String>,
    /// CSeq of the request that created the dialog.
    pub cseq: u32,
}

/// Everything that a request within the dialog must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFrame {
    /// Request-URI.
    pub uri: String,
    /// Route values, topmost first.
    pub routes: Vec<String>,
    /// From, with our tag.
    pub from: String,
    /// To, with the peer's tag where it has one.
    pub to: String,
    /// Call-ID.
    pub call_id: String,
    /// CSeq number.
    pub cseq: u32,
}

/// A request came with a CSeq below one that was seen: to be answered by 500 (§12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CSeq {got} after {seen}: the request is out of order")]
pub struct OutOfOrder {
    /// The number that came.
    pub got: u32,
    /// The highest that was seen.
    pub seen: u32,
}

/// One dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    id: DialogId,
    local_uri: String,
    remote_uri: String,
    remote_target: String,
    route_set: Vec<String>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
}

impl Dialog {
    /// The dialog that a response with a To tag creates (UAC, §12.1.2) or that our response creates (UAS, §12.1.1).
    ///
    /// A UAS numbers its own requests from `first_cseq`; a UAC goes on from its INVITE's number.
    pub fn new(role: Role, origin: Origin, first_cseq: u32) -> Self {
        let mut route_set = origin.record_route;
        let (local_cseq, remote_cseq) = match role {
            Role::Uac => {
                route_set.reverse();
                (origin.cseq, None)
            }
            Role::Uas => (first_cseq, Some(origin.cseq)),
        };
        Self {
            id: origin.id,
            local_uri: origin.local_uri,
            remote_uri: origin.remote_uri,
            remote_target: origin.remote_target,
            route_set,
            local_cseq,
            remote_cseq,
        }
    }

    /// A dialog as a snapshot kept it, for the BYE of a restart: the route set is already in our order.
    pub fn restore(origin: Origin, local_cseq: u32, remote_cseq: Option<u32>) -> Self {
        Self {
            id: origin.id,
            local_uri: origin.local_uri,
            remote_uri: origin.remote_uri,
            remote_target: origin.remote_target,
            route_set: origin.record_route,
            local_cseq,
            remote_cseq,
        }
    }

    /// Its name.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Our URI.
    pub fn local_uri(&self) -> &str {
        &self.local_uri
    }

    /// The peer's URI.
    pub fn remote_uri(&self) -> &str {
        &self.remote_uri
    }

    /// Where requests go: the URI of the peer's last Contact.
    pub fn remote_target(&self) -> &str {
        &self.remote_target
    }

    /// Route set, topmost first.
    pub fn route_set(&self) -> &[String] {
        &self.route_set
    }

    /// CSeq numbers: of our last request, and of the peer's last, if it sent one.
    pub fn cseqs(&self) -> (u32, Option<u32>) {
        (self.local_cseq, self.remote_cseq)
    }

    /// Judges the CSeq of a request within the dialog and remembers it. ACK and CANCEL carry their INVITE's number and are
    /// not to be judged here.
    pub fn handle_request(&mut self, cseq: u32) -> Result<(), OutOfOrder> {
        match self.remote_cseq {
            Some(seen) if cseq < seen => Err(OutOfOrder { got: cseq, seen }),
            _ => {
                self.remote_cseq = Some(cseq);
                Ok(())
            }
        }
    }

    /// A target refresh (re-INVITE, UPDATE, and the 2xx to them) moved the peer's Contact (§12.2.1.2). The route set stays.
    pub fn set_remote_target(&mut self, uri: &str) {
        uri.clone_into(&mut self.remote_target);
    }

    /// Takes over the numbers of the early dialog that this one was before its 2xx (RFC 3261 §13.2.2.4).
    pub fn go_on_from(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
        self.remote_cseq = early.remote_cseq;
    }

    /// The frame of our next request; counts CSeq up (§12.2.1.1).
    pub fn next_request(&mut self) -> RequestFrame {
        // RFC 3261 §8.1.1.5 keeps CSeq below 2^31.
        self.local_cseq = (self.local_cseq + 1) & 0x7fff_ffff;
        self.frame(self.local_cseq)
    }

    /// The frame of the ACK for a 2xx to our INVITE of this number (§13.2.2.4).
    pub fn ack(&self, cseq: u32) -> RequestFrame {
        self.frame(cseq)
    }

    fn frame(&self, cseq: u32) -> RequestFrame {
        let mut routes = self.route_set.clone();
        let uri = match routes.first() {
            // The next hop is a strict router of RFC 2543: it wants itself in the Request-URI and the target last.
            Some(first) if !is_loose(first) => {
                let uri = uri_of(first).to_owned();
                routes.remove(0);
                routes.push(format!("<{}>", self.remote_target));
                uri
            }
            _ => self.remote_target.clone(),
        };
        let to = match self.id.remote_tag.as_str() {
            "" => format!("<{}>", self.remote_uri),
            tag => format!("<{}>;tag={tag}", self.remote_uri),
        };
        RequestFrame {
            uri,
            routes,
            from: format!("<{}>;tag={}", self.local_uri, self.id.local_tag),
            to,
            call_id: self.id.call_id.clone(),
            cseq,
        }
    }
}

/// The URI in the angle brackets of a Route value.
pub(super) fn uri_of(route: &str) -> &str {
    let inside = route.split_once('<').map_or(route, |(_, rest)| rest);
    inside.split_once('>').map_or(inside, |(uri, _)| uri).trim()
}

/// Whether a Route value names a loose router: `lr` among the parameters of its URI (§19.1.1).
fn is_loose(route: &str) -> bool {
    let uri = uri_of(route).split('?').next().unwrap_or_default();
    let behind_user = uri.rsplit_once('@').map_or(uri, |(_, host)| host);
    behind_user.split(';').skip(1).any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("lr")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(record_route: &[&str]) -> Origin {
        Origin {
            id: DialogId { call_id: "c1".into(), local_tag: "us".into(), remote_tag: "them".into() },
            local_uri: "sip:4001@127.0.0.1".into(),
            remote_uri: "sip:bob@example.com".into(),
            remote_target: "sip:bob@192.0.2.4:5062".into(),
            record_route: record_route.iter().map(|r| (*r).to_owned()).collect(),
            cseq: 314,
        }
    }

    #[test]
    fn uas_keeps_the_order_of_record_route_and_uac_turns_it_round() {
        let routes = ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"];
        let uas = Dialog::new(Role::Uas, origin(&routes), 1);
        assert_eq!(uas.route_set(), routes);
        let uac = Dialog::new(Role::Uac, origin(&routes), 1);
        assert_eq!(uac.route_set(), ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]);
    }

    #[test]
    fn loose_routes_leave_the_target_in_the_request_uri() {
        let mut dialog = Dialog::new(Role::Uas, origin(&["<sip:p1.example.com;transport=tcp;lr>"]), 7);
        let bye = dialog.next_request();
        assert_eq!(bye.uri, "sip:bob@192.0.2.4:5062");
        assert_eq!(bye.routes, ["<sip:p1.example.com;transport=tcp;lr>"]);
        assert_eq!((bye.cseq, bye.from.as_str()), (8, "<sip:4001@127.0.0.1>;tag=us"));
        assert_eq!(bye.to, "<sip:bob@example.com>;tag=them");
    }

    #[test]
    fn a_strict_router_gets_itself_and_the_target_goes_last() {
        // `lr` in the user part or in the name is no parameter.
        let mut dialog =
            Dialog::new(Role::Uas, origin(&["lr <sip:a;lr@p1.example.com>", "<sip:p2.example.com;lr>"]), 0);
        let bye = dialog.next_request();
        assert_eq!(bye.uri, "sip:a;lr@p1.example.com");
        assert_eq!(bye.routes, ["<sip:p2.example.com;lr>", "<sip:bob@192.0.2.4:5062>"]);
    }

    #[test]
    fn requests_out_of_order_are_refused_and_remembered_ones_stay() {
        let mut dialog = Dialog::new(Role::Uas, origin(&[]), 0);
        assert_eq!(dialog.handle_request(313), Err(OutOfOrder { got: 313, seen: 314 }));
        assert_eq!(dialog.handle_request(400), Ok(()));
        assert_eq!(dialog.handle_request(315), Err(OutOfOrder { got: 315, seen: 400 }));
        assert_eq!(dialog.cseqs(), (0, Some(400)));
    }

    #[test]
    fn an_ack_takes_its_invites_number_whatever_was_sent_since() {
        let mut dialog = Dialog::new(Role::Uac, origin(&[]), 0);
        let invite = dialog.next_request();
        dialog.next_request();
        assert_eq!((invite.cseq, dialog.ack(314).cseq, dialog.ack(315).cseq), (315, 314, 315));
        dialog.set_remote_target("sip:bob@192.0.2.9");
        assert_eq!(dialog.ack(315).uri, "sip:bob@192.0.2.9");
    }

    #[test]
    fn a_restored_dialog_says_bye_as_the_old_one_would_have() {
        let mut before = Dialog::new(Role::Uac, origin(&["<sip:p2;lr>", "<sip:p1;lr>"]), 0);
        let (local, remote) = before.cseqs();
        let mut kept = origin(&[]);
        kept.record_route = before.route_set().to_vec();
        let mut after = Dialog::restore(kept, local, remote);
        assert_eq!(after.next_request(), before.next_request());
    }
}
