//! Reads the floor's files again while it runs: everything is made aside and swapped at once.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::event_loop::{Control, Swap};
use super::opening::{agent_passwords, agent_pins};
use super::prompts::Library;
use super::{PromptError, StartError};
use crate::config::{self, Opening, Program, Settings};
use crate::switch::Switch;

/// How long the loop may take to swap; it needs a turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what was tried, on what, and what to do")]
pub enum ReloadError {
    #[error(transparent)]
    Prompts(#[from] PromptError),
    #[error(transparent)]
    Secrets(#[from] StartError),
    #[error("the floor's settings contradict themselves: {0}")]
    Contradiction(String),
    #[error("the switch is stopping; nothing is reloaded")]
    Stopping,
    #[error("the switch has not taken the new plan within five seconds; look at its load")]
    Late,
    #[error("the new plan was not taken: {0}")]
    Refused(String),
}

/// What a reload did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// In force now, a line each.
    pub changes: Vec<String>,
    /// Settings that have changed and wait for the next start.
    pub waiting: Vec<&'static str>,
}

/// Makes a running floor follow its files.
pub struct Reloader {
    pub(super) settings: Settings,
    pub(super) program: Arc<Program>,
    pub(super) library: Library,
    pub(super) opening: Opening,
    pub(super) control: Sender<Control>,
    pub(super) waker: Waker,
}

impl Reloader {
    /// What a reload of these would change; changes nothing.
    pub fn look(&self, settings: &Settings, program: &Program) -> Reloaded {
        let mut changes = config::plan_differences(&self.program, program);
        changes.extend(config::differences(&self.settings, settings));
        Reloaded { changes, waiting: config::waiting(&self.settings, settings) }
    }

    /// Puts new settings and a new plan in force, as far as a running floor can. Calls in progress end on the plan that they began with.
    ///
    /// # Errors
    /// Where something cannot be loaded; then nothing has changed.
    pub fn reload(&mut self, settings: Settings, program: Program) -> Result<Reloaded, ReloadError> {
        let program = Arc::new(program);
        let mut told = self.look(&settings, &program);
        let library = self.library.of(&settings, &program)?;
        if library.prompts != self.library.prompts || library.music != self.library.music {
            told.changes.push("prompts or music changed".to_owned());
        }
        let (prompts, music, default_music) = (library.prompts.clone(), library.music.clone(), library.default_music());
        let (passwords, pins) = (agent_passwords(&settings)?, agent_pins(&settings)?);
        let opening = Opening { passwords, pins, prompts, music, default_music, ..self.opening.clone() };
        let switch = settings.switch(Arc::clone(&program), opening.clone());
        Switch::check_reload(&switch).map_err(|fault| ReloadError::Contradiction(fault.to_string()))?;
        let (done, answer) = bounded(1);
        let swap =
            Swap { settings: Box::new(switch), store: library.store.clone(), changes: told.changes.clone(), done };
        self.control.send(Control::Reload(swap)).map_err(|_| ReloadError::Stopping)?;
        self.waker.wake_by_ref();
        answer.recv_timeout(PATIENCE).map_err(|_| ReloadError::Late)?.map_err(ReloadError::Refused)?;
        (self.settings, self.program, self.library, self.opening) = (settings, program, library, opening);
        Ok(told)
    }
}
