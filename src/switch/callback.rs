//! Customers who have asked to be called back: when the requests' turn comes an agent is called, and then the customer; one call for
//! each request at a time, and again later where the customer is not reached.

use super::party::{Onward, PartyCall, Place, Role};
use super::{CommandError, Switch, Timer};
use crate::acd;
use crate::call::{Call, Input};
use crate::dialplan::CallbackWish;
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{CallbackRequest, Cause, Direction, Event, Personal};
use crate::media::Source;
use crate::time::Now;

/// How long a customer's phone may ring while an agent waits, ms.
const RING_MS: u64 = 45_000;
const DAY_MS: i64 = 86_400_000;
/// Why a call ends that waited for an agent until its hours were over.
const HOURS_OVER: &str = "callback_hours_over";

impl Switch {
    /// Writes a wish down; the plan goes on once that is safe.
    pub(super) fn request_callback(&mut self, call: CallId, wish: CallbackWish, now: Now) {
        let CallbackWish { number, queue, priority, wishes, trunk, hours, retry_ms, most, record } = wish;
        let Some(cell) = self.calls.get(&call) else { return };
        let (entered_ms, shown) = (cell.queued_ms.unwrap_or(now.wall_ms), cell.called.clone());
        self.tell(call, Input::Left { disposition: "callback" });
        // Who asks twice keeps the place of the first time.
        if self.callbacks.has(&number, &queue) {
            tracing::info!(%call, %queue, "a customer asks again to be called back, who waits for that already");
        } else {
            tracing::info!(%call, %queue, "a customer is to be called back");
            let number = Personal::number(&number);
            let request = CallbackRequest {
                number,
                shown,
                queue,
                priority,
                wishes,
                entered_ms,
                trunk,
                hours,
                due_ms: 0,
                retry_ms,
                most,
                record,
            };
            self.journal(Event::CallbackRequested { call, request }, now);
        }
        self.store_for(call, now);
    }

    /// Requests of the last run, those that were put off, and those whose hours have changed, wait on.
    pub(super) fn resume_callbacks(&mut self, now: Now) {
        let all: Vec<(CallId, i64)> =
            self.callbacks.iter().map(|(request, callback)| (request, callback.due_ms)).collect();
        for (request, due_ms) in all {
            self.wait_with_callback(request, due_ms, now);
        }
    }

    /// Looks at a request again at an instant (wall ms).
    fn wait_with_callback(&mut self, request: CallId, due_ms: i64, now: Now) {
        let in_ms = u64::try_from(due_ms.saturating_sub(now.wall_ms)).unwrap_or(0);
        self.timers.arm(now.in_ms(in_ms), Timer::Callback(request));
    }

    /// Whether a request's customer may be called now, and when that changes (wall ms), where that is known.
    fn callback_hours(&self, request: &CallbackRequest, now: Now) -> (bool, Option<i64>) {
        let named = request.hours.as_ref().and_then(|name| Some((name, self.settings.program.hours().get(name)?)));
        let Some((name, hours)) = named else { return (true, None) };
        let by_hand = self.orders.closed_until(name, now.wall_ms);
        match hours.decide(now.wall_ms, by_hand).0 {
            true => (true, hours.closes_at(now.wall_ms)),
            // What opens in more than a week is looked at each day.
            false => (false, by_hand.or_else(|| hours.opens_at(now.wall_ms)).or(Some(now.wall_ms + DAY_MS))),
        }
    }

    /// The request's turn may have come: it takes its place in the line, as a call of its own.
    pub(super) fn place_callback(&mut self, request: CallId, now: Now) {
        let Some(callback) = self.callbacks.get(request).filter(|_| !self.draining).cloned() else { return };
        let (open, changes_ms) = self.callback_hours(&callback.request, now);
        if let Some(attempt) = callback.attempt {
            // The hours have ended before anybody was free.
            if !open && self.calls.get(&attempt).is_some_and(|cell| cell.waits_to_call()) {
                let cause = Cause::new(31, HOURS_OVER);
                self.tell(attempt, Input::Hangup { cause, as_designed: false });
            }
            return;
        }
        if callback.due_ms > now.wall_ms {
            return self.wait_with_callback(request, callback.due_ms, now);
        }
        if let Some(changes_ms) = changes_ms {
            self.wait_with_callback(request, changes_ms, now);
        }
        if !open {
            tracing::info!(call = %request, "a customer is called back once the hours open");
            return;
        }
        let CallbackRequest { number, shown, queue, priority, wishes, entered_ms, trunk, record, .. } =
            callback.request;
        let number = number.value;
        let (id, leg) = (CallId::new(now.wall_ms, self.random_u128()), self.endpoint.next_leg());
        self.counts.calls_offered += 1;
        let (caller, called, carrier) = (Personal::of(&number, shown.clone()), number.clone(), Some(trunk.clone()));
        let direction = Direction::Outbound;
        self.journal(Event::CallOffered { call: id, leg, direction, trunk: carrier, caller, called }, now);
        self.journal(Event::CallLinked { call: id, linked: request }, now);
        self.journal(Event::CallbackPlaced { call: request, attempt: id }, now);
        let call = Call::calling_back(id, leg, record);
        let mut cell = PartyCall::new(call, leg, number.clone(), shown, self.settings.default_music);
        (cell.linked, cell.calls_back) = (request, Some(request));
        let ring_ms = Some(RING_MS);
        cell.onward = Some(Onward { ring_ms, record, ..Onward::to(number, [Place::Trunk(trunk)].into()) });
        self.calls.insert(id, Box::new(cell));
        let (prefer, stays) = (None, true);
        let entered =
            acd::Input::CallerEntered { call: id, queue, priority, entered_wall_ms: entered_ms, wishes, prefer, stays };
        self.acd.handle(entered, now);
    }

    /// An agent has answered; the customer is called next.
    pub(super) fn call_back(&mut self, call: CallId, agent: AgentId, leg: LegId, now: Now) {
        self.acd.handle(acd::Input::AgentAnswered { agent, call }, now);
        self.play(leg, Source::Music(self.ringback()), now);
    }

    /// The customer speaks with the agent: the request is done with.
    pub(super) fn called_back(&mut self, call: CallId, customer: LegId, now: Now) {
        let Some(request) = self.calls.get(&call).and_then(|cell| cell.calls_back) else { return };
        if let Some(party) = self.legs.get_mut(&customer) {
            party.role = Role::Caller;
        }
        if self.callbacks.get(request).is_some() {
            self.journal(Event::CallbackEnded { call: request, attempt: call, outcome: "reached".to_owned() }, now);
        }
    }

    /// An operator takes a request back.
    pub(super) fn cancel_callback(&mut self, request: CallId, now: Now) -> Result<(), CommandError> {
        let callback = self.callbacks.get(request).ok_or(CommandError::UnknownCallback(request))?;
        tracing::info!(call = %request, "a callback is cancelled by an operator");
        match callback.attempt.filter(|attempt| self.calls.contains_key(attempt)) {
            // Its end takes the request with it.
            Some(attempt) => {
                let cause = Cause::new(31, "hung_up_by_operator");
                self.tell(attempt, Input::Hangup { cause, as_designed: false });
            }
            None => {
                let outcome = "cancelled".to_owned();
                self.journal(Event::CallbackEnded { call: request, attempt: request, outcome }, now);
            }
        }
        Ok(())
    }

    /// A call that was to reach a customer is over; where it has not, there is another one later, or no more.
    pub(super) fn callback_over(&mut self, attempt: CallId, cause: &Cause, now: Now) {
        let Some(request) = self.calls.get(&attempt).and_then(|cell| cell.calls_back) else { return };
        let Some(callback) = self.callbacks.get(request) else { return };
        let (retry_ms, last) = (callback.request.retry_ms, callback.tries.saturating_add(1) >= callback.request.most);
        let ended = |outcome: &str| Event::CallbackEnded { call: request, attempt, outcome: outcome.to_owned() };
        match cause.text.as_str() {
            // The next start goes on with it.
            "shutdown" => {}
            HOURS_OVER => {
                let due_ms = now.wall_ms;
                self.journal(Event::CallbackPutOff { call: request, attempt, due_ms, tried: false }, now);
                self.wait_with_callback(request, due_ms, now);
            }
            "hung_up_by_operator" => drop(self.journal(ended("cancelled"), now)),
            _ if last => {
                tracing::warn!(call = %request, %attempt, why = cause.text, "a customer is called back no more");
                self.journal(ended("given_up"), now);
            }
            why => {
                tracing::info!(call = %request, %attempt, why, retry_ms, "a customer was not reached and is called again");
                let due_ms = now.wall_ms.saturating_add(i64::try_from(retry_ms).unwrap_or(i64::MAX));
                self.journal(Event::CallbackPutOff { call: request, attempt, due_ms, tried: true }, now);
                self.timers.arm(now.in_ms(retry_ms), Timer::Callback(request));
            }
        }
    }
}
