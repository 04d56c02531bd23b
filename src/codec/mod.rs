//! G.711, tones and sample rates. Samples are linear 16 bit.

pub mod g711;
pub mod music;
pub mod resample;
pub mod tone;
pub mod wav;
