//! The config: which fields of an object become which columns.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use weir_guest::bindings::rows::{DataType, Field};

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default = "line")]
    column: String,
    fields: BTreeMap<String, Written>,
    #[serde(default)]
    unnest: bool,
    #[serde(default = "yes")]
    keep: bool,
}

fn line() -> String {
    "line".to_owned()
}

fn yes() -> bool {
    true
}

/// A field as it is written: its type alone, or all of it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a field is a type, as in \"int64\", or { type, at, required }")]
enum Written {
    Type(Type),
    Whole(Whole),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    r#type: Type,
    at: Option<String>,
    #[serde(default)]
    required: bool,
}

/// The type of a column, as pipeline files spell it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    Boolean,
    Int64,
    Float64,
    Timestamp,
    Utf8,
}

impl Type {
    /// As pipeline files spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Timestamp => "timestamp",
            Self::Utf8 => "utf8",
        }
    }
}

/// What is read of each text.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub(crate) struct Config {
    /// The column with the text.
    pub(crate) column: String,
    /// The columns that are made of it, in the order of their names.
    pub(crate) fields: Vec<Wanted>,
    /// Whether a text is a list, each element of which is a row.
    pub(crate) unnest: bool,
    /// Whether the other columns of the input stay.
    pub(crate) keep: bool,
}

/// A column that is made of a field.
#[derive(Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) data_type: Type,
    /// Where it is in the object, by RFC 6901; in the field of its name if nothing is said.
    at: Option<String>,
    required: bool,
}

impl TryFrom<Settings> for Config {
    type Error = String;

    fn try_from(Settings { column, fields, unnest, keep }: Settings) -> Result<Self, Self::Error> {
        if fields.is_empty() {
            return Err("`fields` is empty: name the columns that the text becomes".to_owned());
        }
        let fields = fields.into_iter().map(|(name, written)| Wanted::new(name, written));
        Ok(Self { column, fields: fields.collect::<Result<_, _>>()?, unnest, keep })
    }
}

impl Wanted {
    fn new(name: String, written: Written) -> Result<Self, String> {
        let Whole { r#type: data_type, at, required } = match written {
            Written::Type(r#type) => Whole { r#type, at: None, required: false },
            Written::Whole(whole) => whole,
        };
        match &at {
            Some(at) if !at.starts_with('/') => {
                Err(format!("`fields.{name}.at` is {at:?}; it is a path as in \"/user/name\""))
            }
            _ => Ok(Self { name, data_type, at, required }),
        }
    }

    /// The column as the host wants to hear of it.
    pub(crate) fn field(&self) -> Field {
        let data_type = match self.data_type {
            Type::Boolean => DataType::Boolean,
            Type::Int64 => DataType::Int64,
            Type::Float64 => DataType::Float64,
            Type::Timestamp => DataType::Timestamp,
            Type::Utf8 => DataType::Utf8,
        };
        Field { name: self.name.clone(), data_type, nullable: !self.required }
    }

    /// The field's value in an object; none for a null or where there is no such field.
    pub(crate) fn find<'v>(&self, object: &'v Value) -> Result<Option<&'v Value>, String> {
        let value = match &self.at {
            Some(at) => object.pointer(at),
            None => object.get(&self.name),
        };
        match value.filter(|value| !value.is_null()) {
            None if self.required => Err(format!("field `{}` is not there", self.name)),
            value => Ok(value),
        }
    }
}
