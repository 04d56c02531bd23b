//! Acts in words, for people who try a plan.

use super::act::{Act, DialPlace};
use super::catalogue::Catalogue;
use super::program::Prompt;
use crate::id::AgentId;
use crate::journal::SkillWish;

impl Act {
    /// What is done, in lines: one for each prompt, with its text out of the catalogue.
    pub fn told(&self, catalogue: &Catalogue) -> Vec<String> {
        let said = |prompts: &[Prompt], what: &str| {
            let line = |prompt: &Prompt| {
                let text = catalogue.text(&prompt.language, &prompt.name).unwrap_or("(no text in the catalogue)");
                format!("{what} {}: {text}", prompt.path())
            };
            prompts.iter().map(line).collect()
        };
        let line = match self {
            Self::Play { prompts, .. } => return said(prompts, "play"),
            Self::PlayEarly { prompts, .. } => return said(prompts, "in place of ringing"),
            Self::PlayToWaiting { prompts, .. } => return said(prompts, "say while waiting"),
            Self::EnterStep { flow, step } => format!("{flow}.{step}"),
            Self::Answer => "answer".to_owned(),
            Self::Ring => "ring".to_owned(),
            Self::PlayMusic => "music".to_owned(),
            Self::StopPlay => "stop".to_owned(),
            Self::ChooseLanguage(language) => format!("language {language}"),
            Self::Enqueue { queue, priority, wishes, record, prefer, .. } => {
                let recorded = if *record { "recorded" } else { "not recorded" };
                let alone = |(agent, ms): &(AgentId, u64)| format!(", {agent} alone for {ms} ms");
                let alone = prefer.as_ref().map_or(String::new(), alone);
                let wish = |SkillWish { skill, least, for_ms }: &SkillWish| {
                    format!(", {skill} ≥ {least}{}", for_ms.map_or(String::new(), |ms| format!(" for {ms} ms")))
                };
                let wishes: String = wishes.iter().map(wish).collect();
                format!("queue {queue}, priority {priority}{wishes}, {recorded}{alone}")
            }
            Self::Dial { places, ring_ms, .. } => {
                let place = |place: &DialPlace| match place {
                    DialPlace::User(user) => user.to_string(),
                    DialPlace::Number { number, trunk } => format!("{number} over {trunk}"),
                };
                let together = |places: &Vec<DialPlace>| places.iter().map(place).collect::<Vec<_>>().join(" and ");
                let places: Vec<_> = places.iter().map(together).collect();
                format!("dial {}, {ring_ms} ms each", places.join(", "))
            }
            Self::Consult(question) => {
                let fields: Vec<_> = question.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("ask webhook {} {}", question.hook, fields.join(", ")).trim_end().to_owned()
            }
            Self::Survey { question, score } => format!("answer to {question}: {score}"),
            Self::BeginMessage => "record a message".to_owned(),
            Self::KeepMessage { mailbox } => format!("the message counts, for {mailbox}"),
            Self::EndMessage => "end of the message".to_owned(),
            Self::RequestCallback(wish) => {
                let within = wish.hours.as_ref().map_or(String::new(), |hours| format!(" within hours {hours}"));
                format!("call {} back by queue {} over {}{within}", wish.number, wish.queue, wish.trunk)
            }
            Self::LeaveQueue { .. } => "leave the queue".to_owned(),
            Self::Classify { class } => format!("class {class}"),
            Self::Decided(decision) => format!("because {decision}"),
            Self::Sit { agent } => format!("agent {agent} sits down"),
            Self::NotSeated { agent, .. } => format!("agent {agent} does not sit down"),
            Self::ChangeAgent(change) => format!("agent becomes {change:?}"),
            Self::Unrecordable { queue } => format!("not put through to {queue}: it must be recorded, and is not"),
            Self::Record(change) => format!("recording: {change:?}"),
            Self::EnterFlow { flow, language } => format!("flow {flow} in {language}"),
            Self::Confer { room, .. } => format!("room {room}"),
            Self::LeaveRoom => "leave the room".to_owned(),
            Self::Park { slot, .. } => format!("park in {slot}"),
            Self::Unpark => "leave the slot".to_owned(),
            Self::Echo => "echo".to_owned(),
            Self::PlayTone { tone, .. } => format!("{} tone", tone.name()),
            Self::Hangup { cause } => format!("hang up: {} {}", cause.code, cause.text),
        };
        vec![line]
    }
}
