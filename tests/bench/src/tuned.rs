//! A table of counts by text, made for nothing else: open addressing, hashed as it is read.

/// How often each text was there.
#[derive(Debug, Default)]
pub struct Counts<'a> {
    /// Slots, a power of two of them; one without a text is free.
    slots: Vec<Slot<'a>>,
    used: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Slot<'a> {
    hash: u64,
    key: &'a [u8],
    count: i64,
}

/// Slots at first.
const FEWEST: usize = 1 << 12;

const PRIME: u64 = 0x0000_0100_0000_01B3;

impl<'a> Counts<'a> {
    /// Counts the words of a text.
    pub fn add_words(&mut self, text: &'a [u8]) {
        let mut at = 0;
        while at < text.len() {
            let (start, mut hash) = (at, 0);
            while at < text.len() && text[at] > b' ' {
                hash = (hash ^ u64::from(text[at])).wrapping_mul(PRIME);
                at += 1;
            }
            if at > start {
                self.add_hashed(hash, &text[start..at], 1);
            }
            at += 1;
        }
    }

    /// Counts a text so often.
    pub fn add(&mut self, key: &'a [u8], count: i64) {
        let hash = key.iter().fold(0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
        self.add_hashed(hash, key, count);
    }

    /// All of both.
    pub fn merge(self, other: Self) -> Self {
        let (mut more, less) = if self.used < other.used { (other, self) } else { (self, other) };
        less.filled().for_each(|slot| more.add_hashed(slot.hash, slot.key, slot.count));
        more
    }

    /// The texts with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], i64)> {
        self.filled().map(|slot| (slot.key, slot.count))
    }

    fn filled(&self) -> impl Iterator<Item = &Slot<'a>> {
        self.slots.iter().filter(|slot| !slot.key.is_empty())
    }

    fn add_hashed(&mut self, hash: u64, key: &'a [u8], count: i64) {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        // The low bits of a product are the worst.
        let mut at = (hash ^ (hash >> 29)) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.key.is_empty() {
                *slot = Slot { hash, key, count };
                self.used += 1;
                return;
            }
            if slot.hash == hash && slot.key == key {
                slot.count += count;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(FEWEST);
        let old = std::mem::replace(self, Self { slots: vec![Slot::default(); slots], used: 0 });
        old.filled().for_each(|slot| self.add_hashed(slot.hash, slot.key, slot.count));
    }
}
