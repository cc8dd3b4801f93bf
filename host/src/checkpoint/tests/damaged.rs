//! Bytes that no host has written as a checkpoint, and what is damaged where no checksum shows it.

use proptest::sample::{Index, select};

use super::fixture::CHAIN;
use super::*;
use crate::checkpoint::format::{MAGIC, framed};
use crate::testing::{Damage, damage, largest_allocation};

/// The payloads of an object's frames.
fn payloads(object: &[u8]) -> Vec<&[u8]> {
    let (mut payloads, mut rest) = (Vec::new(), object.strip_prefix(MAGIC).unwrap());
    while let Some((length, after)) = rest.split_first_chunk() {
        let (payload, after) = after[4..].split_at(u32::from_le_bytes(*length) as usize);
        payloads.push(payload);
        rest = after;
    }
    payloads
}

/// The object with one of its payloads damaged, in a sound frame.
fn with_damage(object: &[u8], frame: &Index, damage: &Damage) -> Vec<u8> {
    let payloads = payloads(object);
    let damaged = frame.index(payloads.len());
    let frames = payloads.iter().enumerate().map(|(at, payload)| match at == damaged {
        true => framed(&damage.to(payload)).unwrap(),
        false => framed(payload).unwrap(),
    });
    [MAGIC.to_vec()].into_iter().chain(frames).collect::<Vec<_>>().concat()
}

/// Opens a folder of these files, and fills a store from what was read.
fn open(files: &[(&str, Vec<u8>)]) -> Result<bool> {
    block_on(async {
        let location = DyingStore::after(usize::MAX).location();
        for (name, bytes) in files {
            location.put(name, bytes.clone()).await?;
        }
        let (_, restored) = Checkpoints::open(location, Duration::ZERO).await?;
        let is_there = restored.is_some();
        if let Some(restored) = restored {
            assert!(restored.kept_columns().count() <= 10);
            restored.fill(&store());
        }
        Ok(is_there)
    })
}

proptest! {
    #[test]
    fn given_any_bytes_as_an_object_then_they_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Loaded::default().add(&bytes).is_err());
        prop_assert!(Loaded::default().add(&[MAGIC, &bytes[..]].concat()).is_err());
        prop_assert!(Loaded::default().add(&[MAGIC, &framed(&bytes).unwrap()[..]].concat()).is_err());
    }

    #[test]
    fn given_a_damaged_part_in_a_sound_frame_when_opened_then_nothing_panics_and_no_length_in_it_is_believed(
        damaged in select(&[0_usize, 1][..]),
        frame: Index,
        damage in damage(),
    ) {
        let mut files = CHAIN.map(|(name, bytes)| (name, bytes.to_vec()));
        files[damaged].1 = with_damage(CHAIN[damaged].1, &frame, &damage);
        let [all, changes, _] = &files;
        let object = |(name, bytes): &(&str, Vec<u8>)| Object { name: (*name).to_owned(), bytes: bytes.len() as u64 };
        let manifest =
            Manifest { format: FORMAT, batch: BatchTime::from_millis(2), objects: vec![object(all), object(changes)] };
        files[2].1 = serde_json::to_vec(&manifest).unwrap();
        let (_, most) = largest_allocation(|| open(&files));
        prop_assert!(most <= 4 << 20, "{} bytes at once", most);
    }

    #[test]
    fn given_a_damaged_manifest_when_opened_then_it_is_refused_or_names_what_is_there(
        damage in damage(),
        text in "[{}\\[\\]\":,0-9a-z./\\\\ ]{0,80}",
    ) {
        let mut files = CHAIN.map(|(name, bytes)| (name, bytes.to_vec()));
        for manifest in [damage.to(CHAIN[2].1), text.into_bytes()] {
            files[2].1 = manifest;
            let (opened, most) = largest_allocation(|| open(&files));
            prop_assert!(opened.map_or(true, |is_there| is_there));
            prop_assert!(most <= 4 << 20, "{} bytes at once", most);
        }
    }
}
