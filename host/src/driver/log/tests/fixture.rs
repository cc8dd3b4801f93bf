//! A log as each version of the format has written it.
//!
//! When the format is raised, `cargo test --release -p weir --lib -- --ignored make_fixtures` makes those of the new version;
//! this test then reads the new one, and what is to be read of the old gets a test of its own.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::block::{Block, BlockData, BlockId};
use crate::driver::{Delivers, Redirected, WatchLimits};
use crate::source::{FilePlace, FilesMoved, Moved, RowsPosition};
use crate::testing::keep_fixture;

/// A record of each kind, with a value of each kind in it.
pub(super) fn records() -> Vec<Record> {
    let at = BatchTime::from_millis;
    let running = |component: &str| Running {
        operator: "moods".into(),
        component: component.into(),
        digest: Digest::of(component.as_bytes()),
    };
    let block = |data| Block { rows: NonZeroU64::new(3), bytes: 70_000, data };
    let posted = SourceCut { blocks: vec![block(BlockData::Stored(BlockId(300)))], moved: Moved::Nowhere };
    let made = SourceCut {
        blocks: vec![block(BlockData::Generated { from: 0, to: 3 })],
        moved: Moved::Rows(RowsPosition { first: Some(at(1000)), next: 3 }),
    };
    let path = PathBuf::from("/lines/ä.txt");
    let files = FilesMoved {
        first: None,
        given: 3,
        found: vec![path.clone(), "/lines/b.txt".into()],
        gone: vec!["/lines/0.txt".into()],
        opened: 1,
        current: Some(FilePlace { path: path.clone(), at: 20, length: 5_000_000_000 }),
    };
    let read = SourceCut {
        blocks: vec![
            block(BlockData::File { path, start: 0, end: 20 }),
            block(BlockData::Letters(Digest::of(b"letters"))),
        ],
        moved: Moved::Files(files),
    };
    let cut = Cut {
        batch: at(1000),
        sources: vec![("posted".into(), posted), ("made".into(), made), ("read".into(), read)],
        ended: vec!["made".into()],
        operators: vec![running("mood@1.0.0")],
        tables: vec![("users".into(), Digest::of(b"users"))],
        retried: vec![Retried {
            operator: "moods".into(),
            of: vec![at(100), at(200)],
            letters: 2,
            rows: Digest::of(b"rows"),
        }],
    };
    let meter = OperatorMeter {
        rows_in: 9,
        rows_out: 8,
        bytes_in: 700,
        bytes_out: 600,
        rejected: 1,
        trapped: 1,
        late: 2,
        fuel: 1_000_000_000_000,
        peak_memory: 1 << 20,
        calls: 4,
        time: Duration::new(1, 500),
    };
    let fingerprint = |hex: &str| serde_json::from_str::<Fingerprint>(hex).unwrap();
    let committed = Record::Committed {
        batch: at(1000),
        rows_in: 9,
        rows_out: vec![("out".into(), 8)],
        meters: BTreeMap::from([("moods".into(), meter)]),
        fingerprints: BTreeMap::from([
            ("made".into(), Fingerprint::default()),
            ("moods".into(), fingerprint("340282366920938463463374607431768211455")),
        ]),
    };
    let rolled_back = Record::RolledBack {
        from: running("mood@2.0.0"),
        to: running("mood@1.0.0"),
        first: at(2000),
        why: "it trapped".into(),
    };
    let delivers = |component: &str, allow: &[&str]| Delivers {
        component: component.into(),
        digest: Digest::of(component.as_bytes()),
        allow: allow.iter().map(|origin| origin.parse().unwrap()).collect(),
    };
    let redirected = Redirected {
        sink: "alarms".into(),
        from: delivers("webhook@1.0.0", &[]),
        to: delivers("webhook@1.0.0", &["https://api.example.com", "http://localhost:8080"]),
    };
    vec![
        Record::Started { engine: u64::MAX, definition: Digest::of(b"definition"), after: at(0) },
        Record::Cut(cut),
        committed,
        Record::Swapped { from: running("mood@1.0.0"), to: running("mood@2.0.0") },
        Record::Redirected(redirected),
        rolled_back,
        Record::Ended,
        Record::Watched { to: running("mood@2.0.0"), limits: WatchLimits { batches: 10, max_traps: 300 } },
        Record::Shortened(Shortened { through: at(500), batches: 300, blocks: vec![(0, 250), (251, 301)] }),
    ]
}

/// Version 3 knew no shortened logs, and at first no watches; it is otherwise the same.
#[test]
fn given_a_log_as_version_3_wrote_it_when_opened_then_all_of_it_is_read_and_goes_on() {
    let fixture = include_bytes!("../fixtures/WEIRLOG3.log");
    let disk = SimulatedDisk::default();
    disk.put(Path::new(PATH), fixture.to_vec());
    let (mut log, found) = open(&disk).unwrap();
    assert_eq!(found, records()[..7]);
    records()[7..].iter().for_each(|record| log.append(record).unwrap());
    assert_eq!(open(&disk).unwrap().1, records());
}

#[test]
fn given_a_log_as_version_4_wrote_it_when_opened_then_all_of_it_is_read() {
    let fixture = include_bytes!("../fixtures/WEIRLOG4.log").to_vec();
    let disk = SimulatedDisk::default();
    disk.put(Path::new(PATH), fixture.clone());
    assert_eq!(open(&disk).unwrap().1, records());
    // And what is written today, that version can read.
    assert!(written(&records()).1 == fixture, "records are written otherwise than then: that is a new format");
}

#[test]
#[ignore = "makes the fixture of a new version"]
fn make_fixtures_of_the_batch_log() {
    let name = std::str::from_utf8(HEADER).unwrap();
    keep_fixture(&format!("driver/log/fixtures/{name}.log"), &written(&records()).1).unwrap();
}
