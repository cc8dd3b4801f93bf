//! Tables of counts, made for nothing else: open addressing, texts hashed as they are read.

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

/// How often each user was there. A user is eight bytes, taken as a number.
#[derive(Debug, Default)]
pub struct Users {
    /// Users with their counts, a power of two of them; one with a count of 0 is free.
    slots: Vec<(u64, i64)>,
    used: usize,
}

impl Users {
    /// Counts a user so often; the count by then.
    pub fn add(&mut self, user: u64, count: i64) -> i64 {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        // The high bits of a product are the best.
        let mut at = (user.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.1 == 0 {
                self.used += 1;
                *slot = (user, count);
                return count;
            }
            if slot.0 == user {
                slot.1 += count;
                return slot.1;
            }
            at = (at + 1) & mask;
        }
    }

    /// The users with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (u64, i64)> {
        self.slots.iter().copied().filter(|(_, count)| *count > 0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// All of both.
    pub fn merge(self, other: Self) -> Self {
        let (mut more, less) = if self.used < other.used { (other, self) } else { (self, other) };
        less.iter().for_each(|(user, count)| _ = more.add(user, count));
        more
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(FEWEST);
        let old = std::mem::replace(self, Self { slots: vec![(0, 0); slots], used: 0 });
        old.iter().for_each(|(user, count)| _ = self.add(user, count));
    }
}
