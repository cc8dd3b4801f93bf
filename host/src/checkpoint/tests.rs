//! Checkpoints that are written to a store which fails or dies at any of its writes, and bytes that are none.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

mod damaged;
mod fixture;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use object_store::ObjectStoreExt;
use object_store::path::Path as Name;
use proptest::prelude::*;

use super::*;
use crate::event_time::Watermark;
use crate::plan::past;
use crate::plan::segment::attach;
use crate::source::RowsPosition;
use crate::state::{Change, Key};
use crate::testing::DyingStore;

/// What a batch does: to keys of group 0 of two operators, each to a new state or to nothing.
type Step = Vec<(u8, Option<u8>)>;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (0_u8..8, proptest::option::weighted(0.8, any::<u8>()));
    proptest::collection::vec(proptest::collection::vec(change, 0..5), 1..12)
}

fn spec() -> KeyedSpec {
    let column = |name| Arc::new(Schema::new(vec![Field::new(name, DataType::Int64, false)]));
    KeyedSpec { key: column("k"), state: column("s"), version: 1, timeout: Some(9) }
}

fn store() -> Store {
    let store = Store::default();
    store.keyed.open("even", spec(), 1);
    store.keyed.open("odd", spec(), 1);
    store.track();
    store
}

/// Commits a batch: the changes of keys, a row that is kept for three batches, and a watermark.
fn commit(store: &Store, batch: u64, step: &Step) {
    let delta = |operator: &str, odd: u8| {
        let keys: BTreeMap<u8, Option<u8>> = step.iter().filter(|(key, _)| key % 2 == odd).copied().collect();
        let change = |state: u8| Change { state: [state][..].into(), last: batch, timer: batch + u64::from(state) };
        let keys = keys.into_iter().map(|(key, state)| (Key::from_slice(&[key]), state.map(change))).collect();
        Delta { operator: operator.to_owned(), now: batch, groups: vec![(0, keys)] }
    };
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let rows = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![batch.cast_signed()]))]).unwrap();
    let rows = attach(rows, UInt32Array::from(vec![0])).unwrap();
    let forget = batch.checked_sub(3).map(BatchTime::from_millis);
    let kept = vec![Kept { stream: "s".to_owned(), past: past(vec![vec![rows]], 1).unwrap(), forget }];
    let watermarks = BTreeMap::from([("source".to_owned(), Watermark::behind(batch, 0))]);
    let deltas = vec![delta("even", 0), delta("odd", 1)];
    store.commit(BatchTime::from_millis(batch), Staged { deltas, kept, watermarks, ..Staged::default() });
}

fn positions(batch: u64) -> BTreeMap<String, Position> {
    let position = RowsPosition { first: Some(BatchTime::from_millis(1)), next: batch };
    BTreeMap::from([("source".to_owned(), Position::Rows(position))])
}

/// All that a store holds, in a form that can be compared.
fn contents(store: &Store) -> String {
    let snapshot = store.snapshot();
    let keyed: BTreeMap<_, Vec<_>> = snapshot
        .keyed
        .iter()
        .map(|(operator, keyed)| {
            let entries = keyed.groups().iter().flat_map(|group| group.iter());
            let mut keys: Vec<_> = entries.map(|(key, e)| (key, &e.state, e.last, e.timer)).collect();
            keys.sort();
            (operator, keys)
        })
        .collect();
    let history: BTreeMap<_, _> = snapshot.history.iter().collect();
    format!("{:?}\n{keyed:?}\n{history:?}\n{:?}", snapshot.batch, store.watermarks.all())
}

/// What a store holds that was filled from the newest checkpoint.
async fn restored(location: Location) -> Option<String> {
    let (_, restored) = Checkpoints::open(location, Duration::ZERO).await.unwrap();
    let restored = restored?;
    assert_eq!(restored.positions, positions(restored.batch.as_millis()));
    assert_eq!(restored.specs, BTreeMap::from(["even", "odd"].map(|operator| (operator.to_owned(), spec()))));
    let store = store();
    restored.fill(&store);
    Some(contents(&store))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Commits the steps, with a checkpoint after each; what the store held when each was written, as far as there are any.
async fn run(objects: &DyingStore, steps: &[Step]) -> Vec<String> {
    let Ok((mut checkpoints, None)) = Checkpoints::open(objects.location(), Duration::ZERO).await else {
        panic!("there are none yet")
    };
    let (store, mut written) = (store(), Vec::new());
    for (batch, step) in (1..).zip(steps) {
        commit(&store, batch, step);
        let saved = store.saved(checkpoints.since()).unwrap();
        if checkpoints.write(saved, positions(batch)).await.is_ok() {
            written.push(contents(&store));
        }
    }
    written
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn given_a_store_that_dies_at_any_write_then_the_last_checkpoint_that_was_written_is_there(
        steps in steps(),
        writes in 0_usize..60,
    ) {
        let objects = DyingStore::after(writes);
        block_on(async {
            let written = run(&objects, &steps).await;
            objects.revive();
            assert_eq!(restored(objects.location()).await.as_ref(), written.last());
        });
    }

    #[test]
    fn given_writes_that_fail_for_a_while_then_later_checkpoints_hold_everything(
        steps in steps(),
        failing in proptest::collection::vec(proptest::option::of(0_usize..6), 12),
    ) {
        let objects = DyingStore::after(usize::MAX);
        block_on(async {
            let (mut checkpoints, _) = Checkpoints::open(objects.location(), Duration::ZERO).await.unwrap();
            let (store, mut last) = (store(), None);
            for ((batch, step), failing) in (1..).zip(&steps).zip(failing) {
                commit(&store, batch, step);
                objects.die_after(failing.unwrap_or(usize::MAX));
                let saved = store.saved(checkpoints.since()).unwrap();
                if checkpoints.write(saved, positions(batch)).await.is_ok() {
                    last = Some(contents(&store));
                }
            }
            assert_eq!(restored(objects.location()).await, last);
        });
    }

    #[test]
    fn given_a_new_location_that_dies_at_any_write_then_all_are_in_the_old_and_another_takes_them(
        steps in steps(),
        writes in 0_usize..30,
    ) {
        let (old, dying, new) = (DyingStore::after(usize::MAX), DyingStore::after(writes), DyingStore::after(usize::MAX));
        block_on(async {
            let written = run(&old, &steps).await;
            let (mut checkpoints, _) = Checkpoints::open(old.location(), Duration::ZERO).await.unwrap();
            if checkpoints.move_to(dying.location()).await.is_ok() {
                assert_eq!(restored(dying.location()).await.as_ref(), written.last());
            }
            assert_eq!(restored(old.location()).await.as_ref(), written.last());

            let (mut checkpoints, _) = Checkpoints::open(old.location(), Duration::ZERO).await.unwrap();
            checkpoints.move_to(new.location()).await.unwrap();
            old.location().clear().await.unwrap();
            assert_eq!(old.location().names().await.unwrap(), Vec::<String>::new());
            assert_eq!(restored(new.location()).await.as_ref(), written.last());
            // What is written next goes on from there.
            let store = store();
            let (_, found) = Checkpoints::open(new.location(), Duration::ZERO).await.unwrap();
            found.into_iter().for_each(|found| found.fill(&store));
            let batch = steps.len() as u64 + 1;
            commit(&store, batch, &vec![(1, Some(1))]);
            let saved = store.saved(checkpoints.since()).unwrap();
            checkpoints.write(saved, positions(batch)).await.unwrap();
            assert_eq!(restored(new.location()).await, Some(contents(&store)));
        });
    }

    #[test]
    fn given_the_newest_damaged_in_any_byte_then_the_one_before_is_read(steps in steps(), at in any::<proptest::sample::Index>(), flip in 1_u8..) {
        let objects = DyingStore::after(usize::MAX);
        block_on(async {
            let written = run(&objects, &steps).await;
            let mut names = objects.location().names().await.unwrap();
            // What only the newest is made of: its manifest, and the object of its batch.
            names.retain(|name| name.starts_with(&format!("{:020}.", steps.len())));
            let name = Name::from(at.get(&names).as_str());
            let mut bytes = objects.store().get(&name).await.unwrap().bytes().await.unwrap().to_vec();
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            objects.store().put(&name, bytes.clone().into()).await.unwrap();
            match Checkpoints::open(objects.location(), Duration::ZERO).await {
                Ok(_) => {
                    let expected = &written[written.len().saturating_sub(2)..];
                    // A byte of a manifest that means nothing, as a space, may be another one.
                    assert!(expected.contains(&restored(objects.location()).await.unwrap()));
                }
                Err(error) => {
                    assert_eq!(steps.len(), 1, "{error:#}");
                    assert!(format!("{error:#}").contains("start with --fresh"), "{error:#}");
                }
            }
        });
    }
}

#[test]
fn given_an_object_that_is_cut_short_anywhere_then_it_is_refused() {
    let objects = DyingStore::after(usize::MAX);
    block_on(async {
        run(&objects, &[vec![(1, Some(1)), (2, Some(2))]]).await;
        let bytes = objects.location().get("00000000000000000001.all").await.unwrap();
        Loaded::default().add(&bytes).unwrap();
        for length in 0..bytes.len() {
            let error = Loaded::default().add(&bytes[..length]).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains("cut short") || error.contains("does not begin"), "{length}: {error}");
        }
    });
}

#[test]
fn given_many_checkpoints_then_those_of_the_last_two_are_kept_and_chains_do_not_grow_for_ever() {
    let objects = DyingStore::after(usize::MAX);
    block_on(async {
        let steps: Vec<Step> = (0..200).map(|n| vec![(n % 8, Some(n))]).collect();
        let written = run(&objects, &steps).await;
        let names = objects.location().names().await.unwrap();
        let manifests: Vec<_> = names.iter().filter(|name| name.ends_with(MANIFEST)).collect();
        assert_eq!(manifests, ["00000000000000000199.manifest.json", "00000000000000000200.manifest.json"]);
        assert!(names.len() <= 2 + 2 * LONGEST_CHAIN, "{names:?}");
        assert_eq!(restored(objects.location()).await.as_ref(), written.last());
    });
}

#[test]
fn given_a_time_to_keep_them_then_the_batches_of_that_time_can_be_computed_again() {
    let objects = DyingStore::after(usize::MAX);
    block_on(async {
        let (mut checkpoints, _) = Checkpoints::open(objects.location(), Duration::from_millis(10)).await.unwrap();
        let store = store();
        for batch in (1..40).step_by(4) {
            commit(&store, batch, &vec![(1, Some(1))]);
            checkpoints.write(store.saved(checkpoints.since()).unwrap(), positions(batch)).await.unwrap();
        }
        let (again, _) = Checkpoints::open(objects.location(), Duration::from_millis(10)).await.unwrap();
        // The last is of batch 37: from that of 25, the batches from 27 on can be computed again.
        let oldest = Some(BatchTime::from_millis(25));
        assert_eq!((checkpoints.oldest(), again.oldest()), (oldest, oldest));
        assert_eq!(Checkpoints::oldest_in(&objects.location()).await.unwrap(), oldest);
        let location = &objects.location();
        let before = |batch| async move {
            let restored = Checkpoints::before(location, BatchTime::from_millis(batch)).await.unwrap();
            restored.map(|restored| restored.batch.as_millis())
        };
        assert_eq!((before(25).await, before(26).await, before(30).await), (None, Some(25), Some(29)));
    });
}

#[test]
fn given_what_a_crash_left_half_written_when_a_folder_is_opened_then_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("00000000000000000001.all#1"), b"half").unwrap();
    Location::folder(folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
