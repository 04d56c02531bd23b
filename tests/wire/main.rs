//! The built daemon on real sockets: phones of our own that speak raw text, sipp and baresip; a module per behaviour.

mod abandon;
mod api;
mod baresip;
mod daemon;
mod feature_codes;
mod framing;
mod hangups;
mod ivr;
mod kills;
mod phone;
mod quality;
mod queue;
mod refusals;
mod rtp;
mod sipp;
mod start;
mod tone;
mod torture;
mod way;
