//! The built daemon on real sockets: phones of our own that speak raw text, sipp and baresip; a module per behaviour.

mod abandon;
mod api;
mod baresip;
mod certificates;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod dialogs;
mod early_media;
mod feature_codes;
mod framing;
mod guard;
mod hangups;
mod ivr;
mod kills;
mod line;
mod overload;
mod pcap;
mod phone;
mod phones;
mod placed_on;
mod quality;
mod queue;
mod refusals;
mod rtp;
mod security;
mod sipp;
mod sipp_hotline;
mod start;
mod stop;
mod tls;
mod tone;
mod torture;
mod way;
mod websocket;
