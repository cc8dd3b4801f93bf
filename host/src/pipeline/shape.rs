//! The JSON Schema of the pipeline file as the reader needs it: what kind of value stands at a place, and which keys a
//! table has.
//!
//! It knows the few forms in which schemars writes our types, not JSON Schema at large; a form it does not know takes
//! any value, and serde then has the last word.

use serde_json::{Map, Value};

use crate::origin::Origin;
use crate::place::Place;
use crate::units::{Budget, Period, Rate, Refresh, Size};

use super::schema::reader_schema;

/// The kind of value that stands at a place.
pub(super) enum Shape {
    /// Whatever the user likes.
    Any,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer {
        /// The least.
        minimum: i64,
    },
    /// A finite number.
    Number,
    /// A whole number, or a text that says as much in another way.
    IntegerOrText {
        /// The least.
        minimum: i64,
        /// The text.
        text: Text,
    },
    /// Text.
    Text(Text),
    /// One of a few words.
    Word(Vec<&'static str>),
    /// An array whose items follow this schema.
    Array(&'static Value),
    /// A table.
    Table(TableShape),
    /// A table whose other keys depend on the word under `tag`.
    Tagged {
        /// The key that tells, as `type`.
        tag: &'static str,
        /// What it may say, and the table that follows.
        variants: Vec<(&'static str, TableShape)>,
    },
}

/// What a text has to be.
#[derive(Clone, Copy)]
pub(super) struct Text {
    /// The schema's `format`.
    format: Option<&'static str>,
    /// A text that would do.
    pub example: Option<&'static str>,
}

impl Text {
    /// Whether a text of this format can be read; else why not.
    pub(super) fn check(self, text: &str) -> Result<(), String> {
        match self.format {
            Some("period") => text.parse::<Period>().map(drop).map_err(|e| e.to_string()),
            Some("size") => text.parse::<Size>().map(drop).map_err(|e| e.to_string()),
            Some("rate") => text.parse::<Rate>().map(drop).map_err(|e| e.to_string()),
            Some("refresh") => text.parse::<Refresh>().map(drop).map_err(|e| e.to_string()),
            Some("budget") => text.parse::<Budget>().map(drop).map_err(|e| e.to_string()),
            Some("place") => text.parse::<Place>().map(drop).map_err(|e| e.to_string()),
            Some("origin") => text.parse::<Origin>().map(drop).map_err(|e| e.to_string()),
            _ => Ok(()),
        }
    }
}

/// The keys of a table.
#[derive(Clone, Copy)]
pub(super) struct TableShape {
    schema: &'static Value,
}

impl TableShape {
    /// The schema of the value under `key`, if the table may have such a key.
    pub(super) fn value(self, key: &str) -> Option<&'static Value> {
        let others = &self.schema["additionalProperties"];
        self.schema["properties"].get(key).or(match others {
            Value::Null | Value::Bool(false) => None,
            others => Some(others),
        })
    }

    /// The keys that are known by name.
    pub(super) fn known(self) -> impl Iterator<Item = &'static str> + Clone {
        self.schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The keys that must be there, and what the schema says about each.
    pub(super) fn required(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let keys = self.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        keys.map(move |key| (key, self.schema["properties"][key]["description"].as_str().unwrap_or_default()))
    }

    /// The word that must stand under a key, in a variant of a tagged table.
    fn constant(self) -> Option<(&'static str, &'static str)> {
        let properties = self.schema["properties"].as_object()?;
        properties.iter().find_map(|(key, schema)| Some((key.as_str(), schema.get("const")?.as_str()?)))
    }
}

impl Shape {
    /// The shape of the whole file.
    pub(super) fn file() -> TableShape {
        TableShape { schema: reader_schema() }
    }

    /// The shape that a schema describes.
    pub(super) fn of(schema: &'static Value) -> Self {
        let schema = resolve(schema);
        match schema["type"].as_str() {
            Some("boolean") => Self::Boolean,
            Some("integer") => Self::Integer { minimum: schema["minimum"].as_i64().unwrap_or(i64::MIN) },
            Some("number") => Self::Number,
            Some("string") => {
                Self::Text(Text { format: schema["format"].as_str(), example: schema["examples"][0].as_str() })
            }
            Some("array") => Self::Array(&schema["items"]),
            Some("object") => Self::Table(TableShape { schema }),
            _ => match (schema["oneOf"].as_array(), schema["anyOf"].as_array().map(Vec::as_slice)) {
                (Some(variants), _) => Self::choice(variants).unwrap_or(Self::Any),
                (None, Some([number, text])) => match (Self::of(number), Self::of(text)) {
                    (Self::Integer { minimum }, Self::Text(text)) => Self::IntegerOrText { minimum, text },
                    _ => Self::Any,
                },
                (None, _) => Self::Any,
            },
        }
    }

    /// The least number that may stand here.
    pub(super) fn minimum(&self) -> i64 {
        match self {
            Self::Integer { minimum } | Self::IntegerOrText { minimum, .. } => *minimum,
            _ => i64::MIN,
        }
    }

    /// An enum: of words, or of tables that a tag tells apart.
    fn choice(variants: &'static [Value]) -> Option<Self> {
        if let Some(words) = variants.iter().map(|variant| variant["const"].as_str()).collect() {
            return Some(Self::Word(words));
        }
        let tables = || variants.iter().map(|schema| TableShape { schema });
        let (tag, _) = tables().next()?.constant()?;
        let variants = tables().map(|table| Some((table.constant()?.1, table))).collect::<Option<_>>()?;
        Some(Self::Tagged { tag, variants })
    }
}

/// Follows a `$ref` into the schema's definitions.
fn resolve(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        Some(name) => &reader_schema()["$defs"][name],
        None => schema,
    }
}
