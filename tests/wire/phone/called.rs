//! A phone that is called.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::daemon::PATIENCE;
use super::{NEXT, Phone, Text, inside, tag};

impl Phone {
    /// Waits for a call; it becomes this phone's call.
    pub fn expect_invite(&mut self) -> Text {
        let invite = self.expect("INVITE", |text| text.is("INVITE"));
        self.take(&invite);
        invite
    }

    /// Waits for the floor to ask whether this phone is there.
    pub fn expect_options(&self) -> Text {
        let since = Instant::now();
        loop {
            if let Some(text) = self.try_receive().filter(|text| text.is("OPTIONS")) {
                return text;
            }
            assert!(since.elapsed() < PATIENCE, "{}: no OPTIONS", self.user);
        }
    }

    /// Waits for an INVITE that is no repeat of this one; it becomes this phone's call.
    pub fn expect_again(&mut self, first: &Text) -> Text {
        let via = first.header("Via");
        let invite = self.expect("another INVITE", |text| text.is("INVITE") && text.header("Via") != via);
        self.take(&invite);
        invite
    }

    /// Makes an INVITE that came this phone's call.
    pub fn take(&mut self, invite: &Text) {
        let tag = NEXT.fetch_add(1, Ordering::Relaxed);
        self.call_id = invite.header("Call-ID").to_owned();
        self.from = format!("{};tag=p{tag}", invite.header("To"));
        self.to = invite.header("From").to_owned();
        self.target = inside(invite.header("Contact"));
        self.routes = invite.record_routes();
        self.cseq = 0;
    }

    /// The dialog of this phone's call with the switch, as Replaces names it (RFC 3891).
    pub fn dialog(&self) -> String {
        format!("{};to-tag={};from-tag={}", self.call_id, tag(&self.to), tag(&self.from))
    }

    pub fn ring(&self, invite: &Text) {
        self.reply_tagged(invite, "180 Ringing", "");
    }

    /// Answers a call, and waits for the ACK.
    pub fn answer(&mut self, invite: &Text) {
        self.answer_unheard(invite);
        self.expect("ACK", |text| text.is("ACK"));
    }

    /// Answers a call and does not wait.
    pub fn answer_unheard(&mut self, invite: &Text) {
        let body = self.sdp("");
        self.reply_tagged(invite, "200 OK", &body);
        self.ear.speak_to(invite.rtp());
    }

    /// Refuses a request with header lines of the test's own.
    pub fn refuse(&self, request: &Text, status: &str, extra: &str) {
        let tagged = request.0.replacen(&format!("To: {}", request.header("To")), &format!("To: {}", self.from), 1);
        self.reply(&Text(tagged), format!("{status}\r\n{extra}").trim_end(), "");
    }

    /// Lets the caller hear something before the answer, with header lines of the test's own.
    pub fn progress(&mut self, invite: &Text, extra: &str) {
        let body = self.sdp("");
        self.reply_tagged(invite, format!("183 Session Progress\r\n{extra}").trim_end(), &body);
        self.ear.speak_to(invite.rtp());
    }
}
