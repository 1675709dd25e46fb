//! Laws of any machine: up to 64 nodes, with gaps, at any distances.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_macros,
    reason = "proptest's macros panic, which is how a test fails"
)]

extern crate std;
use proptest::prelude::*;

use super::*;

fn set(bits: u64) -> NodeSet {
    NodeSet::from_bits(bits)
}

proptest! {
    #[test]
    fn every_home_is_a_node_of_the_machine(bits in 1_u64.., asked in 1_u64.., node in 0_u8..64) {
        let machine = Topology::uniform(set(bits));
        for choice in [
            Choice::Local,
            Choice::Interleave,
            Choice::Weighted,
            Choice::Bind(set(asked)),
            Choice::Prefer(NodeId(node)),
            Choice::Off,
        ] {
            if choice.fits(&machine) {
                let homes = choice.homes(&machine);
                prop_assert!(!homes.is_empty());
                prop_assert_eq!(homes.intersection(machine.homes()), homes);
            }
        }
    }

    #[test]
    fn every_node_has_a_nearest_first_order_of_all_homes(
        bits in 1_u64..,
        from in 0_u8..64,
        distances in proptest::collection::vec(10_u8..=255, 64),
    ) {
        let mut machine = Topology::uniform(set(bits));
        let known = super::Distances::leaked();
        for (to, distance) in (0..).map(NodeId).zip(&distances) {
            known.set(NodeId(from), to, *distance);
        }
        machine.distances = Some(known);
        let order: std::vec::Vec<_> = machine.nearest_first(NodeId(from), machine.homes()).collect();
        prop_assert_eq!(order.len(), machine.homes().len());
        let far = |node: &NodeId| machine.distance(NodeId(from), *node);
        prop_assert!(order.windows(2).all(|pair| far(&pair[0]) <= far(&pair[1])));
        prop_assert!(machine.homes().contains(machine.home_of(NodeId(from), machine.homes())));
    }
}
