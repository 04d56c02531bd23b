//! Session descriptions (RFC 8866) and offer/answer (RFC 3264).

mod description;
mod negotiated;
mod negotiator;
mod protection;

pub use description::{Description, Direction, MediaKind, MediaLine, PayloadType, SdpError};
pub use negotiated::{AudioCodec, LocalMedia, Negotiated, Refused, preferred_codec};
pub use negotiator::Negotiator;
pub use protection::{CryptoKey, CryptoLine, CryptoSuite, OwnKeys, OwnWeb, PeerWeb, Protection, Secured, Setup, Srtp};
