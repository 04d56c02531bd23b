//! A floor without a switch: journal, feed, database and API, and a hand that journals.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::task::Waker;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use trunkline::api::{
    self, ApiHandle, ApiSettings, Figures, Handles, Named, Names, Readiness, ReloadReport, Replies, WebSockets,
};
use trunkline::id::{CallId, LegId};
use trunkline::journal::{Cause, Direction, Entry, Event, HangupBy, LeaveReason, Personal, RecordingState};
use trunkline::store::journal::{JournalHandle, Settings};
use trunkline::store::{Feed, FollowSettings, Follower, Journal, restore};
use trunkline::switch::{Ban, Command};

use crate::http::{Answer, Events, ask};

pub const TOKEN: (&str, &str) = ("Authorization", "Bearer demo-admin");

pub struct Floor {
    pub journal: JournalHandle,
    pub feed: Feed,
    pub follower: Option<Follower>,
    pub api: Option<ApiHandle>,
    pub readiness: Readiness,
    pub commands: Receiver<(u64, Command)>,
    pub replies: Replies,
    /// What the start would have journalled for calls that were cut.
    pub closing: Vec<Event>,
    pub boot: u32,
    wall_ms: i64,
}

impl Floor {
    pub fn start(dir: &Path) -> Self {
        Self::with_backlog(dir, 65_536)
    }

    /// The order in which a node starts.
    pub fn with_backlog(dir: &Path, backlog: usize) -> Self {
        let journal = Journal::open(dir).expect("the journal opens");
        let restored = restore(dir, &journal, None).expect("restored");
        let (journal, _reports) = journal.start(Settings::default(), Waker::noop().clone()).expect("the writer starts");
        let mut feed = Feed::new(dir, journal.progress().clone());
        let seq = restored.folds.seq();
        let settings = FollowSettings { batch: Duration::from_millis(20), ..FollowSettings::default() };
        let follower = Follower::start(dir, feed.tap(seq, backlog), settings).expect("the follower starts");
        let (sender, commands, replies) = api::commands(|| {});
        let readiness = Readiness::default();
        let named = Named::default();
        named.set(Names {
            agents: vec!["1001".into(), "1002".into()],
            queues: vec![("support".into(), vec!["1001".into(), "1002".into()])],
            reasons: BTreeMap::from([("lunch".to_owned(), false)]),
        });
        let handles = Handles {
            tap: feed.tap(seq, backlog),
            live: restored.folds.live.clone(),
            commands: sender,
            follow: follower.status().clone(),
            readiness: readiness.clone(),
            websockets: WebSockets {
                answer: |_| {
                    let mut refusal = axum::http::Response::new("no phones here".to_owned());
                    *refusal.status_mut() = axum::http::StatusCode::BAD_REQUEST;
                    refusal
                },
                carry: Box::new(|_, _, _| ()),
            },
            trunks: Box::new(Vec::new),
            orders: Box::new(Default::default),
            reload: Arc::new(|_| Ok(ReloadReport::default())),
            named,
            alarms: Box::new(Vec::new),
            bans: Box::new(|| vec![Ban { address: [192, 0, 2, 7].into(), until_ms: 0 }]),
            figures: Box::new(|| {
                let mut figures = Figures::default();
                figures.counter("trunkline_invites", "INVITEs received", 7);
                figures
            }),
        };
        let settings = ApiSettings {
            token: Some("demo-admin".into()),
            demo: true,
            data_dir: dir.to_owned(),
            keys: None,
            zone: jiff::tz::TimeZone::UTC,
        };
        let listeners = api::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).expect("a free port");
        let api = api::start(listeners, settings, handles).expect("the API starts");
        let wall_ms = jiff::Timestamp::now().as_millisecond();
        let boot = restored.folds.boot() + 1;
        let (follower, api, closing) = (Some(follower), Some(api), restored.closing);
        Self { journal, feed, follower, api, readiness, commands, replies, closing, boot, wall_ms }
    }

    pub fn address(&self) -> SocketAddr {
        self.api.as_ref().expect("running").addresses()[0]
    }

    /// Journals `event` and hands it to the feed; gives its number.
    pub fn tell(&mut self, event: Event) -> u64 {
        self.wall_ms += 1;
        let entry = Entry { seq: self.journal.next_seq(), wall_ms: self.wall_ms, event };
        self.journal.append(std::slice::from_ref(&entry)).expect("appended");
        let seq = entry.seq;
        self.feed.push(vec![entry]);
        seq
    }

    pub fn tell_all(&mut self, events: Vec<Event>) -> u64 {
        events.into_iter().map(|event| self.tell(event)).last().expect("an event")
    }

    pub fn get(&self, path: &str) -> Answer {
        ask(self.address(), "GET", path, &[TOKEN], "")
    }

    pub fn events(&self, last: Option<&str>) -> Events {
        let last = last.map(|id| ("Last-Event-ID", id));
        Events::open(self.address(), &[&[TOKEN], last.as_slice()].concat())
    }

    /// Asks until `wanted` holds, as a client would.
    pub fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "{path} never came to be as wanted: {} {}",
                answer.status,
                answer.text()
            );
        }
    }

    /// Waits until the database holds everything that has been told.
    pub fn settle(&self) {
        let seq = self.journal.next_seq() - 1;
        let follower = self.follower.as_ref().expect("running");
        let deadline = Instant::now() + Duration::from_secs(20);
        while follower.status().seq() < seq {
            assert!(Instant::now() < deadline, "the database never came as far as {seq}");
            std::thread::yield_now();
        }
    }

    /// The order in which a node stops.
    pub fn stop(mut self) {
        self.api.take().expect("running").stop(Duration::from_secs(5));
        self.journal.close().expect("closed");
        self.follower.take().expect("running").stop();
    }

    /// Answers commands on a thread, journalling nothing; gives what was asked.
    pub fn answer(
        &self,
        outcome: fn(&Command) -> Result<u64, trunkline::switch::CommandError>,
    ) -> mpsc::Receiver<Command> {
        let (commands, replies) = (self.commands.clone(), self.replies.clone());
        let (asked, seen) = mpsc::channel();
        std::thread::spawn(move || {
            for (id, command) in commands {
                let answer = outcome(&command);
                // Before the answer, so that whoever has it can count on the other.
                let _ = asked.send(command);
                replies.reply(id, answer);
            }
        });
        seen
    }
}

pub fn call(number: u64) -> CallId {
    CallId::new(i64::try_from(number).expect("small"), u128::from(number))
}

pub fn offered(call: CallId, caller: &str) -> Event {
    let (leg, direction, caller) = (LegId(1), Direction::Inbound, Personal::number(caller));
    Event::CallOffered { call, leg, direction, trunk: Some("carrier".into()), caller, called: "4001".into() }
}

/// A call up to its conversation with agent 1001.
pub fn talking(call: CallId, caller: &str) -> Vec<Event> {
    let (queue, agent) = (|| "support".into(), || "1001".into());
    let codec = || "pcma".to_owned();
    vec![
        offered(call, caller),
        Event::CallAnswered { call },
        Event::FlowEntered { call, flow: "support_direct".into(), language: "en".into() },
        Event::QueueEntered { call, queue: queue(), priority: 0, position: 1, since_ms: None },
        Event::AgentPresented { call, agent: agent(), queue: queue(), leg: LegId(2), why: "idle".into() },
        Event::AgentRinging { call, agent: agent() },
        Event::AgentAnswered { call, agent: agent(), codec_in: codec(), codec_out: codec() },
        Event::QueueLeft { call, queue: queue(), reason: LeaveReason::Answered, position: 1 },
        Event::RecordingStarted { call, recording: call.to_string(), consent: trunkline::journal::Consent::Announced },
    ]
}

/// The same call up to its final record.
pub fn answered(call: CallId, caller: &str) -> Vec<Event> {
    let mut events = talking(call, caller);
    let recording = call.to_string();
    let (state, expected_ms, written_ms) = (RecordingState::Complete, 1_000, 1_000);
    events.extend([
        Event::CallEnded { call, by: HangupBy::Caller, cause: Cause::normal(), disposition: "answered".into() },
        Event::LegEnded { call, leg: LegId(1), cause: Cause::normal() },
        Event::RecordingClosed { call, recording, state, expected_ms, written_ms, sha256: Some("ab".into()) },
        Event::AcwEnded { call, agent: "1001".into() },
    ]);
    events
}
