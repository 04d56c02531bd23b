//! A REGISTER as typed values, and the rules of RFC 3261 §10.3 that need no state but the bindings themselves.

use super::binding::{Binding, BindingChange, Bound};
use super::table::Settings;

/// Most proxies before a phone.
const MAX_PATH: usize = 8;
/// Longest contact URI, Call-ID or flow that is kept, in bytes.
const MAX_TEXT: usize = 1024;

/// A REGISTER, authenticated and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterRequest {
    /// The address of record in `To`, canonical: the caller lower-cases the host and drops parameters.
    pub aor: String,
    /// The user who proved the password; must be the address of record's user.
    pub user: String,
    /// The request's Call-ID.
    pub call_id: String,
    /// The request's CSeq number.
    pub cseq: u32,
    /// What it asks for.
    pub contacts: Contacts,
    /// The `Expires` header, in seconds.
    pub default_expires: Option<u32>,
    /// Where the request came from and answers go.
    pub flow: String,
    /// The proxies that it came by, nearest to us first (RFC 3327).
    pub path: Vec<String>,
}

/// What the `Contact` headers ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// No Contact: only list the bindings.
    Query,
    /// `Contact: *`, legal with `Expires: 0` only.
    RemoveAll,
    /// Add, refresh or remove these.
    Set(Vec<ContactUpdate>),
}

/// One contact of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactUpdate {
    /// Its URI.
    pub uri: String,
    /// Its `expires` parameter in seconds; 0 removes it.
    pub expires: Option<u32>,
    /// Its `q` parameter in thousandths; 1000 where absent.
    pub q: Option<u16>,
    /// Its instance, and its `reg-id` where it registers by Outbound (RFC 5626 §4.2).
    pub instance: Option<String>,
}

/// What a REGISTER led to; for its 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Every binding of the address of record, best first.
    pub bindings: Vec<Bound>,
    /// What changed, to be journalled before the 200 leaves.
    pub changes: Vec<BindingChange>,
}

/// Why a REGISTER is refused; nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// 400.
    #[error("REGISTER is malformed: {0}")]
    Malformed(&'static str),
    /// 403: the identity does not match.
    #[error("user {user} may not register {aor}: only the own address of record")]
    Forbidden {
        /// Who asked.
        user: String,
        /// For what.
        aor: String,
    },
    /// 423, with `Min-Expires`.
    #[error("expiry is too brief: at least {min_expires_s} s")]
    IntervalTooBrief {
        /// The value for `Min-Expires`, in seconds.
        min_expires_s: u32,
    },
    /// 500: a request that is older than what it would change (RFC 3261 §10.3 step 7).
    #[error("CSeq is not above that of the binding's last registration: an older request overtaken on its way")]
    OutOfOrder,
    /// 503: more than the limit in one request.
    #[error("too many contacts: at most {max} for each address of record")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

impl RegisterError {
    /// The status of the response.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Forbidden { .. } => 403,
            Self::IntervalTooBrief { .. } => 423,
            Self::OutOfOrder => 500,
            Self::TooMany { .. } => 503,
        }
    }

    /// The value for `Min-Expires`, in seconds.
    pub fn min_expires_s(&self) -> Option<u32> {
        match self {
            Self::IntervalTooBrief { min_expires_s } => Some(*min_expires_s),
            _ => None,
        }
    }
}

/// The changes that `request` makes to `bindings` (those of its address of record, who makes room for others first), all or none.
pub(super) fn plan(
    settings: &Settings,
    bindings: &[&Binding],
    request: &RegisterRequest,
    wall_ms: i64,
) -> Result<Vec<BindingChange>, RegisterError> {
    check(request, settings)?;
    let removed = |uri: &str| BindingChange::Removed { aor: request.aor.clone(), uri: uri.to_owned() };
    let find = |uri: &str| bindings.iter().find(|binding| same_contact(&binding.uri, uri)).copied();
    let in_order = |binding: &Binding| binding.call_id != request.call_id || request.cseq > binding.cseq;
    let mut changes = Vec::new();
    match &request.contacts {
        Contacts::Query => {}
        Contacts::RemoveAll => {
            if !bindings.iter().all(|binding| in_order(binding)) {
                return Err(RegisterError::OutOfOrder);
            }
            changes.extend(bindings.iter().map(|binding| removed(&binding.uri)));
        }
        Contacts::Set(updates) => {
            for update in updates {
                let known = find(&update.uri);
                if !known.is_none_or(in_order) {
                    return Err(RegisterError::OutOfOrder);
                }
                let expires_s = expiry(settings, update, request.default_expires)?;
                for old in bindings.iter().filter(|old| is_moved(old, update, expires_s)) {
                    let listed = updates.iter().any(|other| same_contact(&old.uri, &other.uri));
                    if !listed && !changes.contains(&removed(&old.uri)) {
                        changes.push(removed(&old.uri));
                    }
                }
                match known {
                    Some(known) if expires_s == 0 => changes.push(removed(&known.uri)),
                    None if expires_s == 0 => {}
                    Some(known) => {
                        let renewed = bind(request, update, known.uri.clone(), expires_s, wall_ms);
                        changes.push(BindingChange::Refreshed(renewed));
                    }
                    None => changes.push(BindingChange::Added(bind(
                        request,
                        update,
                        update.uri.clone(),
                        expires_s,
                        wall_ms,
                    ))),
                }
            }
        }
    }
    make_room(settings, bindings, request, &mut changes)?;
    Ok(changes)
}

/// Whether a phone that comes by a new way takes the place of this old one (RFC 5626 §6). One that says goodbye there without
/// Outbound means that contact alone.
fn is_moved(old: &Binding, update: &ContactUpdate, expires_s: u32) -> bool {
    update.instance.is_some() && old.instance == update.instance && (expires_s > 0 || old.is_outbound())
}

/// A new contact always gets in, for a phone that left without a word must not lock its user out: at the limit others go.
fn make_room(
    settings: &Settings,
    bindings: &[&Binding],
    request: &RegisterRequest,
    changes: &mut Vec<BindingChange>,
) -> Result<(), RegisterError> {
    let added = changes.iter().filter(|change| matches!(change, BindingChange::Added(_))).count();
    let gone = changes.iter().filter(|change| matches!(change, BindingChange::Removed { .. })).count();
    let after = bindings.len().saturating_add(added).saturating_sub(gone);
    let excess = if added > 0 { after.saturating_sub(settings.max_contacts) } else { 0 };
    let untouched = bindings.iter().filter(|binding| changes.iter().all(|change| change.uri() != binding.uri));
    let leaving: Vec<BindingChange> = untouched
        .take(excess)
        .map(|binding| BindingChange::Removed { aor: request.aor.clone(), uri: binding.uri.clone() })
        .collect();
    if leaving.len() < excess {
        return Err(RegisterError::TooMany { max: settings.max_contacts });
    }
    changes.extend(leaving);
    Ok(())
}

/// What can be said without looking at the bindings.
fn check(request: &RegisterRequest, settings: &Settings) -> Result<(), RegisterError> {
    if user_of(&request.aor) != Some(request.user.as_str()) {
        return Err(RegisterError::Forbidden { user: request.user.clone(), aor: request.aor.clone() });
    }
    let too_long = |text: &str| text.len() > MAX_TEXT;
    if too_long(&request.call_id) || too_long(&request.flow) {
        return Err(RegisterError::Malformed("Call-ID is too long"));
    }
    if request.path.len() > MAX_PATH || request.path.iter().any(|hop| too_long(hop)) {
        return Err(RegisterError::Malformed("Path is too long"));
    }
    match &request.contacts {
        Contacts::Query => Ok(()),
        Contacts::RemoveAll if request.default_expires == Some(0) => Ok(()),
        Contacts::RemoveAll => Err(RegisterError::Malformed("Contact: * needs Expires: 0")),
        Contacts::Set(updates) => {
            // Twice the limit: a phone may replace all its contacts at once.
            if updates.len() > settings.max_contacts.saturating_mul(2) {
                return Err(RegisterError::TooMany { max: settings.max_contacts });
            }
            if updates.iter().any(|update| update.uri.is_empty() || too_long(&update.uri)) {
                return Err(RegisterError::Malformed("a contact's URI is empty or too long"));
            }
            let twice = |(at, update): (usize, &ContactUpdate)| {
                updates.iter().take(at).any(|other| same_contact(&other.uri, &update.uri))
            };
            if updates.iter().enumerate().any(twice) {
                return Err(RegisterError::Malformed("a contact appears twice"));
            }
            Ok(())
        }
    }
}

/// Seconds that a contact is granted; 0 removes it.
fn expiry(settings: &Settings, update: &ContactUpdate, default: Option<u32>) -> Result<u32, RegisterError> {
    let asked = update.expires.or(default).unwrap_or(settings.default_expires_s);
    // A registrar may refuse only what is below an hour (RFC 3261 §10.3 step 7).
    if asked != 0 && asked < settings.min_expires_s.min(3600) {
        return Err(RegisterError::IntervalTooBrief { min_expires_s: settings.min_expires_s.min(3600) });
    }
    Ok(asked.min(settings.max_expires_s))
}

fn bind(request: &RegisterRequest, update: &ContactUpdate, uri: String, expires_s: u32, wall_ms: i64) -> Binding {
    Binding {
        aor: request.aor.clone(),
        uri,
        call_id: request.call_id.clone(),
        cseq: request.cseq,
        expires_wall_ms: wall_ms.saturating_add(i64::from(expires_s) * 1000),
        updated_wall_ms: wall_ms,
        q: update.q.unwrap_or(1000).min(1000),
        flow: request.flow.clone(),
        path: request.path.clone(),
        instance: update.instance.clone(),
    }
}

/// The user in "sip:user@host".
fn user_of(aor: &str) -> Option<&str> {
    let (_, rest) = aor.split_once(':')?;
    rest.rsplit_once('@').map(|(user, _)| user)
}

/// Whether two URIs name one contact: the user by its case, scheme, host and parameters without (RFC 3261 §19.1.4).
fn same_contact(left: &str, right: &str) -> bool {
    match (left.rsplit_once('@'), right.rsplit_once('@')) {
        (Some((user, host)), Some((other_user, other_host))) => {
            host.eq_ignore_ascii_case(other_host)
                && match (user.split_once(':'), other_user.split_once(':')) {
                    (Some((scheme, user)), Some((other_scheme, other_user))) => {
                        scheme.eq_ignore_ascii_case(other_scheme) && user == other_user
                    }
                    _ => user == other_user,
                }
        }
        (None, None) => left.eq_ignore_ascii_case(right),
        _ => false,
    }
}
