//! Arrow arrays as the columns of the operator interface, and back.
//!
//! Going in, buffers are borrowed and copied once, by wasmtime, into the guest. Coming out, each list is copied once
//! out of the guest and becomes an Arrow buffer as it is; nothing in it is believed until [`super::lift`] has checked it.

use std::borrow::Cow;

use arrow::array::{Array, AsArray};
use arrow::buffer::{BooleanBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::verdict::CallError;
use crate::rows::ColumnType;

/// `data-type` of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lower, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitType {
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "int64")]
    Int64,
    #[component(name = "float64")]
    Float64,
    #[component(name = "timestamp")]
    Timestamp,
    #[component(name = "utf8")]
    Utf8,
    #[component(name = "binary")]
    Binary,
}

impl From<ColumnType> for WitType {
    fn from(t: ColumnType) -> Self {
        match t {
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Int64 => Self::Int64,
            ColumnType::Float64 => Self::Float64,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Utf8 => Self::Utf8,
            ColumnType::Binary => Self::Binary,
        }
    }
}

impl From<WitType> for ColumnType {
    fn from(t: WitType) -> Self {
        match t {
            WitType::Boolean => Self::Boolean,
            WitType::Int64 => Self::Int64,
            WitType::Float64 => Self::Float64,
            WitType::Timestamp => Self::Timestamp,
            WitType::Utf8 => Self::Utf8,
            WitType::Binary => Self::Binary,
        }
    }
}

/// `field` of the interface.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower, Lift)]
#[component(record)]
pub(super) struct WitField {
    pub(super) name: String,
    #[component(name = "data-type")]
    pub(super) data_type: WitType,
    pub(super) nullable: bool,
}

/// A schema in the interface's terms; refuses types outside the six.
pub(super) fn wit_fields(schema: &Schema) -> Result<Vec<WitField>, CallError> {
    schema
        .fields()
        .iter()
        .map(|f| {
            let data_type = ColumnType::of(f.data_type()).ok_or_else(|| {
                CallError::Host(format!("column `{}` has type {}, which no operator can take", f.name(), f.data_type()))
            })?;
            Ok(WitField { name: f.name().clone(), data_type: data_type.into(), nullable: f.is_nullable() })
        })
        .collect()
}

pub(super) fn arrow_field(field: &WitField) -> Field {
    Field::new(&field.name, ColumnType::from(field.data_type).arrow(), field.nullable)
}

/// `var-len`, borrowed.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct VarLenIn<'a> {
    offsets: &'a [i32],
    data: &'a [u8],
}

/// `slices`, for the type's sake: never sent to a guest.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct SlicesIn<'a> {
    column: u32,
    starts: &'a [u32],
    lengths: &'a [u32],
}

/// `values`, borrowed.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(variant)]
#[expect(dead_code, reason = "the interface's variant has `slices`, which goes out of a guest only")]
pub(super) enum ValuesIn<'a> {
    #[component(name = "boolean")]
    Boolean(&'a [u8]),
    #[component(name = "int64")]
    Int64(&'a [i64]),
    #[component(name = "float64")]
    Float64(&'a [f64]),
    #[component(name = "timestamp")]
    Timestamp(&'a [i64]),
    #[component(name = "utf8")]
    Utf8(VarLenIn<'a>),
    #[component(name = "binary")]
    Binary(VarLenIn<'a>),
    #[component(name = "slices")]
    Slices(SlicesIn<'a>),
}

/// `column`, borrowed.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct ColumnIn<'a> {
    values: ValuesIn<'a>,
    validity: Option<&'a [u8]>,
}

/// `batch`, borrowed.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct BatchIn<'a> {
    #[component(name = "row-count")]
    row_count: u32,
    columns: &'a [ColumnIn<'a>],
}

/// `var-len`, owned.
#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub(super) struct VarLenOut {
    pub(super) offsets: Vec<i32>,
    pub(super) data: Vec<u8>,
}

/// `slices`, owned.
#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub(super) struct SlicesOut {
    pub(super) column: u32,
    pub(super) starts: Vec<u32>,
    pub(super) lengths: Vec<u32>,
}

/// `values`, owned.
#[derive(Debug, Clone, ComponentType, Lift)]
#[component(variant)]
pub(super) enum ValuesOut {
    #[component(name = "boolean")]
    Boolean(Vec<u8>),
    #[component(name = "int64")]
    Int64(Vec<i64>),
    #[component(name = "float64")]
    Float64(Vec<f64>),
    #[component(name = "timestamp")]
    Timestamp(Vec<i64>),
    #[component(name = "utf8")]
    Utf8(VarLenOut),
    #[component(name = "binary")]
    Binary(VarLenOut),
    #[component(name = "slices")]
    Slices(SlicesOut),
}

/// `column`, owned.
#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub(super) struct ColumnOut {
    pub(super) values: ValuesOut,
    pub(super) validity: Option<Vec<u8>>,
}

/// `batch`, owned.
#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub(super) struct BatchOut {
    #[component(name = "row-count")]
    pub(super) row_count: u32,
    pub(super) columns: Vec<ColumnOut>,
}

/// `reject`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub(super) struct WitReject {
    pub(super) row: u32,
    pub(super) reason: String,
}

/// Some columns of a batch, with the few buffers that had to be made anew because a slice does not start at zero.
pub(super) struct Lowered<'a> {
    rows: u32,
    parts: Vec<Part<'a>>,
}

struct Part<'a> {
    values: Values<'a>,
    validity: Option<Cow<'a, [u8]>>,
}

enum Values<'a> {
    Boolean(Cow<'a, [u8]>),
    Int64(&'a [i64]),
    Float64(&'a [f64]),
    Timestamp(&'a [i64]),
    Utf8(Cow<'a, [i32]>, &'a [u8]),
    Binary(Cow<'a, [i32]>, &'a [u8]),
}

impl<'a> Lowered<'a> {
    /// Borrows the columns `reads` of the batch, in that order.
    pub(super) fn new(batch: &'a RecordBatch, reads: &[usize]) -> Result<Self, CallError> {
        let rows =
            u32::try_from(batch.num_rows()).map_err(|_| CallError::Host("more than 2^32 rows in a call".into()))?;
        let parts = reads.iter().map(|&i| part(batch.column(i).as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { rows, parts })
    }

    /// The columns as wasmtime takes them.
    pub(super) fn columns(&self) -> Vec<ColumnIn<'_>> {
        self.parts
            .iter()
            .map(|part| ColumnIn {
                values: match &part.values {
                    Values::Boolean(bits) => ValuesIn::Boolean(bits),
                    Values::Int64(v) => ValuesIn::Int64(v),
                    Values::Float64(v) => ValuesIn::Float64(v),
                    Values::Timestamp(v) => ValuesIn::Timestamp(v),
                    Values::Utf8(offsets, data) => ValuesIn::Utf8(VarLenIn { offsets, data }),
                    Values::Binary(offsets, data) => ValuesIn::Binary(VarLenIn { offsets, data }),
                },
                validity: part.validity.as_deref(),
            })
            .collect()
    }

    /// The batch over these columns.
    pub(super) fn batch<'b>(&self, columns: &'b [ColumnIn<'b>]) -> BatchIn<'b> {
        BatchIn { row_count: self.rows, columns }
    }

    /// The bytes of a text or binary column as the guest sees them.
    pub(super) fn data(&self, column: usize) -> Option<&'a [u8]> {
        match self.parts.get(column)?.values {
            Values::Utf8(_, data) | Values::Binary(_, data) => Some(data),
            _ => None,
        }
    }
}

fn part(array: &dyn Array) -> Result<Part<'_>, CallError> {
    let values = match array.data_type() {
        DataType::Boolean => Values::Boolean(bits(array.as_boolean().values())),
        DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values()),
        DataType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values()),
        DataType::Timestamp(..) => Values::Timestamp(array.as_primitive::<TimestampMicrosecondType>().values()),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            let (offsets, data) = rebase(array.offsets(), array.value_data());
            Values::Utf8(offsets, data)
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            let (offsets, data) = rebase(array.offsets(), array.value_data());
            Values::Binary(offsets, data)
        }
        other => return Err(CallError::Host(format!("a column of type {other} cannot be given to an operator"))),
    };
    let validity = array.nulls().filter(|n| n.null_count() > 0).map(|nulls| bits(nulls.inner()));
    Ok(Part { values, validity })
}

/// A bitmap from bit zero, padded with zeros to whole bytes.
pub(super) fn bits(buffer: &BooleanBuffer) -> Cow<'_, [u8]> {
    let bytes = buffer.len().div_ceil(8);
    if buffer.offset().is_multiple_of(8) && buffer.len().is_multiple_of(8) {
        let start = buffer.offset() / 8;
        return Cow::Borrowed(&buffer.values()[start..start + bytes]);
    }
    let mut out = vec![0; bytes];
    for i in buffer.set_indices() {
        out[i / 8] |= 1 << (i % 8);
    }
    Cow::Owned(out)
}

/// Offsets from zero, and just the data that they span.
fn rebase<'a>(offsets: &'a OffsetBuffer<i32>, data: &'a [u8]) -> (Cow<'a, [i32]>, &'a [u8]) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let data = &data[first as usize..last as usize];
    if first == 0 {
        return (Cow::Borrowed(offsets), data);
    }
    (Cow::Owned(offsets.iter().map(|o| o - first).collect()), data)
}
