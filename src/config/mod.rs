//! Settings: one file with line and column, merged with the environment, every error at once.

mod environment;
mod read;
mod secret;
mod settings;

pub use read::{load, load_partly};
pub use secret::{Secret, SecretSource};
pub use settings::{AgentSettings, Net, RouteSettings, RtpSettings, Settings, SipSettings, TrunkSettings};
