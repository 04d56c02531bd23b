//! Callers in the order in which they will be served.

use crate::id::CallId;

use super::settings::Ageing;

/// The place of a caller: the smallest is served first. Constant while the caller waits, as all age at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    rank: i64,
    pub(super) entered_ms: i64,
    pub(super) call: CallId,
}

impl Place {
    /// Score at instant t is base × priority + rate × (t − entered); t is common to all, so the rest orders them.
    pub(super) fn new(ageing: Ageing, priority: i32, entered_ms: i64, call: CallId) -> Self {
        let aged = i128::from(ageing.rate) * i128::from(entered_ms);
        let class = i128::from(ageing.base) * i128::from(priority) * 1000;
        // Classes and rates beyond all reason end at the limits, where who came first is first.
        let rank = (aged - class).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Self { rank, entered_ms, call }
    }
}

/// How many places a block holds before it is split: two levels of this width carry 100,000 callers in cache lines.
const BLOCK: usize = 512;

/// A sorted set that also tells the rank of a member without walking it: blocks of sorted places.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    blocks: Vec<Vec<Place>>,
}

impl Line {
    pub(super) fn insert(&mut self, place: Place) {
        let at = self.block_of(place).min(self.blocks.len().saturating_sub(1));
        let Some(block) = self.blocks.get_mut(at) else {
            self.blocks.push(vec![place]);
            return;
        };
        if let Err(slot) = block.binary_search(&place) {
            block.insert(slot, place);
        }
        if block.len() > BLOCK {
            let upper = block.split_off(BLOCK / 2);
            self.blocks.insert(at + 1, upper);
        }
    }

    pub(super) fn remove(&mut self, place: Place) {
        let at = self.block_of(place);
        let Some(block) = self.blocks.get_mut(at) else { return };
        if let Ok(slot) = block.binary_search(&place) {
            block.remove(slot);
        }
        if block.is_empty() {
            self.blocks.remove(at);
        }
    }

    /// Position from 1 that `place` has, or would have.
    pub(super) fn position(&self, place: Place) -> u32 {
        let at = self.block_of(place);
        let before: usize = self.blocks.iter().take(at).map(Vec::len).sum();
        let within = self.blocks.get(at).map_or(0, |block| block.partition_point(|other| *other < place));
        u32::try_from(before + within + 1).unwrap_or(u32::MAX)
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    /// The block whose last place is not before `place`.
    fn block_of(&self, place: Place) -> usize {
        self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_agree_with_a_sorted_list() {
        let place = |n: u64| {
            Place::new(Ageing::default(), (n % 3) as i32, (n * 7919 % 100_003) as i64, CallId::new(0, u128::from(n)))
        };
        let mut line = Line::default();
        let mut sorted: Vec<Place> = (0..3000).map(place).collect();
        for one in &sorted {
            line.insert(*one);
        }
        sorted.sort_unstable();
        for round in 0..3 {
            for (index, one) in sorted.iter().enumerate() {
                assert_eq!(line.position(*one) as usize, index + 1);
            }
            assert_eq!(line.len(), sorted.len());
            let gone: Vec<Place> = sorted.iter().copied().skip(round).step_by(2).collect();
            gone.iter().for_each(|one| line.remove(*one));
            sorted.retain(|one| !gone.contains(one));
        }
    }
}
