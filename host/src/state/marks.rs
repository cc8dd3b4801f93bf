//! Which keys of a group have changed since somebody asked, at the cost of a bit for each key that is there.

use std::collections::HashSet;
use std::iter;

use super::group::{Change, Changes, Group, Key};

/// Which keys of a group have changed.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Those that are there: a bit for each place among the entries.
    there: Vec<u64>,
    /// Those that were forgotten; they may have come again.
    gone: HashSet<Key, ahash::RandomState>,
}

impl Marks {
    /// Marks the key at a place.
    pub(super) fn set(&mut self, place: usize) {
        if self.there.len() <= place / 64 {
            self.there.resize(place / 64 + 1, 0);
        }
        self.there[place / 64] |= 1 << (place % 64);
    }

    /// Takes a mark away; whether it was set.
    fn unset(&mut self, place: usize) -> bool {
        let Some(bits) = self.there.get_mut(place / 64) else { return false };
        let was_set = *bits >> (place % 64) & 1 == 1;
        *bits &= !(1 << (place % 64));
        was_set
    }

    /// Marks the key at `place`, which is gone; the one at `last` has taken its place, unless it was that.
    pub(super) fn remove(&mut self, key: Key, place: usize, last: usize) {
        self.gone.insert(key);
        self.unset(place);
        if self.unset(last) {
            self.set(place);
        }
    }

    /// Takes all marks away; the keys that were marked, as they are now.
    pub(super) fn take(&mut self, group: &Group) -> Changes {
        let gone = self.gone.drain().filter(|key| group.get(key).is_none()).map(|key| (key, None));
        let places = self.there.iter().zip((0..).step_by(64)).flat_map(|(&bits, first)| {
            let rest = |bits: u64| (bits != 0).then_some(bits);
            let set = iter::successors(rest(bits), move |bits| rest(bits & (bits - 1)));
            set.map(move |bits| first + bits.trailing_zeros() as usize)
        });
        let there = places.filter_map(|place| group.at(place));
        let changes = there.map(|(key, entry)| (key.clone(), Some(Change::of(entry)))).chain(gone).collect();
        self.there.clear();
        changes
    }

    /// Takes all marks away.
    pub(super) fn clear(&mut self) {
        self.there.clear();
        self.gone.clear();
    }
}
