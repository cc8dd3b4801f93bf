//! JSON text to columns: the fields of an object, each with a type.
//!
//! Reads one column of text, and answers with a column for each field, in the order of their names, behind the other
//! columns of the input. A row whose text is null, is no JSON or no object, or has a field of another type than was asked
//! for is rejected, and the reason names the field. A field that is null or missing is null.
//!
//! With `unnest`, a text is a list of objects, and each of them is a row: what `top-k` answers with becomes a table so.
//!
//! Config:
//!
//! - `column`: the column with the text; `"line"` by default, as the source format `text` has it.
//! - `fields`: the columns with their types, `{ user = "utf8", age = "int64" }`: `boolean`, `int64`, `float64`, `timestamp`
//!   (RFC 3339) or `utf8`. In full a field is `{ type = "utf8", at = "/user/name", required = true }`: `at` is where it is
//!   in the object (RFC 6901), and a row without a field that is `required` is rejected.
//! - `unnest`: `false` by default.
//! - `keep`: whether the other columns stay; `true` by default. A column of a field's name does not.

mod column;
mod fields;
mod timestamp;

use std::slice;

use serde_json::Value;
use weir_guest::bindings::rows::{DataType, Field, Reject};
use weir_guest::transform::{self, Emitted, Operator, Origin, Shape};
use weir_guest::{Chunk, Record, Rows};

use column::{Builder, Cell};
use fields::{Config, Wanted};

/// The operator. Its columns are known from the config alone.
#[derive(Debug)]
pub struct JsonParse(Config);

/// The one column that crosses, whatever its name.
#[derive(Record)]
struct Line<'a> {
    text: Option<&'a str>,
}

impl Operator for JsonParse {
    fn configure(config: &str, input: &[Field]) -> Result<(Self, Shape), String> {
        let config: Config = transform::config(config)?;
        let column = (0..).zip(input).find(|(_, field)| field.name == config.column);
        let column = column.ok_or_else(|| format!("the input has no column `{}`, which is `column`", config.column));
        let (read, field) = column?;
        if field.data_type != DataType::Utf8 {
            return Err(format!("column `{}`, which is `column`, is no text (utf8)", config.column));
        }
        let stays = |field: &Field| {
            config.keep && field.name != config.column && config.fields.iter().all(|wanted| wanted.name != field.name)
        };
        let keeps = (0..).zip(input).filter(|(_, field)| stays(field)).map(|(index, _)| index).collect();
        let adds = config.fields.iter().map(Wanted::field).collect();
        Ok((Self(config), Shape { reads: Some(vec![read]), keeps, adds }))
    }

    fn apply(&self, chunk: &Chunk) -> Result<Emitted, String> {
        let mut builders: Vec<_> = self.0.fields.iter().map(|wanted| Builder::new(wanted.data_type)).collect();
        let (mut from, mut rejects) = (Vec::new(), Vec::new());
        for ((_, line), row) in Rows::<Line>::new(chunk)?.iter().zip(0..) {
            let document = line.ok().and_then(|line| line.text).map(serde_json::from_str::<Value>);
            let rows = match &document {
                Some(Ok(document)) => self.rows(document),
                Some(Err(error)) => Err(format!("no JSON: {error}")),
                None => Err(format!("column `{}` is null", self.0.column)),
            };
            match rows {
                Ok(rows) => {
                    for cells in rows {
                        builders.iter_mut().zip(cells).try_for_each(|(builder, cell)| builder.push(cell))?;
                        from.push(row);
                    }
                }
                Err(reason) => rejects.push(Reject { row, reason }),
            }
        }
        let columns = builders.into_iter().map(Builder::finish).collect();
        Ok(Emitted { origin: Origin::From(from), columns, rejects })
    }
}

weir_guest::export_transform!(JsonParse);

impl JsonParse {
    /// The rows of a document: all of them, or the reason why one cannot be.
    fn rows<'v>(&self, document: &'v Value) -> Result<Vec<Vec<Option<Cell<'v>>>>, String> {
        let objects = match document {
            Value::Array(elements) if self.0.unnest => elements.as_slice(),
            _ if self.0.unnest => return Err(format!("no list: {}", shown(document))),
            _ => slice::from_ref(document),
        };
        objects.iter().map(|object| self.row(object)).collect()
    }

    fn row<'v>(&self, object: &'v Value) -> Result<Vec<Option<Cell<'v>>>, String> {
        if !object.is_object() {
            return Err(format!("no object: {}", shown(object)));
        }
        let cell = |wanted: &Wanted| match wanted.find(object)? {
            Some(value) => match Cell::of(value, wanted.data_type) {
                Some(cell) => Ok(Some(cell)),
                None => Err(format!("field `{}` is no {}: {}", wanted.name, wanted.data_type.name(), shown(value))),
            },
            None => Ok(None),
        };
        self.0.fields.iter().map(cell).collect()
    }
}

/// A value for a message, which is no place for long ones.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// In characters.
const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use weir_guest::{Timestamp, testing};

    use super::*;

    #[derive(Record, Debug, PartialEq)]
    struct Input<'a> {
        user: &'a str,
        line: Option<&'a str>,
    }

    fn inputs<'a>(lines: &[&'a str]) -> Vec<Input<'a>> {
        lines
            .iter()
            .zip(["ann", "bob", "cid"].iter().cycle())
            .map(|(line, user)| Input { user, line: Some(line) })
            .collect()
    }

    #[derive(Record, Debug, PartialEq)]
    struct Row<'a> {
        user: &'a str,
        age: Option<i64>,
        at: Option<Timestamp>,
        name: &'a str,
        tall: Option<bool>,
        weight: Option<f64>,
    }

    const CONFIG: &str = r#"{"fields": {"name": {"type": "utf8", "at": "/who/name", "required": true}, "age": "int64",
        "weight": "float64", "tall": "boolean", "at": "timestamp"}}"#;

    #[test]
    fn fields_become_columns_behind_those_that_stay() -> Result<(), String> {
        let lines = [
            r#"{"who": {"name": "Ann"}, "age": 7, "weight": 21.5, "tall": true, "at": "1970-01-01T00:00:01Z", "else": []}"#,
            r#"{"who": {"name": "Bo\u00f8"}, "age": null, "weight": 3}"#,
        ];
        let rows = [
            Row {
                user: "ann",
                age: Some(7),
                at: Some(Timestamp::from_millis(1000)),
                name: "Ann",
                tall: Some(true),
                weight: Some(21.5),
            },
            Row { user: "bob", age: None, at: None, name: "Boø", tall: None, weight: Some(3.0) },
        ];
        for chunk in 1..=2 {
            let answer = testing::transform::<JsonParse>().config(CONFIG).chunk(chunk).run(inputs(&lines))?;
            assert_eq!(answer.columns(), ["user", "age", "at", "name", "tall", "weight"]);
            assert_eq!(answer.rows::<Row>()?, rows);
            assert_eq!(answer.rejects(), []);
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_rejected_with_the_reason() -> Result<(), String> {
        let cases = [
            (r#"{"who": {"name": "a"}, "age": 7.5}"#, "field `age` is no int64: 7.5"),
            (r#"{"who": {"name": "a"}, "age": "7"}"#, "field `age` is no int64: \"7\""),
            (r#"{"who": {"name": "a"}, "age": 9223372036854775808}"#, "field `age` is no int64: 9223372036854775808"),
            (r#"{"who": {"name": 1}}"#, "field `name` is no utf8: 1"),
            (r#"{"who": {"name": "a"}, "at": "yesterday"}"#, "field `at` is no timestamp: \"yesterday\""),
            (r#"{"who": {"name": null}}"#, "field `name` is not there"),
            (r#"{"who": "a"}"#, "field `name` is not there"),
            ("[1]", "no object: [1]"),
            ("{", "no JSON: EOF while parsing an object at line 1 column 1"),
        ];
        let answer = testing::transform::<JsonParse>().config(CONFIG).run(inputs(&cases.map(|(line, _)| line)))?;
        assert_eq!(answer.rows::<Row>()?, []);
        let reasons: Vec<_> = answer.rejects().iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(reasons, cases.map(|(_, reason)| reason));

        let null = testing::transform::<JsonParse>().config(CONFIG).run([Input { user: "ann", line: None }])?;
        assert_eq!(null.rejects(), [(0, "column `line` is null".to_owned())]);
        Ok(())
    }

    #[derive(Record, Debug, PartialEq)]
    struct Item<'a> {
        user: &'a str,
        n: Option<i64>,
    }

    #[test]
    fn with_unnest_each_element_of_a_list_is_a_row() -> Result<(), String> {
        let config = r#"{"fields": {"n": "int64"}, "unnest": true}"#;
        let lines = [r#"[{"n": 1}, {"n": 2}, {}]"#, "[]", r#"{"n": 4}"#, r#"[{"n": 5}, {"n": ""}]"#, r#"[{"n": 6}]"#];
        let answer = testing::transform::<JsonParse>().config(config).run(inputs(&lines))?;
        let items = [("ann", Some(1)), ("ann", Some(2)), ("ann", None), ("bob", Some(6))];
        assert_eq!(answer.rows::<Item>()?, items.map(|(user, n)| Item { user, n }));
        let rejects = [(2, r#"no list: {"n":4}"#), (3, "field `n` is no int64: \"\"")];
        assert_eq!(answer.rejects(), rejects.map(|(row, why)| (row, why.to_owned())));
        Ok(())
    }

    #[test]
    fn a_column_of_a_fields_name_goes_and_so_do_all_without_keep() -> Result<(), String> {
        let line = [r#"{"user": "zoe"}"#];
        for (config, columns) in [
            (r#"{"fields": {"user": "utf8"}}"#, vec!["user"]),
            (r#"{"fields": {"line": "utf8"}}"#, vec!["user", "line"]),
            (r#"{"fields": {"line": "utf8"}, "keep": false}"#, vec!["line"]),
            (r#"{"column": "user", "fields": {"n": "utf8"}}"#, vec!["line", "n"]),
        ] {
            let answer = testing::transform::<JsonParse>().config(config).run(inputs(&line))?;
            assert_eq!(answer.columns(), columns, "{config}");
        }
        Ok(())
    }

    #[test]
    fn a_pipeline_that_does_not_fit_says_why() {
        for (config, why) in [
            ("{}", "the operator's config is not valid: missing field `fields`"),
            (
                r#"{"fields": {}}"#,
                "the operator's config is not valid: `fields` is empty: name the columns that the text becomes",
            ),
            (
                r#"{"fields": {"n": "int"}}"#,
                "the operator's config is not valid: a field is a type, as in \"int64\", or { type, at, required }",
            ),
            (
                r#"{"fields": {"n": {"type": "int64", "at": "n"}}}"#,
                "the operator's config is not valid: `fields.n.at` is \"n\"; it is a path as in \"/user/name\"",
            ),
            (r#"{"column": "text", "fields": {"n": "int64"}}"#, "the input has no column `text`, which is `column`"),
        ] {
            let answer = testing::transform::<JsonParse>().config(config).run(inputs(&[]));
            assert_eq!(answer.map(|_| ()), Err(why.to_owned()));
        }
    }
}
