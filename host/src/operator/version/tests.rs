//! What was released stays as it is, and what was built against it still runs.
//!
//! A version that is added gets a component of its own: `cargo test --release -p weir --lib -- --ignored make_fixtures`.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};

use super::InterfaceVersion;
use crate::operator::{
    Aggregate, AggregateRunner, Components, Engine, Limits, Moment, Registry, World, componentize, inspect, sample,
};
use crate::testing::keep_fixture;
use crate::units::Size;

/// What a WIT file says to machines.
fn said(wit: &str) -> Vec<&str> {
    wit.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect()
}

#[test]
fn given_the_interface_of_today_when_compared_with_its_released_version_then_it_says_the_same() {
    let [.., newest] = InterfaceVersion::SERVED;
    let today = said(include_str!("../../../../wit/operator.wit"));
    assert_eq!(today, said(newest.wit()), "what was released never changes: give the package another version");
}

#[test]
fn given_each_version_when_read_then_it_is_a_package_of_its_number() {
    for version in InterfaceVersion::SERVED {
        let (resolve, package) = version.read().unwrap();
        assert_eq!(resolve.packages[package].name.to_string(), format!("weir:operator@{}", version.number()));
    }
}

#[test]
fn given_the_name_of_an_interface_when_it_is_served_then_it_is_known_in_both_manglings() {
    let served = Some((InterfaceVersion::V0_1, "log"));
    let cases = [
        ("weir:operator/log@0.1.0", served),
        ("weir:operator/log@0.1", served),
        ("weir:operator/log@0.1.1", None),
        ("weir:operator/log@0.0.9", None),
        ("weir:operator/log", None),
        ("weir:operators/log@0.1.0", None),
        ("", None),
    ];
    for (interface, version) in cases {
        assert_eq!(InterfaceVersion::of(interface), version, "{interface}");
    }
}

/// A component built when 0.1.0 was the interface.
const OF_0_1_0: &[u8] = include_bytes!("fixtures/fold-0.1.0.wasm");

#[test]
fn given_a_component_that_was_built_against_a_released_version_when_run_then_it_does_what_it_did() {
    let kind = inspect(OF_0_1_0).unwrap();
    assert_eq!((kind.world, kind.version, kind.wasi), (World::Aggregate, InterfaceVersion::V0_1, false));

    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::at(folder.path().join("registry"));
    let entry = registry.register(OF_0_1_0, Some("fold"), Some("0.1.0")).unwrap();
    let components = Components::new(Engine::fast().unwrap(), registry, &folder.path().join("cache"));
    let int64 = |name: &str| Field::new(name, DataType::Int64, false);
    let input = Schema::new(["a", "b", "n"].map(int64).to_vec());
    let limits = Limits { memory: Size(64 << 20), fuel: 1_000_000, output: Size(1 << 20) };
    let fold = Aggregate::configure(components.get(entry.digest).unwrap(), "{}", &input, limits).unwrap();

    let numbers = |names: &[&str], columns: &[&[i64]]| {
        let columns = columns.iter().map(|column| Arc::new(Int64Array::from(column.to_vec())) as _).collect();
        RecordBatch::try_new(Arc::new(Schema::new(names.iter().map(|name| int64(name)).collect::<Vec<_>>())), columns)
            .unwrap()
    };
    let mut runner = AggregateRunner::new(Arc::new(fold), Moment::NONE);
    let created = runner.create(&[0, 2, 5], &numbers(&["n"], &[&[1, 2, 3, 4, 5]])).unwrap();
    assert_eq!(created.rows, numbers(&["sum", "first"], &[&[3, 12], &[1, 3]]));
    let merged = runner.merge(&[0, 2], &created.rows).unwrap();
    let finished = runner.finish(&merged.rows).unwrap();
    assert_eq!(finished.rows, numbers(&["sum", "first"], &[&[15], &[1]]));
}

#[test]
#[ignore = "makes the fixture of a new version"]
fn make_fixtures_of_released_interfaces() {
    let [.., newest] = InterfaceVersion::SERVED;
    let component = componentize(&sample::fold()).unwrap();
    keep_fixture(&format!("operator/version/fixtures/fold-{}.wasm", newest.number()), &component).unwrap();
}
