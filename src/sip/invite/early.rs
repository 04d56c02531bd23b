//! Early dialogs of an INVITE of ours: one for each phone behind a forking proxy that has said something (RFC 3261 §12.1, §13.2.2.4).

use super::{Act, State};
use crate::id::LegId;
use crate::sip::dialog::{Dialog, Role};
use crate::sip::endpoint::Endpoint;
use crate::sip::message::{Message, Method};
use crate::time::Now;

/// Early dialogs of one INVITE; what further phones say before they answer is taken without one, and not acknowledged.
const FORKS: usize = 8;

/// The early dialogs of one INVITE.
#[derive(Clone, Debug, Default)]
pub(super) struct Forks {
    all: Vec<Fork>,
    /// The tag of the peer that described its side last: the one that the caller hears.
    heard: Option<String>,
}

/// One early dialog.
#[derive(Clone, Debug)]
struct Fork {
    dialog: Dialog,
    /// RSeq of its last reliable response.
    rseq: Option<u32>,
    /// What it said last of its side; taken for its 200's where that says nothing.
    described: Option<Vec<u8>>,
    /// Whether that came reliably and so answers our offer for good: from then on it may change the session by UPDATE.
    answered: bool,
}

impl Forks {
    /// The early dialog with the peer of this tag.
    pub(super) fn dialog_with(&mut self, tag: &str) -> Option<&mut Dialog> {
        self.fork(tag).map(|fork| &mut fork.dialog)
    }

    fn fork(&mut self, tag: &str) -> Option<&mut Fork> {
        self.all.iter_mut().find(|fork| fork.dialog.id().remote_tag == tag)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The highest number of a request of ours in any of them.
    pub(super) fn last_cseq(&self) -> u32 {
        self.all.iter().map(|fork| fork.dialog.cseqs().0).max().unwrap_or(0)
    }

    /// The early dialog that a message of the peer's is of has ended.
    pub(super) fn end(&mut self, msg: &Message) {
        let tag = msg.from_tag().unwrap_or_default().to_owned();
        self.all.retain(|fork| fork.dialog.id().remote_tag != tag);
    }

    /// Whether the peer of this tag may offer another session by UPDATE: it is the one that is heard, and our own offer has its
    /// answer (RFC 3311 §5.2).
    pub(super) fn may_offer(&self, tag: &str) -> bool {
        let answered = |fork: &Fork| fork.answered && fork.dialog.id().remote_tag == tag;
        self.heard.as_deref() == Some(tag) && self.all.iter().any(answered)
    }

    /// The session was changed by an UPDATE: what the peer said of it before counts no longer.
    pub(super) fn forget_description(&mut self, tag: &str) {
        if let Some(fork) = self.fork(tag) {
            fork.described = None;
        }
    }

    /// The dialog and the description of the peer whose 200 this is. The route set is the 200's, the numbers go on (§13.2.2.4).
    pub(super) fn confirm(&mut self, success: &Message) -> (Option<Dialog>, Option<Vec<u8>>) {
        let tag = success.to_tag().unwrap_or_default().to_owned();
        // The request's parts that a dialog is made of stand in the response too (§8.2.6.2).
        let fresh = Endpoint::dialog_of(Role::Uac, success, success);
        let index = self.all.iter().position(|fork| fork.dialog.id().remote_tag == tag);
        let Some(fork) = index.map(|index| self.all.swap_remove(index)) else { return (fresh, None) };
        let dialog = match fresh {
            Some(mut fresh) => {
                fresh.go_on_from(&fork.dialog);
                fresh
            }
            None => fork.dialog,
        };
        (Some(dialog), fork.described)
    }
}

/// What a provisional response is, seen from its early dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// News, with what the peer says of its side.
    News(Option<Vec<u8>>),
    /// A reliable response that came already, or came before the one that precedes it: not to be acted on (RFC 3262 §4).
    Stale,
}

impl Endpoint {
    /// Keeps what a provisional response above 100 says in its early dialog, and acknowledges it where it is reliable.
    pub(super) fn note_progress(&mut self, leg: LegId, msg: &Message, now: Now) -> Progress {
        let body = msg.session_description().ok().flatten().map(<[u8]>::to_vec);
        let reliable = msg.names("Require", "100rel");
        let rseq = msg.header("RSeq").and_then(|value| value.trim().parse::<u32>().ok()).filter(|_| reliable);
        let tag = msg.to_tag().map(str::to_owned);
        let (Some(calling), Some(tag)) = (self.calling(leg), tag) else { return Progress::News(body) };
        if calling.early.fork(&tag).is_none() {
            let dialog = Self::dialog_of(Role::Uac, msg, msg).filter(|_| calling.early.len() < FORKS);
            let Some(dialog) = dialog else { return Progress::News(body) };
            calling.early.all.push(Fork { dialog, rseq: None, described: None, answered: false });
        }
        let Some(fork) = calling.early.fork(&tag) else { return Progress::News(body) };
        if let Some(rseq) = rseq {
            if fork.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
                return Progress::Stale;
            }
            fork.rseq = Some(rseq);
        }
        if body.is_some() {
            fork.described.clone_from(&body);
            fork.answered |= rseq.is_some();
            calling.early.heard = Some(tag.clone());
        }
        if let Some(rseq) = rseq {
            self.send_prack(leg, &tag, rseq, msg, now);
        }
        Progress::News(body)
    }

    fn send_prack(&mut self, leg: LegId, tag: &str, rseq: u32, msg: &Message, now: Now) {
        let number = msg.cseq().map_or(0, |cseq| cseq.number);
        let Some(dialog) = self.sessions.get_mut(&leg).and_then(|session| session.dialog_with(tag)) else { return };
        let prack = Self::next_request(dialog, Method::Prack).with("RAck", format!("{rseq} {number} INVITE"));
        self.send_within(leg, Act::Prack, prack, now);
    }

    /// How many early dialogs there are of INVITEs of ours.
    pub(in crate::sip) fn early_dialogs(&self) -> usize {
        let early = self.dialling.values().filter_map(|leg| match &self.sessions.get(leg)?.state {
            State::Calling(calling) => Some(calling.early.len()),
            _ => None,
        });
        early.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask_of, dial_to, endpoint, respond, sent, told, way, words};
    use super::*;
    use crate::sip::endpoint::{Admission, Dial, Event, Why};

    fn dialled() -> (Endpoint, LegId, (u16, Message)) {
        let mut endpoint = endpoint(Admission::Open, 1);
        let leg = endpoint.next_leg();
        endpoint.dial(leg, Dial { ways: vec![way(5071)], ..dial_to("sip:x@127.0.0.1") }, Now::default());
        let invite = sent(&mut endpoint).remove(0);
        (endpoint, leg, invite)
    }

    fn reliable<'a>(rseq: &'a str, contact: &'a str) -> [(&'a str, &'a str); 3] {
        [("Require", "100rel"), ("RSeq", rseq), ("Contact", contact)]
    }

    fn racks(endpoint: &mut Endpoint) -> Vec<String> {
        let pracks = sent(endpoint).into_iter().filter(|(_, msg)| msg.method() == Some(&Method::Prack));
        let said = |msg: Message| format!("{} {}", msg.to().unwrap().tag().unwrap(), msg.header("RAck").unwrap());
        pracks.map(|(_, msg)| said(msg)).collect()
    }

    const A: &str = "<sip:a@127.0.0.1:5071>";
    const B: &str = "<sip:b@127.0.0.1:5071>";

    #[test]
    fn each_phone_behind_a_proxy_has_its_own_dialog_and_numbers_and_the_first_answer_wins() {
        let now = Now::default();
        let (mut endpoint, leg, invite) = dialled();
        respond(&mut endpoint, &invite, 183, "a", &reliable("5", A), "v=a", now);
        respond(&mut endpoint, &invite, 183, "b", &reliable("900", B), "v=b", now);
        // Said again, and said out of order.
        respond(&mut endpoint, &invite, 183, "a", &reliable("5", A), "v=a", now);
        respond(&mut endpoint, &invite, 180, "a", &reliable("7", A), "", now);
        respond(&mut endpoint, &invite, 180, "a", &reliable("6", A), "", now);
        assert_eq!(racks(&mut endpoint), ["a 5 1 INVITE", "b 900 1 INVITE", "a 6 1 INVITE"]);
        let news: Vec<_> = told(&mut endpoint)
            .into_iter()
            .map(|event| match event {
                Event::Progressed { code, body, .. } => (code, body.map(|body| String::from_utf8(body).unwrap())),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(news, [(183, Some("v=a".into())), (183, Some("v=b".into())), (180, None)]);
        assert_eq!(endpoint.load()[..3], [1, 2, 1], "a session, two early dialogs, an INVITE");
        respond(&mut endpoint, &invite, 200, "a", &[("Contact", A)], "", now);
        let ack = sent(&mut endpoint).remove(0).1;
        assert_eq!((ack.method(), ack.cseq().unwrap().number), (Some(&Method::Ack), 1));
        assert_eq!(told(&mut endpoint), [Event::Answered { leg, body: Some(b"v=a".to_vec()) }]);
        assert_eq!(endpoint.load()[..3], [1, 1, 0]);
        respond(&mut endpoint, &invite, 200, "b", &[("Contact", B)], "v=b", now);
        let late = sent(&mut endpoint);
        assert_eq!(late.iter().map(|(_, msg)| msg.method().unwrap().as_str()).collect::<Vec<_>>(), ["ACK", "BYE"]);
        assert_eq!(late[1].1.header("Reason"), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
        endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
        let bye = sent(&mut endpoint).remove(0);
        assert_eq!(bye.1.cseq().unwrap().number, 4, "after two PRACKs to the one that answered");
        respond(&mut endpoint, &bye, 200, "a", &[], "", now);
        assert_eq!(endpoint.load()[..3], [0, 0, 0]);
    }

    #[test]
    fn a_phone_may_change_the_session_before_it_answers_once_ours_is_settled() {
        let now = Now::default();
        let (mut endpoint, leg, invite) = dialled();
        respond(&mut endpoint, &invite, 183, "a", &[("Contact", A)], "v=a", now);
        ask_of(&mut endpoint, &invite.1, ("UPDATE", 1), "a", "v=b", now);
        assert_eq!(words(&mut endpoint), ["491"], "a plain 183 answers nothing for good");
        respond(&mut endpoint, &invite, 183, "a", &reliable("1", A), "v=a", now);
        let _ = (sent(&mut endpoint), told(&mut endpoint));
        ask_of(&mut endpoint, &invite.1, ("UPDATE", 2), "a", "v=b", now);
        assert_eq!(told(&mut endpoint), [Event::Modified { leg, body: Some(b"v=b".to_vec()) }]);
        endpoint.accept_modify(leg, "v=c".into(), now);
        ask_of(&mut endpoint, &invite.1, ("PRACK", 3), "a", "", now);
        ask_of(&mut endpoint, &invite.1, ("UPDATE", 4), "b", "v=b", now);
        assert_eq!(words(&mut endpoint), ["200", "481", "481"], "nothing to acknowledge, and nobody of that tag");
        respond(&mut endpoint, &invite, 200, "a", &[("Contact", A)], "", now);
        assert_eq!(told(&mut endpoint), [Event::Answered { leg, body: None }], "the session stands as it was changed");
    }

    #[test]
    fn an_early_dialog_ends_by_bye_and_all_end_with_a_refusal() {
        let now = Now::default();
        let (mut endpoint, leg, invite) = dialled();
        for tag in ["a", "b"] {
            respond(&mut endpoint, &invite, 180, tag, &[("Contact", A)], "", now);
        }
        ask_of(&mut endpoint, &invite.1, ("BYE", 1), "a", "", now);
        assert_eq!((words(&mut endpoint), endpoint.load()[1]), (vec!["200".to_owned()], 1));
        respond(&mut endpoint, &invite, 486, "b", &[], "", now);
        assert!(matches!(told(&mut endpoint).last(), Some(Event::Failed { leg: failed, .. }) if *failed == leg));
        assert_eq!(endpoint.load()[..3], [0, 0, 0]);
    }

    #[test]
    fn an_invite_of_ours_that_comes_back_has_looped_and_one_that_was_sent_on_has_not() {
        let now = Now::default();
        for (number, expected) in [("10086", true), ("4002", false)] {
            let (mut endpoint, _, (_, mut invite)) = dialled();
            invite.set_uri(format!("sip:{number}@127.0.0.1:6000").parse().unwrap());
            invite.push_front("Via", format!("SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bKback{number}"));
            let verdict = crate::sip::message::judge(&invite.to_bytes(), crate::sip::message::Framing::Datagram);
            endpoint.handle_verdict(verdict, way(5071).flow.unwrap(), now);
            // Its Vias are two, so that no party but the proxy takes it for its own.
            let refused = endpoint.poll_transmit().is_some_and(|sent| sent.payload.starts_with(b"SIP/2.0 482 "));
            assert_eq!(refused, expected, "{number}");
        }
    }

    #[test]
    fn a_cancel_says_why() {
        let now = Now::default();
        let (mut endpoint, leg, invite) = dialled();
        respond(&mut endpoint, &invite, 180, "a", &[("Contact", A)], "", now);
        endpoint.cancel(leg, Why::new(200, "answered_elsewhere"), now);
        let cancel = sent(&mut endpoint).remove(0).1;
        assert_eq!(cancel.header("Reason"), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    }
}
