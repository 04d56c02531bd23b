//! G.711, tones and sample rates.
