//! A phone: one endpoint and the calls on it. The carrier, from which all callers come, is one too.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::failures::Failures;
use super::script::{CallerId, Dice, Input};
use super::sound::Sound;
use crate::id::LegId;
use crate::sip::digest::{Account, Secret};
use crate::sip::endpoint::{Admission, Dial, Endpoint, Event, Invite, Registration, Settings, Way, Why};
use crate::sip::message::{Uri, Verdict};
use crate::sip::transaction::{Flow, Transmit, Transport};
use crate::time::{MS, Now};

/// Seconds for which a phone registers.
const EXPIRES_S: u32 = 300;
/// After how long silence is a failure, ms.
const SILENCE_MS: u64 = 2_000;

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A caller's.
    Caller(CallerId),
    /// The one that was presented to the agent.
    Work,
    /// The agent's, to a feature code.
    Code(&'static str),
}

/// A call at a phone.
struct Line {
    who: Who,
    sound: Sound,
    /// What was dialled, or who calls: for failures.
    about: String,
    /// The peer's offer until we answer.
    offer: Option<Vec<u8>>,
    answered: Option<Now>,
    leaving: bool,
}

/// What every phone needs at hand.
pub(super) struct Tools {
    pub(super) dice: Dice,
    pub(super) failures: Failures,
    /// For the script.
    pub(super) inputs: Vec<Input>,
}

pub(super) struct Phone {
    pub(super) name: String,
    /// The agent's number in the script; `None` for the carrier.
    agent: Option<usize>,
    voice: u64,
    endpoint: Endpoint,
    /// The way to the floor.
    server: Flow,
    /// What proves the phone, once it has registered.
    account: Option<Arc<Account>>,
    lines: BTreeMap<LegId, Line>,
    standing: Standing,
}

/// How the phone stands with the registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not known there.
    Out,
    /// Registered.
    In,
    /// Taking the registration back.
    Leaving,
}

impl Phone {
    /// A phone at `local` that dials and registers at `server`, both UDP.
    pub(super) fn new(
        name: &str,
        agent: Option<usize>,
        local: SocketAddr,
        server: SocketAddr,
        dice: &mut Dice,
    ) -> Self {
        let settings = Settings {
            admission: Admission::Open,
            trunks: BTreeMap::new(),
            users: BTreeMap::new(),
            digest: Default::default(),
            md5_only: Vec::new(),
            session_expires_s: 1_800,
            max_calls_per_user: u32::MAX,
            emergency: Vec::new(),
            guard: Default::default(),
            registrar: Default::default(),
            listen: vec![(Transport::Udp, local)],
            public_address: None,
            local_nets: Vec::new(),
            trace: false,
            product: format!("Trunkline-bot/{}", env!("CARGO_PKG_VERSION")),
        };
        Self {
            name: name.to_owned(),
            agent,
            voice: dice.seed(),
            endpoint: Endpoint::new(settings, 1, rand_core::SeedableRng::seed_from_u64(dice.seed())),
            server: Flow { transport: Transport::Udp, local, remote: server },
            account: None,
            lines: BTreeMap::new(),
            standing: Standing::Out,
        }
    }

    pub(super) fn register(&mut self, password: &Secret, now: Now) {
        let account =
            Arc::new(Account { user: self.name.clone(), password: password.clone(), realm: "trunkline".into() });
        self.account = Some(Arc::clone(&account));
        let remote = self.server.remote;
        let registrar = Uri::sip(None, &remote.ip().to_string(), Some(remote.port()));
        let registration = Registration {
            account,
            aor: Uri { user: Some(self.name.clone()), ..registrar.clone() },
            contact_user: self.name.clone(),
            ways: vec![Way { target: registrar, flow: Some(self.server), routes: vec![] }],
            expires_s: EXPIRES_S,
        };
        self.endpoint.register(&self.name, registration, now);
    }

    pub(super) fn unregister(&mut self, now: Now) {
        if self.standing == Standing::In {
            self.standing = Standing::Leaving;
            self.endpoint.unregister(&self.name, now);
        }
    }

    /// Whether the registrar still has the phone.
    pub(super) fn is_registered(&self) -> bool {
        self.standing != Standing::Out
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Calls `to` as `from`, over `flow` where it is not the usual one.
    pub(super) fn dial(&mut self, who: Who, from: &str, to: &str, flow: Option<Flow>, tools: &mut Tools, now: Now) {
        let flow = flow.unwrap_or(self.server);
        let about = if self.agent.is_some() { format!("{from} dials {to}") } else { format!("a caller dials {to}") };
        let voice = if self.agent.is_some() { self.voice } else { tools.dice.seed() };
        let mut sound = match Sound::open(flow.local.ip(), voice, &mut tools.dice) {
            Ok(sound) => sound,
            Err(error) => {
                tools.failures.note(format!("{about}: {error}"));
                return self.over(who, true, tools);
            }
        };
        let target = Uri::sip(Some(to), &flow.remote.ip().to_string(), Some(flow.remote.port()));
        let leg = self.endpoint.next_leg();
        let way = Way { target, flow: Some(flow), routes: Vec::new() };
        let account = self.account.clone();
        let dial = Dial { account, ..Dial::new(vec![way], from.to_owned(), sound.offer()) };
        self.endpoint.dial(leg, dial, now);
        self.lines.insert(leg, Line { who, sound, about, offer: None, answered: None, leaving: false });
    }

    /// Hangs up, or gives up.
    pub(super) fn leave(&mut self, who: Who, now: Now) {
        let legs: Vec<LegId> = self.lines.iter().filter(|(_, line)| line.who == who).map(|(leg, _)| *leg).collect();
        for leg in legs {
            if let Some(line) = self.lines.get_mut(&leg) {
                line.leaving = true;
            }
            // Whichever fits the state of the call; the other one does nothing.
            self.endpoint.cancel(leg, Why::new(16, "normal_clearing"), now);
            self.endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
        }
    }

    /// Drops calls to feature codes: the phone is about to go.
    pub(super) fn leave_codes(&mut self, now: Now) {
        let codes: Vec<Who> =
            self.lines.values().map(|line| line.who).filter(|who| matches!(who, Who::Code(_))).collect();
        codes.into_iter().for_each(|who| self.leave(who, now));
    }

    pub(super) fn press(&mut self, who: Who, key: char) {
        if let Some(line) = self.lines.values_mut().find(|line| line.who == who) {
            line.sound.press(key);
        }
    }

    fn work(&self) -> Option<LegId> {
        self.lines.iter().find(|(_, line)| line.who == Who::Work).map(|(leg, _)| *leg)
    }

    pub(super) fn ring(&mut self, now: Now) {
        if let Some(leg) = self.work() {
            self.endpoint.ring(leg, now);
        }
    }

    pub(super) fn refuse(&mut self, status: u16, now: Now) {
        if let Some(leg) = self.work() {
            self.endpoint.refuse(leg, status, now);
        }
    }

    pub(super) fn answer(&mut self, tools: &mut Tools, now: Now) {
        let Some(leg) = self.work() else { return };
        let Some(line) = self.lines.get_mut(&leg) else { return };
        let body = match line.offer.take() {
            Some(offer) => line.sound.answer(&offer),
            None => Ok(line.sound.offer()),
        };
        match body {
            Ok(body) => {
                line.answered = Some(now);
                self.endpoint.answer(leg, body, now);
            }
            Err(why) => {
                tools.failures.note(format!("{} cannot answer: {why}", self.name));
                self.endpoint.refuse(leg, 488, now);
            }
        }
    }

    /// Every 20 ms.
    pub(super) fn tick(&mut self) {
        self.lines.values_mut().filter(|line| line.answered.is_some()).for_each(|line| line.sound.tick());
    }

    pub(super) fn handle_verdict(&mut self, verdict: Verdict, flow: Flow, now: Now) {
        self.endpoint.handle_verdict(verdict, flow, now);
    }

    pub(super) fn handle_flow_broken(&mut self, flow: Flow, now: Now) {
        self.endpoint.handle_flow_broken(flow, now);
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        if self.endpoint.poll_timeout(now).is_some_and(|due| due <= now.mono_ns) {
            self.endpoint.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self, now: Now) -> Option<u64> {
        self.endpoint.poll_timeout(now)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.endpoint.poll_transmit()
    }

    /// Acts on everything that the endpoint has to tell.
    pub(super) fn handle_events(&mut self, tools: &mut Tools, now: Now) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Invited { leg, invite } => self.handle_invited(leg, *invite, tools, now),
                Event::Cancelled { leg, .. } => self.endpoint.refuse(leg, 487, now),
                Event::Answered { leg, body } => self.handle_answered(leg, body, tools, now),
                Event::Failed { leg, why } => self.handle_failed(leg, &why, tools),
                Event::Gone { leg } => self.handle_gone(leg, tools, now),
                Event::Modified { leg, body } => self.handle_modified(leg, body, now),
                Event::Acked { leg, body: Some(body) } => {
                    if let Some(line) = self.lines.get_mut(&leg)
                        && let Err(why) = line.sound.accept(&body)
                    {
                        tools.failures.note(format!("{} does not understand an answer: {why}", self.name));
                    }
                }
                Event::RegistrationChanged { code, .. } => self.handle_registration(code, tools),
                _ => {}
            }
        }
    }

    fn handle_invited(&mut self, leg: LegId, invite: Invite, tools: &mut Tools, now: Now) {
        let Some(agent) = self.agent else { return self.endpoint.refuse(leg, 404, now) };
        if self.work().is_some() {
            return self.endpoint.refuse(leg, 486, now);
        }
        match Sound::open(invite.flow.local.ip(), self.voice, &mut tools.dice) {
            Ok(sound) => {
                let about = format!("{} takes a call", self.name);
                let line = Line { who: Who::Work, sound, about, offer: invite.body, answered: None, leaving: false };
                self.lines.insert(leg, line);
                tools.inputs.push(Input::Offered { agent, from: invite.caller });
            }
            Err(error) => {
                tools.failures.note(format!("{} cannot take a call: {error}", self.name));
                self.endpoint.refuse(leg, 503, now);
            }
        }
    }

    fn handle_answered(&mut self, leg: LegId, body: Option<Vec<u8>>, tools: &mut Tools, now: Now) {
        let Some(line) = self.lines.get_mut(&leg) else { return };
        if let Err(why) = line.sound.accept(&body.unwrap_or_default()) {
            tools.failures.note(format!("{}: answered without usable sound: {why}", line.about));
            line.leaving = true;
        }
        line.answered = Some(now);
        if line.leaving {
            self.endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
        } else if let Who::Caller(caller) = line.who {
            tools.inputs.push(Input::Answered(caller));
        }
    }

    fn handle_failed(&mut self, leg: LegId, why: &Why, tools: &mut Tools) {
        let Some(line) = self.lines.remove(&leg) else { return };
        if !line.leaving {
            tools.failures.note(format!("{}: {} {}", line.about, why.code, why.text));
        }
        self.over(line.who, true, tools);
    }

    fn handle_gone(&mut self, leg: LegId, tools: &mut Tools, now: Now) {
        let Some(line) = self.lines.remove(&leg) else { return };
        let (sent, heard) = line.sound.figures();
        let lasted_ms = line.answered.map_or(0, |since| now.mono_ns.saturating_sub(since.mono_ns) / MS);
        if lasted_ms > SILENCE_MS && heard == 0 {
            tools.failures.note(format!("{}: nothing was heard", line.about));
        }
        tracing::debug!(about = line.about, lasted_ms, sent, heard, "a bot's call is over");
        self.over(line.who, false, tools);
    }

    fn handle_modified(&mut self, leg: LegId, body: Option<Vec<u8>>, now: Now) {
        let Some(line) = self.lines.get_mut(&leg) else { return self.endpoint.refuse_modify(leg, 481, now) };
        let answer = match body {
            Some(offer) => line.sound.answer(&offer),
            None => Ok(line.sound.offer()),
        };
        match answer {
            Ok(answer) => self.endpoint.accept_modify(leg, answer, now),
            Err(_) => self.endpoint.refuse_modify(leg, 488, now),
        }
    }

    fn handle_registration(&mut self, code: u16, tools: &mut Tools) {
        match (code, self.standing) {
            (200..=299, Standing::Leaving) => self.standing = Standing::Out,
            (200..=299, _) => self.standing = Standing::In,
            // A refresh that failed is tried again by the endpoint; what stands runs out by itself.
            _ => tools.failures.note(format!("{} registers: {code}", self.name)),
        }
    }

    /// Tells the script that a call is over.
    fn over(&self, who: Who, failed: bool, tools: &mut Tools) {
        tools.inputs.extend(match (who, self.agent) {
            (Who::Caller(caller), _) => Some(Input::CallerGone(caller)),
            (Who::Work, Some(agent)) => Some(Input::AgentFree(agent)),
            (Who::Code(code), Some(agent)) if failed => Some(Input::CodeFailed { agent, code }),
            _ => None,
        });
    }
}
