//! A record's columns against an input's: which are read, and what to say where they do not fit.

use crate::Value;
use crate::bindings::rows::{DataType, Field};

/// A column that a record has a field for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldSpec {
    /// The column's name.
    pub name: &'static str,
    /// The type of its values.
    pub data_type: DataType,
    /// Whether it may have nulls.
    pub nullable: bool,
}

impl FieldSpec {
    /// The column of a field of type `T`.
    pub const fn of<'a, T: Value<'a>>(name: &'static str) -> Self {
        Self { name, data_type: T::DATA_TYPE, nullable: T::NULLABLE }
    }
}

impl From<&FieldSpec> for Field {
    fn from(spec: &FieldSpec) -> Self {
        Self { name: spec.name.to_owned(), data_type: spec.data_type, nullable: spec.nullable }
    }
}

/// The fields as the host wants to hear of them.
pub(crate) fn announce(fields: &[FieldSpec]) -> Vec<Field> {
    fields.iter().map(Field::from).collect()
}

/// Finds each field's column in the input.
pub(crate) fn resolve(fields: &[FieldSpec], input: &[Field]) -> Result<Vec<u32>, String> {
    fields.iter().map(|field| resolve_one(field, "input", input)).collect()
}

/// Finds each field's column in the key.
pub(crate) fn resolve_key(fields: &[FieldSpec], key: &[Field]) -> Result<Vec<u32>, String> {
    fields.iter().map(|field| resolve_one(field, "key", key)).collect()
}

/// Finds each field's column in the states of a version.
pub(crate) fn resolve_state(fields: &[FieldSpec], version: u32, state: &[Field]) -> Result<Vec<u32>, String> {
    let place = format!("state of version {version}");
    fields.iter().map(|field| resolve_one(field, &place, state)).collect()
}

/// Finds a field's column in `place`, the columns of which are `columns`.
fn resolve_one(wanted: &FieldSpec, place: &str, columns: &[Field]) -> Result<u32, String> {
    let (name, wanted) = (wanted.name, type_name(wanted.data_type));
    let index = find(name, columns).ok_or_else(|| {
        format!("the {place} has no column `{name}` ({wanted}), which the operator reads; it has {}", list(columns))
    })?;
    let found = type_name(columns[index as usize].data_type);
    if found != wanted {
        return Err(format!(
            "the operator reads column `{name}` as {wanted}, but in the {place} it is {found}; the {place} has {}",
            list(columns)
        ));
    }
    Ok(index)
}

pub(crate) fn find(name: &str, input: &[Field]) -> Option<u32> {
    (0..).zip(input).find_map(|(index, field)| (field.name == name).then_some(index))
}

/// Columns and their types, for a message.
pub(crate) fn list(fields: &[Field]) -> String {
    if fields.is_empty() {
        return "no columns".to_owned();
    }
    let fields: Vec<_> = fields.iter().map(|f| format!("`{}` ({})", f.name, type_name(f.data_type))).collect();
    fields.join(", ")
}

/// A type's name as the interface and pipeline files spell it.
pub(crate) fn type_name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int64 => "int64",
        DataType::Float64 => "float64",
        DataType::Timestamp => "timestamp",
        DataType::Utf8 => "utf8",
        DataType::Binary => "binary",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Vec<Field> {
        let field = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: true };
        vec![field("at", DataType::Timestamp), field("line", DataType::Utf8)]
    }

    #[test]
    fn columns_are_found_by_name() {
        let fields = [FieldSpec::of::<&str>("line"), FieldSpec::of::<Option<crate::Timestamp>>("at")];
        assert_eq!(resolve(&fields, &input()), Ok(vec![1, 0]));
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_are_there() {
        assert_eq!(
            resolve(&[FieldSpec::of::<&str>("text")], &input()).unwrap_err(),
            "the input has no column `text` (utf8), which the operator reads; it has `at` (timestamp), `line` (utf8)"
        );
    }

    #[test]
    fn a_column_of_another_type_is_named_with_both_types() {
        assert_eq!(
            resolve(&[FieldSpec::of::<i64>("line")], &input()).unwrap_err(),
            "the operator reads column `line` as int64, but in the input it is utf8; \
             the input has `at` (timestamp), `line` (utf8)"
        );
    }
}
