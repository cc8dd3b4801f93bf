//! The frequent items of a stream in bounded memory: the summary of Misra and Gries (Finding Repeated Elements, Science of
//! Computer Programming 2, 1982), merged as by Agarwal, Cormode, Huang, Phillips, Wei and Yi (Mergeable Summaries, ACM
//! TODS 38, 2013, section 3).

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Counts of some of the items, none of them too high and all of them too low by at most `error`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sketch {
    /// What is known of the count of each item; one that is missing has 0.
    pub counts: BTreeMap<String, i64>,
    /// An item occurs at least as often as its count says, and at most this much more often.
    pub error: i64,
}

impl Sketch {
    /// Counts with nothing left out.
    pub fn exact<'a>(counts: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let counts = counts.into_iter().map(|(item, count)| (item.to_owned(), count)).collect();
        Self { counts, error: 0 }
    }

    /// Adds what another stream's sketch knows. Both may be too low by their errors, and so the sum by both.
    pub fn merge(&mut self, other: Self) {
        for (item, count) in other.counts {
            *self.counts.entry(item).or_default() += count;
        }
        self.error += other.error;
    }

    /// Leaves at most so many counters: takes the greatest count that must go from all.
    ///
    /// What is taken is taken from `size + 1` counters at once, each time. So of n occurrences, however they were cut,
    /// sketched and merged, `error` never takes more than `n / (size + 1)`.
    pub fn prune(&mut self, size: usize) {
        let mut descending: Vec<i64> = self.counts.values().copied().collect();
        descending.sort_unstable_by_key(|&count| Reverse(count));
        if let Some(&cut) = descending.get(size) {
            self.counts.retain(|_, count| {
                *count -= cut;
                *count > 0
            });
            self.error += cut;
        }
    }

    /// The items with the highest counts, at most so many; of the same count, in the order of the items.
    pub fn top(&self, k: usize) -> Vec<(&str, i64)> {
        let mut items: Vec<_> = self.counts.iter().map(|(item, &count)| (item.as_str(), count)).collect();
        items.sort_by_key(|&(_, count)| Reverse(count));
        items.truncate(k);
        items
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(items: &[u8]) -> Sketch {
        let mut counts = BTreeMap::<String, i64>::new();
        items.iter().for_each(|item| *counts.entry(item.to_string()).or_default() += 1);
        Sketch { counts, error: 0 }
    }

    #[test]
    fn the_smallest_go_and_all_others_lose_as_much() {
        let mut sketch = Sketch::exact([("a", 9), ("b", 5), ("c", 2), ("d", 1)]);
        sketch.prune(4);
        assert_eq!(sketch.top(2), [("a", 9), ("b", 5)]);
        sketch.prune(2);
        assert_eq!(sketch, Sketch { error: 2, ..Sketch::exact([("a", 7), ("b", 3)]) });
        sketch.merge(Sketch { error: 1, ..Sketch::exact([("d", 4), ("a", 1)]) });
        assert_eq!(sketch, Sketch { error: 3, ..Sketch::exact([("a", 8), ("b", 3), ("d", 4)]) });
    }

    #[test]
    fn of_the_same_count_the_first_comes_first() {
        assert_eq!(Sketch::exact([("b", 1), ("a", 1), ("c", 2)]).top(2), [("c", 2), ("a", 1)]);
    }

    /// Parts of a stream, in which small numbers are more frequent.
    fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let item = (0_u8..40, 0_u8..40).prop_map(|(a, b)| a * b / 40);
        prop::collection::vec(prop::collection::vec(item, 0..60), 1..12)
    }

    proptest! {
        #[test]
        fn counts_are_within_the_error_and_the_error_within_its_bound(
            parts in parts(),
            size in 1..12_usize,
            order in prop::collection::vec(any::<prop::sample::Index>(), 12),
        ) {
            let all = exact(&parts.concat());
            let n: i64 = all.counts.values().sum();
            // Merged in any tree: two neighbours at a time.
            let mut sketches: Vec<_> = parts.iter().map(|part| exact(part)).collect();
            sketches.iter_mut().for_each(|sketch| sketch.prune(size));
            for place in order {
                if sketches.len() > 1 {
                    let place = place.index(sketches.len() - 1);
                    let next = sketches.remove(place + 1);
                    sketches[place].merge(next);
                    sketches[place].prune(size);
                }
            }
            let sketch = &sketches[0];
            prop_assert!(sketch.counts.len() <= size);
            prop_assert!(sketch.error <= n / (size as i64 + 1));
            for (item, &truth) in &all.counts {
                let count = sketch.counts.get(item).copied().unwrap_or(0);
                prop_assert!(count <= truth && truth <= count + sketch.error, "{item}: {count} of {truth}");
            }
        }
    }
}
