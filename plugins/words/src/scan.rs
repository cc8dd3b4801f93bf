//! Finds words 32 bytes at a time: a bit for each byte says whether it belongs to a word, and a word begins or ends
//! where bits change.

const BLOCK: usize = 32;

/// Calls `found` with each word of the text, in order.
#[inline]
pub(crate) fn words<'a>(text: &'a str, mut found: impl FnMut(&'a str)) {
    let bytes = text.as_bytes();
    // Where the word that is open at this point began.
    let mut open = None;
    let mut at = 0;
    while at < bytes.len() {
        let bits = word_bits_from(bytes, at);
        let mut changes = bits ^ (bits << 1 | u32::from(open.is_some()));
        while changes != 0 {
            let place = at + changes.trailing_zeros() as usize;
            match open.take() {
                // Both ends are beside ASCII, so they split no character.
                Some(begin) => found(&text[begin..place]),
                None => open = Some(place),
            }
            changes &= changes - 1;
        }
        at += BLOCK;
    }
    if let Some(begin) = open {
        found(&text[begin..]);
    }
}

/// The bits of the block that begins at `at`, clear beyond the last byte.
#[inline]
fn word_bits_from(bytes: &[u8], at: usize) -> u32 {
    let rest = &bytes[at..];
    if let Some(block) = rest.first_chunk() {
        return word_bits(block);
    }
    if let Some(block) = bytes.last_chunk() {
        return word_bits(block) >> (BLOCK - rest.len());
    }
    let mut block = [b' '; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    word_bits(&block)
}

/// A set bit for each byte that is not white space; the first byte's is the lowest.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn word_bits(block: &[u8; BLOCK]) -> u32 {
    use core::arch::wasm32::{i8x16_bitmask, u8x16_eq, u8x16_le, u8x16_splat, u8x16_sub, v128, v128_load, v128_or};

    let blank_bits = |bytes: v128| {
        let control = u8x16_le(u8x16_sub(bytes, u8x16_splat(b'\t')), u8x16_splat(b'\r' - b'\t'));
        let vertical_tab = u8x16_eq(bytes, u8x16_splat(0x0B));
        let blank = v128_or(core::arch::wasm32::v128_andnot(control, vertical_tab), u8x16_eq(bytes, u8x16_splat(b' ')));
        u32::from(i8x16_bitmask(blank))
    };
    let halves = block.as_ptr().cast::<v128>();
    // SAFETY: the block has 32 bytes, which are two vectors; loading one needs no alignment.
    let (low, high) = unsafe { (v128_load(halves), v128_load(halves.add(1))) };
    !(blank_bits(low) | blank_bits(high) << 16)
}

/// A set bit for each byte that is not white space; the first byte's is the lowest.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn word_bits(block: &[u8; BLOCK]) -> u32 {
    block.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(!byte.is_ascii_whitespace()))
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
