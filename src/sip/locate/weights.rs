//! The order of SRV records (RFC 2782): by priority, and at random by weight within one.

use rand_chacha::ChaCha12Rng;
use rand_core::Rng;

use super::question::Srv;
use crate::sip::weights::in_turn;

/// The records in the order in which they are to be tried.
pub(super) fn in_order<'a>(records: impl IntoIterator<Item = &'a Srv>, rng: &mut ChaCha12Rng) -> Vec<&'a Srv> {
    let mut sorted: Vec<&Srv> = records.into_iter().collect();
    // Those of weight 0 first: one draw more than the weights have falls to the first, so that they have a small chance.
    sorted.sort_by_key(|srv| (srv.priority, srv.weight > 0));
    in_turn(sorted, |srv| srv.priority, |srv| srv.weight, 1, || rng.next_u64())
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }

    #[test]
    fn priority_decides_first_and_weight_is_the_share() {
        let mut rng = ChaCha12Rng::from_seed([7; 32]);
        let records = [srv(20, 0, "last"), srv(10, 75, "big"), srv(10, 25, "small"), srv(10, 0, "none")];
        let (mut big, mut none) = (0, 0);
        for _ in 0..10_000 {
            let order = in_order(&records, &mut rng);
            assert_eq!(order.len(), 4);
            assert_eq!(order[3].target, "last");
            big += u32::from(order[0].target == "big");
            none += u32::from(order[0].target == "none");
        }
        // Of 101 equally likely draws 75 fall to the big one and one to that without weight.
        assert!((7_200..7_650).contains(&big), "{big}");
        assert!((50..170).contains(&none), "{none}");
    }

    #[test]
    fn without_weights_every_one_is_tried() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let records = [srv(1, 0, "a"), srv(1, 0, "b")];
        let mut names: Vec<_> = in_order(&records, &mut rng).iter().map(|srv| srv.target.clone()).collect();
        names.sort();
        assert_eq!(names, ["a", "b"]);
        assert!(in_order(&[], &mut rng).is_empty());
    }
}
