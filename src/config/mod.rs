//! Settings: one file and the trunks beside it, with line and column, merged with the environment, every error at once.

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
    AccountSettings, AgentSettings, DnsSettings, RouteSettings, RouteTo, RtpSettings, SecretSource, Settings,
    SipSettings, TlsSettings, TraceSettings, TrunkSettings,
};
