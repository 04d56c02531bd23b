//! The settings of the simulated floor.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use trunkline::acd;
use trunkline::config;
use trunkline::dialplan::{self, Program, Prompt, Source, Surroundings};
use trunkline::id::{AgentId, TrunkId};
use trunkline::media::{MusicId, PromptId};
use trunkline::records::Binding as Folded;
use trunkline::sip::digest::{self, Secret};
use trunkline::sip::endpoint::{self, Admission, User};
use trunkline::sip::registrar::{self, Binding, QualifySettings};
use trunkline::sip::transaction::Transport;
use trunkline::sip::trunk::{Target, Trunk};
use trunkline::switch::{AudioCodec, Route, RouteTo, Settings, Srtp, TrunkMedia};

use crate::media::THREADS;

/// Agents of the floor.
pub const AGENTS: [&str; 5] = ["1001", "1002", "1003", "1004", "1005"];
/// How long the floor lets a phone ring, ms: as in `plan.toml`.
pub const RING_MS: u64 = 12_000;
/// The phone that numbers beginning with 7 (not recorded) and 8 (recorded) are routed to.
pub const TARGET: &str = "10.3.0.1:5060";
/// Where the switch listens, UDP and TCP.
pub const LISTEN: &str = "10.0.0.1:5060";
pub const PASSWORD: &str = "secret";

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub fn settings(program: &Arc<Program>) -> Settings {
    let user = |name: &&str| ((*name).to_owned(), User { password: Secret::new(PASSWORD), nat: false });
    let carrier = Trunk::from_addresses(
        vec!["10.1.0.0/16".parse().unwrap_or_else(|()| panic!("a network"))],
        vec!["4*".to_owned(), "7*".to_owned(), "8*".to_owned()],
    );
    // The first target is switched off: every call by this trunk goes to the second.
    let target = |address: &str, priority| Target {
        uri: format!("sip:{address}").parse().unwrap_or_else(|error| panic!("{address}: {error:?}")),
        priority,
        weight: 1,
    };
    let onward = Trunk {
        targets: vec![target("10.3.9.9:5060", 1), target(TARGET, 2)],
        patience_ms: 700,
        ..Trunk::from_addresses(Vec::new(), Vec::new())
    };
    // Its callers hear the ringing of the switch and no announcements.
    let agreed =
        TrunkMedia { codecs: vec![AudioCodec::Pcma, AudioCodec::Pcmu], early_media: false, srtp: Srtp::Accept };
    let qualify = Some(QualifySettings { interval_ms: 300_000, failures: 2 });
    let sip = endpoint::Settings {
        admission: Admission::Guarded,
        trunks: BTreeMap::from([(TrunkId::from("carrier"), carrier), (TrunkId::from("onward"), onward)]),
        users: AGENTS.iter().map(user).collect(),
        digest: digest::Settings::default(),
        md5_only: Vec::new(),
        session_expires_s: 1_800,
        max_calls_per_user: 10,
        emergency: Vec::new(),
        guard: Default::default(),
        registrar: registrar::Settings { qualify, ..registrar::Settings::default() },
        listen: vec![(Transport::Udp, address(LISTEN)), (Transport::Tcp, address(LISTEN))],
        public_address: None,
        local_nets: vec!["10.0.0.0/8".parse().unwrap_or_else(|()| panic!("a network"))],
        trace: false,
        product: "Trunkline".to_owned(),
    };
    Settings {
        node: "sim".to_owned(),
        version: "0".to_owned(),
        sip,
        acd: acd_settings(program),
        program: Arc::clone(program),
        trace: false,
        media_address: address(LISTEN).ip(),
        media_public: None,
        media_threads: THREADS,
        srtp: Srtp::Accept,
        web: None,
        users_srtp: BTreeMap::new(),
        prompts: prompts(),
        music: BTreeMap::new(),
        default_music: MusicId(0),
        trunks: BTreeMap::from([(TrunkId::from("onward"), agreed)]),
        routes: vec![
            route("7", RouteTo::Target(format!("sip:{TARGET}").parse().expect("a URI")), false),
            route("8", RouteTo::Trunks(vec![TrunkId::from("onward")]), true),
        ],
        auto_answer: Default::default(),
        may_call: Default::default(),
        caller_ids: Default::default(),
        static_contacts: BTreeMap::new(),
        pins: BTreeMap::new(),
        recording_codes: Default::default(),
        record_internal: false,
    }
}

fn route(prefix: &str, to: RouteTo, record: bool) -> Route {
    let from_trunks = vec![TrunkId::from("carrier")];
    let prefix = prefix.to_owned();
    Route { prefix, to, strip: 0, agents: true, class: None, emergency: false, from_trunks, record }
}

const NAMES: [&str; 12] = [
    "recording_notice",
    "choose_language",
    "main_menu",
    "invalid_key",
    "no_key",
    "all_busy",
    "goodbye",
    "line_works",
    "welcome",
    "beep",
    "leave_message",
    "survey_question",
];

fn prompts() -> BTreeMap<Prompt, PromptId> {
    let all = ["zh", "en"].into_iter().flat_map(|language| NAMES.into_iter().map(move |name| (language, name)));
    all.enumerate().map(|(number, (language, name))| (prompt(language, name), PromptId(number as u32))).collect()
}

fn prompt(language: &str, name: &str) -> Prompt {
    Prompt::new(language, name)
}

pub fn program() -> Arc<Program> {
    let text = include_str!("plan.toml").to_owned();
    let files: BTreeSet<String> =
        ["zh", "en"].into_iter().flat_map(|l| NAMES.into_iter().map(move |name| format!("{l}/{name}.wav"))).collect();
    let agents = AGENTS.iter().map(|agent| ((*agent).to_owned(), BTreeMap::new())).collect();
    let source = Source { file: "tests/sim/plan.toml".to_owned(), text };
    let program = dialplan::load(
        &[source],
        Surroundings {
            prompts: &files,
            agents: Some(&agents),
            trunks: None,
            webhooks: None,
            beside: &BTreeMap::new(),
            year: None,
        },
    );
    Arc::new(program.unwrap_or_else(|problems| panic!("the plan is wrong: {problems:#?}")).0)
}

fn acd_settings(program: &Program) -> acd::Settings {
    // The last one takes two calls at once.
    let capacity = |id: &str| if AGENTS.last() == Some(&id) { 2 } else { 1 };
    let agent = |id: &&str| {
        let settings = acd::AgentSettings::named(AgentId::from(*id));
        acd::AgentSettings { capacity: capacity(id), ..settings }
    };
    let mut queues = config::acd_queues(program);
    queues.iter_mut().for_each(|queue| queue.capacity = Some(8));
    acd::Settings { agents: AGENTS.iter().map(agent).collect(), queues, ageing: acd::Ageing::default() }
}

/// A binding as the journal tells it.
pub fn binding(aor: &str, uri: &str, folded: &Folded) -> Binding {
    Binding {
        aor: aor.to_owned(),
        uri: uri.to_owned(),
        call_id: folded.call_id.clone(),
        cseq: folded.cseq,
        expires_wall_ms: folded.expires_ms,
        updated_wall_ms: 0,
        q: 1_000,
        flow: folded.flow.clone(),
        path: Vec::new(),
        instance: None,
    }
}
