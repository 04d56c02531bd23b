//! RTP and RTCP packets, their encryption, ICE, telephone-event, the jitter buffer, loss and MOS (RFC 3550, 3711, 4733).

pub mod event;
pub mod ice;
pub mod jitter;
pub mod mos;
pub mod packet;
pub mod rtcp;
pub mod srtp;
pub mod stats;
pub mod stream;
