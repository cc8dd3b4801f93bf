//! Checkpoints as each version of the format has written them.
//!
//! When the format is raised, `cargo test --release -p weir --lib -- --ignored make_fixtures` makes those of the new version;
//! these tests then read the new ones, and what is to be read of the old gets a test of its own. How Arrow lays out rows may
//! differ from one release of it to the next, so that what is written today is not held to be the same bytes.

use super::*;
use crate::checkpoint::format::{self, MAGIC};
use crate::source::{FilePlace, FilesPosition};
use crate::testing::keep_fixture;

/// Everything at batch 1, and what changed up to batch 2.
const STEPS: [&[(u8, Option<u8>)]; 2] =
    [&[(1, Some(10)), (2, Some(20)), (3, Some(30))], &[(1, None), (2, Some(21)), (4, Some(40))]];

/// The files of a checkpoint of two objects.
pub(super) const CHAIN: [(&str, &[u8]); 3] = [
    ("00000000000000000001.all", include_bytes!("../fixtures/WEIRCKP1/00000000000000000001.all")),
    ("00000000000000000002.changes", include_bytes!("../fixtures/WEIRCKP1/00000000000000000002.changes")),
    ("00000000000000000002.manifest.json", include_bytes!("../fixtures/WEIRCKP1/00000000000000000002.manifest.json")),
];

/// An object of a pipeline that remembers nothing but how far its sources have come: each kind of position.
const POSITIONS: &[u8] = include_bytes!("../fixtures/WEIRCKP1/positions.all");

fn every_position() -> BTreeMap<String, Position> {
    let files = FilesPosition {
        first: Some(BatchTime::from_millis(1000)),
        given: 300,
        seen: ["/lines/a.txt", "/lines/ä.txt", "/lines/b.txt"].map(Into::into).into(),
        pending: ["/lines/b.txt".into()].into(),
        current: Some(FilePlace { path: "/lines/ä.txt".into(), at: 20, length: 5_000_000_000 }),
    };
    let rows = RowsPosition { first: None, next: u64::MAX };
    let all = [("posted", Position::Start), ("made", Position::Rows(rows)), ("read", Position::Files(files))];
    all.map(|(source, position)| (source.to_owned(), position)).into()
}

fn watermarks() -> BTreeMap<String, Watermark> {
    [("made", Watermark::behind(7, 0)), ("read", Watermark::END)].map(|(source, mark)| (source.to_owned(), mark)).into()
}

#[test]
fn given_a_checkpoint_as_version_1_wrote_it_when_opened_then_all_of_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    CHAIN.iter().for_each(|(name, bytes)| std::fs::write(folder.path().join(name), bytes).unwrap());
    let expected = store();
    (1..).zip(STEPS).for_each(|(batch, step)| commit(&expected, batch, &step.to_vec()));
    let read = block_on(restored(Location::folder(folder.path()).unwrap()));
    assert_eq!(read, Some(contents(&expected)));
}

#[test]
fn given_an_object_with_all_kinds_of_positions_as_version_1_wrote_it_when_read_then_they_are_read() {
    let mut loaded = Loaded::default();
    loaded.add(POSITIONS).unwrap();
    let head = loaded.head.unwrap();
    assert_eq!((head.batch, head.positions), (BatchTime::from_millis(7), every_position()));
    assert_eq!((head.watermarks, head.oldest, head.operators), (watermarks(), BTreeMap::new(), BTreeMap::new()));
}

#[test]
#[ignore = "makes the fixtures of a new version"]
fn make_fixtures_of_checkpoints() {
    let version = std::str::from_utf8(MAGIC).unwrap();
    let keep = |name: &str, bytes: &[u8]| {
        keep_fixture(&format!("checkpoint/fixtures/{version}/{name}"), bytes).unwrap();
    };
    let objects = DyingStore::after(usize::MAX);
    block_on(async {
        run(&objects, &STEPS.map(<[_]>::to_vec)).await;
        for (name, _) in CHAIN {
            keep(name, &objects.location().get(name).await.unwrap());
        }
    });
    let nothing = Store::default();
    nothing.commit(BatchTime::from_millis(7), Staged { watermarks: watermarks(), ..Staged::default() });
    let pieces = format::pieces(nothing.saved(None).unwrap(), every_position()).unwrap();
    keep("positions.all", &pieces.collect::<Result<Vec<_>>>().unwrap().concat());
}
