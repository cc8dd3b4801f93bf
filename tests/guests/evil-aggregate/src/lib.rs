//! An aggregate that breaks every rule, one at a time: the config's `do` says which.
//!
//! It implements the raw bindings, so that it can lie. When it does nothing wrong, it counts rows, as `count` does, and
//! can take them back; it reads all columns.

mod deed;

use std::sync::OnceLock;

use deed::{Config, Deed};
use weir_guest::bindings::aggregate::{Created, Guest, Shape};
use weir_guest::bindings::rows::{Batch, Column, DataType, Field, Reject, Values};

/// The operator.
#[derive(Debug)]
pub struct Evil;

static CONFIG: OnceLock<Config> = OnceLock::new();

impl Guest for Evil {
    fn configure(config: String, _input: Vec<Field>) -> Result<Shape, String> {
        weir_guest::log_panics();
        let config: Config =
            serde_json::from_str(&config).map_err(|e| format!("evil needs to know what to do: {e}"))?;
        let config = CONFIG.get_or_init(|| config);
        let mut shape = Shape { reads: None, accumulator: vec![count()], output: vec![count()], retracts: true };
        match config.r#do {
            Deed::FailInConfigure => return Err("evil was asked to fail in configure".to_owned()),
            Deed::PanicInConfigure => panic!("evil was asked to panic in configure"),
            Deed::ReadNowhere => shape.reads = Some(vec![99]),
            Deed::AccumulateTwice => shape.accumulator.push(count()),
            Deed::AnswerTwice => shape.output.push(count()),
            _ => {}
        }
        Ok(shape)
    }

    fn create(groups: Vec<u32>, input: Batch) -> Result<Created, String> {
        let rejects = match deed(&input) {
            Some(Deed::TrapInCreate) => panic!("evil was asked to panic in create"),
            Some(Deed::FailInCreate) => return Err("evil was asked to fail in create".to_owned()),
            Some(Deed::SpinInCreate) => spin(),
            Some(Deed::RejectOutOfRange) => vec![reject(input.row_count)],
            Some(Deed::RejectTwice) => vec![reject(0), reject(0)],
            Some(Deed::RejectAll) => (0..input.row_count).map(reject).collect(),
            _ => vec![],
        };
        let counts = groups.windows(2).map(|group| i64::from(group[1] - group[0])).collect();
        let accumulators = match deed(&input) {
            Some(Deed::CreateTooMany) => batch(more(counts)),
            Some(Deed::CreateTooFew) => batch(fewer(counts)),
            Some(Deed::CreateWrongCount) => Batch { row_count: 1_000_000, ..batch(counts) },
            Some(Deed::CreateWrongType) => wrong_type(counts.len()),
            Some(Deed::CreateNoColumn) => Batch { row_count: counts.len() as u32, columns: vec![] },
            _ => batch(counts),
        };
        Ok(Created { accumulators, rejects })
    }

    fn merge(groups: Vec<u32>, accumulators: Batch) -> Result<Batch, String> {
        match any_deed() {
            Some(Deed::TrapInMerge) => panic!("evil was asked to panic in merge"),
            Some(Deed::FailInMerge) => return Err("evil was asked to fail in merge".to_owned()),
            Some(Deed::SpinInMerge) => spin(),
            _ => {}
        }
        let counts = counts(&accumulators);
        let sums: Vec<i64> =
            groups.windows(2).map(|group| counts[group[0] as usize..group[1] as usize].iter().sum()).collect();
        Ok(match any_deed() {
            Some(Deed::MergeTooMany) => batch(more(sums)),
            Some(Deed::MergeNothing) => accumulators,
            Some(Deed::MergeWrongType) => wrong_type(sums.len()),
            _ => batch(sums),
        })
    }

    fn retract(total: Batch, part: Batch) -> Result<(Batch, Vec<u8>), String> {
        let left: Vec<i64> = counts(&total).iter().zip(counts(&part)).map(|(total, part)| total - part).collect();
        let mut nothing = vec![0; left.len().div_ceil(8)];
        for (row, _) in left.iter().enumerate().filter(|(_, left)| **left == 0) {
            nothing[row / 8] |= 1 << (row % 8);
        }
        Ok(match any_deed() {
            Some(Deed::TrapInRetract) => panic!("evil was asked to panic in retract"),
            Some(Deed::RetractShortBitmap) => (batch(left), vec![]),
            Some(Deed::RetractTooFew) => (batch(fewer(left)), nothing),
            _ => (batch(left), nothing),
        })
    }

    fn finish(accumulators: Batch) -> Result<Batch, String> {
        let counts = counts(&accumulators).to_vec();
        Ok(match any_deed() {
            Some(Deed::TrapInFinish) => panic!("evil was asked to panic in finish"),
            Some(Deed::FailInFinish) => return Err("evil was asked to fail in finish".to_owned()),
            Some(Deed::FinishTooFew) => batch(fewer(counts)),
            Some(Deed::FinishWrongType) => wrong_type(counts.len()),
            _ => batch(counts),
        })
    }
}

/// What to do to these rows.
fn deed(input: &Batch) -> Option<Deed> {
    let config = CONFIG.get()?;
    let named = config.line.as_ref().is_none_or(|line| has_line(input, line));
    named.then_some(config.r#do)
}

/// What to do wherever there are no rows to go by.
fn any_deed() -> Option<Deed> {
    CONFIG.get().map(|config| config.r#do)
}

fn has_line(input: &Batch, line: &str) -> bool {
    input.columns.iter().any(|column| match &column.values {
        Values::Utf8(text) => {
            text.offsets.windows(2).any(|w| &text.data[w[0] as usize..w[1] as usize] == line.as_bytes())
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

fn more(mut counts: Vec<i64>) -> Vec<i64> {
    counts.push(13);
    counts
}

fn fewer(mut counts: Vec<i64>) -> Vec<i64> {
    counts.pop();
    counts
}

fn reject(row: u32) -> Reject {
    Reject { row, reason: "evil was asked to reject".to_owned() }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

#[cfg(target_arch = "wasm32")]
weir_guest::bindings::aggregate::export_aggregate_world!(Evil with_types_in weir_guest::bindings::aggregate);
weir_guest::name_plugin!();
