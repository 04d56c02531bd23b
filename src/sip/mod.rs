//! SIP as a pure machine: messages, transactions, dialogs, digest, registrar, and the endpoint that joins them (RFC 3261).

pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod guard;
mod invite;
pub mod locate;
pub mod message;
pub mod overload;
pub mod registrar;
pub mod subscription;
pub mod transaction;
pub mod trunk;
mod weights;
