//! A call that is to be placed.

use std::sync::Arc;

use super::again::{WAY_PATIENCE_MS, Way};
use super::redirect::MOST_REDIRECTS;
use crate::id::TrunkId;
use crate::sip::digest::Account;
use crate::sip::endpoint::Carried;
use crate::sip::trunk::Net;

/// Whom to call, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Where to call, one after the other until somebody answers for the call; the first names To.
    pub ways: Vec<Way>,
    /// How long a way that is not the last may stay silent, milliseconds.
    pub patience_ms: u64,
    /// The user in our From: the number that the called party sees.
    pub from: String,
    /// The name in our From.
    pub name: Option<String>,
    /// The domain in our From; our own address where `None`.
    pub domain: Option<String>,
    /// What answers a challenge from the other side.
    pub account: Option<Arc<Account>>,
    /// Further headers, names and values.
    pub headers: Vec<(&'static str, String)>,
    /// Our offer.
    pub body: String,
    /// What the call brought along.
    pub carried: Carried,
    /// Whether the phone is to answer by itself, as headsets do.
    pub auto_answer: bool,
    /// Whether the peer is behind NAT, by its settings.
    pub nat: bool,
    /// The trunk that carries the call and counts it already.
    pub trunk: Option<TrunkId>,
    /// How many targets of redirections (3xx) may be tried; 0 where a redirection is a refusal.
    pub redirects: u8,
    /// Where such targets must be.
    pub redirect_nets: Vec<Net>,
}

impl Dial {
    /// A call by these ways as `from`, with this offer and nothing agreed.
    pub fn new(ways: Vec<Way>, from: String, body: String) -> Self {
        Self {
            ways,
            patience_ms: WAY_PATIENCE_MS,
            from,
            name: None,
            domain: None,
            account: None,
            headers: Vec::new(),
            body,
            carried: Carried::default(),
            auto_answer: false,
            nat: false,
            trunk: None,
            redirects: 0,
            redirect_nets: Vec::new(),
        }
    }

    /// The same, which may be led elsewhere (3xx) within these networks.
    pub fn redirected_within(self, nets: Vec<Net>) -> Self {
        Self { redirects: MOST_REDIRECTS, redirect_nets: nets, ..self }
    }
}
