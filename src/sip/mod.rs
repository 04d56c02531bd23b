//! SIP as a pure machine: messages, transactions, dialogs, digest, registrar (RFC 3261).

pub mod digest;
pub mod registrar;
