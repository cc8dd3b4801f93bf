//! Bytes damaged at random, with a liking for what hurts: numbers that are too large, pieces that are missing, pieces that
//! stand twice.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What happens to some bytes, one change after the other.
#[derive(Debug, Clone)]
pub(crate) struct Damage(Vec<Change>);

#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Overwrite(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Twice(Index, usize),
    CutOff(Index),
}

/// Some changes, and seldom none.
pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let change = prop_oneof![
        4 => (any::<Index>(), 1_u8..).prop_map(|(at, by)| Change::Flip(at, by)),
        4 => (any::<Index>(), piece()).prop_map(|(at, piece)| Change::Overwrite(at, piece)),
        2 => (any::<Index>(), piece()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        2 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Twice(at, length)),
        1 => any::<Index>().prop_map(Change::CutOff),
    ];
    vec(change, 0..5).prop_map(Damage)
}

/// Bytes that may stand for a number: any, as an integer, or as bincode and WebAssembly write large ones.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let large = select(vec![
        vec![0xFF; 4],
        vec![0xFF; 8],
        vec![0xFF, 0xFF, 0xFF, 0x7F],
        vec![0, 0, 0, 0, 0, 0, 0, 0x80],
        [&[0xFD][..], &[0xFF; 8]].concat(),
        [&[0xFD][..], &[0, 0, 0, 0, 1, 0, 0, 0]].concat(),
        [&[0xFC][..], &[0, 0, 0, 0x40]].concat(),
        vec![0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
    ]);
    prop_oneof![large, vec(any::<u8>(), 1..12)]
}

impl Damage {
    /// The bytes, damaged.
    pub(crate) fn to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for change in &self.0 {
            let place = |at: &Index| at.index(bytes.len() + 1);
            let part = |at: &Index, length: &usize| place(at)..(place(at) + length).min(bytes.len());
            match change {
                Change::Flip(at, by) => {
                    let at = place(at);
                    bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= by);
                }
                Change::Overwrite(at, piece) => {
                    let part = part(at, &piece.len());
                    bytes.splice(part, piece.iter().copied());
                }
                Change::Insert(at, piece) => {
                    let at = place(at);
                    bytes.splice(at..at, piece.iter().copied());
                }
                Change::Remove(at, length) => drop(bytes.drain(part(at, length))),
                Change::Twice(at, length) => {
                    let part = part(at, length);
                    let piece = bytes[part.clone()].to_vec();
                    bytes.splice(part.start..part.start, piece);
                }
                Change::CutOff(at) => bytes.truncate(place(at)),
            }
        }
        bytes
    }
}
