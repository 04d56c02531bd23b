//! RTP and RTCP packets, telephone-event, loss and MOS (RFC 3550, 4733).

pub mod event;
pub mod mos;
pub mod packet;
pub mod rtcp;
pub mod stats;
pub mod stream;
