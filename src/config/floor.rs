//! From settings and a checked plan to what the switch wants to know.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::queues::acd_queues;
use super::{RouteTo, Secret, Settings, Trunk, TrunkSettings};
use crate::acd;
use crate::dialplan::{Music, Program, Prompt};
use crate::id::{AgentId, TrunkId};
use crate::media::{MusicId, PromptId};
use crate::sip::digest::{self, Account};
use crate::sip::endpoint::{self, Admission, User};
use crate::sip::registrar::{self, QualifySettings};
use crate::sip::transaction::Transport;
use crate::sip::trunk::Target;
use crate::switch::{self, Srtp};

/// What only the shell knows when the floor opens.
#[derive(Clone, Debug)]
pub struct Opening {
    /// This machine's name.
    pub node: String,
    /// Passwords of phones, those from files included.
    pub passwords: BTreeMap<String, Secret>,
    /// PINs of agents, those from files included.
    pub pins: BTreeMap<String, Secret>,
    /// Passwords of our accounts at trunks, by the trunk.
    pub accounts: BTreeMap<String, Secret>,
    /// Passwords by which trunks prove themselves, by the trunk.
    pub inbound: BTreeMap<String, Secret>,
    /// What SIP listens on, as bound.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// SHA-256 of the certificate that browsers are shown.
    pub fingerprint: Option<[u8; 32]>,
    /// Media threads.
    pub media_threads: u16,
    /// Prompts that were loaded.
    pub prompts: BTreeMap<Prompt, PromptId>,
    /// Music that was loaded.
    pub music: BTreeMap<Music, MusicId>,
    /// Music where a queue names none.
    pub default_music: MusicId,
}

impl Opening {
    /// A trunk with its secrets.
    fn trunk(&self, name: &str, settings: &TrunkSettings) -> Trunk {
        let account = settings.account.as_ref().zip(self.accounts.get(name)).map(|(account, password)| {
            let (user, realm) = (account.user.clone(), account.realm.clone());
            Arc::new(Account { user, password: password.clone(), realm })
        });
        let inbound = settings.inbound.as_ref().zip(self.inbound.get(name));
        let inbound = inbound.map(|(account, password)| (account.user.clone(), password.clone()));
        Trunk { account, inbound, ..settings.sip.clone() }
    }
}

impl Settings {
    /// Where media is received.
    pub fn media_address(&self) -> IpAddr {
        let sip = self.sip.listen().next().map(|(_, address)| address.ip());
        let loopback = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        self.rtp.address.first().copied().or(sip).unwrap_or(loopback)
    }

    /// What the switch is to know.
    pub fn switch(&self, program: Arc<Program>, opening: Opening) -> switch::Settings {
        let ids = |names: &[String]| names.iter().map(|name| TrunkId::from(name.as_str())).collect();
        let routes = self.routes.iter().map(|route| switch::Route {
            prefix: route.prefix.clone(),
            strip: route.strip,
            to: match &route.to {
                RouteTo::Target(target) => switch::RouteTo::Target(target.clone()),
                RouteTo::Trunks(names) => switch::RouteTo::Trunks(ids(names)),
            },
            agents: route.agents,
            class: route.class.clone(),
            emergency: route.emergency,
            from_trunks: ids(&route.from_trunks),
            record: route.record,
        });
        let contact = |(agent, settings): (&String, &super::AgentSettings)| {
            Some((AgentId::from(agent.as_str()), settings.contact.clone()?))
        };
        switch::Settings {
            node: opening.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            acd: self.acd(&program),
            sip: self.endpoint(&opening),
            may_call: self
                .agents
                .iter()
                .map(|(name, agent)| (name.as_str().into(), agent.may_call.iter().cloned().collect()))
                .collect(),
            caller_ids: caller_ids(&program),
            program,
            trace: self.trace.is_some(),
            media_address: self.media_address(),
            media_public: self.rtp.public_address,
            media_threads: opening.media_threads,
            prompts: opening.prompts,
            music: opening.music,
            default_music: opening.default_music,
            routes: routes.collect(),
            record_internal: self.sip.record_internal,
            recording_codes: switch::RecordingCodes {
                pause: self.recording.pause_code.clone(),
                resume: self.recording.resume_code.clone(),
            },
            srtp: self.rtp.srtp,
            web: opening
                .fingerprint
                .zip(self.browsers_port())
                .map(|(fingerprint, first_port)| switch::WebSettings { fingerprint, first_port }),
            users_srtp: self
                .agents
                .iter()
                .filter_map(|(name, agent)| Some((AgentId::from(name.as_str()), agent.srtp?)))
                .collect(),
            trunks: self.trunks.iter().map(|(name, trunk)| self.trunk_media(name, trunk)).collect(),
            auto_answer: self
                .agents
                .iter()
                .filter(|(_, agent)| agent.auto_answer)
                .map(|(name, _)| name.as_str().into())
                .collect(),
            static_contacts: self.agents.iter().filter_map(contact).collect(),
            pins: opening.pins.iter().map(|(name, pin)| (AgentId::from(name.as_str()), pin.clone())).collect(),
        }
    }

    fn trunk_media(&self, name: &str, settings: &TrunkSettings) -> (TrunkId, switch::TrunkMedia) {
        let srtp = settings.srtp.unwrap_or(self.rtp.srtp);
        let media = switch::TrunkMedia { codecs: settings.codecs(), early_media: settings.early_media, srtp };
        (TrunkId::from(name), media)
    }

    /// Where keys of sound are offered in descriptions that can be read under way (RFC 4568 §1): one line for a person each.
    pub fn keys_in_the_clear(&self) -> Vec<String> {
        let offers = |srtp: Option<Srtp>| matches!(srtp.unwrap_or(self.rtp.srtp), Srtp::Offer | Srtp::Require);
        let clear = |target: &Target| !Transport::of_uri(&target.uri).is_some_and(Transport::is_secure);
        let trunks = self.trunks.iter().filter(|(_, trunk)| offers(trunk.srtp) && trunk.sip.targets.iter().any(clear));
        let mut lines: Vec<String> = trunks
            .map(|(name, _)| {
                format!("trunk \"{name}\" offers keys for SRTP over UDP or TCP; write its targets with transport=tls")
            })
            .collect();
        let open = self.sip.udp.len() + self.sip.tcp.len() + self.sip.ws.len() > 0;
        let agents: Vec<&str> =
            self.agents.iter().filter(|(_, agent)| offers(agent.srtp)).map(|(name, _)| name.as_str()).collect();
        if open && !agents.is_empty() {
            let hint = "register them by TLS, or whoever sees their signalling hears their calls";
            lines.push(format!("the phones of {} may get keys for SRTP over UDP or TCP; {hint}", agents.join(", ")));
        }
        lines
    }

    fn endpoint(&self, opening: &Opening) -> endpoint::Settings {
        let user = |(name, password): (&String, &Secret)| {
            let nat = self.agents.get(name).is_some_and(|agent| agent.nat);
            (name.clone(), User { password: password.clone(), nat })
        };
        let mut registrar = registrar::Settings::default();
        if let Some(interval_ms) = self.sip.qualify_ms {
            registrar.qualify = registrar.qualify.map(|qualify| QualifySettings { interval_ms, ..qualify });
            registrar.qualify = registrar.qualify.filter(|qualify| qualify.interval_ms > 0);
        }
        if let Some(most) = self.sip.max_contacts {
            registrar.max_contacts = most as usize;
        }
        let mut digest = digest::Settings::default();
        if !self.sip.digest.is_empty() {
            digest.algorithms.clone_from(&self.sip.digest);
        }
        endpoint::Settings {
            admission: Admission::Guarded,
            trunks: self
                .trunks
                .iter()
                .map(|(name, trunk)| (TrunkId::from(name.as_str()), opening.trunk(name, trunk)))
                .collect(),
            users: opening.passwords.iter().map(user).collect(),
            digest,
            md5_only: self.sip.md5_only.clone(),
            session_expires_s: u32::try_from(self.sip.session_expires_ms.unwrap_or(1_800_000) / 1_000)
                .unwrap_or(u32::MAX),
            max_calls_per_user: self.sip.max_calls_per_user.unwrap_or(10),
            emergency: self.routes.iter().filter(|route| route.emergency).map(|route| route.prefix.clone()).collect(),
            guard: self.guard,
            registrar,
            listen: opening.listen.clone(),
            public_address: self.sip.public_address,
            local_nets: self.local_nets.clone(),
            trace: self.trace.is_some(),
            product: format!("Trunkline/{}", env!("CARGO_PKG_VERSION")),
        }
    }

    /// What the ACD is to know.
    pub fn acd(&self, program: &Program) -> acd::Settings {
        let agents = self.agents.iter().map(|(name, agent)| acd::AgentSettings {
            id: AgentId::from(name.as_str()),
            skills: agent.skills.clone(),
            acw_ms: agent.acw_ms,
            capacity: agent.capacity,
        });
        acd::Settings { agents: agents.collect(), queues: acd_queues(program), ageing: self.ageing }
    }
}

/// What the called party sees of each agent's calls: the number of the first queue, by name, that has one and the agent in it.
fn caller_ids(program: &Program) -> BTreeMap<AgentId, String> {
    let mut numbers = BTreeMap::new();
    for queue in program.queues().values() {
        let Some(number) = &queue.caller_id else { continue };
        for agent in &queue.members {
            numbers.entry(AgentId::from(agent.as_str())).or_insert_with(|| number.clone());
        }
    }
    numbers
}
