//! What goes wrong with rows.

use std::cell::Cell;

use weir_guest::bindings::rows::{Batch, Column, Reject, Slices, Values, VarLen};
use weir_guest::bindings::transform::{Emitted, Origin};
use weir_guest::log;

use crate::deed::{Config, Deed};
use crate::harm;

/// Answers for a chunk, well or badly.
pub(crate) fn apply(config: &Config, input: Batch) -> Result<Emitted, String> {
    let rows = input.row_count as usize;
    if config.line.as_ref().is_some_and(|line| !has_line(&input, line)) {
        return Ok(emitted(utf8(sound(&input))));
    }
    let amount = |default: usize| config.amount.unwrap_or(default);
    Ok(match config.r#do {
        Deed::Spin => harm::spin(),
        Deed::GrabMemory => harm::grab_memory(),
        Deed::OverflowStack => emitted(utf8(all_rows(rows, &harm::recurse(amount(1 << 30) as u64).to_string()))),
        Deed::OverflowMemoryStack => {
            emitted(utf8(all_rows(rows, &harm::recurse_in_memory(amount(1 << 30) as u64).to_string())))
        }
        Deed::Trap => harm::trap(),
        Deed::Panic => panic!("evil was asked to panic"),
        Deed::Fail => return Err("evil was asked to fail".to_owned()),
        Deed::FloodLog | Deed::FloodLogAndPanic => {
            let line = "all work and no play makes jack a dull boy. ".repeat(24);
            (0..amount(100_000)).for_each(|_| log::info!("{line}"));
            assert!(config.r#do == Deed::FloodLog, "evil's last word");
            emitted(utf8(sound(&input)))
        }
        Deed::Remember => emitted(utf8(all_rows(rows, &calls().to_string()))),

        Deed::OffsetsOutOfRange => broken(&input, |text| text.offsets[rows] += 1000),
        Deed::OffsetsDecrease => broken(&input, |text| text.offsets[rows] = -1),
        Deed::OffsetsNegative => broken(&input, |text| text.offsets.iter_mut().for_each(|o| *o = -1 - *o)),
        Deed::OffsetsStartLate => broken(&input, |text| text.offsets[0] = 1),
        Deed::OffsetsMissing => broken(&input, |text| text.offsets.truncate(rows)),
        Deed::OffsetsNone => broken(&input, |text| text.offsets.clear()),
        Deed::DataLeftOver => broken(&input, |text| text.data.push(b'!')),
        Deed::NotUtf8 => emitted(utf8(all_rows_bytes(rows, &[0xC3, 0x28]))),
        Deed::SplitCharacter => emitted(utf8(split_character(rows))),
        Deed::ExtraColumn => {
            let column = utf8(sound(&input));
            Emitted { columns: vec![column.clone(), column], ..emitted(utf8(sound(&input))) }
        }
        Deed::NoColumn => Emitted { columns: vec![], ..emitted(utf8(sound(&input))) },
        Deed::WrongType => emitted(Column { values: Values::Int64(vec![0; rows]), validity: None }),
        Deed::LongColumn => emitted(utf8(all_rows(rows + 1, "x"))),
        Deed::ShortColumn => emitted(utf8(all_rows(rows.saturating_sub(1), "x"))),
        Deed::ShortValidity => with_validity(&input, vec![0xFF; rows.div_ceil(8).saturating_sub(1)]),
        Deed::LongValidity => with_validity(&input, vec![0xFF; rows.div_ceil(8) + 1]),
        Deed::NullInNonNullable => with_validity(&input, vec![0; rows.div_ceil(8)]),

        Deed::OriginOutOfRange => from(vec![rows as u32]),
        Deed::OriginDecreases => from(vec![1, 0]),
        Deed::SlicesOutOfRange => slices(&input, rows, |_| (u32::MAX / 2, 10)),
        Deed::SlicesOverflow => slices(&input, rows, |_| (u32::MAX, u32::MAX)),
        Deed::SlicesSplitCharacter => match split_at(&input) {
            Some(start) => slices(&input, rows, |_| (start, 1)),
            None => emitted(utf8(sound(&input))),
        },
        Deed::SlicesOfNonText => match input.columns.iter().position(|c| !matches!(c.values, Values::Utf8(_))) {
            Some(column) => slices_of(column as u32, vec![0; rows], vec![0; rows]),
            None => emitted(utf8(sound(&input))),
        },
        Deed::SlicesOfNowhere => slices_of(99, vec![0; rows], vec![0; rows]),
        Deed::SlicesUneven => slices_of(text_column(&input), vec![0; rows], vec![]),
        Deed::SlicesAmplify => {
            let rows = amount(1_000_000);
            let whole = first_text(&input).map_or(0, |text| text.data.len()) as u32;
            Emitted { origin: Origin::From(vec![0; rows]), ..slices(&input, rows, |_| (0, whole)) }
        }

        Deed::RejectOutOfRange => rejecting([input.row_count], "not there"),
        Deed::RejectTwice => rejecting((0..input.row_count).chain(0..input.row_count), "twice"),
        Deed::RejectAtLength => rejecting(0..input.row_count, &"because ".repeat(amount(1 << 20) / 8)),
        Deed::RejectFlood => rejecting(std::iter::repeat_n(0, amount(10_000_000)), "again"),
        Deed::HugeOutput => {
            let size = amount(512 << 20);
            let text = VarLen { offsets: vec![0, size as i32], data: vec![b'x'; size] };
            Emitted { origin: Origin::From(vec![0]), ..emitted(utf8(text)) }
        }
        Deed::ManyRows => from(vec![0; amount(100_000_000)]),

        Deed::Nothing
        | Deed::SpinInConfigure
        | Deed::PanicInConfigure
        | Deed::FailInConfigure
        | Deed::ReadNowhere
        | Deed::KeepNowhere
        | Deed::ReadTwice
        | Deed::AddTwice
        | Deed::AddWhatIsKept
        | Deed::AddNameless => emitted(utf8(sound(&input))),
    })
}

fn first_text(input: &Batch) -> Option<&VarLen> {
    input.columns.iter().find_map(|column| match &column.values {
        Values::Utf8(text) => Some(text),
        _ => None,
    })
}

fn text_column(input: &Batch) -> u32 {
    input.columns.iter().position(|c| matches!(c.values, Values::Utf8(_))).unwrap_or(0) as u32
}

fn has_line(input: &Batch, line: &str) -> bool {
    first_text(input).is_some_and(|text| {
        text.offsets.windows(2).any(|w| &text.data[w[0] as usize..w[1] as usize] == line.as_bytes())
    })
}

/// The column to answer with when doing nothing wrong.
fn sound(input: &Batch) -> VarLen {
    first_text(input).cloned().unwrap_or_else(|| all_rows(input.row_count as usize, "x"))
}

fn all_rows(rows: usize, value: &str) -> VarLen {
    all_rows_bytes(rows, value.as_bytes())
}

fn all_rows_bytes(rows: usize, value: &[u8]) -> VarLen {
    VarLen { offsets: (0..=rows).map(|row| (row * value.len()) as i32).collect(), data: value.repeat(rows) }
}

/// `é` for each row, all but the first and last offset in the middle of one; a single row gets half of one.
fn split_character(rows: usize) -> VarLen {
    let mut text = all_rows(rows, "é");
    text.offsets.iter_mut().skip(1).take(rows.saturating_sub(1)).for_each(|offset| *offset -= 1);
    if rows == 1 {
        text.data.pop();
        text.offsets[1] = 1;
    }
    text
}

/// A place inside a character of the first text column.
fn split_at(input: &Batch) -> Option<u32> {
    first_text(input)?.data.iter().position(|byte| byte & 0xC0 == 0x80).map(|at| at as u32)
}

fn utf8(text: VarLen) -> Column {
    Column { values: Values::Utf8(text), validity: None }
}

fn emitted(column: Column) -> Emitted {
    Emitted { origin: Origin::Same, columns: vec![column], rejects: vec![] }
}

fn broken(input: &Batch, how: impl FnOnce(&mut VarLen)) -> Emitted {
    let mut text = sound(input);
    how(&mut text);
    emitted(utf8(text))
}

fn with_validity(input: &Batch, validity: Vec<u8>) -> Emitted {
    emitted(Column { validity: Some(validity), ..utf8(sound(input)) })
}

fn from(origin: Vec<u32>) -> Emitted {
    let column = utf8(all_rows(origin.len(), "x"));
    Emitted { origin: Origin::From(origin), ..emitted(column) }
}

fn slices(input: &Batch, rows: usize, slice: impl Fn(usize) -> (u32, u32)) -> Emitted {
    let (starts, lengths) = (0..rows).map(slice).unzip();
    slices_of(text_column(input), starts, lengths)
}

fn slices_of(column: u32, starts: Vec<u32>, lengths: Vec<u32>) -> Emitted {
    emitted(Column { values: Values::Slices(Slices { column, starts, lengths }), validity: None })
}

fn rejecting(rows: impl IntoIterator<Item = u32>, reason: &str) -> Emitted {
    let rejects = rows.into_iter().map(|row| Reject { row, reason: reason.to_owned() }).collect();
    let none = VarLen { offsets: vec![0], data: vec![] };
    Emitted { origin: Origin::From(vec![]), columns: vec![utf8(none)], rejects }
}

/// How often this has been called.
fn calls() -> u32 {
    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
    }
    CALLS.set(CALLS.get() + 1);
    CALLS.get()
}
