//! The JSON Schema of the pipeline file: one truth, generated from [`Pipeline`]'s types.
//!
//! The reader of the file walks it to know which keys a table has, and editors read the published copy,
//! `host/pipeline.schema.json`. The two differ in one thing: the published one also lets a `${NAME}` stand for a
//! number, which the reader sees only after the substitution.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, transform_subschemas};
use serde_json::{Map, Value, json};

use super::Pipeline;

/// The JSON Schema of the pipeline file, as pretty JSON with a newline at its end; the same text in every build.
pub fn json_schema() -> String {
    let mut schema = generate();
    allow_substitution(&mut schema);
    format!("{:#}\n", sorted(schema.to_value()))
}

/// The schema that the reader goes by.
pub(super) fn reader_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| sorted(generate().to_value()));
    &SCHEMA
}

fn generate() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(remove_null));
    let mut schema = settings.into_generator().into_root_schema_for::<Pipeline>();
    schema.remove("title");
    schema
}

/// TOML has no null: an optional key is left out.
fn remove_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    match object.get_mut("default") {
        Some(Value::Null) => drop(object.remove("default")),
        Some(default) => remove_null_entries(default),
        None => {}
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| *choice != json!({"type": "null"}));
        if let [Value::Object(only)] = &choices[..] {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

fn remove_null_entries(value: &mut Value) {
    if let Value::Object(entries) = value {
        entries.retain(|_, entry| !entry.is_null());
        entries.values_mut().for_each(remove_null_entries);
    }
}

/// Lets a value that is not free text be a `${NAME}` as well.
fn allow_substitution(schema: &mut Schema) {
    transform_subschemas(&mut allow_substitution, schema);
    let Some(object) = schema.as_object_mut() else { return };
    let restricted = match object.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => true,
        Some("string") => object.contains_key("pattern"),
        // A closed set of words; not the tables that a `type` tells apart.
        None => object.get("oneOf").and_then(Value::as_array).is_some_and(|choices| choices.iter().all(is_word)),
        Some(_) => false,
    };
    if restricted {
        let (about, rule): (Map<_, _>, Map<_, _>) = std::mem::take(object)
            .into_iter()
            .partition(|(key, _)| matches!(key.as_str(), "description" | "default" | "examples"));
        *object = about;
        object.insert("anyOf".to_owned(), json!([rule, {"type": "string", "pattern": r"\$\{"}]));
    }
}

fn is_word(choice: &Value) -> bool {
    choice["type"] == "string" && choice.get("const").is_some()
}

/// With keys in alphabetical order, also where a feature that some other crate of the build turns on makes serde_json
/// keep the order of insertion.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().map(|(key, entry)| (key, sorted(entry))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}
