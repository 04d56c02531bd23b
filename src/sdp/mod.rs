//! Session descriptions (RFC 8866) and offer/answer (RFC 3264).

mod description;
mod negotiated;
mod negotiator;

pub use description::{Description, Direction, MediaKind, MediaLine, PayloadType, SdpError};
pub use negotiated::{AudioCodec, LocalMedia, Negotiated, Refused, preferred_codec};
pub use negotiator::Negotiator;
