//! The subscriptions that stand: who watches whom, and what each subscriber has been told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Direction, Package, State, SubscriptionId, dialog_info, summary};
use crate::sip::dialog::Dialog;
use crate::sip::transaction::Flow;
use crate::time::TimerId;

/// Most subscriptions of one user: the keys of a few phones with their side-cars.
pub(in crate::sip) const MAX_OF_USER: usize = 200;
/// Most subscriptions at all.
pub(in crate::sip) const MAX_IN_ALL: usize = 20_000;

/// A subscriber's dialog with us.
#[derive(Clone, Debug)]
pub(in crate::sip) struct Subscription {
    /// Who watches.
    pub(in crate::sip) subscriber: String,
    /// Whom.
    pub(in crate::sip) watched: String,
    pub(in crate::sip) package: Package,
    /// The watched user's URI as the subscriber wrote it: what its key compares.
    pub(in crate::sip) entity: String,
    /// The value of Event in its NOTIFYs.
    pub(in crate::sip) event: String,
    pub(in crate::sip) dialog: Dialog,
    pub(in crate::sip) flow: Flow,
    pub(in crate::sip) behind_nat: bool,
    /// Our Contact, with its angle brackets.
    pub(in crate::sip) contact: String,
    /// When it ends unless it is refreshed (monotonic nanoseconds).
    pub(in crate::sip) until_ns: u64,
    pub(in crate::sip) timer: Option<TimerId>,
    /// Why its next NOTIFY is the last one.
    pub(in crate::sip) ends: Option<&'static str>,
    /// A NOTIFY is under way; what is to be told after it, the newest alone.
    pub(in crate::sip) telling: bool,
    pub(in crate::sip) next: Option<State>,
    /// Of the next document.
    pub(in crate::sip) version: u32,
    /// The calls that the last document told of.
    pub(in crate::sip) shown: BTreeMap<String, Direction>,
}

impl Subscription {
    /// The body of the next NOTIFY.
    pub(in crate::sip) fn render(&mut self, state: &State) -> String {
        match state {
            State::Dialogs(dialogs) => {
                let live: BTreeMap<_, _> = dialogs.iter().map(|one| (one.id.clone(), one.direction)).collect();
                let shown = std::mem::replace(&mut self.shown, live);
                let gone = shown.into_iter().filter(|(id, _)| !self.shown.contains_key(id));
                let body = dialog_info::render(&self.entity, self.version, dialogs, gone);
                self.version = self.version.wrapping_add(1);
                body
            }
            State::Messages(messages) => summary::render(&self.entity, *messages),
        }
    }

    /// The value of Subscription-State at `mono_ns`.
    pub(in crate::sip) fn standing(&self, mono_ns: u64) -> String {
        match self.ends {
            Some(reason) => format!("terminated;reason={reason}"),
            None => {
                let left_s = self.until_ns.saturating_sub(mono_ns).div_ceil(1_000 * crate::time::MS);
                format!("active;expires={left_s}")
            }
        }
    }
}

/// All of them.
#[derive(Default)]
pub(in crate::sip) struct Subscriptions {
    all: BTreeMap<SubscriptionId, Subscription>,
    /// By Call-ID and our tag.
    dialogs: BTreeMap<(String, String), SubscriptionId>,
    watchers: BTreeMap<(Package, String), BTreeSet<SubscriptionId>>,
    of_user: BTreeMap<String, usize>,
    last: u64,
}

impl Subscriptions {
    pub(in crate::sip) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether one more of this user's fits.
    pub(in crate::sip) fn has_room(&self, subscriber: &str) -> bool {
        self.all.len() < MAX_IN_ALL && self.of_user.get(subscriber).is_none_or(|count| *count < MAX_OF_USER)
    }

    pub(in crate::sip) fn insert(&mut self, subscription: Subscription) -> SubscriptionId {
        self.last += 1;
        let id = SubscriptionId(self.last);
        self.dialogs.insert(key_of(&subscription), id);
        self.watchers.entry((subscription.package, subscription.watched.clone())).or_default().insert(id);
        *self.of_user.entry(subscription.subscriber.clone()).or_default() += 1;
        self.all.insert(id, subscription);
        id
    }

    pub(in crate::sip) fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        let gone = self.all.remove(&id)?;
        self.dialogs.remove(&key_of(&gone));
        let watched = (gone.package, gone.watched.clone());
        if let Some(watchers) = self.watchers.get_mut(&watched) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.watchers.remove(&watched);
            }
        }
        if let Some(count) = self.of_user.get_mut(&gone.subscriber) {
            *count -= 1;
            if *count == 0 {
                self.of_user.remove(&gone.subscriber);
            }
        }
        Some(gone)
    }

    pub(in crate::sip) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.all.get_mut(&id)
    }

    /// The subscription whose dialog this is, both tags right.
    pub(in crate::sip) fn find(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<SubscriptionId> {
        let id = *self.dialogs.get(&(call_id.to_owned(), local_tag.to_owned()))?;
        self.all.get(&id).filter(|known| known.dialog.id().remote_tag == remote_tag).map(|_| id)
    }

    /// Who watches a user.
    pub(in crate::sip) fn watchers(&self, package: Package, watched: &str) -> Vec<SubscriptionId> {
        let watchers = self.watchers.get(&(package, watched.to_owned()));
        watchers.map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    /// Those that `wanted` likes.
    pub(in crate::sip) fn select(&self, wanted: impl Fn(&Subscription) -> bool) -> Vec<SubscriptionId> {
        self.all.iter().filter(|(_, one)| wanted(one)).map(|(id, _)| *id).collect()
    }

    /// Whether the indexes say what the table says.
    pub(in crate::sip) fn agree(&self) -> bool {
        let watching: usize = self.watchers.values().map(BTreeSet::len).sum();
        let counted: usize = self.of_user.values().sum();
        [self.dialogs.len(), watching, counted] == [self.all.len(); 3]
    }
}

fn key_of(subscription: &Subscription) -> (String, String) {
    let id = subscription.dialog.id();
    (id.call_id.clone(), id.local_tag.clone())
}
