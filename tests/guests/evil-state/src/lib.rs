//! An operator with state that breaks every rule, one at a time: the config's `how` says which.
//!
//! It implements the raw bindings, so that it can lie. When it does nothing wrong, it counts the rows of each key, keeps
//! the count and answers with it; it reads all columns. A lie is told for every number of keys, unless it needs something
//! of them.

mod deed;

use std::hint::black_box;
use std::sync::OnceLock;

use deed::{Config, Deed};
use weir_guest::bindings::rows::{Batch, Column, DataType, Field, Reject, Values};
use weir_guest::bindings::state::{Fate, Guest, Shape, Touched, Updated};

/// The operator.
#[derive(Debug)]
pub struct Evil;

static CONFIG: OnceLock<Config> = OnceLock::new();

impl Guest for Evil {
    fn configure(config: String, keys: Vec<Field>, _input: Vec<Field>) -> Result<Shape, String> {
        weir_guest::log_panics();
        let config: Config =
            serde_json::from_str(&config).map_err(|e| format!("evil needs to know what to do: {e}"))?;
        let config = CONFIG.get_or_init(|| config);
        let mut shape = Shape { reads: None, state: vec![count()], version: 1, output: vec![count()] };
        match config.how {
            Deed::FailInConfigure => return Err("evil was asked to fail in configure".to_owned()),
            Deed::PanicInConfigure => panic!("evil was asked to panic in configure"),
            Deed::SpinInConfigure => spin(),
            Deed::ReadNowhere => shape.reads = Some(vec![99]),
            Deed::KeepTwice => shape.state.push(count()),
            Deed::AnswerTwice => shape.output.push(count()),
            Deed::AnswerKey => shape.output.extend(keys),
            _ => {}
        }
        Ok(shape)
    }

    fn update(_batch_time: u64, touched: Touched) -> Result<Updated, String> {
        let deed = deed(&touched.input);
        match deed {
            Deed::Panic => panic!("evil was asked to panic"),
            Deed::PanicOnPoison if has_text(&touched.input, "poison") => panic!("evil was given poison"),
            Deed::Fail => return Err("evil was asked to fail".to_owned()),
            Deed::Spin => spin(),
            Deed::GrabMemory => grab_memory(),
            _ => {}
        }
        let rows = touched.input.row_count;
        let mut answer = sound(&touched);
        spoil(deed, rows, &mut answer);
        Ok(answer)
    }
}

/// The counts, all of them kept, and all of them answered with.
fn sound(touched: &Touched) -> Updated {
    let before = counts(&touched.previous);
    let grown = touched.groups.windows(2).enumerate().map(|(key, group)| {
        let known = touched.present[key / 8] >> (key % 8) & 1 == 1;
        i64::from(group[1] - group[0]) + if known { before[key] } else { 0 }
    });
    let grown: Vec<i64> = grown.collect();
    let keys = grown.len();
    Updated {
        next: batch(grown.clone()),
        fates: vec![Fate::Keep; keys],
        timers: vec![0; keys],
        output: batch(grown),
        output_from: (0..keys as u32).collect(),
        rejects: vec![],
    }
}

/// Makes an answer a wrong one.
fn spoil(deed: Deed, rows: u32, answer: &mut Updated) {
    let keys = answer.fates.len();
    match deed {
        Deed::TooFewFates => drop_last(&mut answer.fates),
        Deed::TooManyFates => answer.fates.push(Fate::Keep),
        Deed::TooFewTimers => drop_last(&mut answer.timers),
        Deed::TooManyTimers => answer.timers.push(0),

        Deed::NextTooFew => answer.next = batch(vec![13; keys.saturating_sub(1)]),
        Deed::NextTooMany => answer.next = batch(vec![13; keys + 1]),
        Deed::NextWrongCount => answer.next.row_count = 1_000_000,
        Deed::NextWrongType => answer.next = wrong_type(keys),
        Deed::NextNoColumn => answer.next.columns.clear(),
        Deed::NextNull => set_null(&mut answer.next),
        Deed::NextNullRemoved => {
            set_null(&mut answer.next);
            answer.fates.fill(Fate::Remove);
        }

        Deed::OutputFromDecreases => (answer.output, answer.output_from) = (batch(vec![13; 2]), vec![1, 0]),
        Deed::OutputFromOutOfRange => (answer.output, answer.output_from) = (batch(vec![13]), vec![keys as u32]),
        Deed::OutputFromTooFew => drop_last(&mut answer.output_from),
        Deed::OutputFromTooMany => answer.output_from.push(keys.saturating_sub(1) as u32),
        Deed::OutputWrongType => answer.output = wrong_type(keys),
        Deed::OutputFlood => {
            let rows = 100_000_000;
            (answer.output, answer.output_from) = (batch(vec![13; rows]), vec![0; rows]);
        }

        Deed::RejectOutOfRange => answer.rejects = vec![reject(rows)],
        Deed::RejectTwice => answer.rejects = vec![reject(0), reject(0)],
        Deed::RejectBackwards => answer.rejects = (0..rows).rev().map(reject).collect(),
        Deed::RejectAll => answer.rejects = (0..rows).map(reject).collect(),

        Deed::Nothing
        | Deed::FailInConfigure
        | Deed::PanicInConfigure
        | Deed::SpinInConfigure
        | Deed::ReadNowhere
        | Deed::KeepTwice
        | Deed::AnswerTwice
        | Deed::AnswerKey
        | Deed::Panic
        | Deed::PanicOnPoison
        | Deed::Fail
        | Deed::Spin
        | Deed::GrabMemory => {}
    }
}

/// What to do to these rows.
fn deed(input: &Batch) -> Deed {
    match CONFIG.get() {
        Some(Config { how, text }) if text.as_ref().is_none_or(|text| has_text(input, text)) => *how,
        _ => Deed::Nothing,
    }
}

fn has_text(input: &Batch, wanted: &str) -> bool {
    input.columns.iter().any(|column| match &column.values {
        Values::Utf8(text) => {
            text.offsets.windows(2).any(|w| &text.data[w[0] as usize..w[1] as usize] == wanted.as_bytes())
        }
        _ => false,
    })
}

fn count() -> Field {
    Field { name: "count".to_owned(), data_type: DataType::Int64, nullable: false }
}

fn counts(batch: &Batch) -> &[i64] {
    match batch.columns.first().map(|column| &column.values) {
        Some(Values::Int64(counts)) => counts,
        _ => &[],
    }
}

fn batch(counts: Vec<i64>) -> Batch {
    let row_count = counts.len() as u32;
    Batch { row_count, columns: vec![Column { values: Values::Int64(counts), validity: None }] }
}

fn wrong_type(rows: usize) -> Batch {
    let column = Column { values: Values::Float64(vec![0.5; rows]), validity: None };
    Batch { row_count: rows as u32, columns: vec![column] }
}

fn set_null(batch: &mut Batch) {
    let bytes = (batch.row_count as usize).div_ceil(8);
    batch.columns.iter_mut().for_each(|column| column.validity = Some(vec![0; bytes]));
}

fn drop_last<T>(all: &mut Vec<T>) {
    all.truncate(all.len().saturating_sub(1));
}

fn reject(row: u32) -> Reject {
    Reject { row, reason: "evil was asked to reject".to_owned() }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn grab_memory() -> ! {
    let mut grabbed: Vec<Vec<u8>> = Vec::new();
    loop {
        grabbed.push(black_box(vec![1; 1 << 20]));
    }
}

#[cfg(target_arch = "wasm32")]
weir_guest::bindings::state::export_state_world!(Evil with_types_in weir_guest::bindings::state);
weir_guest::name_plugin!();
