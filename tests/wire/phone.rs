//! A phone that speaks SIP as raw text, over UDP where nothing else is said: nothing of the project's own SIP is in it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::common::digest;
use super::daemon::PATIENCE;
use super::line::{self, Plug};
use super::rtp::Ear;

mod called;
mod text;
mod watching;
mod wide;

pub use text::Text;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// One phone with one call at a time.
pub struct Phone {
    pub user: String,
    /// What follows the address in its Contact.
    pub contact: &'static str,
    /// The Max-Forwards of its requests.
    pub hops: u32,
    /// The scheme of what it calls.
    pub scheme: &'static str,
    pub ear: Ear,
    /// What it says of its sound, where that is not its ear's.
    pub described: Option<String>,
    /// The payload type of the one codec that it has: A-law where nothing else is said.
    codec: u8,
    plug: Plug,
    server: SocketAddr,
    cseq: u32,
    /// The number of its last INVITE.
    invited: u32,
    call_id: String,
    from: String,
    to: String,
    target: String,
    /// The proxies that want to see requests within its call, the nearest one first.
    routes: Vec<String>,
}

impl Phone {
    /// A phone of `user` at `host` whose microphone hears a tone of `hz`.
    pub fn new(user: &str, host: Ipv4Addr, server: SocketAddr, hz: f64) -> Self {
        Self::over(line::udp(host, server), user, server, hz)
    }

    /// The same over another line.
    pub fn over(plug: Plug, user: &str, server: SocketAddr, hz: f64) -> Self {
        let std::net::IpAddr::V4(host) = plug.local.ip() else { panic!("IPv4 alone") };
        let none = String::new;
        Self {
            user: user.to_owned(),
            contact: "",
            hops: 70,
            scheme: "sip",
            ear: Ear::open(host, hz),
            described: None,
            codec: 8,
            plug,
            server,
            cseq: 0,
            invited: 0,
            call_id: none(),
            from: none(),
            to: none(),
            target: none(),
            routes: Vec::new(),
        }
    }

    /// Where it listens.
    pub fn local(&self) -> SocketAddr {
        self.plug.local
    }

    pub fn send(&self, text: &str) {
        self.plug.line.send(text);
    }

    /// The next message that `wanted` likes. OPTIONS are answered on the way, everything else is passed over.
    pub fn expect(&self, what: &str, wanted: impl Fn(&Text) -> bool) -> Text {
        let since = Instant::now();
        let mut seen = Vec::new();
        loop {
            assert!(since.elapsed() < PATIENCE, "{}: no {what}; seen {seen:?}", self.user);
            let Some(text) = self.try_receive() else { continue };
            if text.is("OPTIONS") {
                self.reply(&text, "200 OK", "");
            } else if wanted(&text) {
                return text;
            } else {
                seen.push(text.first().to_owned());
            }
        }
    }

    /// What came within a tenth of a second, if anything.
    pub fn try_receive(&self) -> Option<Text> {
        self.plug.line.try_receive()
    }

    pub fn sdp(&self, attributes: &str) -> String {
        if let Some(described) = &self.described {
            return described.clone();
        }
        let ip = self.plug.local.ip();
        format!(
            "v=0\r\no=- {0} {0} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {1} RTP/AVP {2} 101\r\n\
             a=rtpmap:101 telephone-event/8000\r\n{attributes}",
            NEXT.fetch_add(1, Ordering::Relaxed),
            self.ear.port,
            self.codec
        )
    }

    fn request(&mut self, method: &str, uri: &str, extra: &str, body: &str) -> String {
        self.cseq += 1;
        if method == "INVITE" {
            self.invited = self.cseq;
        }
        self.numbered(method, uri, self.cseq, &branch(), extra, body)
    }

    fn numbered(&self, method: &str, uri: &str, cseq: u32, branch: &str, extra: &str, body: &str) -> String {
        let typed = body.is_empty() || extra.contains("Content-Type");
        let kind = if typed { "" } else { "Content-Type: application/sdp\r\n" };
        let routes: String = self.routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{6} {0};rport;branch={branch}\r\nFrom: {1}\r\nTo: {2}\r\n\
             Call-ID: {3}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: {8}\r\nContact: <sip:{4}@{0}{7}>{9}\r\n{routes}{extra}{kind}\
             Content-Length: {5}\r\n\r\n{body}",
            self.plug.name,
            self.from,
            self.to,
            self.call_id,
            self.user,
            body.len(),
            self.plug.via,
            self.plug.parameter,
            self.hops,
            self.contact
        )
    }

    fn begin(&mut self, to: &str) {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.call_id = format!("{number}-{}", self.plug.local);
        self.routes.clear();
        self.from = format!("<sip:{}@{}>;tag=f{number}", self.user, self.plug.local.ip());
        self.to = format!("<sip:{to}@{}>", self.server.ip());
        self.target = format!("{}:{to}@{}", self.scheme, self.server);
    }

    /// Registers with the password, for `expires` seconds; gives the last response.
    pub fn register(&mut self, password: &str, expires: u32) -> Text {
        let since = Instant::now();
        loop {
            let answer = self.register_with(password, &format!("Expires: {expires}\r\n"));
            // A machine whose disk is busy confirms nothing for a while: then phones ask again.
            if !answer.is("503") || since.elapsed() > PATIENCE {
                return answer;
            }
        }
    }

    /// The same with header lines of the test's own.
    pub fn register_with(&mut self, password: &str, extra: &str) -> Text {
        let challenge = self.challenge_to_register();
        let uri = format!("sip:{}", self.server);
        let answer = answer(&challenge, &self.user, password, "REGISTER", &uri);
        self.register_again(&uri, &format!("{extra}Authorization: {answer}\r\n"))
    }

    /// Asks for a registration without a password; gives the challenge.
    pub fn challenge_to_register(&mut self) -> Text {
        self.begin(&self.user.clone());
        let uri = format!("sip:{}", self.server);
        self.send_register(&uri, "");
        self.expect("answer to REGISTER", |text| text.is("401"))
    }

    /// A REGISTER with header lines of the test's own.
    pub fn send_register(&mut self, uri: &str, extra: &str) {
        let request = self.request("REGISTER", uri, extra, "");
        self.send(&request);
    }

    /// The same; gives its final response.
    pub fn register_again(&mut self, uri: &str, extra: &str) -> Text {
        self.send_register(uri, extra);
        self.expect("end of REGISTER", |text| text.is("200") || text.is("4") || text.is("5"))
    }

    /// Sends an INVITE to a number and gives it, for whatever comes next.
    pub fn invite(&mut self, number: &str) -> String {
        self.invite_with(number, "")
    }

    /// The same with further header lines.
    pub fn invite_with(&mut self, number: &str, extra: &str) -> String {
        self.begin(number);
        let body = self.sdp("");
        let target = self.target.clone();
        let invite = self.request("INVITE", &target, extra, &body);
        self.send(&invite);
        invite
    }

    /// Sends an INVITE whose Request-URI names one user and whose To another.
    pub fn invite_to(&mut self, user: &str, to: &str) {
        self.begin(to);
        self.target = format!("sip:{user}@{}", self.server);
        let (target, body) = (self.target.clone(), self.sdp(""));
        let invite = self.request("INVITE", &target, "", &body);
        self.send(&invite);
    }

    /// Calls a number and is answered: acknowledged, and the tone goes out.
    pub fn call(&mut self, number: &str) -> Text {
        self.invite(number);
        self.connect()
    }

    /// Waits until a call is answered, and confirms that.
    fn connect(&mut self) -> Text {
        let answer = self.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
        self.confirm(&answer);
        answer
    }

    /// Calls a number as a phone with an account does: answers the challenge, and leaves what comes then to the test.
    pub fn invite_as(&mut self, number: &str, password: &str, extra: &str) {
        self.invite_with(number, extra);
        self.answer_challenge(&self.user.clone(), password, extra);
    }

    /// Answers the challenge to the INVITE that was sent, as `user`.
    pub fn answer_challenge(&mut self, user: &str, password: &str, extra: &str) {
        let challenge = self.expect("challenge to INVITE", |text| text.is("401"));
        self.ack_refusal(&challenge);
        let (uri, body) = (self.target.clone(), self.sdp(""));
        let answer = answer(&challenge, user, password, "INVITE", &uri);
        let invite = self.request("INVITE", &uri, &format!("{extra}Authorization: {answer}\r\n"), &body);
        self.send(&invite);
    }

    /// Dials a feature code as a phone with an account does, and hears it out.
    pub fn dial_code(&mut self, code: &str, password: &str) {
        self.invite_as(code, password, "");
        let accepted = self.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
        self.confirm(&accepted);
        self.expect_bye();
    }

    /// The final response to the INVITE that was sent, a refusal acknowledged.
    pub fn outcome(&mut self) -> Text {
        let answer =
            self.expect("end of INVITE", |t| t.header("CSeq").ends_with("INVITE") && !t.is("1") && !t.is("INVITE"));
        if answer.is("200") {
            self.confirm(&answer);
        } else {
            self.ack_refusal(&answer);
        }
        answer
    }

    /// Takes part in the call that a response made, early or not, and speaks to where it says.
    pub fn join(&mut self, response: &Text) {
        self.to = response.header("To").to_owned();
        self.target = inside(response.header("Contact"));
        self.routes = response.record_routes();
        self.routes.reverse();
        self.ear.speak_to(response.rtp());
    }

    /// Acknowledges a reliable provisional response; gives the answer to that.
    pub fn prack(&mut self, progress: &Text) -> Text {
        self.prack_with(progress, "")
    }

    /// The same with a session description.
    pub fn prack_with(&mut self, progress: &Text, body: &str) -> Text {
        let rack = format!("RAck: {} {} INVITE\r\n", progress.header("RSeq"), self.invited);
        self.within("PRACK", &rack, body)
    }

    /// Acknowledges a 200 and starts to speak.
    pub fn confirm(&mut self, answer: &Text) {
        self.join(answer);
        self.ack();
    }

    pub fn ack(&self) {
        self.send(&self.numbered("ACK", &self.target, self.invited, &branch(), "", ""));
    }

    /// Acknowledges a refusal with its INVITE's branch.
    pub fn ack_refusal(&self, refusal: &Text) {
        let via = refusal.header("Via");
        let branch = via.split("branch=").nth(1).and_then(|rest| rest.split(';').next()).expect("a branch");
        let to = refusal.header("To");
        let ack = self.numbered("ACK", &self.target, self.invited, branch, "", "");
        self.send(&ack.replacen(&format!("To: {}", self.to), &format!("To: {to}"), 1));
    }

    /// CANCEL for the INVITE just sent.
    pub fn cancel(&self, invite: &str) {
        self.cancel_with(invite, "");
    }

    /// The same with further header lines.
    pub fn cancel_with(&self, invite: &str, extra: &str) {
        let branch = invite.split("branch=").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a branch");
        self.send(&self.numbered("CANCEL", &self.target, self.invited, branch, extra, ""));
    }

    /// Another session within the call; gives the final response, acknowledged.
    pub fn modify(&mut self, attributes: &str) -> Text {
        let body = self.sdp(attributes);
        self.within("INVITE", "", &body)
    }

    /// Speaks of another phone's call as somebody does who has seen its Call-ID and nothing else.
    pub fn pose_as(&mut self, other: &Self) {
        self.begin("anybody");
        self.call_id.clone_from(&other.call_id);
        self.to += ";tag=guessed";
        self.cseq = 1_000;
    }

    /// Any request within the call; gives its final response, acknowledged where it is an INVITE's.
    pub fn within(&mut self, method: &str, extra: &str, body: &str) -> Text {
        let target = self.target.clone();
        let request = self.request(method, &target, extra, body);
        self.send(&request);
        let answer = self.expect("answer within the call", |t| t.header("CSeq").ends_with(method) && !t.is("1"));
        if method == "INVITE" && answer.is("200") {
            self.ack();
        } else if method == "INVITE" {
            self.ack_refusal(&answer);
        }
        answer
    }

    /// Sends an INVITE without an offer.
    pub fn invite_late(&mut self, number: &str, extra: &str) {
        self.begin(number);
        let target = self.target.clone();
        let invite = self.request("INVITE", &target, extra, "");
        self.send(&invite);
    }

    /// Calls a number without an offer: ours comes with the ACK.
    pub fn call_late(&mut self, number: &str) -> Text {
        self.invite_late(number, "");
        let offer = self.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
        self.join(&offer);
        let body = self.sdp("");
        self.send(&self.numbered("ACK", &self.target, self.cseq, &branch(), "", &body));
        offer
    }

    /// Hangs up and waits for the answer.
    pub fn hang_up(&mut self) {
        let target = self.target.clone();
        let bye = self.request("BYE", &target, "", "");
        let since = Instant::now();
        // Sent again twice a second, as the RFC has it: a datagram may be lost on a busy machine.
        for look in 0.. {
            assert!(since.elapsed() < PATIENCE, "{}: no 200 to BYE", self.user);
            if look % 5 == 0 {
                self.send(&bye);
            }
            match self.try_receive() {
                Some(text) if text.is("200") && text.header("CSeq").ends_with("BYE") => return,
                Some(text) if text.is("OPTIONS") => self.reply(&text, "200 OK", ""),
                _ => {}
            }
        }
    }

    /// Waits for the switch to hang up, and says yes.
    pub fn expect_bye(&self) -> Text {
        let bye = self.expect("BYE", |text| text.is("BYE"));
        self.reply(&bye, "200 OK", "");
        bye
    }

    /// A response with our tag; `status` may go on with header lines.
    pub fn reply_tagged(&self, request: &Text, status: &str, body: &str) {
        let tagged = request.0.replacen(&format!("To: {}", request.header("To")), &format!("To: {}", self.from), 1);
        self.reply(&Text(tagged), status, body);
    }

    pub fn reply(&self, request: &Text, status: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for line in request.0.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            if ["via", "from", "to", "call-id", "cseq", "record-route"].contains(&name.as_str()) {
                text += &format!("{line}\r\n");
            }
        }
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        text += &format!(
            "Contact: <sip:{}@{}{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.user,
            self.plug.name,
            self.plug.parameter,
            body.len()
        );
        self.send(&text);
    }
}

fn branch() -> String {
    format!("z9hG4bK{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn tag(address: &str) -> &str {
    address.split(";tag=").nth(1).and_then(|rest| rest.split(';').next()).expect("a tag")
}

fn inside(contact: &str) -> String {
    contact.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned()
}

/// An answer to the challenge with MD5.
pub fn answer(challenge: &Text, user: &str, password: &str, method: &str, uri: &str) -> String {
    let line = challenge
        .0
        .lines()
        .find_map(|line| line.strip_prefix("WWW-Authenticate: ").filter(|v| v.contains("algorithm=MD5")));
    let value = line.expect("an MD5 challenge");
    digest::answer(value, method, uri, user, password, "abc").expect("a challenge that is known")
}
