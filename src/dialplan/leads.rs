//! Where a step may lead, and what it may say.

use super::action::Action;
use super::program::StepRef;
use super::talk::{Ask, Item};

impl Action {
    /// Every step that may come after this one.
    pub fn exits(&self) -> Vec<StepRef> {
        match self {
            Self::Answer { next }
            | Self::Play { next, .. }
            | Self::Language { next, .. }
            | Self::Agent { next, .. }
            | Self::Record { next, .. }
            | Self::Ring { next, .. }
            | Self::Set { next, .. }
            | Self::Goto { next } => vec![*next],
            Self::Menu { keys, no_input, wrong_input, .. } => {
                keys.values().copied().chain([*no_input, *wrong_input]).collect()
            }
            Self::Gather { next, no_input, wrong_input, .. } => vec![*next, *no_input, *wrong_input],
            Self::When { cases, otherwise } => cases.iter().map(|(_, next)| *next).chain([*otherwise]).collect(),
            Self::Customer { inquiry, known, unknown, .. } => {
                [*known, *unknown].into_iter().chain(inquiry.as_ref().map(|inquiry| inquiry.failed)).collect()
            }
            Self::Call { start, next, .. } => vec![*start, *next],
            Self::Queue { next, unstaffed, unrecorded, waiting, after, .. } => {
                let keys = waiting.keys.values().chain(waiting.closing.as_ref().map(|(_, step)| step));
                next.iter().chain(unstaffed).chain(unrecorded).chain(keys).chain(after).copied().collect()
            }
            Self::Survey { next, no_input, .. } => vec![*next, *no_input],
            Self::Consent { next, refused, .. } => vec![*next, *refused],
            Self::Dial { next, .. } => vec![*next],
            Self::Transfer { failed, .. } => vec![*failed],
            Self::Sit { next, refused, .. } => vec![*next, *refused],
            Self::Conference { keys, failed, .. } => keys.values().copied().chain([*failed]).collect(),
            Self::Park { timeout, empty, occupied, .. } => vec![*timeout, *empty, *occupied],
            Self::Webhook { next, inquiry, .. } => vec![*next, inquiry.failed],
            Self::Voicemail { next, failed, .. } | Self::Callback { next, failed, .. } => vec![*next, *failed],
            Self::Hours { open, closed, .. } => vec![*open, *closed],
            Self::Echo | Self::Return | Self::Hangup { .. } => Vec::new(),
        }
    }

    /// The question that the step puts, if it puts one.
    pub fn ask(&self) -> Option<&Ask> {
        match self {
            Self::Menu { ask, .. }
            | Self::Language { ask, .. }
            | Self::Gather { ask, .. }
            | Self::Survey { ask, .. }
            | Self::Consent { ask, .. } => Some(ask),
            _ => None,
        }
    }

    /// Everything that the step may say.
    pub fn items(&self) -> Vec<&Item> {
        if let Some(ask) = self.ask() {
            let again = ask.again.iter().flatten();
            return ask.prompts.iter().chain(&ask.invalid).chain(&ask.silent).chain(again).collect();
        }
        match self {
            Self::Play { prompts, .. } | Self::Ring { prompts, .. } => prompts.iter().collect(),
            Self::Voicemail { greeting, .. } => greeting.iter().collect(),
            Self::Queue { waiting, announce, .. } => {
                waiting.messages.iter().flat_map(|message| &message.items).chain(announce).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether the step takes time by itself, so that a loop through it cannot spin. A queue may refuse at once.
    pub fn waits(&self) -> bool {
        !matches!(
            self,
            Self::Answer { .. }
                | Self::Hours { .. }
                | Self::Agent { .. }
                | Self::Sit { .. }
                | Self::Record { .. }
                | Self::Goto { .. }
                | Self::When { .. }
                | Self::Set { .. }
                | Self::Customer { .. }
                | Self::Call { .. }
                | Self::Return
                | Self::Queue { .. }
                // Neither waits where nothing can be kept.
                | Self::Voicemail { .. }
                | Self::Callback { .. }
                // Nor does a call to somebody who is busy.
                | Self::Dial { .. }
                | Self::Transfer { .. }
                // Nor does a room that is full, or a slot that is taken.
                | Self::Conference { .. }
                | Self::Park { .. }
        )
    }
}
