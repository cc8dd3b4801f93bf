//! Bincode back to values, where a length in the bytes may lie.
//!
//! Bincode makes room for a text before it looks whether the text is there, so a few damaged bytes could ask for all memory.
//! A limit stops that, but is a constant: so there are three, for three sizes of payload. Of a small one, no text gets more
//! than a MiB.

use bincode::config::{Configuration, Limit, standard};
use bincode::error::DecodeError;
use bincode::serde::decode_from_slice;
use serde::de::DeserializeOwned;

/// A number of one byte may count for as many as this against bincode's limit, which is on what the values take in memory.
const WIDEST: usize = 16;

const SMALL: usize = 64 << 10;
const MEDIUM: usize = 16 << 20;

/// The value that all of the payload is.
pub(crate) fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    let (value, read) = match payload.len() {
        length if length <= SMALL => decode_from_slice(payload, limited::<{ SMALL * WIDEST }>()),
        length if length <= MEDIUM => decode_from_slice(payload, limited::<{ MEDIUM * WIDEST }>()),
        _ => decode_from_slice(payload, limited::<{ (u32::MAX as usize) * WIDEST }>()),
    }?;
    if read == payload.len() { Ok(value) } else { Err(DecodeError::Other("there are bytes behind its end")) }
}

fn limited<const MOST: usize>() -> Configuration<bincode::config::LittleEndian, bincode::config::Varint, Limit<MOST>> {
    standard().with_limit()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use proptest::prelude::*;

    use super::*;
    use crate::testing::largest_allocation;

    type Value = (String, Vec<u8>, Vec<(u64, u128)>, Option<std::path::PathBuf>);

    #[test]
    fn given_a_text_that_claims_any_length_when_decoded_then_it_is_refused_and_no_room_is_made_for_it() {
        for length in [300, 1 << 20, 1 << 33, 1 << 62, u64::MAX] {
            let payload = bincode::encode_to_vec(length, standard()).unwrap();
            let (decoded, most) = largest_allocation(|| decode::<String>(&payload));
            assert!(decoded.is_err(), "{length}");
            assert!(most <= SMALL * WIDEST, "{length}: {most} bytes at once");
        }
    }

    #[test]
    fn given_bytes_behind_a_value_when_decoded_then_they_are_refused() {
        assert_eq!(decode::<u8>(&[7]).unwrap(), 7);
        assert!(decode::<u8>(&[7, 7]).unwrap_err().to_string().contains("behind its end"));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            text: String,
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            // One byte each, and the most of the limit: the length of a payload must be enough for any value of that length.
            numbers in prop_oneof![
                prop::collection::vec(any::<(u64, u128)>(), 0..100),
                prop::collection::vec((0_u64..9, 0_u128..9), 30_000..33_000),
            ],
            path in prop::option::of("[a-z/]{0,20}"),
        ) {
            let value: Value = (text, bytes, numbers, path.map(Into::into));
            let payload = bincode::serde::encode_to_vec(&value, standard()).unwrap();
            prop_assert_eq!(decode::<Value>(&payload).unwrap(), value);
        }
    }
}
