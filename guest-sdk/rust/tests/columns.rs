//! What crosses the border, buffer by buffer: which columns are read, when text is sliced, when a bitmap is sent.

use weir_guest::bindings::rows::{Batch, Column, DataType, Field, Slices, Values, VarLen};
use weir_guest::transform::{Emitted, Operator, Origin, Shape};
use weir_guest::{Chunk, Record};

#[derive(Record)]
struct Name<'a> {
    name: Option<&'a str>,
}

#[derive(Record)]
struct Initial<'a> {
    initial: Option<&'a str>,
    known: bool,
}

#[weir_guest::map(keep = ["age"])]
fn initial(person: Name<'_>) -> Initial<'_> {
    Initial { initial: person.name.map(|name| &name[..1]), known: person.name.is_some() }
}

#[derive(Record)]
struct Polite<'a> {
    polite: &'a str,
}

#[weir_guest::map]
fn polite(person: Name<'_>) -> Polite<'_> {
    Polite { polite: person.name.unwrap_or("you") }
}

#[weir_guest::filter]
fn any(_row: ()) -> bool {
    true
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field { name: name.to_owned(), data_type, nullable }
}

fn people() -> Vec<Field> {
    vec![field("age", DataType::Int64, true), field("name", DataType::Utf8, true)]
}

fn text(offsets: &[i32], data: &str) -> Values {
    Values::Utf8(VarLen { offsets: offsets.to_vec(), data: data.as_bytes().to_vec() })
}

fn apply<O: Operator>(input: Batch) -> Result<Emitted, String> {
    let (operator, _) = O::configure("{}", &people())?;
    operator.apply(&Chunk::new(input)?)
}

fn shape<O: Operator>() -> Result<Shape, String> {
    O::configure("{}", &people()).map(|(_, shape)| shape)
}

#[test]
fn a_shape_names_what_is_read_kept_and_added() {
    let adds = vec![field("initial", DataType::Utf8, true), field("known", DataType::Boolean, false)];
    assert_eq!(shape::<initial>(), Ok(Shape { reads: Some(vec![1]), keeps: vec![0], adds }));
    assert_eq!(shape::<any>(), Ok(Shape { reads: Some(vec![]), keeps: vec![0, 1], adds: vec![] }));
}

#[test]
fn text_of_the_input_is_named_not_copied() -> Result<(), String> {
    let name = Column { values: text(&[0, 3, 6, 9], "annbobcid"), validity: Some(vec![0b101]) };
    let emitted = apply::<initial>(Batch { row_count: 3, columns: vec![name] })?;
    let slices = Slices { column: 0, starts: vec![0, 0, 6], lengths: vec![1, 0, 1] };
    assert_eq!(emitted.origin, Origin::Same);
    assert_eq!(
        emitted.columns,
        [
            Column { values: Values::Slices(slices), validity: Some(vec![0b101]) },
            Column { values: Values::Boolean(vec![0b101]), validity: None },
        ]
    );
    Ok(())
}

#[test]
fn text_from_elsewhere_is_copied() -> Result<(), String> {
    let name = Column { values: text(&[0, 3, 3], "ann"), validity: Some(vec![0b01]) };
    let emitted = apply::<polite>(Batch { row_count: 2, columns: vec![name] })?;
    assert_eq!(emitted.columns, [Column { values: text(&[0, 3, 6], "annyou"), validity: None }]);
    Ok(())
}

#[test]
fn there_is_no_bitmap_without_a_null() -> Result<(), String> {
    let name = Column { values: text(&[0, 3], "ann"), validity: None };
    let emitted = apply::<initial>(Batch { row_count: 1, columns: vec![name] })?;
    assert!(emitted.columns.iter().all(|column| column.validity.is_none()));
    Ok(())
}

#[test]
fn rows_without_columns_are_counted_still() -> Result<(), String> {
    let emitted = apply::<any>(Batch { row_count: 3, columns: vec![] })?;
    assert_eq!(emitted, Emitted { origin: Origin::Same, columns: vec![], rejects: vec![] });
    Ok(())
}
