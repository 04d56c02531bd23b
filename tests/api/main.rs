//! The API over real HTTP on 127.0.0.1, fed by a real journal.

mod events;
mod floor;
mod http;
mod recordings;
mod records;
mod requests;
