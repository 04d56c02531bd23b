//! Digest authentication for SIP: RFC 3261 §22, RFC 2617, RFC 7616 and RFC 8760 (SHA-256 beside MD5), `qop=auth` only.

mod account;
mod authenticator;
mod challenge;
mod hash;
mod params;
mod secret;

pub use account::Account;
pub use authenticator::{Authenticator, Refusal, Settings, Verdict};
pub use challenge::{Answering, Challenge};
pub use hash::Algorithm;
pub use params::{ClientNonce, Credentials, DigestError};
pub use secret::Secret;
