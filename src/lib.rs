//! Trunkline: a call-centre switch. The whole floor is a state machine; sockets, disks, clocks and browsers are its shell.
//!
//! The rooms stand in the order in which a call meets them.
#![warn(missing_docs)]

pub mod id;
pub mod journal;
pub mod time;

pub mod sip;

pub mod sdp;

pub mod dialplan;

pub mod import;

pub mod acd;

pub mod call;

pub mod rtp;

pub mod codec;

pub mod recording;

pub mod media;

pub mod switch;

pub mod records;

pub mod quality;

pub mod insight;

pub mod trial;

pub mod config;

pub mod net;

pub mod engine;

pub mod store;

pub mod hooks;

pub mod node;

pub mod api;

pub mod bot;

pub mod cli;
