//! Finds words 64 bytes at a time: a bit for each byte says whether it belongs to a word, and a word begins or ends
//! where bits change.

const BLOCK: usize = 64;

/// What one vector holds.
const LANE: usize = 16;

/// The words of the text, in order.
#[inline]
pub(crate) fn words(text: &str) -> Words<'_> {
    Words { text, next: 0, at: 0, begins: 0, ends: 0, open: false, begin: 0 }
}

/// Words on their way, a block at a time.
pub(crate) struct Words<'a> {
    text: &'a str,
    /// Where the next block begins.
    next: usize,
    /// Where this one does.
    at: usize,
    /// Where words begin and end in it, beyond `begin`.
    begins: u64,
    ends: u64,
    /// Whether its last byte belongs to a word.
    open: bool,
    /// Where that word, or the next one, begins.
    begin: usize,
}

impl Words<'_> {
    /// Looks at the next block; false behind the last byte, where the last word ends.
    #[inline]
    fn look(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        if self.next > bytes.len() {
            return false;
        }
        self.at = self.next;
        self.next += BLOCK;
        let bits = word_bits_from(bytes, self.at);
        let before = bits << 1 | u64::from(self.open);
        (self.begins, self.ends) = (bits & !before, before & !bits);
        if !self.open {
            self.begin = self.next_begin();
        }
        self.open = bits >> (BLOCK - 1) != 0;
        true
    }

    #[inline]
    fn next_begin(&mut self) -> usize {
        let place = self.at + self.begins.trailing_zeros() as usize;
        self.begins &= self.begins.wrapping_sub(1);
        place
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        while self.ends == 0 {
            if !self.look() {
                return None;
            }
        }
        let end = self.at + self.ends.trailing_zeros() as usize;
        self.ends &= self.ends - 1;
        // SAFETY: a word begins before it ends, and ends at a byte of the text or behind its last; both ends are beside ASCII
        // or the text's own, so they split no character.
        let word = unsafe { self.text.get_unchecked(self.begin..end) };
        self.begin = self.next_begin();
        Some(word)
    }
}

/// The bits of the block that begins at `at`, clear beyond the last byte.
#[inline]
fn word_bits_from(bytes: &[u8], at: usize) -> u64 {
    let lanes = (at..bytes.len().min(at + BLOCK)).step_by(LANE);
    lanes.fold(0, |bits, lane| bits | u64::from(lane_bits_from(bytes, lane)) << (lane - at))
}

/// The same of a lane.
#[inline]
fn lane_bits_from(bytes: &[u8], at: usize) -> u16 {
    let rest = &bytes[at..];
    if let Some(lane) = rest.first_chunk() {
        return word_bits(lane);
    }
    if let Some(lane) = bytes.last_chunk() {
        return word_bits(lane) >> (LANE - rest.len());
    }
    let mut lane = [b' '; LANE];
    lane[..rest.len()].copy_from_slice(rest);
    word_bits(&lane)
}

/// A set bit for each byte that is not white space; the first byte's is the lowest.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn word_bits(lane: &[u8; LANE]) -> u16 {
    use core::arch::wasm32::{
        i8x16_bitmask, u8x16_eq, u8x16_le, u8x16_splat, u8x16_sub, v128_andnot, v128_load, v128_or,
    };

    // SAFETY: the lane has the 16 bytes of a vector; loading one needs no alignment.
    let bytes = unsafe { v128_load(lane.as_ptr().cast()) };
    let control = u8x16_le(u8x16_sub(bytes, u8x16_splat(b'\t')), u8x16_splat(b'\r' - b'\t'));
    let vertical_tab = u8x16_eq(bytes, u8x16_splat(0x0B));
    !i8x16_bitmask(v128_or(v128_andnot(control, vertical_tab), u8x16_eq(bytes, u8x16_splat(b' '))))
}

/// A set bit for each byte that is not white space; the first byte's is the lowest.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn word_bits(lane: &[u8; LANE]) -> u16 {
    lane.iter().rev().fold(0, |bits, byte| bits << 1 | u16::from(!byte.is_ascii_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_split_ascii_whitespace() {
        let mut seed = 1_u64;
        for length in (0..100).chain([1000]).cycle().take(2000) {
            let text: String = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    [' ', 'a', 'b', 'é', '\t', 'c', '\u{0B}', '\u{A0}', '日', '\n', 'd'][(seed >> 33) as usize % 11]
                })
                .collect();
            assert_eq!(
                words(&text).collect::<Vec<_>>(),
                text.split_ascii_whitespace().collect::<Vec<_>>(),
                "in {text:?}"
            );
        }
    }
}
