//! Groups of rows by one column of text or bytes, the commonest key.
//!
//! Most such keys are short. The first bytes of each lie in a number together with its length, so a row is hashed and
//! compared in registers; longer keys are compared in full behind that. Frequent keys come early, and what is looked at
//! lies in order of first occurrence, so that it stays in the cache.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{BinaryType, ByteArrayType, DataType, Utf8Type};
use datafusion::error::{DataFusionError, Result};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Keys up to this length are wholly in their head.
const SHORT: usize = 15;

/// What a group's head has above the place of a long key.
const LONG: u128 = (SHORT as u128 + 1) << (SHORT * 8);

/// Keys that are looked for together, so that the memory is asked for the slots of all of them at once.
const AHEAD: usize = 16;

/// No group has this number.
const NONE: u32 = u32::MAX;

/// Slots of an empty table.
const FIRST_SLOTS: usize = 1024;

/// The keys seen, in order of first occurrence, and a table to find them in.
pub(super) struct TextGroups {
    /// By hash, with linear probing; as many as a power of two.
    slots: Vec<Slot>,
    /// Drawn afresh for each table, so that no input can be made to collide. No result depends on them.
    seeds: [u64; 2],
    /// The keys: the head of a short one, and of a long one, where it lies in `long`.
    heads: Vec<u128>,
    long: Vec<u8>,
    /// The first group that the table finds.
    first: usize,
    /// The group of null, once there is one.
    null: Option<u32>,
    /// Whether all keys that were added are text.
    is_text: bool,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    group: u32,
}

/// A column of text or bytes.
struct Values<'a> {
    data: &'a [u8],
    offsets: &'a [i32],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Values<'a> {
    fn of<T: ByteArrayType<Offset = i32>>(column: &'a GenericByteArray<T>) -> Self {
        Self { data: column.value_data(), offsets: column.value_offsets(), nulls: column.nulls() }
    }

    fn value(&self, row: usize) -> &'a [u8] {
        &self.data[self.start(row)..self.start(row + 1)]
    }

    fn start(&self, row: usize) -> usize {
        self.offsets[row] as usize
    }

    /// The heads of so many keys from `first` on; false if there are fewer, or one of them is not short, or lies so close to
    /// the end of the data that it cannot be read at once.
    #[inline]
    fn short_heads(&self, first: usize, heads: &mut [u128; AHEAD]) -> bool {
        let Some(offsets) = self.offsets[first..].first_chunk::<{ AHEAD + 1 }>() else { return false };
        let mut all = true;
        for (head, key) in heads.iter_mut().zip(0..) {
            let (start, length) = (offsets[key] as usize, (offsets[key + 1] - offsets[key]) as usize);
            let Some(bytes) = self.data.get(start..).and_then(|rest| rest.first_chunk()) else { return false };
            all &= length <= SHORT;
            // Of no account for a long one.
            *head = head_in(*bytes, length & SHORT);
        }
        all
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

impl Slot {
    const FREE: Self = Self { hash: 0, group: NONE };

    fn is_free(self) -> bool {
        self.group == NONE
    }
}

impl TextGroups {
    /// Whether keys of this type are for this table.
    pub(super) fn takes(key: &DataType) -> bool {
        matches!(key, DataType::Utf8 | DataType::Binary)
    }

    /// Made for so many keys; there may be more.
    pub(super) fn expecting(keys: usize) -> Self {
        let random = RandomState::new();
        Self {
            slots: vec![Slot::FREE; slots_for(keys)],
            seeds: [random.hash_one(0), random.hash_one(1)],
            heads: Vec::new(),
            long: Vec::new(),
            first: 0,
            null: None,
            is_text: true,
        }
    }

    /// None of the keys that were added comes again: the table needs to find those alone that are to come, so it stays as
    /// small as it can.
    pub(super) fn pass(&mut self) {
        let seen = self.len() - self.first;
        if seen > 0 {
            self.slots.clear();
            self.slots.resize(slots_for(seen), Slot::FREE);
            self.first = self.len();
        }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Appends the group of each row to `groups`.
    pub(super) fn add(&mut self, keys: &ArrayRef, groups: &mut Vec<u32>) -> Result<()> {
        match keys.data_type() {
            DataType::Utf8 => self.add_all(&Values::of(keys.as_bytes::<Utf8Type>()), groups),
            _ => {
                self.is_text = false;
                self.add_all(&Values::of(keys.as_bytes::<BinaryType>()), groups)
            }
        }
    }

    fn add_all(&mut self, keys: &Values<'_>, groups: &mut Vec<u32>) -> Result<()> {
        let (before, count) = (groups.len(), keys.offsets.len() - 1);
        groups.reserve(count.next_multiple_of(AHEAD));
        let (mut heads, mut hashes) = ([0; AHEAD], [0; AHEAD]);
        for first in (0..count).step_by(AHEAD) {
            if keys.short_heads(first, &mut heads) {
                hashes = heads.map(|head| self.hash_of_short(head));
            } else {
                for (row, (head, hash)) in (first..count).zip(heads.iter_mut().zip(&mut hashes)) {
                    let key = keys.value(row);
                    *head = head_of(keys.data, keys.start(row), key.len());
                    *hash = self.hash(*head, key);
                }
            }
            let mut found: [u32; AHEAD] = std::array::from_fn(|key| self.guess(heads[key], hashes[key]));
            for (row, (group, (&head, &hash))) in (first..count).zip(found.iter_mut().zip(heads.iter().zip(&hashes))) {
                if keys.is_null(row) {
                    *group = self.null_group()?;
                } else if *group == NONE {
                    *group = self.group(head, hash, keys.value(row))?;
                }
            }
            groups.extend_from_slice(&found);
        }
        // Behind the last key, what was found is of no account.
        groups.truncate(before + count);
        Ok(())
    }

    /// The keys of the groups, in order.
    pub(super) fn keys(self, key: &DataType) -> Result<ArrayRef> {
        let count = self.len();
        let nulls = self.null.map(|null| (0..count).map(|group| group != null as usize).collect::<NullBuffer>());
        let total = self.heads.iter().map(|head| head_length(*head)).sum();
        i32::try_from(total).map_err(|_| too_much())?;
        let (mut data, mut offsets) = (vec![0; total + SHORT + 1], Vec::with_capacity(count + 1));
        let mut at = 0;
        offsets.push(0);
        for &head in &self.heads {
            let length = head_length(head);
            if is_long(head) {
                data[at..at + length].copy_from_slice(self.long(head));
            } else {
                // With what is behind it in its head, for the next to write over.
                data[at..at + SHORT + 1].copy_from_slice(&head.to_le_bytes());
            }
            at += length;
            offsets.push(at as i32);
        }
        data.truncate(total);
        let (offsets, data) = (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(data));
        Ok(match key {
            DataType::Utf8 if self.is_text => {
                // SAFETY: offsets rise from 0 to the data's end, and between two of them is all of a key, which was text.
                Arc::new(unsafe { GenericByteArray::<Utf8Type>::new_unchecked(offsets, data, nulls) })
            }
            DataType::Utf8 => Arc::new(GenericByteArray::<Utf8Type>::try_new(offsets, data, nulls)?),
            _ => Arc::new(GenericByteArray::<BinaryType>::try_new(offsets, data, nulls)?),
        })
    }

    fn null_group(&mut self) -> Result<u32> {
        match self.null {
            Some(group) => Ok(group),
            None => {
                let group = self.push(0, &[])?;
                self.null = Some(group);
                Ok(group)
            }
        }
    }

    /// The group of a short key, if it lies in the first slot where it could.
    #[inline]
    fn guess(&self, head: u128, hash: u32) -> u32 {
        let slot = self.slots[hash as usize & (self.slots.len() - 1)];
        let short = (head >> (SHORT * 8)) as usize <= SHORT;
        // A free slot's group has no head.
        if slot.hash == hash && self.heads.get(slot.group as usize) == Some(&head) && short { slot.group } else { NONE }
    }

    /// The key's group, which may be a new one.
    #[inline(never)]
    fn group(&mut self, head: u128, hash: u32, key: &[u8]) -> Result<u32> {
        match self.find(head, hash, key) {
            Ok(group) => Ok(group),
            Err(free) => self.insert(free, head, hash, key),
        }
    }

    /// Whether a slot is the key's.
    #[inline]
    fn is_that(&self, slot: Slot, head: u128, hash: u32, key: &[u8]) -> bool {
        if slot.hash != hash || slot.is_free() {
            return false;
        }
        let found = self.heads[slot.group as usize];
        if key.len() <= SHORT { found == head } else { is_long(found) && self.long(found) == key }
    }

    /// The key's group, or the free slot where it belongs.
    fn find(&self, head: u128, hash: u32, key: &[u8]) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.is_free() {
                return Err(at);
            }
            if self.is_that(slot, head, hash, key) {
                return Ok(slot.group);
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    fn hash(&self, head: u128, key: &[u8]) -> u32 {
        if key.len() > SHORT { xxh3_64_with_seed(key, self.seeds[0]) as u32 } else { self.hash_of_short(head) }
    }

    #[inline]
    fn hash_of_short(&self, head: u128) -> u32 {
        // The two halves multiplied and the product folded, as in wyhash.
        let (low, high) = (head as u64 ^ self.seeds[0], (head >> 64) as u64 ^ self.seeds[1]);
        let product = u128::from(low) * u128::from(high);
        (product as u64 ^ (product >> 64) as u64) as u32
    }

    /// The long key that lies where its head says.
    fn long(&self, head: u128) -> &[u8] {
        let start = (head >> 32) as u32 as usize;
        &self.long[start..start + head_length(head)]
    }

    #[cold]
    fn insert(&mut self, free: usize, head: u128, hash: u32, key: &[u8]) -> Result<u32> {
        let group = self.push(head, key)?;
        self.slots[free] = Slot { hash, group };
        // At most half full, so that probes stay short.
        if (self.len() - self.first) * 2 > self.slots.len() {
            self.grow();
        }
        Ok(group)
    }

    fn push(&mut self, head: u128, key: &[u8]) -> Result<u32> {
        let group = self.len() as u32;
        if key.len() <= SHORT {
            self.heads.push(head);
        } else {
            let (start, end) = (self.long.len(), self.long.len() + key.len());
            i32::try_from(end).map_err(|_| too_much())?;
            self.heads.push(LONG | (start as u128) << 32 | key.len() as u128);
            self.long.extend_from_slice(key);
        }
        Ok(group)
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let old = std::mem::replace(&mut self.slots, vec![Slot::FREE; mask + 1]);
        for slot in old.into_iter().filter(|slot| !slot.is_free()) {
            let mut at = slot.hash as usize & mask;
            while !self.slots[at].is_free() {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }
}

fn too_much() -> DataFusionError {
    DataFusionError::Execution("a partition has more than 2 GiB of different keys: use more partitions".into())
}

fn is_long(head: u128) -> bool {
    head >= LONG
}

/// The length of the key that a group's head is of.
fn head_length(head: u128) -> usize {
    if is_long(head) { head as u32 as usize } else { (head >> (SHORT * 8)) as usize }
}

/// How many slots a table has for so many keys: at most half of them are taken, so that probes stay short.
fn slots_for(keys: usize) -> usize {
    (keys * 2).next_power_of_two().max(FIRST_SLOTS)
}

/// The first 15 bytes of the key at `start`, zeros behind them, and its length, or 16 for all longer ones.
fn head_of(data: &[u8], start: usize, length: usize) -> u128 {
    let rest = &data[start..];
    let bytes = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0; SHORT + 1];
        bytes[..rest.len()].copy_from_slice(rest);
        bytes
    });
    head_in(bytes, length.min(SHORT + 1))
}

/// The head of a key that begins with these bytes, and that has this length, or 16 if it is longer than 15.
#[inline]
fn head_in(bytes: [u8; SHORT + 1], length: usize) -> u128 {
    const KEEP: [u128; SHORT + 2] = {
        let mut keep = [(1 << (SHORT * 8)) - 1; SHORT + 2];
        let mut length = 0;
        while length < SHORT {
            keep[length] = (1 << (length * 8)) - 1;
            length += 1;
        }
        keep
    };
    u128::from_le_bytes(bytes) & KEEP[length] | (length as u128) << (SHORT * 8)
}

#[cfg(test)]
mod tests;
