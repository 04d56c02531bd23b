//! Settings: one file and the trunks beside it, with line and column, merged with the environment, every error at once.

mod difference;
mod environment;
mod floor;
mod queues;
mod read;
mod settings;

pub use crate::dialplan::{Music, Program, Prompt, differences as plan_differences, said};
pub use crate::sip::digest::Secret;
pub use crate::sip::trunk::{Net, Trunk};
pub use difference::{differences, waiting};
pub use floor::Opening;
pub use queues::acd_queues;
pub use read::agents::is_pin;
pub use read::{load, load_partly};
pub use settings::{
    AccountSettings, AgentSettings, DnsSettings, RecordingSettings, RouteSettings, RouteTo, RtpSettings, SecretSource,
    Settings, SipSettings, SpeechSettings, TlsSettings, TraceSettings, TrunkSettings, VolumeSettings, WebhookSettings,
};
