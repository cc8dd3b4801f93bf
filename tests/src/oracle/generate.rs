//! Pipelines and input of every kind.
//!
//! A pipeline grows from numbers: each is a choice among what fits the streams that there are, so every list of numbers
//! gives a pipeline that is sound, and a shorter list gives a simpler one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::columns::{self, Column, Kind};
use super::pipeline::{Cut, Format, Operator, Pipeline, Policy, Sink, Source, What};
use super::query::Query;

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

/// A pipeline, and two ways to cut its work.
pub fn case() -> impl Strategy<Value = (Pipeline, [Cut; 2])> {
    let numbers = vec(any::<[u16; 4]>(), 1..8);
    let shape = (select(vec![200_u64, 1000]), select(vec![1_u64, 40, 300, 4096]), vec(source(), 1..3));
    let pipeline = (shape, numbers).prop_map(|((interval, block_size, mut sources), numbers)| {
        for (n, source) in sources.iter_mut().enumerate() {
            source.name = format!("source_{n}");
        }
        grow(Pipeline { interval, block_size, sources, operators: Vec::new(), sinks: Vec::new() }, &numbers)
    });
    (pipeline, [cut(), cut()])
}

fn cut() -> impl Strategy<Value = Cut> {
    let sizes = (1_usize..=5, 1_usize..=3, prop_oneof![1_usize..=3, 4_usize..=50, Just(8192)]);
    sizes.prop_map(|(partitions, threads, chunk_rows)| Cut { partitions, threads, chunk_rows })
}

fn policy() -> impl Strategy<Value = Policy> {
    select(vec![Policy::Skip, Policy::DeadLetter])
}

fn source() -> impl Strategy<Value = Source> {
    let text = vec(line(), 0..40).prop_map(|lines| (Format::Text, lines));
    let json = vec(json_line(), 0..40).prop_map(|lines| (Format::Json, lines));
    let end = select(vec!["\n", "\r\n"]);
    // So slow a source would only make many batches without rows.
    let rate = prop_oneof![2 => Just(None), 1 => (7_u64..90).prop_map(Some)];
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

/// A stream that a pipeline has so far.
struct Known {
    name: String,
    columns: Vec<Column>,
    read: bool,
}

fn grow(mut pipeline: Pipeline, numbers: &[[u16; 4]]) -> Pipeline {
    let source =
        |source: &Source| Known { name: source.name.clone(), columns: columns::of_source(source), read: false };
    let mut streams: Vec<Known> = pipeline.sources.iter().map(source).collect();
    for numbers in numbers {
        let fitting = candidates(&streams, numbers);
        if fitting.is_empty() {
            continue;
        }
        let (mut operator, columns) = fitting[usize::from(numbers[1]) % fitting.len()].clone();
        operator.name = format!("operator_{}", pipeline.operators.len());
        streams
            .iter_mut()
            .filter(|stream| operator.inputs.contains(&stream.name))
            .for_each(|stream| stream.read = true);
        streams.push(Known { name: operator.name.clone(), columns, read: false });
        pipeline.operators.push(operator);
    }
    for stream in streams.iter().filter(|stream| !stream.read) {
        pipeline.sinks.push(Sink { name: format!("{}_out", stream.name), inputs: vec![stream.name.clone()] });
    }
    // One more sink shares what others read, and takes all streams that look the same.
    let chosen = &streams[usize::from(numbers[0][3]) % streams.len()];
    let alike = streams.iter().filter(|stream| stream.columns == chosen.columns).map(|stream| stream.name.clone());
    pipeline.sinks.push(Sink { name: "shared_out".to_owned(), inputs: alike.collect() });
    pipeline
}

/// Operators of one kind that fit the streams, with their columns.
fn candidates(streams: &[Known], [kind, _, how, third]: &[u16; 4]) -> Vec<(Operator, Vec<Column>)> {
    let mut fitting = Vec::new();
    for stream in streams {
        let texts =
            || stream.columns.iter().filter(|column| column.kind == Kind::Utf8).map(|column| column.name.clone());
        let whats: Vec<What> = match kind % 11 {
            0 | 1 => vec![What::Words],
            2 => vec![What::Hashtags],
            3 => vec![What::Grep(["o", "be or", "é", "t", "日本"][usize::from(third % 5)].to_owned())],
            4 => vec![What::Picky],
            5 | 6 => vec![What::Count],
            7 => vec![What::Sum],
            8 => texts().flat_map(|text| [Query::Lines(text.clone()), Query::Top(text)]).map(What::Query).collect(),
            9 => texts().map(Query::Known).chain([Query::Double]).map(What::Query).collect(),
            _ => {
                let right = streams.iter().flat_map(|right| &right.columns).filter(|column| column.kind == Kind::Utf8);
                let right: Vec<_> = right.map(|column| column.name.clone()).collect();
                texts()
                    .flat_map(|left| {
                        right.iter().map(move |right| What::Query(Query::Both(left.clone(), right.clone())))
                    })
                    .collect()
            }
        };
        let others = streams.iter().filter(|other| other.name != stream.name).map(|other| vec![stream, other]);
        for what in whats {
            for inputs in [vec![stream]].into_iter().chain(others.clone()) {
                let operator = Operator {
                    name: String::new(),
                    inputs: inputs.iter().map(|input| input.name.clone()).collect(),
                    key: if let What::Query(_) = what { vec![] } else { key(&what, &stream.columns, *how) },
                    partitions: None,
                    policy: if how & 1 == 0 { Policy::Skip } else { Policy::DeadLetter },
                    what: what.clone(),
                };
                let partitions = (!operator.key.is_empty() && how & 2 != 0).then_some(usize::from(third % 7) + 1);
                let columns: Vec<&[Column]> = inputs.iter().map(|input| &input.columns[..]).collect();
                if let Some(columns) = columns::of_operator(&operator, &columns) {
                    fitting.push((Operator { partitions, ..operator }, columns));
                }
            }
        }
    }
    fitting
}

/// Up to two columns as a key; for a transform rarely any.
fn key(what: &What, columns: &[Column], how: u16) -> Vec<String> {
    let wanted = match what {
        What::Count | What::Sum => usize::from(how >> 2) % 3,
        _ => usize::from((how >> 2).is_multiple_of(4)),
    };
    let start = usize::from(how >> 5);
    (0..wanted.min(columns.len())).map(|n| columns[(start + n) % columns.len()].name.clone()).collect()
}
