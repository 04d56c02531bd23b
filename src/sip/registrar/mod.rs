//! The registrar: which contacts stand behind an address of record, and whether they still answer (RFC 3261 §10.3).

mod binding;
mod departed;
mod register;
mod table;

pub use binding::{Binding, BindingChange, Bound, Event, Qualification};
pub use register::{ContactUpdate, Contacts, RegisterError, RegisterRequest, Registered};
pub use table::{QualifySettings, Registrar, Settings};

#[cfg(test)]
mod tests;
