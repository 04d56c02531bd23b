//! Turns by rank and weight: what SRV records (RFC 2782) and the targets of trunks have in common.

/// The items, which are sorted, in the order in which they have their turns: rank by rank, and within one drawn by weight. `first` is
/// what the first of those left in a rank has beside its weight.
pub(super) fn in_turn<T, R: PartialEq>(
    mut left: Vec<T>,
    rank: impl Fn(&T) -> R,
    weight: impl Fn(&T) -> u16,
    first: u64,
    mut draw: impl FnMut() -> u64,
) -> Vec<T> {
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(present) = left.first().map(&rank) {
        let same = left.iter().take_while(|item| rank(item) == present).count();
        let all: u64 = left[..same].iter().map(|item| u64::from(weight(item))).sum();
        let mark = draw() % (first + all).max(1);
        let mut running = first;
        let drawn = left[..same].iter().position(|item| {
            running += u64::from(weight(item));
            running > mark
        });
        // Nothing is drawn where nobody has any weight.
        ordered.push(left.remove(drawn.unwrap_or(0)));
    }
    ordered
}
