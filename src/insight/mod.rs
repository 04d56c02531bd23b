//! What a floor needs and what becomes of it: Erlang's formulas, and days played through the very ACD.

pub mod arrivals;
pub mod erlang;
pub mod simulation;
