//! The batch log on a disk that fails, tears and forgets.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

mod fixture;
mod shorten;

use proptest::prelude::*;

use super::*;
use crate::fingerprint::Fingerprint;
use crate::storage::{Fault, SimulatedDisk};
use crate::testing::{damage, largest_allocation};

const PATH: &str = "/run/batches.log";

fn open(disk: &SimulatedDisk) -> Result<(BatchLog, Vec<Record>)> {
    BatchLog::open(disk, Path::new(PATH))
}

fn cut(batch: u64) -> Record {
    let batch = BatchTime::from_millis(batch);
    Record::Cut(Cut {
        batch,
        sources: vec![],
        ended: vec!["s".into()],
        operators: vec![],
        tables: vec![],
        retried: vec![],
    })
}

fn committed(batch: u64) -> Record {
    let meter = OperatorMeter { rows_in: batch, fuel: 7, ..OperatorMeter::default() };
    Record::Committed {
        batch: BatchTime::from_millis(batch),
        rows_in: batch,
        rows_out: vec![("out".into(), 1)],
        meters: BTreeMap::from([("double".into(), meter)]),
        fingerprints: BTreeMap::from([("double".into(), Fingerprint::default())]),
    }
}

/// The first so many records of a life: a start, then a cut and a commit each.
fn records(count: usize) -> Vec<Record> {
    let started = Record::Started { engine: 7, definition: Digest::of(b"p"), after: BatchTime::from_millis(0) };
    let batches = (1..).flat_map(|batch| [cut(batch * 1000), committed(batch * 1000)]);
    [started].into_iter().chain(batches).take(count).collect()
}

fn written(records: &[Record]) -> (SimulatedDisk, Vec<u8>) {
    let disk = SimulatedDisk::default();
    let (mut log, before) = open(&disk).unwrap();
    assert_eq!(before, vec![]);
    records.iter().for_each(|record| log.append(record).unwrap());
    let bytes = disk.read(Path::new(PATH)).unwrap();
    (disk, bytes)
}

/// Where the records of a log begin, and where it ends.
fn places(bytes: &[u8]) -> Vec<usize> {
    let mut places = vec![HEADER.len()];
    while let Some(payload) = frame(&bytes[places[places.len() - 1]..]) {
        places.push(places[places.len() - 1] + FRAME + payload.len());
    }
    places
}

#[test]
fn given_records_when_opened_again_then_they_are_read_back_and_appending_goes_on() {
    let (disk, _) = written(&records(3));
    let (mut log, found) = open(&disk).unwrap();
    assert_eq!(found, records(3));
    log.append(&records(4)[3]).unwrap();
    assert_eq!(open(&disk).unwrap().1, records(4));
}

#[test]
fn given_a_fault_at_any_change_when_the_power_goes_then_all_that_was_acknowledged_is_there() {
    let mut unacknowledged = 0;
    for torn in [0, 1, 9, 30, 1000] {
        for fault in [|at, torn| Fault::Error { at, torn }, |at, torn| Fault::Stop { at, torn }] {
            for at in 0.. {
                let disk = SimulatedDisk::with_fault(fault(at, torn));
                let mut acknowledged = 0;
                if let Ok((mut log, _)) = open(&disk) {
                    acknowledged = records(7).iter().filter(|record| log.append(record).is_ok()).count();
                }
                if disk.changes() <= at {
                    break;
                }
                for (kept, names_kept) in [(0, false), (0, true), (1, true), (20, false), (1000, true)] {
                    let case = format!("{torn} bytes at {at}, then {kept} bytes, names kept: {names_kept}");
                    let disk = disk.after_power_cut(kept, names_kept);
                    let (mut log, found) = open(&disk).unwrap_or_else(|error| panic!("{case}: {error:#}"));
                    assert!(found.len() >= acknowledged && records(7).starts_with(&found), "{case}: {found:?}");
                    unacknowledged += found.len() - acknowledged;
                    let next = &records(found.len() + 1)[found.len()];
                    log.append(next).unwrap();
                    assert_eq!(open(&disk).unwrap().1, records(found.len() + 1), "{case}");
                }
            }
        }
    }
    assert!(unacknowledged > 0, "some of what was written, and not acknowledged, has come through");
}

/// A host that was killed between a rename and the sync of its folder left a log whose name was not durable; the next one
/// took it up, and lost all of it with the power.
#[test]
fn given_a_host_killed_at_any_change_when_the_next_goes_on_and_the_power_goes_then_nothing_it_acknowledged_is_lost() {
    for at in 0.. {
        let disk = SimulatedDisk::with_fault(Fault::Stop { at, torn: 5 });
        if let Ok((mut log, _)) = open(&disk) {
            let _ = records(3).iter().try_for_each(|record| log.append(record));
        }
        if disk.changes() <= at {
            break;
        }
        disk.set_fault(None);
        let (mut log, found) = open(&disk).unwrap();
        log.append(&committed(9000)).unwrap();
        let left = open(&disk.after_power_cut(0, false)).unwrap().1;
        assert_eq!(left, [&found[..], &[committed(9000)]].concat(), "killed at change {at}");
    }
}

#[test]
fn given_a_disk_that_was_full_when_there_is_room_again_then_the_log_takes_nothing_more_and_says_why() {
    let (disk, _) = written(&records(1));
    let (mut log, _) = open(&disk).unwrap();
    disk.set_fault(Some(Fault::Error { at: disk.changes(), torn: 5 }));
    let error = log.append(&cut(1000)).unwrap_err().to_string();
    assert!(error.contains("batch log /run/batches.log: simulated: no space left on device; make room"), "{error}");
    assert_eq!(log.append(&cut(2000)).unwrap_err().to_string(), error);
    assert_eq!(open(&disk).unwrap().1, records(1));
}

#[test]
fn given_a_tail_that_was_never_written_when_opened_then_it_is_dropped_whatever_is_read_there() {
    let (disk, bytes) = written(&records(3));
    let torn: &[&[u8]] =
        &[&[0; 3], &[0; 8], &[0; 4096], &[0xFF; 100], &[9, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]];
    for tail in torn {
        disk.put(Path::new(PATH), [&bytes[..], tail].concat());
        assert_eq!(open(&disk).unwrap().1, records(3), "{tail:?}");
        assert_eq!(disk.read(Path::new(PATH)).unwrap(), bytes);
    }
}

#[test]
fn given_damage_when_opened_then_record_and_batches_and_the_way_on_are_named_and_nothing_is_changed() {
    let (disk, bytes) = written(&records(7));
    let places = places(&bytes);
    for (record, tells) in [
        (
            0,
            "record 0 at byte 8 does not match its checksum, so it is not known what became of batch 1970-01-01T00:00:01.000Z and those before it",
        ),
        (1, "so it is not known what became of batch 1970-01-01T00:00:01.000Z and those before it"),
        (3, "so it is not known what became of batches 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:02.000Z"),
        (5, "so it is not known what became of batches 1970-01-01T00:00:02.000Z to 1970-01-01T00:00:03.000Z"),
    ] {
        // In its length, its checksum, its payload.
        for byte in [0, 3, 5, 9] {
            let mut damaged = bytes.clone();
            damaged[places[record] + byte] ^= 0x55;
            disk.put(Path::new(PATH), damaged.clone());
            let error = open(&disk).unwrap_err().to_string();
            let texts = ["/run/batches.log is damaged; nothing was changed", tells, "begin anew with --fresh"];
            assert!(texts.iter().all(|text| error.contains(text)), "{record}, {byte}: {error}");
            assert!(error.contains(&format!("record {record} at byte {} ", places[record])), "{error}");
            assert_eq!(disk.read(Path::new(PATH)).unwrap(), damaged);
            assert_eq!(BatchLog::salvage(&disk, Path::new(PATH)).len(), 6);
        }
    }
    for no_log in ["", "WEIR", "WEIRLOG2", "something else altogether"] {
        disk.put(Path::new(PATH), no_log.into());
        let error = open(&disk).unwrap_err().to_string();
        assert!(error.contains("record 0 at byte 0 does not begin as a batch log"), "{error}");
    }
}

#[test]
fn given_damage_among_batches_that_were_cut_ahead_when_told_then_the_earlier_is_named_first() {
    let at = |second: u64| Some(BatchTime::from_millis(second * 1000));
    for (before, behind, tells) in [
        (3, 1, "what became of batches 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:03.000Z"),
        (2, 2, "what became of batch 1970-01-01T00:00:02.000Z"),
    ] {
        let damage = Damage { record: 4, at: 9, what: "cannot be read", before: at(before), behind: at(behind) };
        let told = format!("record 4 at byte 9 cannot be read, so it is not known {tells}");
        assert_eq!(damage.to_string(), told);
    }
}

proptest! {
    #[test]
    fn given_a_log_cut_off_behind_its_header_when_opened_then_it_is_a_prefix(count in 0_usize..6, cut in 0.0..1.0) {
        let (disk, bytes) = written(&records(count));
        let left = HEADER.len() + ((bytes.len() - HEADER.len()) as f64 * cut) as usize;
        disk.put(Path::new(PATH), bytes[..left].to_vec());
        let (_, found) = open(&disk).unwrap();
        prop_assert_eq!(found.len(), places(&bytes).iter().filter(|end| **end <= left).count() - 1);
        prop_assert!(records(count).starts_with(&found));
    }

    #[test]
    fn given_a_log_with_any_byte_changed_when_opened_then_it_is_refused_or_its_last_record_is_dropped(
        count in 1_usize..6,
        place in 0.0..1.0,
        change in 1_u8..,
    ) {
        let (disk, mut bytes) = written(&records(count));
        let at = (bytes.len() as f64 * place) as usize;
        bytes[at] ^= change;
        disk.put(Path::new(PATH), bytes);
        if let Ok((_, found)) = open(&disk) {
            prop_assert_eq!(found, records(count - 1));
        }
    }

    #[test]
    fn given_any_bytes_when_read_then_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for bytes in [&bytes, &[HEADER.as_slice(), &bytes].concat()] {
            let contents = read(bytes);
            prop_assert!(contents.end <= bytes.len().max(HEADER.len()));
        }
    }

    /// Damage that a checksum does not show: the payload is what was meant to be written.
    #[test]
    fn given_a_damaged_record_in_a_sound_frame_when_read_then_nothing_panics_and_no_length_in_it_is_believed(
        damage in damage(),
        record in any::<prop::sample::Index>(),
    ) {
        let records = fixture::records();
        let payload = bincode::serde::encode_to_vec(record.get(&records), bincode::config::standard()).unwrap();
        let (_, mut bytes) = written(&records[..1]);
        let before = bytes.len();
        let payload = damage.to(&payload);
        bytes.extend(framed(u32::try_from(payload.len()).unwrap(), &payload));
        let (contents, most) = largest_allocation(|| read(&bytes));
        prop_assert!(most <= 4 << 20, "{} bytes at once", most);
        prop_assert_eq!(&contents.records[0], &records[0]);
        match contents.damage {
            None => prop_assert!(contents.end == bytes.len() || contents.end == before),
            Some(damage) => prop_assert_eq!((damage.at, damage.what), (before, "cannot be read")),
        }
    }
}
