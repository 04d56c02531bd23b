//! The tap as a machine: consent, pause, framing, WAV.
