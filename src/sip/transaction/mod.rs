//! Transactions (RFC 3261 §17, RFC 6026): a machine per file, and the layer that finds the machine for a message.

pub mod client_invite;
pub mod client_non_invite;
mod entry;
mod flow;
mod key;
mod large;
mod layer;
mod requests;
pub mod server_invite;
pub mod server_non_invite;
mod stateless;
pub mod timers;

pub use flow::{Flow, TransactionEvent, Transmit, Transport};
pub(in crate::sip) use flow::{reply_flow, reply_flow_by};
pub use key::TransactionKey;
pub use layer::{MAX_TRANSACTIONS, NoTransaction, Transactions};
pub use requests::{ack_for_refusal, cancel_for};

#[cfg(test)]
mod large_tests;
#[cfg(test)]
mod layer_tests;
#[cfg(test)]
mod machine_tests;
