//! What is remembered of the customers who were here most recently.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Customers that are remembered; whoever was here longest ago is forgotten first.
pub(super) const MOST: usize = 100_000;

/// One thing about each customer, by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recent<T> {
    known: BTreeMap<String, (T, u64)>,
    /// The customers in the order in which they were here.
    order: BTreeMap<u64, String>,
    next: u64,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), order: BTreeMap::new(), next: 0 }
    }
}

impl<T> Recent<T> {
    pub(super) fn get(&self, number: &str) -> Option<&T> {
        self.known.get(number).map(|(known, _)| known)
    }

    pub(super) fn remember(&mut self, number: String, thing: T) {
        let place = self.next;
        self.next += 1;
        if let Some((_, old)) = self.known.insert(number.clone(), (thing, place)) {
            self.order.remove(&old);
        }
        self.order.insert(place, number);
        if self.known.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn forget(&mut self, number: &str) -> Option<T> {
        let (thing, place) = self.known.remove(number)?;
        self.order.remove(&place);
        Some(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thing_counts_and_the_map_does_not_grow_without_end() {
        let mut recent = Recent::default();
        recent.remember("first".to_owned(), 1);
        recent.remember("second".to_owned(), 1);
        recent.remember("second".to_owned(), 2);
        (0..MOST - 1).for_each(|number| recent.remember(number.to_string(), 3));
        assert_eq!(recent.get("first"), None, "whoever was here longest ago");
        assert_eq!(recent.get("second"), Some(&2));
        assert_eq!((recent.known.len(), recent.order.len()), (MOST, MOST));
        recent.forget("second");
        assert_eq!((recent.get("second"), recent.order.len()), (None, MOST - 1));
    }
}
