//! The bindings, their deadlines, and the OPTIONS that ask whether a contact still answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::binding::{Binding, BindingChange, Bound, Event, Qualification};
use super::departed::Departed;
use super::register::{RegisterError, RegisterRequest, Registered, plan};
use crate::time::{Now, TimerId, Timers};

/// Milliseconds from a new binding to its first OPTIONS, so that its 200 arrives before.
const FIRST_QUALIFY_MS: u64 = 1_000;
/// The longest silence on a way through a NAT, ms: some forget a way of UDP after half a minute (RFC 4787 §4.3 allows no less than
/// two, and is not heeded).
const KEEP_ALIVE_MS: u64 = 25_000;
/// How long a contact may take to answer OPTIONS, ms: four copies of it over UDP. A phone that needs longer rings nobody.
const QUALIFY_PATIENCE_MS: u64 = 4_000;

/// How a [`Registrar`] behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Shortest expiry that is granted, in seconds; below it 423. At most an hour has effect.
    pub min_expires_s: u32,
    /// Longest expiry, in seconds; what is above is cut to it.
    pub max_expires_s: u32,
    /// Expiry where the phone names none, in seconds.
    pub default_expires_s: u32,
    /// Most contacts of one address of record; one more takes the place of another.
    pub max_contacts: usize,
    /// How contacts are qualified; `None` where they are not.
    pub qualify: Option<QualifySettings>,
}

/// How contacts are asked whether they still answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualifySettings {
    /// Milliseconds from one OPTIONS to the next; a failure is followed by the next try at once.
    pub interval_ms: u64,
    /// Failures in a row that make a contact unreachable.
    pub failures: u32,
}

impl QualifySettings {
    fn patience_ms(self) -> u64 {
        self.interval_ms.min(QUALIFY_PATIENCE_MS)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_expires_s: 60,
            max_expires_s: 3600,
            default_expires_s: 3600,
            max_contacts: 10,
            qualify: Some(QualifySettings { interval_ms: 60_000, failures: 2 }),
        }
    }
}

/// A contact with what only this run knows of it.
struct Contact {
    binding: Binding,
    qualification: Qualification,
    /// An OPTIONS is under way and within its patience.
    asked: bool,
    /// The stream that it registered over is closed, and it has not been heard of since.
    closed: bool,
    timer: Option<TimerId>,
}

/// Address of record and URI.
type Key = (String, String);

/// The bindings of every address of record. After each call of a `handle_` method drain [`Registrar::poll_event`].
///
/// The backlog of events is bounded by what one call touches: the contacts of a request, or the contacts whose
/// deadlines have passed.
pub struct Registrar {
    settings: Settings,
    contacts: BTreeMap<Key, Contact>,
    /// Expiry in wall ms of every contact, soonest first.
    expiries: BTreeSet<(i64, Key)>,
    /// When to send the next OPTIONS to a contact.
    timers: Timers<Key>,
    departed: Departed,
    events: VecDeque<Event>,
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            contacts: BTreeMap::new(),
            expiries: BTreeSet::new(),
            timers: Timers::default(),
            departed: Departed::default(),
            events: VecDeque::new(),
        }
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Whether there is no binding.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// The contacts of an address of record: by preference, then the latest first. Unreachable ones are listed too.
    pub fn contacts(&self, aor: &str) -> Vec<&Binding> {
        let mut found: Vec<&Binding> = self.of(aor).map(|(_, contact)| &contact.binding).collect();
        found.sort_by_key(|binding| std::cmp::Reverse((binding.q, binding.updated_wall_ms)));
        found
    }

    /// One contact of an address of record, by its URI.
    pub fn contact(&self, aor: &str, uri: &str) -> Option<&Binding> {
        self.contacts.get(&(aor.to_owned(), uri.to_owned())).map(|contact| &contact.binding)
    }

    /// Whether a contact answers OPTIONS; `None` where there is no such binding.
    pub fn qualification(&self, aor: &str, uri: &str) -> Option<Qualification> {
        self.contacts.get(&(aor.to_owned(), uri.to_owned())).map(|contact| contact.qualification)
    }

    /// The best contact of those that answer, as far as is known; else the best of all.
    pub fn best_contact(&self, aor: &str) -> Option<&Binding> {
        let contacts = self.contacts(aor);
        contacts.iter().find(|binding| self.answers(binding)).or(contacts.first()).copied()
    }

    /// Whether an address of record has contacts and none of them answers.
    pub fn is_lost(&self, aor: &str) -> bool {
        let contacts = self.contacts(aor);
        !contacts.is_empty() && !contacts.iter().any(|binding| self.answers(binding))
    }

    fn answers(&self, binding: &Binding) -> bool {
        self.qualification(&binding.aor, &binding.uri) != Some(Qualification::Unreachable)
    }

    /// Carries out a REGISTER, all of it or nothing.
    pub fn handle_register(&mut self, request: &RegisterRequest, now: Now) -> Result<Registered, RegisterError> {
        // What has expired by now must neither count nor be refreshed, whether or not its timeout was handled yet.
        self.expire(now);
        let mut standing: Vec<&Contact> = self.of(&request.aor).map(|(_, contact)| contact).collect();
        // Who is not there makes room first, then who has registered longest ago.
        standing.sort_by_key(|contact| (contact.is_there(), contact.binding.updated_wall_ms));
        let before: Vec<&Binding> = standing.into_iter().map(|contact| &contact.binding).collect();
        let had = !before.is_empty();
        let changes = plan(&self.settings, &before, request, now.wall_ms)?;
        let adds = changes.iter().any(|change| matches!(change, BindingChange::Added(_)));
        if adds && self.departed.has_overtaken(request, now) {
            return Err(RegisterError::OutOfOrder);
        }
        if changes.iter().any(|change| matches!(change, BindingChange::Removed { .. })) {
            self.departed.remember(request, now);
        }
        for change in &changes {
            self.apply(change, now);
        }
        let has = self.of(&request.aor).next().is_some();
        if !had && has {
            self.events.push_back(Event::FirstBinding { aor: request.aor.clone() });
        } else if had && !has {
            self.events.push_back(Event::LastBindingGone { aor: request.aor.clone() });
        }
        let bindings = self.contacts(&request.aor).into_iter().map(|binding| bound(binding, now)).collect();
        Ok(Registered { bindings, changes })
    }

    /// Drops what has expired and asks for the OPTIONS that are due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.expire(now);
        while let Some(key) = self.timers.pop_due(now) {
            match self.contacts.get(&key).map(|contact| contact.asked) {
                Some(true) => self.handle_silence(&key, now),
                Some(false) => self.ask(&key, now),
                None => {}
            }
        }
    }

    /// What came of an OPTIONS: any final response means that the contact is there, a timeout or a transport error that
    /// it is not. A timeout that comes after the patience is over is known already.
    pub fn handle_qualify_result(&mut self, aor: &str, uri: &str, answered: bool, now: Now) {
        let key = (aor.to_owned(), uri.to_owned());
        let (Some(qualify), Some(contact)) = (self.settings.qualify, self.contacts.get_mut(&key)) else { return };
        if answered {
            (contact.asked, contact.closed) = (false, false);
            if contact.transition_to_reachable() {
                self.events.push_back(Event::Reachable { aor: key.0.clone(), uri: key.1.clone() });
            }
            let interval_ms = contact.interval_ms(qualify);
            self.arm(&key, now.in_ms(interval_ms));
        } else if contact.asked {
            contact.asked = false;
            let interval_ms = contact.interval_ms(qualify);
            let gone = self.count_failure(&key);
            // The way is broken: no use to try it again at once.
            self.arm(&key, now.in_ms(if gone { interval_ms } else { qualify.patience_ms() }));
        }
    }

    /// Streams are closed: the contacts that registered over them make room for others first.
    pub fn handle_streams_closed(&mut self, closed: impl Fn(&Binding) -> bool) {
        self.contacts.values_mut().filter(|contact| closed(&contact.binding)).for_each(|contact| contact.closed = true);
    }

    /// Ways to phones are gone that only they can open again: their contacts there are unreachable until they register anew.
    pub fn handle_ways_gone(&mut self, gone: impl Fn(&Binding) -> bool) {
        for (key, contact) in self.contacts.iter_mut().filter(|(_, contact)| gone(&contact.binding)) {
            contact.asked = false;
            if contact.qualification != Qualification::Unreachable {
                contact.qualification = Qualification::Unreachable;
                self.events.push_back(Event::Unreachable { aor: key.0.clone(), uri: key.1.clone() });
            }
        }
    }

    fn ask(&mut self, key: &Key, now: Now) {
        let (Some(qualify), Some(contact)) = (self.settings.qualify, self.contacts.get_mut(key)) else { return };
        contact.asked = true;
        self.events.push_back(Event::Qualify { aor: key.0.clone(), uri: key.1.clone() });
        self.arm(key, now.in_ms(qualify.patience_ms()));
    }

    fn handle_silence(&mut self, key: &Key, now: Now) {
        let (Some(qualify), Some(contact)) = (self.settings.qualify, self.contacts.get_mut(key)) else { return };
        contact.asked = false;
        let interval_ms = contact.interval_ms(qualify);
        if self.count_failure(key) {
            self.arm(key, now.in_ms(interval_ms));
        } else {
            self.ask(key, now);
        }
    }

    /// One OPTIONS more without an answer; `true` where the contact counts as gone.
    fn count_failure(&mut self, key: &Key) -> bool {
        let limit = self.settings.qualify.map_or(u32::MAX, |qualify| qualify.failures);
        let Some(contact) = self.contacts.get_mut(key) else { return true };
        if contact.transition_to_failed(limit) {
            self.events.push_back(Event::Unreachable { aor: key.0.clone(), uri: key.1.clone() });
        }
        contact.qualification == Qualification::Unreachable
    }

    /// Takes back the journalled bindings after a restart. Nobody signs in by it, and the OPTIONS are spread over one
    /// interval; what expired meanwhile goes, with its events, at the next `handle_timeout`.
    pub fn restore(&mut self, bindings: impl IntoIterator<Item = Binding>, now: Now) {
        let mut keys = BTreeSet::new();
        for binding in bindings {
            keys.insert((binding.aor.clone(), binding.uri.clone()));
            self.put(binding);
        }
        let Some(qualify) = self.settings.qualify else { return };
        let step = qualify.interval_ms / (keys.len() as u64).max(1);
        for (index, key) in (0u64..).zip(&keys) {
            self.arm(key, now.in_ms(step.saturating_mul(index)));
        }
    }

    /// When to call `handle_timeout`: monotonic nanoseconds, seen from `now`.
    pub fn poll_timeout(&self, now: Now) -> Option<u64> {
        let expiry = self.expiries.first().map(|(wall_ms, _)| {
            let wait_ms = wall_ms.saturating_sub(now.wall_ms).max(0);
            now.in_ms(wait_ms.unsigned_abs())
        });
        expiry.into_iter().chain(self.timers.next_deadline()).min()
    }

    /// The next event; call until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn of(&self, aor: &str) -> impl Iterator<Item = (&Key, &Contact)> {
        let start = (aor.to_owned(), String::new());
        let aor = aor.to_owned();
        self.contacts.range(start..).take_while(move |((own, _), _)| *own == aor)
    }

    fn apply(&mut self, change: &BindingChange, now: Now) {
        match change {
            BindingChange::Added(binding) => {
                self.put(binding.clone());
                self.arm_first(binding, now);
            }
            BindingChange::Refreshed(binding) => {
                // A phone that registers again is alive: ask it anew rather than keep an old verdict.
                if self.put(binding.clone()) == Qualification::Unreachable {
                    self.arm_first(binding, now);
                }
                self.events.push_back(Event::Refreshed { aor: binding.aor.clone(), uri: binding.uri.clone() });
            }
            BindingChange::Removed { aor, uri } => self.remove(&(aor.clone(), uri.clone())),
        }
    }

    /// Adds or replaces a binding; gives the contact's qualification before. An unreachable one becomes untried.
    fn put(&mut self, binding: Binding) -> Qualification {
        let key = (binding.aor.clone(), binding.uri.clone());
        let untried = Qualification::Untried { failures: 0 };
        self.expiries.insert((binding.expires_wall_ms, key.clone()));
        let Some(contact) = self.contacts.get_mut(&key) else {
            let contact = Contact { binding, qualification: untried, asked: false, closed: false, timer: None };
            self.contacts.insert(key, contact);
            return untried;
        };
        if contact.binding.expires_wall_ms != binding.expires_wall_ms {
            self.expiries.remove(&(contact.binding.expires_wall_ms, key));
        }
        let before = contact.qualification;
        (contact.binding, contact.closed) = (binding, false);
        if before == Qualification::Unreachable {
            (contact.qualification, contact.asked) = (untried, false);
        }
        before
    }

    fn remove(&mut self, key: &Key) {
        let Some(contact) = self.contacts.remove(key) else { return };
        self.expiries.remove(&(contact.binding.expires_wall_ms, key.clone()));
        if let Some(timer) = contact.timer {
            self.timers.disarm(timer);
        }
    }

    fn expire(&mut self, now: Now) {
        while let Some((wall_ms, key)) = self.expiries.first().cloned() {
            if wall_ms > now.wall_ms {
                break;
            }
            self.expiries.pop_first();
            self.remove(&key);
            let (aor, uri) = key;
            let last = self.of(&aor).next().is_none();
            self.events.push_back(Event::Expired { aor: aor.clone(), uri });
            if last {
                self.events.push_back(Event::LastBindingGone { aor });
            }
        }
    }

    fn arm_first(&mut self, binding: &Binding, now: Now) {
        if self.settings.qualify.is_some() {
            self.arm(&(binding.aor.clone(), binding.uri.clone()), now.in_ms(FIRST_QUALIFY_MS));
        }
    }

    fn arm(&mut self, key: &Key, deadline_ns: u64) {
        let Some(contact) = self.contacts.get_mut(key) else { return };
        if let Some(timer) = contact.timer.take() {
            self.timers.disarm(timer);
        }
        contact.timer = Some(self.timers.arm(deadline_ns, key.clone()));
    }
}

impl Contact {
    fn is_there(&self) -> bool {
        !self.closed && self.qualification != Qualification::Unreachable
    }

    /// From one OPTIONS to the next; through a NAT they also keep the way open.
    fn interval_ms(&self, qualify: QualifySettings) -> u64 {
        let most = if self.binding.is_translated() { KEEP_ALIVE_MS } else { u64::MAX };
        qualify.interval_ms.min(most)
    }

    /// Whether that is news.
    fn transition_to_reachable(&mut self) -> bool {
        let news = !matches!(self.qualification, Qualification::Reachable { .. });
        self.qualification = Qualification::Reachable { failures: 0 };
        news
    }

    /// One failure more; whether it makes the contact unreachable.
    fn transition_to_failed(&mut self, limit: u32) -> bool {
        let (Qualification::Untried { failures } | Qualification::Reachable { failures }) = &mut self.qualification
        else {
            return false;
        };
        *failures = failures.saturating_add(1);
        let gone = *failures >= limit;
        if gone {
            self.qualification = Qualification::Unreachable;
        }
        gone
    }
}

fn bound(binding: &Binding, now: Now) -> Bound {
    let left_ms = binding.expires_wall_ms.saturating_sub(now.wall_ms).max(0).unsigned_abs();
    Bound {
        uri: binding.uri.clone(),
        expires_s: u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX),
        q: binding.q,
    }
}
