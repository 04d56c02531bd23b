//! The people of a floor.

use crate::phone::{Agent, Caller, Ua};

/// Somebody with a phone.
pub enum Person {
    Agent(Agent),
    Caller(Caller),
}

impl Person {
    pub fn ua(&mut self) -> &mut Ua {
        match self {
            Self::Agent(agent) => &mut agent.ua,
            Self::Caller(caller) => &mut caller.ua,
        }
    }

    pub fn run(&mut self) {
        match self {
            Self::Agent(agent) => agent.run(),
            Self::Caller(caller) => caller.run(),
        }
    }
}
