//! RTP and RTCP packets, telephone-event, loss and MOS (RFC 3550, 4733).
