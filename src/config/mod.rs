//! Settings: one file with line and column, merged with the environment, every error at once.

mod environment;
mod floor;
mod read;
mod settings;

pub use crate::dialplan::{Program, Prompt};
pub use crate::sip::digest::Secret;
pub use crate::sip::trunk::{Net, Trunk};
pub use floor::Opening;
pub use read::{load, load_partly};
pub use settings::{
    AgentSettings, DnsSettings, RouteSettings, RtpSettings, SecretSource, Settings, SipSettings, TlsSettings,
};
