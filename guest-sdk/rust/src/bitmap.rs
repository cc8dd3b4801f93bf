//! One bit a row, least significant bit of each byte first, as Arrow has it.

/// A borrowed validity bitmap: which rows have a value.
#[derive(Debug, Clone, Copy)]
pub struct Validity<'a>(Option<&'a [u8]>);

impl<'a> Validity<'a> {
    pub(crate) fn new(bitmap: Option<&'a [u8]>) -> Self {
        Self(bitmap)
    }

    /// Whether the row has a value.
    #[inline]
    pub fn is_valid(self, row: usize) -> bool {
        self.0.is_none_or(|bits| bit(bits, row))
    }

    /// Whether every row is known to have a value.
    #[inline]
    pub fn is_all(self) -> bool {
        self.0.is_none()
    }
}

/// Reads a bit; what is beyond the end is clear.
#[inline]
pub(crate) fn bit(bits: &[u8], row: usize) -> bool {
    bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

/// A bitmap that grows bit by bit.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { bytes: Vec::with_capacity(rows.div_ceil(8)), len: 0 }
    }

    /// As many set bits.
    pub(crate) fn ones(len: usize) -> Self {
        let mut bytes = vec![0xFF; len.div_ceil(8)];
        if let (Some(last), used @ 1..) = (bytes.last_mut(), len % 8) {
            *last = (1 << used) - 1;
        }
        Self { bytes, len }
    }

    #[inline]
    pub(crate) fn push(&mut self, set: bool) {
        let at = self.len % 8;
        match self.bytes.last_mut() {
            Some(last) if at != 0 => *last |= u8::from(set) << at,
            _ => self.bytes.push(u8::from(set)),
        }
        self.len += 1;
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_read_back_as_pushed(bits: Vec<bool>) {
            let mut out = Bits::default();
            bits.iter().for_each(|&b| out.push(b));
            let bytes = out.into_bytes();
            prop_assert_eq!(bytes.len(), bits.len().div_ceil(8));
            let back: Vec<bool> = (0..bits.len()).map(|row| bit(&bytes, row)).collect();
            prop_assert_eq!(back, bits);
        }

        #[test]
        fn ones_go_on_like_pushed_ones(before in 0..70_usize, after: bool) {
            let mut pushed = Bits::default();
            (0..before).for_each(|_| pushed.push(true));
            let mut made = Bits::ones(before);
            pushed.push(after);
            made.push(after);
            prop_assert_eq!(made.into_bytes(), pushed.into_bytes());
        }
    }
}
