//! A segment as each version of the format has written it.
//!
//! When the format is raised, `cargo test --release -p weir --lib -- --ignored make_fixtures` makes that of the new version;
//! this test then reads the new one, and what is to be read of the old gets a test of its own.

use std::num::NonZeroU64;

use super::*;
use crate::block::log::format::{Group, Head, MAGIC};
use crate::testing::keep_fixture;

const SALT: u64 = 0x0123_4567_89AB_CDEF;

fn request(key: &str, rows: u64, at: u64) -> TakenRequest {
    TakenRequest { key: RequestKey::of(key.as_bytes()), rows, at }
}

/// What the records of the segment say, by groups.
pub(super) fn groups() -> Vec<Vec<(Head, &'static [u8])>> {
    let block =
        |id, source: &str, rows, requests| Head::Block { id: BlockId(id), source: source.into(), rows, requests };
    let known = Head::Requests { source: "visits".into(), requests: vec![request("old", 2, 1_700_000_000_000)] };
    vec![
        vec![(known, b"")],
        vec![
            (block(300, "lines", 2, vec![]), b"to be\nor not\n"),
            (block(301, "visits", 3, vec![request("new", 1, 1_700_000_001_000)]), b"1\n2\n3\n"),
        ],
        vec![(block(302, "lines", 1, vec![]), b"that is\n")],
    ]
}

/// The segment as it is written today.
fn segment() -> Vec<u8> {
    let mut segment = SegmentHeader { first: BlockId(300), salt: SALT }.encode().to_vec();
    for records in groups() {
        let mut group = Group::new();
        for (head, bytes) in records {
            group.push(&head, bytes).unwrap();
        }
        segment.extend_from_slice(group.finish(SALT));
    }
    segment
}

/// The fixture was written by another program, from the description of the format.
#[test]
fn given_a_segment_as_version_1_wrote_it_when_opened_then_all_of_it_is_read() {
    let fixture = include_bytes!("../fixtures/WEIRBLK1.blocks").to_vec();
    let disk = SimulatedDisk::default();
    disk.put(&segment_path(Path::new(FOLDER), 7), fixture.clone());
    let bench = Bench::open(&disk, &CutBlocks::new(), 1 << 20).unwrap();
    assert_eq!(bench.waiting("lines"), [(300, b"to be\nor not\n".to_vec()), (302, b"that is\n".to_vec())]);
    assert_eq!(bench.waiting("visits"), [(301, b"1\n2\n3\n".to_vec())]);
    assert_eq!(bench.recovered.waiting["visits"][0].rows, NonZeroU64::new(3));
    let taken: Vec<_> = bench.recovered.taken["visits"].iter().copied().collect();
    assert_eq!(taken, [request("old", 2, 1_700_000_000_000), request("new", 1, 1_700_000_001_000)]);
    assert_eq!(bench.recovered.next, BlockId(303));
    // And what is written today, that version can read.
    assert!(segment() == fixture, "records are written otherwise than then: that is a new format");
}

#[test]
#[ignore = "makes the fixture of a new version"]
fn make_fixtures_of_the_block_log() {
    let name = std::str::from_utf8(MAGIC).unwrap();
    keep_fixture(&format!("block/log/fixtures/{name}.blocks"), &segment()).unwrap();
}
