//! SIP as a pure machine: messages, transactions, dialogs, digest, registrar (RFC 3261).

pub mod dialog;
pub mod digest;
pub mod message;
pub mod registrar;
pub mod transaction;
