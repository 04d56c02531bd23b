//! Where each phone is bound (RFC 3261 §10).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::{Entry, Event};

/// One contact of an address of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The flow over which it registered: `udp:127.0.0.1:5080`.
    pub flow: String,
    /// Call-ID of its last REGISTER.
    pub call_id: String,
    /// CSeq number of its last REGISTER.
    pub cseq: u32,
    /// When it expires, wall milliseconds.
    pub expires_ms: i64,
    /// When it was last set, wall milliseconds.
    pub updated_ms: i64,
    /// Preference in thousandths.
    pub q: u16,
    /// The proxies before the phone, nearest to us first.
    #[serde(default)]
    pub path: Vec<String>,
    /// The phone and which of its ways this is.
    #[serde(default)]
    pub instance: Option<String>,
}

/// Bindings by address of record and contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingsFold {
    bindings: BTreeMap<String, BTreeMap<String, Binding>>,
}

impl BindingsFold {
    /// Every binding as (address of record, contact, binding), also those that have expired since.
    pub fn bindings(&self) -> impl Iterator<Item = (&str, &str, &Binding)> {
        self.bindings.iter().flat_map(|(aor, contacts)| {
            contacts.iter().map(move |(contact, binding)| (aor.as_str(), contact.as_str(), binding))
        })
    }

    /// Folds one entry. A binding that was removed, or had expired when it was journalled, is gone.
    pub fn handle_entry(&mut self, entry: &Entry) {
        let Event::BindingChanged { aor, contact, flow, call_id, cseq, expires_ms, q, path, instance } = &entry.event
        else {
            return;
        };
        let contacts = self.bindings.entry(aor.clone()).or_default();
        // Whoever has expired goes with the next change, so that phones with ever new contacts do not pile up.
        contacts.retain(|_, binding| binding.expires_ms > entry.wall_ms);
        if *expires_ms > entry.wall_ms {
            let binding = Binding {
                flow: flow.clone(),
                call_id: call_id.clone(),
                cseq: *cseq,
                expires_ms: *expires_ms,
                updated_ms: entry.wall_ms,
                q: *q,
                path: path.clone(),
                instance: instance.clone(),
            };
            contacts.insert(contact.clone(), binding);
        } else {
            contacts.remove(contact);
        }
        if contacts.is_empty() {
            self.bindings.remove(aor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(fold: &mut BindingsFold, wall_ms: i64, contact: &str, expires_ms: i64) {
        let (aor, flow, call_id) = ("sip:1001@x".into(), "udp:127.0.0.1:5080".into(), "c".into());
        let event = Event::BindingChanged {
            aor,
            contact: contact.into(),
            flow,
            call_id,
            cseq: 1,
            expires_ms,
            q: 1000,
            path: vec![],
            instance: None,
        };
        fold.handle_entry(&Entry { seq: 1, wall_ms, event });
    }

    #[test]
    fn removed_and_expired_contacts_go() {
        let mut fold = BindingsFold::default();
        bind(&mut fold, 0, "a", 100);
        bind(&mut fold, 50, "b", 200);
        bind(&mut fold, 150, "c", 300);
        assert_eq!(fold.bindings().map(|(_, contact, _)| contact).collect::<Vec<_>>(), ["b", "c"]);
        bind(&mut fold, 160, "b", 0);
        bind(&mut fold, 160, "c", 0);
        assert_eq!(fold, BindingsFold::default());
    }
}
