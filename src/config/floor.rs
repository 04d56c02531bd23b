//! From settings and a checked plan to what the switch wants to know.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{RouteTo, Secret, Settings, Trunk, TrunkSettings};
use crate::acd;
use crate::dialplan::{Program, Prompt};
use crate::id::{AgentId, QueueId, TrunkId};
use crate::media::{MusicId, PromptId};
use crate::sip::digest::{self, Account};
use crate::sip::endpoint::{self, Admission, User};
use crate::sip::registrar::{self, QualifySettings};
use crate::sip::transaction::Transport;
use crate::switch;

/// What only the shell knows when the floor opens.
#[derive(Clone, Debug)]
pub struct Opening {
    /// This machine's name.
    pub node: String,
    /// Passwords of phones, those from files included.
    pub passwords: BTreeMap<String, Secret>,
    /// Passwords of our accounts at trunks, by the trunk.
    pub accounts: BTreeMap<String, Secret>,
    /// Passwords by which trunks prove themselves, by the trunk.
    pub inbound: BTreeMap<String, Secret>,
    /// What SIP listens on, as bound.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// Media threads.
    pub media_threads: u16,
    /// Prompts that were loaded.
    pub prompts: BTreeMap<Prompt, PromptId>,
    /// Music that was loaded.
    pub music: BTreeMap<String, MusicId>,
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

fn trunk_media((name, settings): (&String, &TrunkSettings)) -> (TrunkId, switch::TrunkMedia) {
    let media = switch::TrunkMedia { codecs: settings.codecs(), early_media: settings.early_media };
    (TrunkId::from(name.as_str()), media)
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
            program,
            trace: self.trace.is_some(),
            media_address: self.media_address(),
            media_public: self.rtp.public_address,
            media_threads: opening.media_threads,
            prompts: opening.prompts,
            music: opening.music,
            default_music: opening.default_music,
            routes: routes.collect(),
            trunks: self.trunks.iter().map(trunk_media).collect(),
            auto_answer: self
                .agents
                .iter()
                .filter(|(_, agent)| agent.auto_answer)
                .map(|(name, _)| name.as_str().into())
                .collect(),
            static_contacts: self.agents.iter().filter_map(contact).collect(),
        }
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
            guard: self.guard,
            registrar,
            listen: opening.listen.clone(),
            public_address: self.sip.public_address,
            local_nets: self.local_nets.clone(),
            trace: self.trace.is_some(),
            product: format!("Trunkline/{}", env!("CARGO_PKG_VERSION")),
        }
    }

    fn acd(&self, program: &Program) -> acd::Settings {
        let skilled = |skill: &String| (skill.clone(), 100);
        let agents = self.agents.iter().map(|(name, agent)| acd::AgentSettings {
            id: AgentId::from(name.as_str()),
            skills: agent.skills.iter().map(skilled).collect(),
        });
        let queues = program.queues().iter().map(|(name, queue)| acd::QueueSettings {
            id: QueueId::from(name.as_str()),
            members: queue.members.iter().map(|member| AgentId::from(member.as_str())).collect(),
            ring_timeout_ms: queue.ring_ms,
            acw_ms: queue.acw_ms,
            max_wait_ms: queue.max_wait_ms,
            overflow: queue
                .overflow
                .iter()
                .map(|step| acd::OverflowStep { after_ms: step.after_ms, to: step.to.clone() })
                .collect(),
            capacity: None,
            required: queue.skills.iter().map(|skill| (skill.clone(), 1)).collect(),
        });
        acd::Settings { agents: agents.collect(), queues: queues.collect(), ageing: acd::Ageing::default() }
    }
}
