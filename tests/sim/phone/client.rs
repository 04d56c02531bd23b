//! Requests that a phone sends: repeats, responses, CANCEL, ACK.

use super::{Event, GIVE_UP, State, T1, T2, Timer, Ua};
use crate::common::text::{Text, param, tail};

/// One request under way or answered.
pub(super) struct Client {
    method: String,
    bytes: Vec<u8>,
    interval: u64,
    provisional: bool,
    /// The status of the final response.
    last: Option<u16>,
    /// Sent again for each copy of a final response to INVITE.
    ack: Option<Vec<u8>>,
    session: Option<usize>,
}

impl Ua {
    /// Sends a request and repeats it until it is answered.
    pub(super) fn request(&mut self, branch: &str, method: &str, text: String, session: Option<usize>) {
        let client = Client {
            method: method.to_owned(),
            bytes: text.clone().into_bytes(),
            interval: T1,
            provisional: false,
            last: None,
            ack: None,
            session,
        };
        let key = key_of(branch, method);
        self.clients.insert(key.clone(), client);
        self.send(text.into_bytes());
        if !self.tcp {
            self.arm(T1, Timer::Resend(key.clone()));
        }
        self.arm(GIVE_UP, Timer::GiveUp(key));
    }

    /// Sends a request outside dialogs for the script, which hears every final response.
    pub fn ask(&mut self, method: &str, target: &str, headers: &str, body: &str) {
        let branch = self.branch();
        let via = self.via(&branch);
        let text = format!("{method} {target} SIP/2.0\r\n{via}Max-Forwards: 70\r\n{headers}{}", tail(body));
        self.request(&branch, method, text, None);
    }

    pub(super) fn resend(&mut self, key: String) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        let is_invite = client.method == "INVITE";
        if client.last.is_some() || (is_invite && client.provisional) {
            return;
        }
        client.interval *= 2;
        if !is_invite {
            client.interval = client.interval.min(T2);
        }
        if client.provisional {
            client.interval = T2;
        }
        let (bytes, interval) = (client.bytes.clone(), client.interval);
        self.send(bytes);
        self.arm(interval, Timer::Resend(key));
    }

    pub(super) fn give_up(&mut self, key: &str) {
        let Some(client) = self.clients.get(key) else { return };
        if client.last.is_some() || (client.method == "INVITE" && client.provisional) {
            return;
        }
        let (method, session) = (client.method.clone(), client.session);
        match (method.as_str(), session) {
            ("BYE" | "INVITE" | "CANCEL", Some(session)) => self.over(session),
            (_, Some(_)) => {}
            // The script tries again by itself.
            (_, None) => {}
        }
    }

    pub(super) fn receive_response(&mut self, code: u16, text: Text) {
        let branch = text.branch();
        let key = key_of(&branch, text.method());
        let Some(client) = self.clients.get_mut(&key) else {
            if !self.branches.contains(&branch) {
                self.wrong.push(format!("{}: {} answers nothing that was sent", self.user, text.start));
            }
            return;
        };
        if code < 200 {
            client.provisional = true;
            let number = client.session.filter(|_| client.last.is_none() && text.method() == "INVITE");
            if let Some(number) = number {
                self.provisional(&branch);
                self.acknowledge_progress(number, &text);
            }
            return;
        }
        if let Some(last) = client.last {
            if last != code {
                self.wrong.push(format!("{}: two final responses to one request, {last} and {code}", self.user));
            }
            if let Some(ack) = client.ack.clone() {
                self.send(ack);
            }
            return;
        }
        client.last = Some(code);
        let (method, session) = (client.method.clone(), client.session);
        match (method.as_str(), session) {
            ("INVITE", Some(session)) => self.invite_answered(&key, &branch, session, code, &text),
            ("BYE", Some(session)) => self.over(session),
            // The switch knows nothing of the call any more.
            ("CANCEL", Some(session)) if code == 481 && self.sessions[session].state == State::Early => {
                self.over(session);
            }
            ("CANCEL", Some(_)) => {}
            _ => self.events.push_back(Event::Response { message: text }),
        }
    }

    fn invite_answered(&mut self, key: &str, branch: &str, number: usize, code: u16, text: &Text) {
        if code >= 300 {
            let session = &self.sessions[number];
            let request = &session.invite;
            let ack = format!(
                "ACK {} SIP/2.0\r\n{}Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} ACK\r\n{}",
                session.target,
                self.via(branch),
                request.from,
                text.get("To"),
                session.call_id,
                request.cseq,
                tail("")
            );
            self.acknowledge(key, ack);
            if self.sessions[number].state == State::Early {
                self.over(number);
            }
            return;
        }
        let fresh = self.sessions[number].state == State::Early;
        if fresh {
            let session = &mut self.sessions[number];
            session.remote_tag = param(text.get("To"), "tag").unwrap_or_default().to_owned();
            session.learn_target(text);
            if text.body.is_empty() && session.rseq == 0 {
                self.wrong.push(format!("{}: a 200 without a session", self.user));
            }
        }
        let ack_branch = self.branch();
        let cseq = self.sessions[number].invite.cseq;
        let ack = self.within(number, "ACK", cseq, &ack_branch, "");
        self.acknowledge(key, ack);
        if !fresh {
            return;
        }
        let cancelled = self.sessions[number].cancelling;
        self.sessions[number].state = State::Up;
        if cancelled {
            // The 200 crossed our CANCEL.
            self.hang_up(number);
        } else {
            self.events.push_back(Event::Answered { session: number });
        }
    }

    fn acknowledge(&mut self, key: &str, ack: String) {
        let ack = ack.into_bytes();
        if let Some(client) = self.clients.get_mut(key) {
            client.ack = Some(ack.clone());
        }
        self.send(ack);
    }

    /// Whether our INVITE has had any response, so that a CANCEL may follow it (§9.1).
    pub(super) fn is_under_way(&self, branch: &str) -> bool {
        self.clients.get(&key_of(branch, "INVITE")).is_some_and(|client| client.provisional && client.last.is_none())
    }

    pub(super) fn is_answered(&self, branch: &str) -> bool {
        self.clients.get(&key_of(branch, "INVITE")).is_some_and(|client| client.last.is_some())
    }
}

fn key_of(branch: &str, method: &str) -> String {
    format!("{branch} {method}")
}
