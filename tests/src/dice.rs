//! Random numbers that follow from a seed: SplitMix64, by Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators" (2014).

use std::ops::Range;

/// A source of random numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// What follows from this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    #[expect(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of these, each as likely as the others.
    pub fn of(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// Whether something happens that does so once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.of(0..times) == 0
    }

    /// From 1 to `most`, small ones as likely as large ones of another size.
    pub fn of_any_size(&mut self, most: u64) -> u64 {
        let exponent = self.of(0..1 << 20) as f64 / f64::from(1 << 20);
        (most as f64).powf(exponent) as u64
    }
}
