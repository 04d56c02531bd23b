//! People who answer: they register, pick up or do not, hold, resume, hang up. A target that registers nowhere is one, too.

use trunkline::time::Now;

use super::{Event, SWITCH, Step, Ua};
use crate::common::digest;
use crate::common::text::Text;
use crate::dice::Dice;

/// Seconds that a registration is asked for.
const EXPIRES: u64 = 1_800;
/// Longer than any conversation of a floor may last, ms.
const FORGOTTEN: u64 = 1_200_000;

pub struct Agent {
    pub ua: Ua,
    /// None for a phone that is called without registering.
    password: Option<String>,
    call_id: String,
    cseq: u32,
    expires: u64,
    /// How long the switch lets a phone ring, ms.
    ring_ms: u64,
}

impl Agent {
    pub fn new(mut ua: Ua, password: Option<&str>, ring_ms: u64) -> Self {
        let call_id = format!("{}@{}", ua.rng.word(), ua.ip());
        let password = password.map(str::to_owned);
        Self { ua, password, call_id, cseq: 0, expires: EXPIRES, ring_ms }
    }

    /// Plugs the phone in.
    pub fn start(&mut self, now: Now) {
        self.ua.now = now;
        if self.password.is_some() {
            self.register(None);
        }
    }

    /// The person goes home.
    pub fn sign_off(&mut self, now: Now) {
        self.ua.now = now;
        self.expires = 0;
        if self.password.is_some() {
            self.register(None);
        }
    }

    pub fn run(&mut self) {
        while let Some(event) = self.ua.next_event() {
            match event {
                Event::Response { message } if message.method() == "REGISTER" => self.registered(&message),
                Event::Invited { session } => self.invited(session),
                Event::Acked { session } => self.speak(session),
                Event::Due(Step::Ring { session }) => self.ua.respond(session, 180, "Ringing"),
                Event::Due(Step::Decide { session }) => self.ua.respond(session, 200, "OK"),
                Event::Due(Step::Hold { session, on }) => self.ua.hold(session, on),
                Event::Due(Step::HangUp { session }) => self.ua.hang_up(session),
                Event::Due(Step::Refer { session, slot }) => self.ua.refer(session, &format!("sip:408{slot}@{SWITCH}")),
                Event::Due(Step::Register) if self.expires > 0 => self.register(None),
                Event::Due(Step::Forgotten { session }) => self.ua.forget(session),
                _ => {}
            }
        }
    }

    fn register(&mut self, authorization: Option<String>) {
        self.cseq += 1;
        let user = &self.ua.user;
        let headers = format!(
            "From: <sip:{user}@{SWITCH}>;tag=r\r\nTo: <sip:{user}@{SWITCH}>\r\nCall-ID: {}\r\nCSeq: {} REGISTER\r\n\
             Contact: {}\r\nExpires: {}\r\n{}",
            self.call_id,
            self.cseq,
            self.ua.contact(),
            self.expires,
            authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default()
        );
        self.ua.ask("REGISTER", &format!("sip:{SWITCH}"), &headers, "");
        // Also the next try where no answer comes.
        let again = if self.expires == 0 { 40_000 } else { EXPIRES * 500 + self.ua.rng.below(20_000) };
        self.ua.plan(again, Step::Register);
    }

    fn registered(&mut self, message: &Text) {
        match message.code() {
            Some(401) if message.cseq() == self.cseq => {
                let challenges: Vec<String> = message.all("WWW-Authenticate").map(str::to_owned).collect();
                if challenges.is_empty() {
                    return self.ua.wrong.push(format!("{}: a 401 without a challenge", self.ua.user));
                }
                let chosen = self.ua.rng.below(challenges.len() as u64) as usize;
                let (user, cnonce) = (self.ua.user.clone(), self.ua.rng.word());
                let password = self.password.clone().unwrap_or_default();
                let target = format!("sip:{SWITCH}");
                match digest::answer(&challenges[chosen], "REGISTER", &target, &user, &password, &cnonce) {
                    Some(answer) => self.register(Some(answer)),
                    None => self.ua.wrong.push(format!("{user}: cannot answer {}", challenges[chosen])),
                }
            }
            // A disk that stalls, a switch that drains, or an answer that came too late: again in a while.
            Some(503 | 500) => self.ua.plan(2_000, Step::Register),
            Some(200 | 401) => {}
            other => self.ua.wrong.push(format!("{}: REGISTER is answered {other:?}", self.ua.user)),
        }
    }

    fn invited(&mut self, session: usize) {
        self.ua.plan(FORGOTTEN, Step::Forgotten { session });
        let busy = self.ua.sessions.iter().filter(|session| session.state == super::State::Up).count() > 0;
        if busy {
            return self.ua.respond(session, 486, "Busy Here");
        }
        let rng = &mut self.ua.rng;
        let (mood, ring, delay) = (rng.below(100), rng.below(400), rng.between(500, 6_000));
        let late = self.ring_ms.saturating_sub(150) + rng.below(400);
        match mood {
            0..=4 => self.ua.respond(session, 486, "Busy Here"),
            5..=8 => self.ua.respond(session, 603, "Decline"),
            9..=11 => self.ua.respond(session, 480, "Temporarily Unavailable"),
            // Nobody hears the phone, or hears it when the switch loses patience.
            12..=18 => self.ua.plan(ring, Step::Ring { session }),
            19..=28 => {
                self.ua.plan(ring, Step::Ring { session });
                self.ua.plan(late, Step::Decide { session });
            }
            // An answer at once, without ringing.
            29..=33 => self.ua.plan(ring, Step::Decide { session }),
            // A phone that says no more than that it heard; and one that has lost its power.
            34 => self.ua.respond(session, 100, "Trying"),
            35 => self.ua.sessions[session].state = super::State::Dead,
            // One that would have its calls go on to where it is itself; and one that speaks before it answers.
            36..=38 => self.ua.respond(session, 302, "Moved Temporarily"),
            39..=48 => {
                self.ua.respond(session, 183, "Session Progress");
                self.ua.plan(ring + delay, Step::Decide { session });
            }
            _ => {
                self.ua.plan(ring, Step::Ring { session });
                self.ua.plan(ring + delay, Step::Decide { session });
            }
        }
    }

    fn speak(&mut self, session: usize) {
        let rng = &mut self.ua.rng;
        let (holds, from, length) = (rng.below(4) == 0, rng.between(500, 20_000), rng.between(500, 15_000));
        let stay = rng.between(200, 90_000);
        let (parks, after, slot) = (rng.below(5) == 0, rng.between(500, 10_000), rng.below(3) as u8);
        self.ua.plan(stay, Step::HangUp { session });
        if parks {
            self.ua.plan(after, Step::Refer { session, slot });
        }
        if holds {
            self.ua.plan(from, Step::Hold { session, on: true });
            self.ua.plan(from + length, Step::Hold { session, on: false });
        }
    }
}
