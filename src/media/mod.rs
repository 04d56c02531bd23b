//! What happens to a packet: relay, player, leg state.
