//! Finds words 64 bytes at a time: a bit for each byte says whether it belongs to a word, and a word begins or ends
//! where bits change.

const BLOCK: usize = 64;

/// What one vector holds.
const LANE: usize = 16;

/// Calls `found` with each word of the text, in order.
#[inline]
pub(crate) fn words<'a>(text: &'a str, mut found: impl FnMut(&'a str)) {
    let bytes = text.as_bytes();
    // Whether the byte before this block belongs to a word, and where that word, or the next one, begins.
    let (mut open, mut begin) = (false, 0);
    // Behind the last byte, too, where the last word ends.
    for at in (0..=bytes.len()).step_by(BLOCK) {
        let bits = word_bits_from(bytes, at);
        let before = bits << 1 | u64::from(open);
        let (mut begins, mut ends) = (bits & !before, before & !bits);
        let mut next = || {
            let place = at + begins.trailing_zeros() as usize;
            begins &= begins.wrapping_sub(1);
            place
        };
        if !open {
            begin = next();
        }
        while ends != 0 {
            let end = at + ends.trailing_zeros() as usize;
            // SAFETY: a word begins before it ends, and ends at a byte of the text or behind its last; both ends are beside
            // ASCII or the text's own, so they split no character.
            found(unsafe { text.get_unchecked(begin..end) });
            ends &= ends - 1;
            begin = next();
        }
        open = bits >> (BLOCK - 1) != 0;
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
            let mut found = Vec::new();
            words(&text, |word| found.push(word));
            assert_eq!(found, text.split_ascii_whitespace().collect::<Vec<_>>(), "in {text:?}");
        }
    }
}
