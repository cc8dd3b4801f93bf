//! Segments that no host has written, and damage that no checksum shows.

use super::*;
use crate::block::log::format::Group;
use crate::testing::{Damage, damage, largest_allocation};

/// A segment of one group for each record of the fixture, its head damaged under a sound checksum.
fn segment(header: SegmentHeader, damage: &[Damage]) -> Vec<u8> {
    let mut segment = header.encode().to_vec();
    for ((head, bytes), damage) in fixture::groups().iter().flatten().zip(damage) {
        let head = bincode::serde::encode_to_vec(head, bincode::config::standard()).unwrap();
        let mut group = Group::new();
        group.push_encoded(&damage.to(&head), bytes).unwrap();
        segment.extend_from_slice(group.finish(header.salt));
    }
    segment
}

#[test]
fn given_a_damaged_segment_of_a_long_life_when_opened_then_its_blocks_are_told_without_counting_them() {
    let disk = SimulatedDisk::default();
    let last = SegmentHeader { first: BlockId(u64::MAX), salt: 1 }.encode();
    disk.put(&segment_path(Path::new(FOLDER), 0), vec![0; SEGMENT_HEADER]);
    disk.put(&segment_path(Path::new(FOLDER), 1), last.to_vec());
    let mut cuts: CutBlocks = cut([5, 6], 1000, true).collect();
    cuts.extend(cut([7, 9], 2000, false));
    let (opened, most) = largest_allocation(|| Bench::open(&disk, &cuts, 1 << 20).err().unwrap());
    let error = format!("{opened:#}");
    let free = "blocks 0 to 4, 8, 10 to 18446744073709551614, which no batch has taken";
    let due = "blocks 7, 9, of batch 1970-01-01T00:00:02.000Z, which is not done";
    let touched = format!("It touches blocks 5 to 6, not needed any more; {due}; {free}\n");
    assert!(error.contains(&touched) && error.contains(&format!("these are lost: {due}; {free}\n")), "{error}");
    assert!(most <= 1 << 20, "{most} bytes at once");
}

proptest! {
    #[test]
    fn given_damaged_heads_under_sound_checksums_when_opened_then_nothing_panics_and_no_number_in_them_is_believed(
        damage in prop::collection::vec(damage(), 0..5),
        first in prop_oneof![0_u64..600, any::<u64>()],
        later in prop::option::of(prop_oneof![0_u64..600, any::<u64>()]),
        done: bool,
    ) {
        let disk = SimulatedDisk::default();
        let header = SegmentHeader { first: BlockId(first), salt: 1 };
        disk.put(&segment_path(Path::new(FOLDER), 7), segment(header, &damage));
        if let Some(later) = later {
            let header = SegmentHeader { first: BlockId(later), salt: 2 };
            disk.put(&segment_path(Path::new(FOLDER), 8), segment(header, &[]));
        }
        let (opened, most) = largest_allocation(|| Bench::open(&disk, &cut([1, 300], 1000, done).collect(), 1 << 20));
        prop_assert!(most <= 4 << 20, "{} bytes at once", most);
        match opened {
            Ok(bench) => drop(["lines", "visits"].map(|source| bench.waiting(source))),
            Err(error) => prop_assert!(format!("{error:#}").contains("is damaged; nothing was changed"), "{:#}", error),
        }
    }
}
