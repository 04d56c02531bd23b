//! Trunks at work: calls there, whether targets answer, registrations, and what each carries.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::{Dial, Endpoint, Flows, Pending, Purpose, Registration, Standing, Timer, Way, Why};
use crate::id::{LegId, TrunkId};
use crate::sip::invite::Counted;
use crate::sip::locate::NoWay;
use crate::sip::message::{Message, Uri};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::sip::trunk::{Health, Limits, Load, Refused, Shown, TargetState, Targets, Trunk};
use crate::time::{MS, Now, TimerId};

/// How long a target may take to answer OPTIONS, ms.
const PROBE_PATIENCE_MS: u64 = 4_000;
/// From a first unanswered OPTIONS to the next one, ms.
const PROBE_AGAIN_MS: u64 = 1_000;

/// A call for a trunk to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkCall {
    /// Where, from [`Endpoint::trunk_ways`].
    pub ways: Vec<Way>,
    /// Whom, as we write numbers.
    pub called: String,
    /// Who calls.
    pub caller: Shown,
    /// Whether the caller is one of our users, whose own number may be replaced by the trunk's.
    pub ours: bool,
    /// Our offer.
    pub body: String,
    /// What the call brought along.
    pub carried: super::Carried,
    /// Whether it passes whatever else the trunk carries.
    pub emergency: bool,
}

/// A trunk as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Its name.
    pub id: TrunkId,
    /// Calls from there: now, and since the start.
    pub inbound: (u32, u64),
    /// Calls there: now, and since the start.
    pub outbound: (u32, u64),
    /// Calls that did not fit: too many at one time, too many in a second.
    pub refused: (u64, u64),
    /// What it may carry.
    pub limits: Limits,
    /// Where calls go.
    pub targets: Vec<TargetState>,
    /// Our registration there, and the flow that it used last.
    pub registration: Option<(Standing, Option<Flow>)>,
}

/// How a target is asked.
#[derive(Default)]
struct Probe {
    /// The OPTIONS under way, and when it was sent (monotonic ns).
    sent: Option<(TransactionKey, u64)>,
    /// Runs until the next one, or until the one under way has taken too long.
    timer: Option<TimerId>,
}

/// What changes of a trunk.
pub(super) struct State {
    load: Load,
    targets: Targets,
    probes: Vec<Probe>,
}

impl State {
    pub(super) fn of(trunk: &Trunk) -> Self {
        let probes = trunk.targets.iter().map(|_| Probe::default()).collect();
        Self { load: Load::default(), targets: Targets::new(&trunk.targets), probes }
    }
}

impl Endpoint {
    /// Begins to ask targets whether they answer, and to register.
    pub fn open_trunks(&mut self, now: Now) {
        let trunks: Vec<(TrunkId, Trunk)> =
            self.settings.trunks.iter().map(|(id, trunk)| (id.clone(), trunk.clone())).collect();
        for (id, trunk) in trunks {
            if trunk.health_ms > 0 {
                (0..trunk.targets.len()).for_each(|target| self.probe(&id, target, now));
            }
            let (Some(register), Some(account)) = (trunk.register, trunk.account) else { continue };
            let way = |uri: &Uri| Way { target: uri.clone(), flow: None, routes: vec![] };
            let registration = Registration {
                account,
                ways: register.registrars.iter().map(way).collect(),
                aor: register.aor,
                contact_user: register.contact,
                expires_s: register.expires_s,
            };
            self.register(id.as_str(), registration, now);
        }
    }

    /// Every trunk as it stands.
    pub fn trunks(&self) -> Vec<TrunkStatus> {
        let mut registrations: BTreeMap<&str, (Standing, Option<Flow>)> =
            self.registrations().map(|(name, standing, flow)| (name, (standing, flow))).collect();
        let mut status = |(id, state): (&TrunkId, &State)| TrunkStatus {
            id: id.clone(),
            inbound: state.load.inbound,
            outbound: state.load.outbound,
            refused: state.load.refused,
            limits: self.settings.trunks.get(id).map(|trunk| trunk.limits).unwrap_or_default(),
            targets: state.targets.states(),
            registration: registrations.remove(id.as_str()),
        };
        self.trunks.iter().map(&mut status).collect()
    }

    /// Where a call to `called` by this trunk may go, one after the other.
    ///
    /// # Errors
    /// Where there is no such trunk, or it has no target.
    pub fn trunk_ways(&mut self, id: &TrunkId, called: &str) -> Result<Vec<Way>, Why> {
        let Some(trunk) = self.settings.trunks.get(id) else { return Err(Why::new(404, "no_trunk")) };
        let number = trunk.numbering.called_out(called);
        let Some(state) = self.trunks.get(id) else { return Err(Why::new(404, "no_trunk")) };
        let rng = &mut self.rng;
        let order = state.targets.order(|| rand_core::Rng::next_u64(rng));
        let way = |uri: Uri| {
            let target = Uri { user: Some(number.clone()), ..uri };
            Way { target, flow: None, routes: Vec::new() }
        };
        let ways: Vec<Way> = order.into_iter().map(way).collect();
        if ways.is_empty() { Err(Why::new(503, "no_target")) } else { Ok(ways) }
    }

    /// Places a call by a trunk, on a leg of [`Endpoint::next_leg`].
    ///
    /// # Errors
    /// Where the trunk carries as much as it may.
    pub fn dial_trunk(&mut self, leg: LegId, id: &TrunkId, call: TrunkCall, now: Now) -> Result<(), Why> {
        let TrunkCall { ways, called, mut caller, ours, body, carried, emergency } = call;
        let remote = ways.first().and_then(|way| self.remote_of(way, now));
        let Some(trunk) = self.settings.trunks.get(id) else { return Err(Why::new(404, "no_trunk")) };
        if let Some(number) = trunk.caller.clone().filter(|_| ours) {
            caller.number = number;
        }
        let host = self.settings.told_at(remote).map(Uri::host_of).unwrap_or_default();
        let told = trunk.told(&caller, &carried.diverted, &called, &host);
        let redirect_nets = trunk.redirect_nets();
        let (account, patience_ms, nat) = (trunk.account.clone(), trunk.patience_ms, trunk.nat);
        self.enter_trunk(id, true, emergency, now).map_err(|refused| match refused {
            Refused::Calls => Why::new(503, "trunk_full"),
            Refused::Rate => Why::new(503, "trunk_rate"),
        })?;
        let dial = Dial {
            patience_ms,
            name: told.name,
            domain: told.domain,
            account,
            headers: told.headers,
            carried,
            nat,
            trunk: Some(id.clone()),
            ..Dial::new(ways, told.user, body)
        };
        self.dial(leg, dial.redirected_within(redirect_nets), now);
        Ok(())
    }

    /// Counts a call of a trunk's in, until its session is forgotten.
    pub(super) fn enter_trunk(
        &mut self,
        id: &TrunkId,
        outbound: bool,
        emergency: bool,
        now: Now,
    ) -> Result<(), Refused> {
        let limits = self.settings.trunks.get(id).map(|trunk| trunk.limits).unwrap_or_default();
        let limits = if emergency { Limits::default() } else { limits };
        let Some(state) = self.trunks.get_mut(id) else { return Ok(()) };
        let entered = state.load.enter(outbound, limits, now);
        if let Err(refused) = entered {
            tracing::warn!(trunk = %id, outbound, ?refused, ?limits, "a call does not fit its trunk");
        }
        entered
    }

    /// Counts a call of a user's in, until its session is forgotten; `false` where the user has too many.
    pub(super) fn enter_user(&mut self, user: &str, emergency: bool) -> bool {
        let most = self.settings.max_calls_per_user;
        let count = self.user_calls.entry(user.to_owned()).or_default();
        if *count >= most && !emergency {
            tracing::warn!(user, most, "a user places more calls at one time than sip.max_calls_per_user allows");
            return false;
        }
        *count += 1;
        true
    }

    /// A session ends that counted against a limit.
    pub(in crate::sip) fn leave(&mut self, counted: &Counted) {
        match counted {
            Counted::Trunk(id, outbound) => {
                if let Some(state) = self.trunks.get_mut(id) {
                    state.load.leave(*outbound);
                }
            }
            Counted::User(user) => {
                if let Some(count) = self.user_calls.get_mut(user) {
                    *count -= 1;
                    if *count == 0 {
                        self.user_calls.remove(user);
                    }
                }
            }
        }
    }

    /// The trunk that a request for `called` comes from by its source, and the number as we write it. A source is a trunk for the
    /// listed numbers only; everything else from there is an endpoint and is challenged.
    pub(super) fn trunk_by_source(
        &self,
        msg: &Message,
        source: IpAddr,
        called: &str,
        now: Now,
    ) -> Option<(TrunkId, String)> {
        let mut trunks = self.settings.trunks.iter().filter(|(id, trunk)| self.is_source(id, trunk, source, now));
        trunks.find_map(|(id, trunk)| {
            let number = Self::called_by(trunk, msg, called);
            trunk.may_call(&number).then(|| (id.clone(), number))
        })
    }

    /// The trunk whose own password was proved.
    pub(super) fn trunk_by_user(&self, user: &str) -> Option<(&TrunkId, &Trunk)> {
        let proved = |trunk: &Trunk| trunk.inbound.as_ref().is_some_and(|(known, _)| known == user);
        self.settings.trunks.iter().find(|(_, trunk)| proved(trunk))
    }

    /// The called number as we write it. Calls to a registration name our Contact; whom they are for stands in To.
    pub(super) fn called_by(trunk: &Trunk, msg: &Message, called: &str) -> String {
        let to_contact = trunk.register.as_ref().is_some_and(|register| register.contact == called);
        let named = msg.to().ok().and_then(|to| to.uri.number()).filter(|_| to_contact);
        trunk.numbering.called_in(named.as_deref().unwrap_or(called))
    }

    /// Whether any trunk sends from there.
    pub(super) fn is_trunk(&self, source: IpAddr, now: Now) -> bool {
        self.settings.trunks.iter().any(|(id, trunk)| self.is_source(id, trunk, source, now))
    }

    /// By the listed networks, or because that is where we are registered.
    fn is_source(&self, id: &TrunkId, trunk: &Trunk, source: IpAddr, now: Now) -> bool {
        trunk.has(source) || trunk.register.is_some() && self.is_registered_at(id.as_str(), source, now)
    }

    /// It is time to ask a target whether it answers, or to find that it has not.
    pub(super) fn probe(&mut self, id: &TrunkId, target: usize, now: Now) {
        let Some(state) = self.trunks.get_mut(id) else { return };
        let Some(uri) = state.targets.uri(target).cloned() else { return };
        if let Some((key, _)) = state.probes.get_mut(target).and_then(|probe| probe.sent.take()) {
            self.purposes.remove(&key);
            self.transactions.forget(&key);
            return self.settle_probe(id, target, None, now);
        }
        match self.flows_of(&uri, None, now) {
            Ok(Flows::Known(flows)) => self.handle_target_located(id, target, Ok(flows), now),
            Ok(Flows::Pending(lookup)) => {
                self.ways.pending.insert(lookup, Pending::Probe(id.clone(), target));
            }
            Err(_) => self.settle_probe(id, target, None, now),
        }
    }

    /// It is known where a target is: its first hop is asked.
    pub(super) fn handle_target_located(
        &mut self,
        id: &TrunkId,
        target: usize,
        flows: Result<VecDeque<Flow>, NoWay>,
        now: Now,
    ) {
        let uri = self.trunks.get(id).and_then(|state| state.targets.uri(target)).cloned();
        let flow = flows.ok().and_then(|mut flows| flows.pop_front());
        let (Some(uri), Some(flow)) = (uri, flow) else { return self.settle_probe(id, target, None, now) };
        let own = format!("<sip:{}>", self.settings.advertised(flow));
        let request = self.options(uri, flow).with("Contact", own);
        let key = self.send(request, flow, now);
        self.purposes.insert(key.clone(), Purpose::Probe(id.clone(), target));
        if let Some(probe) = self.probe_of(id, target) {
            probe.sent = Some((key, now.mono_ns));
        }
        self.arm_probe(id, target, PROBE_PATIENCE_MS, now);
    }

    fn probe_of(&mut self, id: &TrunkId, target: usize) -> Option<&mut Probe> {
        self.trunks.get_mut(id)?.probes.get_mut(target)
    }

    fn arm_probe(&mut self, id: &TrunkId, target: usize, after_ms: u64, now: Now) {
        let timer = self.timers.arm(now.in_ms(after_ms), Timer::Probe(id.clone(), target));
        let older = self.probe_of(id, target).and_then(|probe| probe.timer.replace(timer));
        if let Some(older) = older {
            self.timers.disarm(older);
        }
    }

    /// A target answered. Whatever it says, it is there; only 503 says that it takes no calls.
    pub(super) fn handle_probe_answer(&mut self, id: &TrunkId, target: usize, code: u16, now: Now) {
        let sent = self.probe_of(id, target).and_then(|probe| probe.sent.take());
        let Some((_, sent_ns)) = sent else { return };
        let took_us = now.mono_ns.saturating_sub(sent_ns) * 1_000 / MS;
        self.settle_probe(id, target, Some(took_us).filter(|_| code != 503), now);
    }

    /// Nothing could be sent, or nothing came.
    pub(super) fn handle_probe_silence(&mut self, id: &TrunkId, target: usize, now: Now) {
        if self.probe_of(id, target).and_then(|probe| probe.sent.take()).is_some() {
            self.settle_probe(id, target, None, now);
        }
    }

    fn settle_probe(&mut self, id: &TrunkId, target: usize, took_us: Option<u64>, now: Now) {
        let interval_ms = self.settings.trunks.get(id).map_or(0, |trunk| trunk.health_ms);
        let Some(state) = self.trunks.get_mut(id) else { return };
        let changed = state.targets.handle_probe(target, took_us, now);
        let uri = state.targets.uri(target).map(ToString::to_string).unwrap_or_default();
        match changed {
            Some(Health::Down) => {
                tracing::warn!(trunk = %id, target = uri, "a trunk's target answers no OPTIONS, or with 503: calls go to the others first; look at the address, the network and whether the peer knows us")
            }
            Some(_) => tracing::info!(trunk = %id, target = uri, "a trunk's target answers OPTIONS"),
            None => {}
        }
        let wait_ms =
            if took_us.is_none() && changed.is_none() { PROBE_AGAIN_MS.min(interval_ms) } else { interval_ms };
        self.arm_probe(id, target, wait_ms, now);
    }
}
