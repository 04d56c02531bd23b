//! SUBSCRIBE and NOTIFY: users watch one another's calls and their own messages (RFC 6665, RFC 4235, RFC 3842).
//!
//! Each subscriber has one NOTIFY under way at most: what changes meanwhile is told after its answer, the newest state alone.

use super::{Endpoint, Event, Purpose, Timer};
use crate::sip::dialog::Role;
use crate::sip::invite::{Came, is_behind_nat, next_hop};
use crate::sip::message::{Contacts, Message, Method, reason_phrase, response_to};
use crate::sip::subscription::{
    ALLOW_EVENTS, MAX_IN_ALL, MAX_OF_USER, Package, State, Subscription, SubscriptionId, event_of,
};
use crate::sip::transaction::{Flow, TransactionKey, Transport};
use crate::time::Now;

/// The expiry where a subscriber names none, s (RFC 4235 §3.4, RFC 3842 §3.4).
const DEFAULT_S: u32 = 3_600;
/// When somebody who did not fit may ask again, s.
const RETRY_S: u32 = 300;
/// Below this a shorter expiry than ours may be refused (RFC 6665 §4.2.1.1), s.
const HOUR_S: u32 = 3_600;

impl Endpoint {
    /// A user wants to watch.
    pub(super) fn handle_subscribe(&mut self, key: TransactionKey, msg: &Message, flow: Flow, now: Now) {
        if self.refusing {
            return self.reply(&key, msg, 503, now);
        }
        let Some(user) = self.authenticate(&key, msg, flow.remote.ip(), now) else { return };
        let named = msg.from().ok().and_then(|from| from.uri.plain_user());
        if named.as_deref() != Some(user.as_str()) || !self.settings.users.contains_key(&user) {
            return self.reply(&key, msg, 403, now);
        }
        let Some((package, expires_s)) = self.wanted(&key, msg, now) else { return };
        let Some(uri) = msg.uri().filter(|uri| uri.is_sip()) else { return self.reply(&key, msg, 416, now) };
        let watched = uri.plain_user().unwrap_or_default();
        let entity = format!("sip:{}@{}", uri.user.as_deref().unwrap_or_default(), uri.host);
        let contact = self.contact(&watched, flow, &uri.scheme);
        if !self.settings.users.contains_key(&watched) {
            return self.reply(&key, msg, 404, now);
        }
        // Messages are their owner's business.
        if package == Package::MessageSummary && watched != user {
            return self.reply(&key, msg, 403, now);
        }
        if !self.subscriptions.has_room(&user) {
            tracing::warn!(
                user,
                of_user = MAX_OF_USER,
                in_all = MAX_IN_ALL,
                "a subscription does not fit: the user, or the floor, has as many as there may be"
            );
            let tag = self.draw();
            let response = response_to(msg, 503, reason_phrase(503), Some(&tag)).with("Retry-After", RETRY_S);
            return self.respond(&key, response, now);
        }
        let tag = self.draw();
        let accepted = response_to(msg, 200, reason_phrase(200), Some(&tag));
        let Some(dialog) = Self::dialog_of(Role::Uas, msg, &accepted) else { return self.reply(&key, msg, 400, now) };
        let event = event_of(package, msg.header("Event").unwrap_or_default());
        let id = self.subscriptions.insert(Subscription {
            subscriber: user,
            watched,
            package,
            entity,
            event,
            dialog,
            flow,
            behind_nat: false,
            contact,
            until_ns: 0,
            timer: None,
            ends: None,
            telling: false,
            next: None,
            version: 0,
            shown: Default::default(),
        });
        self.grant(id, &key, msg, accepted, (expires_s, flow), now);
    }

    /// A subscriber refreshes or ends its subscription.
    pub(super) fn handle_resubscribe(&mut self, key: TransactionKey, msg: &Message, flow: Flow, now: Now) {
        let Some(id) = self.subscription_of(msg) else {
            return self.turn_away(&key, msg, flow.remote.ip(), (481, &[]), now);
        };
        let number = msg.cseq().map_or(0, |cseq| cseq.number);
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        if subscription.dialog.handle_request(number).is_err() {
            return self.reply(&key, msg, 500, now);
        }
        let package = subscription.package;
        let Some((wanted, expires_s)) = self.wanted(&key, msg, now) else { return };
        if wanted != package {
            return self.refuse_event(&key, msg, now);
        }
        if let (Ok(Contacts::List(list)), Some(subscription)) = (msg.contacts(), self.subscriptions.get_mut(id))
            && let Some(target) = list.first()
        {
            subscription.dialog.set_remote_target(&target.uri.to_string());
        }
        let accepted = response_to(msg, 200, reason_phrase(200), None);
        self.grant(id, &key, msg, accepted, (expires_s, flow), now);
    }

    /// The package and the seconds that a SUBSCRIBE asks for; `None` where it was refused for them.
    fn wanted(&mut self, key: &TransactionKey, msg: &Message, now: Now) -> Option<(Package, u32)> {
        let Some(package) = msg.header("Event").and_then(Package::of_event) else {
            self.refuse_event(key, msg, now);
            return None;
        };
        let takes = |range: &str| {
            let range = range.split(';').next().unwrap_or_default().trim();
            range == "*/*" || range == "application/*" || range.eq_ignore_ascii_case(package.content_type())
        };
        let accept = msg.list("Accept").unwrap_or_default();
        if !accept.is_empty() && !accept.into_iter().any(takes) {
            self.reply(key, msg, 406, now);
            return None;
        }
        let bounds = &self.settings.registrar;
        let (least, most) = (bounds.min_expires_s, bounds.max_expires_s);
        let asked = msg.expires().unwrap_or(DEFAULT_S);
        if asked > 0 && asked < least && asked < HOUR_S {
            let tag = self.draw();
            let response = response_to(msg, 423, reason_phrase(423), Some(&tag)).with("Min-Expires", least);
            self.respond(key, response, now);
            return None;
        }
        Some((package, asked.min(most)))
    }

    fn refuse_event(&mut self, key: &TransactionKey, msg: &Message, now: Now) {
        let tag = self.draw();
        let response = response_to(msg, 489, reason_phrase(489), Some(&tag)).with("Allow-Events", ALLOW_EVENTS);
        self.respond(key, response, now);
    }

    /// The 200, and after it the state as it is now.
    fn grant(
        &mut self,
        id: SubscriptionId,
        key: &TransactionKey,
        msg: &Message,
        accepted: Message,
        (expires_s, flow): (u32, Flow),
        now: Now,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        let nat = self.settings.users.get(&subscription.subscriber).is_some_and(|user| user.nat);
        subscription.behind_nat = is_behind_nat(msg, flow, nat);
        subscription.flow = flow;
        subscription.until_ns = now.in_ms(u64::from(expires_s) * 1_000);
        let (until_ns, contact) = (subscription.until_ns, subscription.contact.clone());
        if let Some(timer) = subscription.timer.take() {
            self.timers.disarm(timer);
        }
        // A fetch, or the end that the subscriber wants (RFC 6665 §4.4.3, §4.1.2.3).
        subscription.ends = (expires_s == 0).then_some("timeout");
        if expires_s > 0 {
            subscription.timer = Some(self.timers.arm(until_ns, Timer::Subscription(id)));
        }
        self.respond_within(key, accepted.with("Expires", expires_s).with("Contact", contact), now);
        self.ask_for_state(id);
    }

    fn ask_for_state(&mut self, subscription: SubscriptionId) {
        let Some(known) = self.subscriptions.get_mut(subscription) else { return };
        let (watched, package) = (known.watched.clone(), known.package);
        self.events.push_back(Event::StateWanted { subscription, watched, package });
    }

    /// It was not refreshed in time.
    pub(super) fn handle_subscription_over(&mut self, id: SubscriptionId) {
        if let Some(subscription) = self.subscriptions.get_mut(id) {
            subscription.timer = None;
            subscription.ends = Some("timeout");
            self.ask_for_state(id);
        }
    }

    /// The state of whom a subscriber watches, as [`Event::StateWanted`] asked for it.
    pub fn tell_state(&mut self, id: SubscriptionId, state: State, now: Now) {
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        if subscription.telling {
            subscription.next = Some(state);
        } else {
            self.notify_state(id, &state, now);
        }
    }

    /// The state of a user has changed: everybody who watches is told.
    pub fn publish_state(&mut self, package: Package, watched: &str, state: &State, now: Now) {
        for id in self.subscriptions.watchers(package, watched) {
            self.tell_state(id, state.clone(), now);
        }
    }

    /// Whether anybody watches a user.
    pub fn is_watched(&self, package: Package, watched: &str) -> bool {
        !self.subscriptions.watchers(package, watched).is_empty()
    }

    /// How many subscriptions stand.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether the subscriptions are as they should be.
    pub fn subscriptions_agree(&self) -> bool {
        self.subscriptions.agree()
    }

    /// A stop: each subscriber is told once to come again later. What is under way is not waited for.
    pub fn end_subscriptions(&mut self, now: Now) {
        for id in self.subscriptions.select(|_| true) {
            let Some(subscription) = self.subscriptions.get_mut(id) else { continue };
            subscription.ends = Some("probation;retry-after=30");
            self.send_notify(id, None, now);
        }
    }

    fn notify_state(&mut self, id: SubscriptionId, state: &State, now: Now) {
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        let body = subscription.render(state);
        self.send_notify(id, Some(body), now);
    }

    fn send_notify(&mut self, id: SubscriptionId, body: Option<String>, now: Now) {
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        let mut request = Self::next_request(&mut subscription.dialog, Method::Notify)
            .with("Contact", subscription.contact.clone())
            .with("Event", subscription.event.clone())
            .with("Subscription-State", subscription.standing(now.mono_ns));
        if let Some(body) = body {
            request = request.with_body(subscription.package.content_type(), body.into_bytes());
        }
        let connected = self.ways.is_connected(subscription.flow);
        let came = Came { flow: subscription.flow, behind_nat: subscription.behind_nat, connected };
        let next = next_hop(&subscription.dialog, came);
        let last = subscription.ends.is_some();
        subscription.telling = true;
        // Nobody waits for the answer to the last one.
        let purpose = (!last).then_some(Purpose::Notified(id));
        self.send_towards(request, purpose, next, now);
        if last {
            self.forget_subscription(id);
        }
    }

    /// The subscriber has answered a NOTIFY with `code`, or never will (408 and 503 of our own).
    pub(super) fn handle_state_told(&mut self, id: SubscriptionId, code: u16, heard: bool, now: Now) {
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        if !heard || ends_subscription(code) {
            tracing::debug!(watched = %subscription.watched, subscriber = %subscription.subscriber, code, "a subscriber is gone");
            return self.forget_subscription(id);
        }
        subscription.telling = false;
        if let Some(state) = subscription.next.take() {
            self.notify_state(id, &state, now);
        }
    }

    /// The connection over which a subscriber came is closed: nothing else leads there.
    pub(super) fn handle_subscribers_gone(&mut self, gone: Flow) {
        if gone.transport != Transport::Udp {
            for id in self.subscriptions.select(|one| one.flow == gone) {
                self.forget_subscription(id);
            }
        }
    }

    fn forget_subscription(&mut self, id: SubscriptionId) {
        if let Some(timer) = self.subscriptions.remove(id).and_then(|gone| gone.timer) {
            self.timers.disarm(timer);
        }
    }

    fn subscription_of(&self, msg: &Message) -> Option<SubscriptionId> {
        self.subscriptions.find(msg.call_id()?, msg.to_tag()?, msg.from_tag().unwrap_or_default())
    }
}

/// Whether a refusal of a NOTIFY means that the subscriber knows the subscription no longer (RFC 6665 §4.2.2, RFC 5057 §5.1); after
/// any other it hears of the next change.
fn ends_subscription(code: u16) -> bool {
    matches!(code, 404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}
