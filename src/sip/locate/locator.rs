//! The lookups under way: who waits for which question, and until when.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;

use super::cache::Cache;
use super::penalties::Penalties;
use super::question::{Question, Record, Reply};
use super::resolution::{Hop, Resolution, Target, Ways};
use crate::sip::message::Uri;
use crate::sip::transaction::Transport;
use crate::time::{Now, TimerId, Timers};

/// How long a lookup may take, all its questions together, ms: less than callers wait before they hang up.
const PATIENCE_MS: u64 = 5_000;
/// Lookups at one time; one more fails at once.
const MOST: usize = 4_096;

/// Names a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookupId(u64);

/// What is known of where a URI leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// There, the best first; never empty.
    Known(Vec<Hop>),
    /// DNS is asked; [`Locator::poll_located`] tells.
    Pending(LookupId),
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// Nothing here sends over the transport that the URI wants.
    #[error("nothing here sends over the transport that the URI wants: check sip.udp, sip.tcp and sip.tls")]
    Transport,
    /// Its name has no usable address, or DNS did not say one in time.
    #[error("the name in the URI has no address that can be reached, or DNS did not answer in time")]
    Address,
    /// Too many lookups are under way.
    #[error("too many names are being looked up: check that the DNS servers answer")]
    Busy,
}

/// The end of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Which.
    pub id: LookupId,
    /// The hops, the best first; never empty.
    pub hops: Result<Vec<Hop>, NoWay>,
}

/// Figures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions to DNS.
    pub questions: u64,
    /// Those that no server answered with sense, or in time.
    pub failures: u64,
    /// Times that records were used on after their end because DNS did not answer.
    pub stale: u64,
}

#[derive(Debug)]
struct Lookup {
    target: Target,
    since_ns: u64,
    /// Questions that it waits for.
    open: usize,
    timer: TimerId,
}

#[derive(Debug)]
struct Asked {
    waiters: Vec<LookupId>,
    timer: TimerId,
}

#[derive(Clone, Debug)]
enum Timer {
    /// When a lookup makes do with what it has.
    Lookup(LookupId),
    /// When a question counts as not answered.
    Question(Question),
}

/// Finds hops; see the module. Drain [`Self::poll_question`] and [`Self::poll_located`] after each call.
#[derive(Debug)]
pub struct Locator {
    ways: Ways,
    cache: Cache,
    penalties: Penalties,
    lookups: BTreeMap<LookupId, Lookup>,
    asked: BTreeMap<Question, Asked>,
    questions: VecDeque<Question>,
    located: VecDeque<Located>,
    timers: Timers<Timer>,
    rng: ChaCha12Rng,
    counts: Counts,
    last: u64,
}

impl Locator {
    /// A locator of a party that sends from where it listens; `rng` draws among records of one priority.
    pub fn new(listen: &[(Transport, SocketAddr)], rng: ChaCha12Rng) -> Self {
        Self {
            ways: Ways::new(listen),
            cache: Cache::default(),
            penalties: Penalties::default(),
            lookups: BTreeMap::new(),
            asked: BTreeMap::new(),
            questions: VecDeque::new(),
            located: VecDeque::new(),
            timers: Timers::default(),
            rng,
            counts: Counts::default(),
            last: 0,
        }
    }

    /// Where requests to this URI go.
    ///
    /// # Errors
    /// Where that is known to be nowhere.
    pub fn locate(&mut self, uri: &Uri, now: Now) -> Result<Location, NoWay> {
        let target = Target::of(uri).ok_or(NoWay::Transport)?;
        if self.ways.candidates(&target).is_empty() {
            return Err(NoWay::Transport);
        }
        if target.address().is_none() && !target.is_name() {
            return Err(NoWay::Address);
        }
        let (hops, open) = self.resolve(&target, now.mono_ns, false, now);
        if open.is_empty() {
            return self.judge(hops, now).map(Location::Known);
        }
        if self.lookups.len() >= MOST {
            return Err(NoWay::Busy);
        }
        self.last += 1;
        let id = LookupId(self.last);
        let count = open.len();
        self.wait_for(open, id, now);
        let timer = self.timers.arm(now.in_ms(PATIENCE_MS), Timer::Lookup(id));
        self.lookups.insert(id, Lookup { target, since_ns: now.mono_ns, open: count, timer });
        Ok(Location::Pending(id))
    }

    /// The hop that is known best without asking anybody, even if what is known has run out.
    pub fn peek(&mut self, uri: &Uri, now: Now) -> Option<Hop> {
        let target = Target::of(uri)?;
        let (hops, _) = self.resolve(&target, now.mono_ns, true, now);
        self.judge(hops, now).ok()?.into_iter().next()
    }

    /// Nobody waits for this lookup any more. What it asks for is remembered all the same.
    pub fn forget(&mut self, id: LookupId) {
        if let Some(lookup) = self.lookups.remove(&id) {
            self.timers.disarm(lookup.timer);
        }
        self.located.retain(|located| located.id != id);
    }

    /// What came of a question; one that is not open any more is not heard.
    pub fn handle_reply(&mut self, question: &Question, reply: Reply, now: Now) {
        let Some(asked) = self.asked.remove(question) else { return };
        self.timers.disarm(asked.timer);
        self.counts.failures += u64::from(reply == Reply::Failed);
        if self.cache.put(question.clone(), reply, now) {
            self.counts.stale += 1;
            tracing::warn!(name = question.name, "DNS does not answer: records that have run out are used");
        }
        for id in asked.waiters {
            let Some(lookup) = self.lookups.get_mut(&id) else { continue };
            lookup.open = lookup.open.saturating_sub(1);
            if lookup.open == 0 {
                self.advance(id, now);
            }
        }
    }

    /// A request of ours failed at this hop: it comes last for a while.
    pub fn note_failure(&mut self, transport: Transport, remote: SocketAddr, now: Now) {
        self.penalties.note(transport, remote, now);
    }

    /// A request of ours was answered by this hop.
    pub fn note_success(&mut self, transport: Transport, remote: SocketAddr) {
        self.penalties.lift(transport, remote);
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Question(question) => self.handle_reply(&question, Reply::Failed, now),
                Timer::Lookup(id) => {
                    let Some(lookup) = self.lookups.remove(&id) else { continue };
                    let (hops, _) = self.resolve(&lookup.target, lookup.since_ns, true, now);
                    let hops = self.judge(hops, now);
                    self.located.push_back(Located { id, hops });
                }
            }
        }
    }

    /// When to call [`Self::handle_timeout`] (monotonic nanoseconds).
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.next_deadline()
    }

    /// The next question for DNS; answer each one with [`Self::handle_reply`].
    pub fn poll_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// The next lookup that has ended.
    pub fn poll_located(&mut self) -> Option<Located> {
        self.located.pop_front()
    }

    /// Figures since the start.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many answers are remembered.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// Lookups under way.
    pub fn len(&self) -> usize {
        self.lookups.len()
    }

    /// Whether nothing is looked up.
    pub fn is_empty(&self) -> bool {
        self.lookups.is_empty()
    }

    fn advance(&mut self, id: LookupId, now: Now) {
        let Some(lookup) = self.lookups.get(&id) else { return };
        let (target, since_ns, timer) = (lookup.target.clone(), lookup.since_ns, lookup.timer);
        let (hops, open) = self.resolve(&target, since_ns, false, now);
        if open.is_empty() {
            self.lookups.remove(&id);
            self.timers.disarm(timer);
            let hops = self.judge(hops, now);
            self.located.push_back(Located { id, hops });
            return;
        }
        if let Some(lookup) = self.lookups.get_mut(&id) {
            lookup.open = open.len();
        }
        self.wait_for(open, id, now);
    }

    /// One question of a kind is under way at a time; whoever has the same waits along.
    fn wait_for(&mut self, open: Vec<Question>, id: LookupId, now: Now) {
        for question in open {
            if let Some(asked) = self.asked.get_mut(&question) {
                asked.waiters.push(id);
                continue;
            }
            let timer = self.timers.arm(now.in_ms(PATIENCE_MS), Timer::Question(question.clone()));
            self.asked.insert(question.clone(), Asked { waiters: vec![id], timer });
            self.counts.questions += 1;
            self.questions.push_back(question);
        }
    }

    /// Hops and open questions. `at_last`: there is no time left, so what is not known counts as nothing, or as it was last.
    fn resolve(&mut self, target: &Target, since_ns: u64, at_last: bool, now: Now) -> (Vec<Hop>, Vec<Question>) {
        let cache = &self.cache;
        let known = |question: &Question| -> Option<&[Record]> {
            let fresh = cache.fresh(question, since_ns, now);
            fresh.or_else(|| at_last.then(|| cache.stale(question, now).unwrap_or_default()))
        };
        let mut resolution = Resolution { ways: &self.ways, known: &known, rng: &mut self.rng, open: Vec::new() };
        let hops = resolution.run(target);
        (hops, resolution.open)
    }

    fn judge(&self, mut hops: Vec<Hop>, now: Now) -> Result<Vec<Hop>, NoWay> {
        self.penalties.sort(&mut hops, now);
        if hops.is_empty() { Err(NoWay::Address) } else { Ok(hops) }
    }
}
