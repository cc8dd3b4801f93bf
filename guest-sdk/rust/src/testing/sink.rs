//! A sink's task: configure, then its chunks, with a receiver that the test makes up.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;

use super::cell::Cell;
use super::{Table, table};
use crate::bindings::rows::Field;
use crate::chunk::Chunk;
use crate::http::native::{Answers, answering};
use crate::http::{Error, Request, Response};
use crate::log::Level;
use crate::log::native::capture;
use crate::record::Record;
use crate::sink::{Failure, Operator, Part};
use crate::{Timestamp, set_batch_time};

/// A sink to be run.
pub fn sink<O: Operator>() -> Sink<O> {
    Sink {
        config: "{}".to_owned(),
        at: Timestamp::default(),
        chunk: usize::MAX,
        answers: Box::new(|_| Ok(Response::new(200, ""))),
        sink: PhantomData,
    }
}

/// How a sink is to be run. Start with [`sink`].
pub struct Sink<O> {
    config: String,
    at: Timestamp,
    chunk: usize,
    answers: Answers,
    sink: PhantomData<fn() -> O>,
}

impl<O: Operator> Sink<O> {
    /// With a config, as JSON. The default is `{}`.
    pub fn config(mut self, json: impl Into<String>) -> Self {
        self.config = json.into();
        self
    }

    /// In a batch that ends at `time`. The default is the Unix epoch.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = time;
        self
    }

    /// With so many rows a call, at least one. The default is all in one call.
    pub fn chunk(mut self, rows: usize) -> Self {
        self.chunk = rows.max(1);
        self
    }

    /// With a receiver that answers so. The default answers every request with 200.
    pub fn answering(mut self, answers: impl FnMut(&Request) -> Result<Response, Error> + 'static) -> Self {
        self.answers = Box::new(answers);
        self
    }

    /// Runs it over records, up to the first call that fails.
    ///
    /// # Errors
    /// Why the sink cannot be configured, or which of the host's rules its answer breaks.
    pub fn run<'a, R: Record<'a>>(self, rows: impl IntoIterator<Item = R>) -> Result<Delivered, String> {
        self.run_table(&Table::of(rows)?)
    }

    /// Runs it over columns, up to the first call that fails.
    ///
    /// # Errors
    /// Why the sink cannot be configured, or which of the host's rules its answer breaks.
    pub fn run_table(self, input: &Table) -> Result<Delivered, String> {
        let Self { config, at, chunk, mut answers, .. } = self;
        let requests = Rc::new(RefCell::new(Vec::new()));
        let seen = requests.clone();
        let answers = Box::new(move |request: &Request| {
            seen.borrow_mut().push(request.clone());
            answers(request)
        });
        let (result, log) = capture(|| {
            // As in a host, nothing is sent from here.
            let (sink, shape) = O::configure(&config, input.fields())?;
            set_batch_time(at);
            let reads = table::reads(shape.reads.as_deref(), input.fields().len());
            let mut task = Task { sink, reads, fields: input.fields(), input: input.cells()?, rejects: Vec::new() };
            let end = answering(answers, || task.run(at, input.len(), chunk))?;
            Ok::<_, String>((end, task.rejects))
        });
        let (end, rejects) = result?;
        let requests = requests.take();
        Ok(Delivered { requests, rejects, end, log })
    }
}

/// One instance at work, and what it has rejected so far.
struct Task<'t, O> {
    sink: O,
    reads: Vec<usize>,
    fields: &'t [Field],
    input: Vec<Vec<Cell>>,
    rejects: Vec<(usize, String)>,
}

impl<O: Operator> Task<'_, O> {
    fn run(&mut self, at: Timestamp, rows: usize, chunk: usize) -> Result<Result<(), Failure>, String> {
        let mut start = 0;
        while start < rows {
            let end = start.saturating_add(chunk).min(rows);
            let batch_time = at.as_millis().try_into().map_err(|_| "a batch before the Unix epoch".to_owned())?;
            let part = Part {
                pipeline: "test".into(),
                sink: "test".into(),
                batch_time,
                partition: 0,
                partitions: 1,
                first_row: start as u64,
                last_row: end as u64 - 1,
            };
            if let Err(failure) = self.write(part, start..end)? {
                return Ok(Err(failure));
            }
            start = end;
        }
        Ok(Ok(()))
    }

    fn write(&mut self, part: Part, rows: Range<usize>) -> Result<Result<(), Failure>, String> {
        let fields: Vec<Field> = self.reads.iter().map(|&column| self.fields[column].clone()).collect();
        let cells: Vec<_> = self.reads.iter().map(|&column| self.input[column][rows.clone()].to_vec()).collect();
        let chunk = Chunk::new(table::batch(&fields, rows.len(), &cells)?)?;
        let rejects = match self.sink.write(part, &chunk) {
            Ok(rejects) => rejects,
            Err(failure) => return Ok(Err(failure)),
        };
        for reject in rejects {
            if reject.row as usize >= rows.len() {
                return Err(format!("row {} rejected of {}", reject.row, rows.len()));
            }
            self.rejects.push((rows.start + reject.row as usize, reject.reason));
        }
        Ok(Ok(()))
    }
}

/// What a sink did with its rows.
#[derive(Debug)]
pub struct Delivered {
    requests: Vec<Request>,
    rejects: Vec<(usize, String)>,
    end: Result<(), Failure>,
    log: Vec<(Level, String)>,
}

impl Delivered {
    /// What it sent, in order, whatever the answers were.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The input rows that were rejected, by their index in what was run, with the reasons.
    pub fn rejects(&self) -> &[(usize, String)] {
        &self.rejects
    }

    /// How it ended: with all rows delivered, or with the failure of a call, after which there was no other.
    pub fn end(&self) -> &Result<(), Failure> {
        &self.end
    }

    /// What the sink logged.
    pub fn log(&self) -> &[(Level, String)] {
        &self.log
    }
}
