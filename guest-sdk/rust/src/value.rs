//! The Rust types that a field of a record can have, and the column type of each.

use crate::Timestamp;
use crate::bindings::rows::{Column, DataType, Values};
use crate::builder::{BoolBuilder, Builder, Kind, NullableBuilder, NumberBuilder, Plan, VarLenBuilder};
use crate::column::{self, Bools, Bytes, Numbers, Text, Timestamps};

/// A type that a field of a [`Record`](trait@crate::Record) can have. There are no others than these:
///
/// | field | column | in [`Rows::columns`](crate::Rows::columns) |
/// |---|---|---|
/// | `bool` | boolean | [`Bools`] |
/// | `i64` | int64 | [`Numbers<i64>`](Numbers) |
/// | `f64` | float64 | [`Numbers<f64>`](Numbers) |
/// | [`Timestamp`] | timestamp | [`Timestamps`] |
/// | `&str`, `String` | utf8 | [`Text`] |
/// | `&[u8]`, `Vec<u8>` | binary | [`Bytes`] |
/// | `Option` of these | the same, may be null | the same |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a record",
    note = "fields are bool, i64, f64, Timestamp, &str, String, &[u8], Vec<u8> and Option of these"
)]
pub trait Value<'a>: Sized {
    /// The column's type.
    const DATA_TYPE: DataType;
    /// Whether the column may have nulls.
    const NULLABLE: bool = false;
    /// A view of an input column of this type.
    type Column: Copy;
    #[doc(hidden)]
    type Builder: Builder;

    /// The column, if it has this type. Only a `Chunk`'s columns may come in.
    #[doc(hidden)]
    fn column(column: &'a Column, _: sealed::Sound) -> Option<Self::Column>;
    #[doc(hidden)]
    fn get(column: Self::Column, row: usize) -> Option<Self>;
    #[doc(hidden)]
    fn builder(plan: Plan<'a>) -> Self::Builder;
    #[doc(hidden)]
    fn push(self, builder: &mut Self::Builder);
}

pub(crate) mod sealed {
    /// A `Chunk`'s word that a column is sound. Since no one else can name it, no one else can implement `Value`.
    #[derive(Debug)]
    pub struct Sound(pub(crate) ());
}

macro_rules! value {
    ($a:lifetime, $type:ty: $data_type:ident, $column:ty, $builder:ty, $view:expr, $get:expr, $new:expr, $push:expr) => {
        impl<$a> Value<$a> for $type {
            const DATA_TYPE: DataType = DataType::$data_type;
            type Column = $column;
            type Builder = $builder;

            #[inline]
            fn column(column: &$a Column, _: sealed::Sound) -> Option<Self::Column> {
                $view(column)
            }

            #[inline]
            fn get(column: Self::Column, row: usize) -> Option<Self> {
                column.get(row).map($get)
            }

            #[inline]
            fn builder(plan: Plan<$a>) -> Self::Builder {
                $new(plan)
            }

            #[inline]
            fn push(self, builder: &mut Self::Builder) {
                $push(builder, self);
            }
        }
    };
}

value!('a, bool: Boolean, Bools<'a>, BoolBuilder, column::bools, |v| v, BoolBuilder::new, BoolBuilder::push);
value!('a, i64: Int64, Numbers<'a, i64>, NumberBuilder<i64>, column::ints, |v| v,
    |plan| NumberBuilder::new(plan, Values::Int64), NumberBuilder::push);
value!('a, f64: Float64, Numbers<'a, f64>, NumberBuilder<f64>, column::floats, |v| v,
    |plan| NumberBuilder::new(plan, Values::Float64), NumberBuilder::push);
value!('a, Timestamp: Timestamp, Timestamps<'a>, NumberBuilder<i64>, column::timestamps, |v| v,
    |plan| NumberBuilder::new(plan, Values::Timestamp),
    |builder: &mut NumberBuilder<i64>, at: Timestamp| builder.push(at.as_micros()));
value!('a, &'a str: Utf8, Text<'a>, VarLenBuilder<'a>, column::text, |v| v,
    |plan| VarLenBuilder::new(plan, Kind::Text),
    |builder: &mut VarLenBuilder<'a>, text: &str| builder.push(text.as_bytes()));
value!('a, String: Utf8, Text<'a>, VarLenBuilder<'a>, column::text, str::to_owned,
    |plan| VarLenBuilder::copying(plan, Kind::Text),
    |builder: &mut VarLenBuilder<'a>, text: String| builder.push(text.as_bytes()));
value!('a, &'a [u8]: Binary, Bytes<'a>, VarLenBuilder<'a>, column::bytes, |v| v,
    |plan| VarLenBuilder::new(plan, Kind::Bytes), VarLenBuilder::push);
value!('a, Vec<u8>: Binary, Bytes<'a>, VarLenBuilder<'a>, column::bytes, <[u8]>::to_vec,
    |plan| VarLenBuilder::copying(plan, Kind::Bytes),
    |builder: &mut VarLenBuilder<'a>, bytes: Vec<u8>| builder.push(&bytes));

impl<'a, T> Value<'a> for Option<T>
where
    T: Value<'a>,
{
    const DATA_TYPE: DataType = T::DATA_TYPE;
    const NULLABLE: bool = true;
    type Column = T::Column;
    type Builder = NullableBuilder<T::Builder>;

    #[inline]
    fn column(column: &'a Column, sound: sealed::Sound) -> Option<Self::Column> {
        T::column(column, sound)
    }

    #[inline]
    fn get(column: Self::Column, row: usize) -> Option<Self> {
        Some(T::get(column, row))
    }

    #[inline]
    fn builder(plan: Plan<'a>) -> Self::Builder {
        NullableBuilder::new(T::builder(plan))
    }

    #[inline]
    fn push(self, builder: &mut Self::Builder) {
        match self {
            Some(value) => builder.push_with(|values| value.push(values)),
            None => builder.push_null(),
        }
    }
}
