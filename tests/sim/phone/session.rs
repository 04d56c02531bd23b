//! A phone's dialog with the switch, from its INVITE to both sides' end.

use super::{SWITCH, Ua};
use crate::common::text::{Text, param, sdp, tail, uri};
use crate::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No final response yet.
    Early,
    Up,
    /// Our BYE is under way.
    Closing,
    Dead,
}

/// The INVITE that made or changes a session.
#[derive(Clone, Debug, Default)]
pub struct Invite {
    pub branch: String,
    pub from: String,
    pub cseq: u32,
}

#[derive(Clone, Debug)]
pub struct Session {
    pub state: State,
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub local_tag: String,
    pub remote_tag: String,
    pub target: String,
    pub invite: Invite,
    /// A CANCEL is wanted or sent.
    pub cancelling: bool,
    /// The INVITE that came in, to answer it.
    pub offered: Option<Text>,
    pub cseq: u32,
    pub remote_cseq: u32,
    pub sdp_version: u32,
    pub held: bool,
    /// RSeq of the last reliable provisional response.
    pub rseq: u32,
}

impl Session {
    pub fn learn_target(&mut self, text: &Text) {
        if !text.get("Contact").is_empty() {
            self.target = uri(text.get("Contact")).to_owned();
        }
    }

    /// A session that a peer offers.
    pub fn offered(text: Text, tag: String) -> Self {
        let mut session = Self {
            state: State::Early,
            call_id: text.get("Call-ID").to_owned(),
            local: format!("{};tag={tag}", text.get("To")),
            remote: text.get("From").to_owned(),
            remote_tag: param(text.get("From"), "tag").unwrap_or_default().to_owned(),
            local_tag: tag,
            target: String::new(),
            invite: Invite { branch: text.branch(), from: text.get("From").to_owned(), cseq: text.cseq() },
            cancelling: false,
            cseq: 0,
            remote_cseq: text.cseq(),
            sdp_version: 1,
            held: false,
            rseq: 0,
            offered: None,
        };
        session.learn_target(&text);
        session.offered = Some(text);
        session
    }
}

impl Ua {
    /// Dials `number`; the session's number comes back.
    pub fn dial(&mut self, number: &str, formats: &[u8]) -> usize {
        let (branch, tag, call_id) = (self.branch(), self.rng.word(), format!("{}@{}", self.rng.word(), self.ip()));
        let target = format!("sip:{number}@{SWITCH}");
        let from = format!("<sip:{}@{}>;tag={tag}", self.user, self.ip());
        let body = sdp(&self.ip(), self.rtp_port, 1, formats, "sendrecv");
        let text = format!(
            "INVITE {target} SIP/2.0\r\n{}Max-Forwards: 70\r\nFrom: {from}\r\nTo: <{target}>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 INVITE\r\nContact: {}\r\nSupported: 100rel\r\n{}",
            self.via(&branch),
            self.contact(),
            tail(&body)
        );
        self.sessions.push(Session {
            state: State::Early,
            call_id,
            local: from.clone(),
            remote: format!("<{target}>"),
            local_tag: tag,
            remote_tag: String::new(),
            target,
            invite: Invite { branch: branch.clone(), from, cseq: 1 },
            cancelling: false,
            offered: None,
            cseq: 1,
            remote_cseq: 0,
            sdp_version: 1,
            held: false,
            rseq: 0,
        });
        let number = self.sessions.len() - 1;
        self.request(&branch, "INVITE", text, Some(number));
        number
    }

    /// Gives up on an INVITE of ours; at once, or with its first response.
    pub fn cancel(&mut self, number: usize) {
        let session = &mut self.sessions[number];
        if session.state != State::Early || session.cancelling {
            return;
        }
        session.cancelling = true;
        let branch = session.invite.branch.clone();
        if self.is_under_way(&branch) {
            self.send_cancel(number);
        }
    }

    /// Acknowledges a reliable provisional response, once.
    pub(super) fn acknowledge_progress(&mut self, number: usize, text: &Text) {
        let rseq = text.get("RSeq").parse().unwrap_or(0);
        let session = &self.sessions[number];
        if rseq == 0 || rseq <= session.rseq || session.state != State::Early {
            return;
        }
        let branch = self.branch();
        let session = &mut self.sessions[number];
        session.rseq = rseq;
        session.cseq += 1;
        session.remote_tag = param(text.get("To"), "tag").unwrap_or_default().to_owned();
        let (cseq, invited) = (session.cseq, session.invite.cseq);
        let prack = self.within(number, "PRACK", cseq, &branch, "");
        let rack = format!("RAck: {rseq} {invited} INVITE\r\nContent-Length");
        self.request(&branch, "PRACK", prack.replacen("Content-Length", &rack, 1), Some(number));
    }

    /// Our INVITE was heard: a CANCEL that waited for that leaves.
    pub(super) fn provisional(&mut self, branch: &str) {
        let waits = |s: &Session| s.invite.branch == branch && s.cancelling && s.state == State::Early;
        if let Some(number) = self.sessions.iter().position(waits) {
            self.send_cancel(number);
        }
    }

    fn send_cancel(&mut self, number: usize) {
        let session = &self.sessions[number];
        let branch = session.invite.branch.clone();
        if self.clients.contains_key(&format!("{branch} CANCEL")) {
            return;
        }
        let text = format!(
            "CANCEL {} SIP/2.0\r\n{}Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} CANCEL\r\n{}",
            session.target,
            self.via(&branch),
            session.invite.from,
            session.remote,
            session.call_id,
            session.invite.cseq,
            tail("")
        );
        self.request(&branch, "CANCEL", text, Some(number));
    }

    /// Hangs up a session that is up.
    pub fn hang_up(&mut self, number: usize) {
        if self.sessions[number].state != State::Up {
            return;
        }
        self.sessions[number].state = State::Closing;
        let branch = self.branch();
        self.sessions[number].cseq += 1;
        let cseq = self.sessions[number].cseq;
        let text = self.within(number, "BYE", cseq, &branch, "");
        self.request(&branch, "BYE", text, Some(number));
    }

    /// Hands the other party of a session on.
    pub fn refer(&mut self, number: usize, to: &str) {
        if self.sessions[number].state != State::Up {
            return;
        }
        let branch = self.branch();
        self.sessions[number].cseq += 1;
        let cseq = self.sessions[number].cseq;
        let refer_to = format!("Refer-To: <{to}>\r\nContent-Length");
        let text = self.within(number, "REFER", cseq, &branch, "").replacen("Content-Length", &refer_to, 1);
        self.request(&branch, "REFER", text, Some(number));
    }

    /// Holds or resumes by another INVITE, unless one is under way.
    pub fn hold(&mut self, number: usize, on: bool) {
        let session = &self.sessions[number];
        let ours = session.offered.is_none();
        let busy = ours && session.invite.cseq == session.cseq && !self.is_answered(&session.invite.branch);
        if session.state != State::Up || busy {
            return;
        }
        let branch = self.branch();
        let from = self.sessions[number].local.clone();
        let session = &mut self.sessions[number];
        session.cseq += 1;
        session.sdp_version += 1;
        session.held = on;
        session.invite = Invite { branch: branch.clone(), from, cseq: session.cseq };
        let (cseq, version) = (session.cseq, session.sdp_version);
        let direction = if on { "sendonly" } else { "sendrecv" };
        let body = sdp(&self.ip(), self.rtp_port, version, &[8, 0], direction);
        let text = self.within(number, "INVITE", cseq, &branch, &body);
        self.request(&branch, "INVITE", text, Some(number));
    }

    /// A request within a dialog.
    pub(super) fn within(&self, number: usize, method: &str, cseq: u32, branch: &str, body: &str) -> String {
        let session = &self.sessions[number];
        let remote = match (param(&session.remote, "tag"), session.remote_tag.as_str()) {
            (None, tag) if !tag.is_empty() => format!("{};tag={tag}", session.remote),
            _ => session.remote.clone(),
        };
        format!(
            "{method} {} SIP/2.0\r\n{}Max-Forwards: 70\r\nFrom: {}\r\nTo: {remote}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: {}\r\n{}",
            session.target,
            self.via(branch),
            session.local,
            session.call_id,
            self.contact(),
            tail(body)
        )
    }
}
