//! Requests that a phone is sent: answered once, and the answer repeated for every copy of the request.

use super::{Event, GIVE_UP, Session, State, T1, T2, Timer, Ua};
use crate::common::text::{Text, first_format, param, sdp};
use crate::dice::Dice;

/// One request and its last response.
pub(super) struct Served {
    response: Vec<u8>,
    is_invite: bool,
    /// The status so far.
    code: u16,
    interval: u64,
    waited: u64,
    acked: bool,
    session: usize,
}

impl Ua {
    pub(super) fn receive_request(&mut self, text: Text) {
        let method = text.method().to_owned();
        if method == "ACK" {
            return self.receive_ack(&text);
        }
        let key = format!("{} {method}", text.branch());
        if let Some(served) = self.served.get(&key) {
            let response = served.response.clone();
            // A repeated INVITE whose final response was acknowledged is a straggler.
            if !response.is_empty() && !served.acked {
                self.send(response);
            }
            return;
        }
        match method.as_str() {
            "INVITE" => self.receive_invite(&key, text),
            "CANCEL" => self.receive_cancel(&key, &text),
            "BYE" => self.receive_bye(&key, &text),
            "PRACK" | "NOTIFY" if self.session_of(&text).is_some() => self.reply(&key, &text, 200, "OK"),
            "OPTIONS" => self.reply(&key, &text, 200, "OK"),
            _ => self.reply(&key, &text, 501, "Not Implemented"),
        }
    }

    fn receive_invite(&mut self, key: &str, text: Text) {
        if param(text.get("To"), "tag").is_some() {
            self.wrong.push(format!("{}: the switch changes a session, which it never does", self.user));
            return self.reply(key, &text, 488, "Not Acceptable Here");
        }
        if text.body.is_empty() {
            self.wrong.push(format!("{}: an INVITE without an offer", self.user));
        }
        let tag = self.rng.word();
        self.sessions.push(Session::offered(text, tag));
        let session = self.sessions.len() - 1;
        let waiting =
            Served { response: Vec::new(), is_invite: true, code: 0, interval: T1, waited: 0, acked: false, session };
        self.served.insert(key.to_owned(), waiting);
        self.events.push_back(Event::Invited { session });
    }

    /// Answers a call that came in: 180, 200 with a session, or a refusal.
    pub fn respond(&mut self, number: usize, code: u16, reason: &str) {
        let session = &self.sessions[number];
        let Some(offered) = session.offered.clone() else { return };
        if session.state != State::Early {
            return;
        }
        let body = match code {
            183 | 200 => {
                let format = first_format(&offered.body).unwrap_or(8);
                sdp(&self.ip(), self.rtp_port, 1, &[format], "sendrecv")
            }
            _ => String::new(),
        };
        let contact = match code {
            302 => format!("Contact: <sip:again@{}>\r\n", self.addr),
            // Reliably where it can be; a copy that is lost is not sent again, and the 200 says the same.
            183 if offered.get("Supported").contains("100rel") => {
                format!("Contact: {}\r\nRequire: 100rel\r\nRSeq: 1\r\n", self.contact())
            }
            _ => format!("Contact: {}\r\n", self.contact()),
        };
        let response = offered.respond(code, reason, &session.local_tag, &contact, &body).into_bytes();
        let key = format!("{} INVITE", session.invite.branch);
        if let Some(served) = self.served.get_mut(&key) {
            served.code = code;
            served.response.clone_from(&response);
        }
        self.send(response);
        if code >= 200 {
            self.arm(T1, Timer::Repeat(key));
        }
        match code {
            200..=299 => self.sessions[number].state = State::Up,
            300.. => self.over(number),
            _ => {}
        }
    }

    /// A final response to INVITE goes out again until its ACK.
    pub(super) fn repeat(&mut self, key: String) {
        let Some(served) = self.served.get_mut(&key) else { return };
        if served.acked {
            return;
        }
        served.waited += served.interval;
        served.interval = (served.interval * 2).min(T2);
        if served.waited >= GIVE_UP {
            let (number, accepted) = (served.session, served.code < 300);
            served.acked = true;
            if accepted {
                self.hang_up(number);
            }
            return;
        }
        // A refusal over a stream is not repeated; a 2xx is, since its ACK comes from the other end.
        let (response, interval, again) = (served.response.clone(), served.interval, !self.tcp || served.code < 300);
        if again {
            self.send(response);
        }
        self.arm(interval, Timer::Repeat(key));
    }

    fn receive_ack(&mut self, text: &Text) {
        if let Some(served) = self.served.get_mut(&format!("{} INVITE", text.branch())) {
            served.acked = true;
            return;
        }
        let number = self.session_of(text);
        let Some(number) = number else { return };
        let key = format!("{} INVITE", self.sessions[number].offered.as_ref().map(Text::branch).unwrap_or_default());
        if let Some(served) = self.served.get_mut(&key)
            && served.is_invite
            && !served.acked
        {
            served.acked = true;
            self.events.push_back(Event::Acked { session: number });
        }
    }

    fn receive_cancel(&mut self, key: &str, text: &Text) {
        let invite = format!("{} INVITE", text.branch());
        let Some(served) = self.served.get(&invite) else {
            return self.reply(key, text, 481, "Call/Transaction Does Not Exist");
        };
        let (number, open) = (served.session, served.code < 200);
        self.reply(key, text, 200, "OK");
        if open {
            self.respond(number, 487, "Request Terminated");
        }
    }

    fn receive_bye(&mut self, key: &str, text: &Text) {
        let Some(number) = self.session_of(text) else {
            return self.reply(key, text, 481, "Call/Transaction Does Not Exist");
        };
        if self.sessions[number].state == State::Dead {
            return self.reply(key, text, 481, "Call/Transaction Does Not Exist");
        }
        if text.cseq() <= self.sessions[number].remote_cseq {
            self.wrong.push(format!("{}: CSeq of a BYE does not rise", self.user));
        }
        self.reply(key, text, 200, "OK");
        if let Some(offered) = &self.sessions[number].offered
            && let Some(served) = self.served.get_mut(&format!("{} INVITE", offered.branch()))
        {
            // A BYE says that the 2xx was received.
            served.acked = true;
        }
        self.over(number);
    }

    fn session_of(&self, text: &Text) -> Option<usize> {
        let (call_id, tag) = (text.get("Call-ID"), param(text.get("To"), "tag").unwrap_or_default());
        self.sessions.iter().position(|session| session.call_id == call_id && session.local_tag == tag)
    }

    fn reply(&mut self, key: &str, text: &Text, code: u16, reason: &str) {
        let tag = self.rng.word();
        let response = text.respond(code, reason, &tag, "", "").into_bytes();
        let served = Served {
            response: response.clone(),
            is_invite: false,
            code,
            interval: T1,
            waited: 0,
            acked: false,
            session: 0,
        };
        self.served.insert(key.to_owned(), served);
        self.send(response);
    }
}
