//! The peer hands its session on: REFER within the dialog, and the NOTIFYs that tell what came of it (RFC 3515, RFC 4488).

use super::{Act, State};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event};
use crate::sip::message::{Message, Method, Replaces, Scheme, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::Now;

/// How long the subscription lasts, s: longer than a called phone may ring, so that its outcome ends it and no clock has to.
const SUBSCRIBED_S: u32 = 180;

/// A REFER of the peer's, until it is told what came of it.
#[derive(Clone, Debug)]
pub(super) struct Referral {
    /// Its CSeq number, which tells its NOTIFYs from those of another one.
    id: u32,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The owner has not said yes or no.
    Asked(TransactionKey, Box<Message>),
    /// The peer wants no NOTIFY, or takes none.
    Silent,
    /// The peer waits for the outcome.
    Waiting,
    /// A NOTIFY is under way; the outcome, where it is known, follows its answer, so that they cannot overtake each other.
    Telling(Option<u16>),
    /// The last NOTIFY is under way.
    Ending,
}

impl Referral {
    /// The REFER, where it has no answer.
    pub(super) fn into_request(self) -> Option<(TransactionKey, Box<Message>)> {
        match self.stage {
            Stage::Asked(key, request) => Some((key, request)),
            _ => None,
        }
    }
}

impl super::Session {
    /// Whether the peer owes an answer to a NOTIFY.
    pub(super) fn is_notifying(&self) -> bool {
        let telling = |referral: &Referral| matches!(referral.stage, Stage::Telling(_) | Stage::Ending);
        self.referral.as_ref().is_some_and(telling)
    }
}

impl Endpoint {
    pub(in crate::sip) fn handle_refer(&mut self, leg: LegId, key: TransactionKey, msg: &Message, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        match session.state {
            State::Closing => return self.refuse_within(&key, msg, 481, now),
            // One at a time, and not before there is a session to hand on.
            _ if session.referral.is_some() => return self.refuse_for_now(&key, msg, now),
            State::Offered(_) | State::Calling(_) => return self.refuse_for_now(&key, msg, now),
            State::Up => {}
        }
        match wish_of(msg) {
            Ok((target, replaces)) => {
                let id = msg.cseq().map_or(0, |cseq| cseq.number);
                session.referral = Some(Referral { id, stage: Stage::Asked(key, Box::new(msg.clone())) });
                self.events.push_back(Event::Referred { leg, target, replaces });
            }
            Err(code) => self.refuse_within(&key, msg, code, now),
        }
    }

    /// Takes the peer's REFER on; [`Self::report_refer`] follows.
    pub fn accept_refer(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let Some(Referral { id, stage: Stage::Asked(key, request) }) = session.referral.take() else { return };
        let silent = request.header("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        session.referral = Some(Referral { id, stage: if silent { Stage::Silent } else { Stage::Waiting } });
        let mut accepted =
            response_to(&request, 202, reason_phrase(202), None).with("Contact", session.contact.clone());
        if silent {
            accepted.push("Refer-Sub", "false");
        }
        self.respond_within(&key, accepted, now);
        if !silent {
            let state = format!("active;expires={SUBSCRIBED_S}");
            self.notify(leg, &state, 100, Stage::Telling(None), now);
        }
    }

    /// Will not do what the peer's REFER asks; the session goes on as it was.
    pub fn refuse_refer(&mut self, leg: LegId, code: u16, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if let Some((key, request)) = session.referral.take().and_then(Referral::into_request) {
            self.refuse_within(&key, &request, code, now);
        }
    }

    /// Tells the peer what came of its REFER (200–699). Another one may follow.
    pub fn report_refer(&mut self, leg: LegId, code: u16, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let Some(Referral { id, stage }) = session.referral.take() else { return };
        match stage {
            Stage::Silent => {}
            Stage::Waiting => {
                session.referral = Some(Referral { id, stage });
                self.notify(leg, "terminated;reason=noresource", code, Stage::Ending, now);
            }
            Stage::Telling(_) => session.referral = Some(Referral { id, stage: Stage::Telling(Some(code)) }),
            Stage::Asked(..) | Stage::Ending => session.referral = Some(Referral { id, stage }),
        }
    }

    /// Sends a NOTIFY with the status line of the call that the peer asked for (RFC 3515 §2.4.5).
    fn notify(&mut self, leg: LegId, subscription: &str, code: u16, stage: Stage, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg).filter(|session| matches!(session.state, State::Up)) else {
            return;
        };
        let (Some(referral), Some(dialog)) = (&mut session.referral, &mut session.dialog) else { return };
        referral.stage = stage;
        let body = format!("SIP/2.0 {code} {}\r\n", reason_phrase(code));
        let request = Self::next_request(dialog, Method::Notify)
            .with("Contact", session.contact.clone())
            .with("Event", format!("refer;id={}", referral.id))
            .with("Subscription-State", subscription)
            .with_body("message/sipfrag;version=2.0", body.into_bytes());
        self.send_within(leg, Act::Notify, request, now);
        self.tell_dialog(leg);
    }

    /// The peer has answered a NOTIFY, or never will: any refusal ends the subscription (RFC 6665 §4.2.2).
    pub(super) fn handle_notified(&mut self, leg: LegId, code: u16, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let Some(referral) = &mut session.referral else { return };
        let taken = (200..300).contains(&code);
        let then = match referral.stage {
            Stage::Telling(None) => {
                referral.stage = if taken { Stage::Waiting } else { Stage::Silent };
                None
            }
            Stage::Telling(then) if taken => {
                referral.stage = Stage::Waiting;
                then
            }
            Stage::Telling(_) | Stage::Ending => {
                session.referral = None;
                None
            }
            Stage::Asked(..) | Stage::Silent | Stage::Waiting => None,
        };
        if let Some(code) = then {
            return self.report_refer(leg, code, now);
        }
        if session.repeat.is_none()
            && let Some(why) = session.bye.take()
        {
            self.send_bye(leg, &why, now);
        }
    }
}

/// Whom a REFER names, and the dialog that is to be replaced there; else the status that refuses it.
fn wish_of(msg: &Message) -> Result<(String, Option<Replaces>), u16> {
    let named = msg.addresses("Refer-To").map_err(|_| 400_u16)?;
    // Exactly one (RFC 3515 §2.4.1).
    let [target] = named.as_slice() else { return Err(400) };
    if !(target.uri.is_sip() || target.uri.scheme == Scheme::Tel) {
        return Err(416);
    }
    // A session is handed on by an INVITE, and nothing else is done at somebody's word.
    if target.uri.params.value("method").is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
        return Err(403);
    }
    let replaces = Replaces::of_uri(&target.uri).map_err(|_| 400_u16)?;
    Ok((target.uri.number().unwrap_or_default(), replaces))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, endpoint, respond, sent, told, words};
    use super::*;
    use crate::sip::endpoint::{Admission, Why};

    const CHALLENGE: [(&str, &str); 1] = [("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")];

    /// A call of the phone's that is up: its leg, and our tag.
    fn call(now: Now) -> (Endpoint, LegId, String) {
        let mut endpoint = endpoint(Admission::Open, 1);
        ask(&mut endpoint, ("INVITE", 1), "", "", "v=0", now);
        let Some(Event::Invited { leg, .. }) = endpoint.poll_event() else { panic!("no call") };
        endpoint.answer(leg, "v=0".into(), now);
        let answer = sent(&mut endpoint).pop().unwrap().1;
        let tag = answer.to().unwrap().tag().unwrap().to_owned();
        ask(&mut endpoint, ("ACK", 1), &tag, "", "", now);
        let _ = (sent(&mut endpoint), told(&mut endpoint));
        (endpoint, leg, tag)
    }

    fn refer(endpoint: &mut Endpoint, number: u32, tag: &str, lines: &str, now: Now) {
        ask(endpoint, ("REFER", number), tag, lines, "", now);
    }

    fn notify(endpoint: &mut Endpoint) -> (u16, Message) {
        sent(endpoint).into_iter().find(|(_, msg)| msg.method() == Some(&Method::Notify)).expect("a NOTIFY")
    }

    fn says(notify: &Message) -> (String, String) {
        let state = notify.header("Subscription-State").unwrap_or_default().to_owned();
        (String::from_utf8(notify.body.clone()).unwrap().trim().to_owned(), state)
    }

    #[test]
    fn a_referral_is_told_of_in_order_and_the_bye_waits_for_that() {
        let now = Now::default();
        let (mut endpoint, leg, tag) = call(now);
        refer(&mut endpoint, 2, &tag, "Refer-To: <sip:4005@h>\r\n", now);
        assert_eq!(told(&mut endpoint), [Event::Referred { leg, target: "4005".into(), replaces: None }]);
        endpoint.accept_refer(leg, now);
        let all = sent(&mut endpoint);
        assert_eq!((all.len(), all[0].1.code()), (2, Some(202)));
        assert_eq!(says(&all[1].1), ("SIP/2.0 100 Trying".into(), "active;expires=180".into()));
        assert_eq!(all[1].1.header("Event"), Some("refer;id=2"));
        // The outcome waits for the answer, and the BYE for the outcome's.
        endpoint.report_refer(leg, 200, now);
        endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
        refer(&mut endpoint, 3, &tag, "Refer-To: <sip:4005@h>\r\n", now);
        assert_eq!(words(&mut endpoint), ["500"]);
        respond(&mut endpoint, &all[1], 200, "f", &[], "", now);
        let last = notify(&mut endpoint);
        assert_eq!(says(&last.1), ("SIP/2.0 200 OK".into(), "terminated;reason=noresource".into()));
        respond(&mut endpoint, &last, 200, "f", &[], "", now);
        assert_eq!(words(&mut endpoint), ["BYE"]);
    }

    #[test]
    fn who_wants_no_word_or_takes_none_gets_none() {
        let now = Now::default();
        let (mut endpoint, leg, tag) = call(now);
        refer(&mut endpoint, 2, &tag, "Refer-To: sip:4005@h\r\nRefer-Sub: false\r\nRequire: norefersub\r\n", now);
        endpoint.accept_refer(leg, now);
        let accepted = sent(&mut endpoint).remove(0).1;
        assert_eq!((accepted.code(), accepted.header("Refer-Sub")), (Some(202), Some("false")));
        endpoint.report_refer(leg, 486, now);
        assert_eq!(words(&mut endpoint), [""; 0]);
        // The next one: nobody answers for us to a challenge, so it is a refusal like 481.
        for (number, code) in [(3, 481), (4, 401)] {
            refer(&mut endpoint, number, &tag, "Refer-To: <tel:4005>\r\n", now);
            endpoint.accept_refer(leg, now);
            let first = notify(&mut endpoint);
            respond(&mut endpoint, &first, code, "f", &CHALLENGE, "", now);
            endpoint.report_refer(leg, 200, now);
            assert_eq!(words(&mut endpoint), [""; 0], "{code}");
        }
        endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
        assert_eq!(words(&mut endpoint), ["BYE"]);
    }

    #[test]
    fn silence_to_a_notify_keeps_the_bye_no_longer_than_a_transaction() {
        let mut now = Now::default();
        let (mut endpoint, leg, tag) = call(now);
        refer(&mut endpoint, 2, &tag, "Refer-To: <sip:4005@h>\r\n", now);
        endpoint.accept_refer(leg, now);
        endpoint.report_refer(leg, 404, now);
        endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
        let _ = sent(&mut endpoint);
        let mut seconds = 0;
        while !words(&mut endpoint).contains(&"BYE".to_owned()) {
            seconds += 1;
            now = now.plus_ms(1_000);
            endpoint.handle_timeout(now);
            assert!(seconds < 40, "no BYE");
        }
        assert!((31..34).contains(&seconds), "{seconds}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_a_dialog_to_replace_is_read() {
        let now = Now::default();
        let (mut endpoint, leg, tag) = call(now);
        let wrong = [
            ("", "400"),
            ("Refer-To: <sip:1@h>, <sip:2@h>\r\n", "400"),
            ("Refer-To: <sip:1@h>\r\nRefer-To: <sip:2@h>\r\n", "400"),
            ("Refer-To: <sip:1@h?Replaces=c>\r\n", "400"),
            ("Refer-To: <http://h/>\r\n", "416"),
            ("Refer-To: <sip:1@h;method=BYE>\r\n", "403"),
        ];
        for (number, (lines, code)) in (2..).zip(wrong) {
            refer(&mut endpoint, number, &tag, lines, now);
            assert_eq!(words(&mut endpoint), [code], "{lines}");
        }
        let to = "<sip:1002@h?Replaces=c9%40h%3Bto-tag%3Dus%3Bfrom-tag%3Dx>";
        refer(&mut endpoint, 20, &tag, &format!("Refer-To: {to}\r\n"), now);
        let [Event::Referred { replaces: Some(replaces), .. }] = &told(&mut endpoint)[..] else {
            panic!("no referral")
        };
        assert_eq!((replaces.call_id.as_str(), replaces.to_tag.as_str()), ("c9@h", "us"));
        // Its phone hangs up before it is answered.
        ask(&mut endpoint, ("BYE", 21), &tag, "", "", now);
        assert_eq!(words(&mut endpoint), ["200", "487"]);
        endpoint.refuse_refer(leg, 404, now);
        assert_eq!(endpoint.load()[..3], [0, 0, 0]);
    }

    #[test]
    fn outside_a_call_it_is_challenged_and_never_followed() {
        let now = Now::default();
        let mut endpoint = endpoint(Admission::Guarded, 1);
        ask(&mut endpoint, ("REFER", 1), "", "Refer-To: <sip:00900@h>\r\n", "", now);
        assert_eq!((words(&mut endpoint), told(&mut endpoint)), (vec!["401".to_owned()], vec![]));
        ask(&mut endpoint, ("MESSAGE", 2), "", "", "hello", now);
        let refused = sent(&mut endpoint).remove(0).1;
        assert!(refused.code() == Some(405) && refused.header("Allow").is_some_and(|allow| !allow.contains("MESSAGE")));
    }
}
