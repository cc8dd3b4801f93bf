//! What the glue of migrations promises: an answer to one call, value by value, and what is said where there is none.

use serde::Deserialize;
use weir_guest::bindings::rows::{Batch, Column, DataType, Field, Values};
use weir_guest::state::{Group, Next, State, Turn, migrate, update};
use weir_guest::{Chunk, Migrate, Record, testing};

/// Knows how far each traveller has gone, and for how long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Travels {
    /// How fast those went of whom only the distance is known.
    #[serde(default = "walking")]
    metres_a_second: i64,
}

fn walking() -> i64 {
    1
}

#[derive(Record, Debug, Clone, PartialEq)]
struct Travel {
    metres: i64,
    seconds: i64,
    note: Option<String>,
}

#[weir_guest::state(migrates = [1, 2, 3])]
impl State for Travels {
    type Key<'a> = ();
    type Input<'a> = ();
    type State = Travel;
    type Output<'a> = ();

    const VERSION: u32 = 4;

    fn update<'a>(&self, (): (), _: Option<Travel>, _: &mut Group<'a, ()>, _: &mut Turn<'a, ()>) -> Next<Travel> {
        Next::Unchanged
    }
}

#[derive(Record)]
struct Distance {
    metres: i64,
}

impl Migrate<1> for Travels {
    type Old = Distance;

    fn migrate(&self, old: Distance) -> Result<Travel, String> {
        weir_guest::log::info!("{} m", old.metres);
        Ok(Travel { metres: old.metres, seconds: old.metres / self.metres_a_second, note: None })
    }
}

#[derive(Record)]
struct Noted {
    metres: i64,
    note: Option<String>,
}

impl Migrate<2> for Travels {
    type Old = Noted;

    fn migrate(&self, Noted { metres, note }: Noted) -> Result<Travel, String> {
        Ok(Travel { note, ..Migrate::<1>::migrate(self, Distance { metres })? })
    }
}

#[derive(Record)]
struct Speed {
    metres: i64,
    #[record(name = "metres-a-second")]
    speed: i64,
}

impl Migrate<3> for Travels {
    type Old = Speed;

    fn migrate(&self, old: Speed) -> Result<Travel, String> {
        let seconds = old.metres.checked_div(old.speed).ok_or_else(|| format!("{} m without speed", old.metres))?;
        Ok(Travel { metres: old.metres, seconds, note: None })
    }
}

fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.to_owned(), data_type, nullable: true }
}

fn ints(values: &[i64]) -> Column {
    Column { values: Values::Int64(values.to_vec()), validity: None }
}

fn migrated(from: u32, schema: &[Field], columns: Vec<Column>) -> Result<Batch, String> {
    let (operator, _) = update::configure::<Travels>("{}", &[], &[])?;
    migrate::migrate(&operator, from, schema, &Chunk::new(Batch { row_count: 2, columns })?)
}

#[test]
fn old_columns_are_found_by_name_and_new_ones_are_in_order() {
    let schema = [("gone", DataType::Timestamp), ("metres-a-second", DataType::Int64), ("metres", DataType::Int64)]
        .map(|(name, data_type)| field(name, data_type));
    let gone = Column { values: Values::Timestamp(vec![0, 0]), validity: Some(vec![0]) };
    let answer = migrated(3, &schema, vec![gone, ints(&[2, 5]), ints(&[10, 20])]).expect("it can be migrated");
    assert_eq!(answer.row_count, 2);
    assert_eq!(answer.columns[..2], [ints(&[10, 20]), ints(&[5, 4])]);
    assert_eq!(answer.columns[2].validity, Some(vec![0]));
}

#[test]
fn states_that_cannot_be_migrated_are_refused() {
    #[track_caller]
    fn refused(from: u32, schema: &[Field], columns: Vec<Column>, why: &str) {
        assert_eq!(migrated(from, schema, columns), Err(why.to_owned()));
    }
    let metres = || field("metres", DataType::Int64);
    for unknown in [0, 4, 7] {
        let why = format!("states of version {unknown} cannot be migrated: this component knows versions 1, 2 and 3");
        refused(unknown, &[metres()], vec![ints(&[1, 2])], &why);
    }
    let null = Column { validity: Some(vec![0b01]), ..ints(&[1, 2]) };
    refused(1, &[metres()], vec![null], "a state of version 1 cannot be migrated: column `metres` is null");
    refused(
        2,
        &[metres()],
        vec![ints(&[1, 2])],
        "the state of version 2 has no column `note` (utf8), which the operator reads; it has `metres` (int64)",
    );
    refused(
        1,
        &[field("metres", DataType::Float64)],
        vec![Column { values: Values::Float64(vec![1.0, 2.0]), validity: None }],
        "the operator reads column `metres` as int64, but in the state of version 1 it is float64; \
         the state of version 1 has `metres` (float64)",
    );
    refused(
        3,
        &[metres(), field("metres-a-second", DataType::Int64)],
        vec![ints(&[1, 2]), ints(&[1, 0])],
        "a state of version 3 cannot be migrated: 2 m without speed",
    );
}

#[test]
fn a_migration_knows_the_config_and_may_log() -> Result<(), String> {
    let run = testing::state::<Travels>().config(r#"{"metres_a_second": 5}"#);
    let answer = run.migrate(1, [10, 20].map(|metres| Distance { metres }))?;
    let expected = [(10, 2), (20, 4)].map(|(metres, seconds)| Travel { metres, seconds, note: None });
    assert_eq!(answer.rows::<Travel>()?, expected);
    assert_eq!(answer.columns(), ["metres", "seconds", "note"]);
    assert_eq!(answer.log().len(), 2);
    Ok(())
}

#[test]
fn the_answer_is_the_same_however_many_states_are_in_a_call() -> Result<(), String> {
    let noted = || (0..5).map(|metres| Noted { metres, note: (metres % 2 == 0).then(|| metres.to_string()) });
    let all = testing::state::<Travels>().migrate(2, noted())?;
    assert_eq!(all.table().len(), 5);
    for chunk in [1, 2, 5] {
        let parts = testing::state::<Travels>().chunk(chunk).migrate(2, noted())?;
        assert_eq!(parts.rows::<Travel>()?, all.rows::<Travel>()?);
    }
    Ok(())
}
