//! One party of a call, as far as the call cares.

use crate::id::LegId;

/// Where a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegState {
    /// An INVITE is open in either direction.
    Inviting,
    /// The INVITE was cancelled or refused; its last answer is awaited.
    Cancelling,
    /// A 200 was exchanged.
    Up,
    /// A BYE is under way.
    Closing,
    /// The dialog is closed on both sides.
    Gone,
}

/// A party's leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its name.
    pub id: LegId,
    /// Where it stands.
    pub state: LegState,
}

impl Leg {
    /// A leg whose INVITE is open.
    pub fn inviting(id: LegId) -> Self {
        Self { id, state: LegState::Inviting }
    }
}
