//! Files with rows of every kind, and some that are none.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::policy;
use crate::oracle::pipeline::{Format, Source};

/// What lines are made of.
const WORDS: [&str; 16] = [
    "to",
    "be",
    "or",
    "not",
    "to",
    "the",
    "#tag",
    "#Été_2",
    "#",
    "##x",
    "poison",
    "reject me",
    "naïve",
    "日本",
    "\u{a0}",
    "a#b",
];

/// Lines that are no JSON row, whatever the schema.
const MALFORMED: [&str; 7] =
    ["{\"user\": \"ann\"", "nonsense", "[1]", "{\"value\": 1.5}", "{\"value\": \"many\"}", "{} {}", "{\"flag\": 3}"];

/// A file, and how it is read.
pub(super) fn source() -> impl Strategy<Value = Source> {
    let text = vec(line(), 0..40).prop_map(|lines| (Format::Text, lines));
    let json = vec(json_line(), 0..40).prop_map(|lines| (Format::Json, lines));
    let end = select(vec!["\n", "\r\n"]);
    // A slower source would only make many batches without rows.
    let rate = prop_oneof![1 => Just(None), 3 => (5_u64..60).prop_map(Some)];
    (prop_oneof![text, json], end, any::<bool>(), rate, policy()).prop_map(
        |((format, lines), end, last, rate, policy)| {
            let mut file = lines.join(end);
            if last && !lines.is_empty() {
                file.push_str(end);
            }
            Source { name: String::new(), format, file, rate, policy }
        },
    )
}

fn line() -> impl Strategy<Value = String> {
    // Some longer than what a vector instruction takes at once.
    let words = prop_oneof![5 => vec(select(&WORDS[..]), 0..6), 1 => vec(select(&WORDS[..]), 6..40)];
    (words, select(vec![" ", "  ", "\t"])).prop_map(|(words, between)| words.join(between))
}

fn json_line() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => json_object().prop_map(|object| Value::Object(object).to_string()),
        1 => select(&MALFORMED[..]).prop_map(str::to_owned),
        1 => select(vec!["", "  "]).prop_map(str::to_owned),
    ]
}

/// An object with some of the columns, in which anything may be null, and something that no column wants.
fn json_object() -> impl Strategy<Value = Map<String, Value>> {
    let user = select(vec![json!("ann"), json!("bob"), json!("日本"), json!(""), json!(7), json!(true), Value::Null]);
    let text = || prop_oneof![4 => line().prop_map(Value::from), 1 => Just(Value::Null)];
    let value = prop_oneof![4 => (-1000_i64..1000).prop_map(Value::from), 1 => Just(Value::Null)];
    let flag = select(vec![json!(true), json!(false), Value::Null]);
    (user, text(), text(), value, flag, any::<u8>()).prop_map(|(user, text, line, value, flag, present)| {
        let all = [("user", user), ("text", text), ("line", line), ("value", value), ("flag", flag)];
        let some = all.into_iter().enumerate().filter(|(n, _)| present % 8 != 0 || present >> n & 8 != 0);
        let mut object: Map<_, _> = some.map(|(_, (name, value))| (name.to_owned(), value)).collect();
        if present % 5 == 0 {
            object.insert("unknown".to_owned(), json!({"more": [1, 2]}));
        }
        object
    })
}
