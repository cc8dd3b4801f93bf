//! Operators and sinks over sources.
//!
//! A pipeline grows from numbers: each is a choice among what fits the streams that there are, so every list of numbers
//! gives a pipeline that is sound, and a shorter list gives a simpler one.

use crate::oracle::columns::{self, Column, Kind};
use crate::oracle::join::Join;
use crate::oracle::pipeline::{Operator, Pipeline, Policy, Sink, What, Window};
use crate::oracle::query::Query;
use crate::oracle::tally::Tally;

/// What an operator grows from.
pub(super) type Numbers = [u16; 6];

/// Streams with more rows than this, in all batches together, would only take time.
const MOST_ROWS: usize = 4000;

/// More than all batches of a run.
const MOST_BATCHES: usize = 40;

/// A stream that a pipeline has so far.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    columns: Vec<Column>,
    /// How far apart the batches are in which it has rows.
    slide: u64,
    /// It hardly has more rows than this.
    rows: usize,
    /// Whether it is what a tally says.
    is_tally: bool,
    read: bool,
}

/// Grows operators, one from each set of numbers, and sinks.
pub(super) fn grow(mut pipeline: Pipeline, numbers: &[Numbers]) -> Pipeline {
    let mut streams: Vec<Known> = Vec::new();
    for source in &pipeline.sources {
        let (columns, rows) = (columns::of_source(source), source.file.lines().count());
        let slide = pipeline.interval;
        streams.push(Known { name: source.name.clone(), columns, slide, rows, is_tally: false, read: false });
    }
    for numbers in numbers {
        let fitting = Growth { streams: &streams, interval: pipeline.interval, numbers: *numbers }.candidates();
        if fitting.is_empty() {
            continue;
        }
        let (mut operator, mut stream) = fitting[usize::from(numbers[1]) % fitting.len()].clone();
        operator.name = format!("operator_{}", pipeline.operators.len());
        stream.name.clone_from(&operator.name);
        let read = streams.iter_mut().filter(|stream| operator.inputs.contains(&stream.name));
        read.for_each(|stream| stream.read = true);
        streams.push(stream);
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

struct Growth<'s> {
    streams: &'s [Known],
    interval: u64,
    numbers: Numbers,
}

impl Growth<'_> {
    /// Operators of one kind that fit the streams, with what comes of them.
    fn candidates(&self) -> Vec<(Operator, Known)> {
        let mut fitting = Vec::new();
        for stream in self.streams {
            for what in self.kinds(stream) {
                for inputs in self.inputs(&what, stream) {
                    fitting.extend(self.operator(&what, &inputs));
                }
            }
        }
        fitting
    }

    /// What may be done with a stream, by the number that chooses among kinds.
    fn kinds(&self, stream: &Known) -> Vec<What> {
        let [kind, _, _, third, _, more] = self.numbers;
        let of = |wanted: Kind| {
            let columns = stream.columns.iter().filter(move |column| column.kind == wanted);
            columns.map(|column| column.name.clone())
        };
        let texts = || of(Kind::Utf8);
        let pairs = |query: fn(String, String) -> Query| -> Vec<What> {
            let pairs = texts().flat_map(|text| of(Kind::Int64).map(move |number| (text.clone(), number)));
            pairs.map(|(text, number)| What::Query(query(text, number))).collect()
        };
        match kind % 25 {
            0 | 1 => vec![What::Words],
            2 => vec![What::Hashtags],
            3 => vec![What::Grep(["o", "be or", "é", "t", "日本"][usize::from(third % 5)].to_owned())],
            4 => vec![What::Picky],
            5 | 6 => vec![What::Count],
            7 | 8 => vec![What::Sum],
            9 => [vec![What::FloatSum], pairs(Query::Floats)].concat(),
            10..=13 => [vec![What::Tally(self.tally())], pairs(Query::Amounts)].concat(),
            14 => vec![What::Snapshot(u64::from(more % 4) + 1)],
            15 => texts().flat_map(|text| [Query::Lines(text.clone()), Query::Top(text)]).map(What::Query).collect(),
            16 => texts().map(Query::Known).chain([Query::Double]).map(What::Query).collect(),
            17 => texts().map(Query::Distinct).chain([Query::Total]).map(What::Query).collect(),
            18 => self.with_others(&texts().collect::<Vec<_>>(), Query::Both),
            19 | 20 => {
                let join = Join::ALL[usize::from(third % 4)];
                self.with_others(&texts().collect::<Vec<_>>(), |left, right| Query::Join(join, left, right))
            }
            21 => self.with_others(&texts().collect::<Vec<_>>(), Query::Cogroup),
            22 | 23 => vec![What::Window],
            _ => vec![What::Sample(third % 4 != 0), What::Repartition(usize::from(third % 7) + 1)],
        }
    }

    /// Queries over one of these columns and one of any stream.
    fn with_others(&self, lefts: &[String], query: impl Fn(String, String) -> Query) -> Vec<What> {
        let rights = self.streams.iter().flat_map(|right| &right.columns).filter(|column| column.kind == Kind::Utf8);
        let mut rights: Vec<&String> = rights.map(|column| &column.name).collect();
        rights.sort();
        rights.dedup();
        let pairs = lefts.iter().flat_map(|left| rights.iter().map(move |right| (left.clone(), (*right).clone())));
        pairs.map(|(left, right)| What::Query(query(left, right))).collect()
    }

    fn tally(&self) -> Tally {
        let [_, _, how, third, _, more] = self.numbers;
        let interval = self.interval;
        // Multiples of the interval, and not.
        let after = |n: u16| u64::from(n) * interval / 2 + u64::from(n % 3) * 7;
        Tally {
            remove_at: (more % 3 == 0).then(|| i64::from(more / 3 % 5) + 1),
            wake: (more / 15 % 2 == 0).then(|| after(more / 30 % 8 + 1)),
            quiet: third & 1 == 0,
            reject_negative: third & 2 == 0,
            touch_all: how & 4 == 0,
            timeout: (third & 4 == 0).then(|| after(third / 8 % 9 + 1)),
        }
    }

    /// The streams, this one first, that an operator may read together.
    fn inputs<'s>(&'s self, what: &What, stream: &'s Known) -> Vec<Vec<&'s Known>> {
        let together = |other: &&Known| other.name != stream.name && other.slide == stream.slide;
        let others: Vec<&Known> = self.streams.iter().filter(together).collect();
        let pairs = others.iter().map(|other| vec![stream, other]);
        if let What::Query(query) = what {
            return if query.inputs() == 2 { pairs.collect() } else { vec![vec![stream]] };
        }
        let alike: Vec<&Known> = others.iter().copied().filter(|other| other.columns == stream.columns).collect();
        let three = alike.windows(2).map(|pair| [&[stream], pair].concat());
        [vec![stream]].into_iter().chain(alike.iter().map(|other| vec![stream, *other])).chain(three).collect()
    }

    /// The operator over these streams, if it fits them.
    fn operator(&self, what: &What, inputs: &[&Known]) -> Option<(Operator, Known)> {
        let [_, _, how, third, ..] = self.numbers;
        let stream = inputs[0];
        let names = inputs.iter().map(|input| input.name.clone()).collect();
        let mut operator = Operator::new(what.clone(), names);
        operator.window = self.window(what, stream.slide);
        if what.component().is_some() {
            operator.key = self.key(what, &stream.columns);
            operator.policy = if how & 1 == 0 { Policy::Skip } else { Policy::DeadLetter };
            operator.whole_partition = what.is("transform") && third % 3 == 0;
            let partitions = usize::from(third % 7) + 1;
            operator.partitions = (!operator.key.is_empty() && how & 2 != 0).then_some(partitions);
        }
        let columns = if let What::Snapshot(_) = what {
            (stream.is_tally && inputs.len() == 1).then(|| columns::of_snapshot(&stream.columns))?
        } else {
            let columns: Vec<&[Column]> = inputs.iter().map(|input| &input.columns[..]).collect();
            columns::of_operator(&operator, &columns)?
        };
        let rows = self.rows(&operator, inputs);
        if rows > MOST_ROWS {
            return None;
        }
        let slide = operator.window.and_then(|window| window.slide).unwrap_or(stream.slide);
        let is_tally = matches!(what, What::Tally(_));
        Some((operator, Known { name: String::new(), columns, slide, rows, is_tally, read: false }))
    }

    /// A third of all operators have a window.
    fn window(&self, what: &What, slide: u64) -> Option<Window> {
        let number = self.numbers[4];
        let wanted = number.is_multiple_of(3) && !matches!(what, What::Snapshot(_));
        let slides = number / 15 % 4;
        let window = || Window {
            length: slide * u64::from(number / 3 % 5 + 1),
            slide: (slides > 0).then(|| slide * u64::from(slides)),
            ago: slide * u64::from(number / 60 % 4).saturating_sub(1),
        };
        (wanted || *what == What::Window).then(window)
    }

    /// Up to two columns as a key; for a transform rarely any.
    fn key(&self, what: &What, columns: &[Column]) -> Vec<String> {
        let how = self.numbers[2];
        // Doubles have more than one zero, and a text says nothing of it.
        let columns: Vec<&Column> = columns.iter().filter(|column| column.kind != Kind::Float64).collect();
        let wanted = match what {
            What::Tally(_) => 1 + usize::from(how >> 3) % 2,
            What::Count | What::Sum | What::FloatSum => usize::from(how >> 2) % 3,
            _ => usize::from((how >> 2).is_multiple_of(4)),
        };
        let start = usize::from(how >> 5);
        (0..wanted.min(columns.len())).map(|n| columns[(start + n) % columns.len()].name.clone()).collect()
    }

    /// About how many rows an operator gives at most.
    fn rows(&self, operator: &Operator, inputs: &[&Known]) -> usize {
        let overlap = operator.window.map_or(1, |window| (window.length / inputs[0].slide) as usize);
        let input = inputs.iter().map(|input| input.rows).sum::<usize>() * overlap;
        match &operator.what {
            What::Words | What::Hashtags => input * 8,
            What::Query(Query::Join(..)) => inputs[0].rows * inputs[1].rows * overlap / 4,
            What::Query(Query::Total) => input + MOST_BATCHES,
            What::Tally(tally) if tally.touch_all && !tally.quiet => input + MOST_BATCHES * input.min(10),
            What::Tally(_) => input * 2,
            What::Snapshot(_) => MOST_BATCHES * input.min(10),
            _ => input,
        }
    }
}
