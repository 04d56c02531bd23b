//! Calls that a user has us place: the user's phone is called first, and then whoever the user wants to speak with, as though the phone
//! had called there; and customers whom agents are to call.

use super::dial::Callee;
use super::inbound::Leads;
use super::party::{PartyCall, Role};
use super::{CommandError, FollowUp, RouteTo, Switch, Timer};
use crate::call::{Call, Input};
use crate::id::{AgentId, CallId, LegId, QueueId};
use crate::journal::{CallbackRequest, Cause, Direction, Event, Personal};
use crate::sip::endpoint::{Dial, Identity};
use crate::time::Now;

/// How long the user's own phone may ring, ms.
const RING_MS: u64 = 30_000;
/// The longest number that is called, digits.
const LONGEST_NUMBER: usize = 32;

impl Switch {
    /// Calls a user's phone, and once it has answered the number, with the rights of the user and the caller ID of a queue.
    pub(super) fn summon(
        &mut self,
        id: CallId,
        user: AgentId,
        to: String,
        queue: Option<QueueId>,
        now: Now,
    ) -> Result<(), CommandError> {
        if !self.is_user(user.as_str()) {
            return Err(CommandError::UnknownAgent(user));
        }
        let caller_id = queue.map(|queue| self.known_queue(queue)).transpose()?.flatten();
        let emergency = self.emergency_route(&to).is_some();
        let direction = match self.leads(&Identity::User(user.to_string()), &to) {
            Leads::User(_) => Direction::Internal,
            Leads::Route(route) if matches!(route.to, RouteTo::Trunks(_)) => Direction::Outbound,
            Leads::Route(_) => Direction::Inbound,
            Leads::Plan if self.settings.program.numbers().destination(&to, None).is_some() => Direction::Inbound,
            Leads::Plan => return Err(CommandError::NoWay(to)),
            Leads::Barred(class) => return Err(CommandError::Barred { user, number: to, class }),
        };
        let unreached =
            |user: &AgentId, why: &str| CommandError::NotReached { user: user.clone(), why: why.to_owned() };
        // A floor that closes keeps nobody from calling for help.
        if self.draining && !emergency {
            return Err(unreached(&user, "the switch stops"));
        }
        if let Some(cause) = self.why_not_called(&user) {
            return Err(unreached(&user, if cause.code == 486 { "it is in a call" } else { "no phone answers" }));
        }
        let leg = self.endpoint.next_leg();
        self.counts.calls_offered += 1;
        let (caller, called) = (Personal::number(user.as_str()), to.clone());
        self.journal(Event::CallOffered { call: id, leg, direction, trunk: None, caller, called }, now);
        let cell = PartyCall::new(Call::summoning(id, leg), leg, user.to_string(), to, self.settings.default_music);
        self.calls.insert(id, Box::new(PartyCall { from_agent: Some(user.clone()), caller_id, ..cell }));
        tracing::info!(call = %id, %user, "a user is called, and then whom the user wants to speak with");
        if let Err(cause) = self.call_user(id, leg, &user, now) {
            self.tell(id, Input::TargetFailed { leg, cause });
        }
        Ok(())
    }

    fn call_user(&mut self, call: CallId, leg: LegId, user: &AgentId, now: Now) -> Result<(), Cause> {
        let (ways, nat) = self.phone_of(user).ok_or_else(|| Cause::new(480, "no_contact"))?;
        let auto_answer = self.settings.auto_answer.contains(user);
        let callee = Callee { role: Role::Target, user: Some(user.clone()), nat, trunk: None };
        let body = self.offer_to(call, leg, &ways[0], callee, now)?;
        // What the user is about to speak with.
        let from = self.calls.get(&call).map(|cell| cell.called.clone()).unwrap_or_default();
        self.endpoint.dial(leg, Dial { auto_answer, nat, ..Dial::new(ways, from, body) }, now);
        self.take_phone(call, Some(user.clone()), now);
        self.timers.arm(now.in_ms(RING_MS), Timer::RingOut(leg));
        Ok(())
    }

    /// The user's phone has answered: the call goes on as though it had come from there.
    pub(super) fn lead_summoned(&mut self, call: CallId, now: Now) {
        let Some(cell) = self.calls.get(&call) else { return };
        let (caller, called, user) = (cell.caller, cell.called.clone(), cell.number.clone());
        if let Some(party) = self.legs.get_mut(&caller) {
            party.role = Role::Caller;
        }
        self.command_media(caller, now);
        let leads = self.leads(&Identity::User(user), &called);
        if !matches!(leads, Leads::Plan) {
            self.play(caller, crate::media::Source::Music(self.ringback()), now);
        }
        self.lead(call, leads, None, now);
    }

    /// The caller ID of a queue that there is.
    fn known_queue(&self, queue: QueueId) -> Result<Option<String>, CommandError> {
        match self.settings.program.queues().get(queue.as_str()) {
            Some(known) => Ok(known.caller_id.clone()),
            None => Err(CommandError::Unwritten { kind: "queue", name: queue.to_string() }),
        }
    }

    /// Notes that a customer is to be called by an agent of a queue, who is reserved first.
    pub(super) fn follow_up(&mut self, id: CallId, wish: FollowUp, now: Now) -> Result<(), CommandError> {
        let FollowUp { number, queue, trunk, shown, due_ms, retry_ms, most, record, priority } = wish;
        let caller_id = self.known_queue(queue.clone())?;
        if !self.settings.sip.trunks.contains_key(&trunk) {
            return Err(CommandError::Unwritten { kind: "trunk", name: trunk.to_string() });
        }
        let digits = number.strip_prefix('+').unwrap_or(&number);
        if !(1..=LONGEST_NUMBER).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CommandError::NoWay(number));
        }
        let shown = shown.or(caller_id).unwrap_or_default();
        let due_ms = due_ms.unwrap_or(now.wall_ms).max(now.wall_ms);
        tracing::info!(call = %id, %queue, "a customer is to be called");
        let request = CallbackRequest {
            number: Personal::number(&number),
            shown,
            queue,
            priority,
            wishes: Vec::new(),
            entered_ms: due_ms,
            trunk,
            hours: None,
            due_ms,
            retry_ms,
            most,
            record,
        };
        self.journal(Event::CallbackRequested { call: id, request }, now);
        self.resume_callbacks(now);
        Ok(())
    }
}
