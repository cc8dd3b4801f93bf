//! Tables of a PostgreSQL server, into which hosts write beside their files.

use std::collections::BTreeMap;

use weir_tests::Postgres;

use crate::Wrong;

/// A schema in which one host has its tables.
#[derive(Debug)]
pub(crate) struct Tables<'p> {
    postgres: &'p Postgres,
    schema: &'static str,
}

/// A stream that goes into a table of its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) stream: &'static str,
    /// The column whose values each have one row, the last; none: rows are added.
    pub(crate) key: Option<&'static str>,
}

/// Lines, and how often each is there.
type Counted = BTreeMap<String, usize>;

impl<'p> Tables<'p> {
    /// An empty schema of this name.
    pub(crate) fn new(postgres: &'p Postgres, schema: &'static str) -> Self {
        // What a killed host still has open ends by itself, and is waited for.
        postgres.sql(&format!("drop schema if exists {schema} cascade; create schema {schema}"));
        Self { postgres, schema }
    }

    /// A sink for each of these, as a pipeline file has it.
    pub(crate) fn sinks(&self, tables: &[Table]) -> String {
        let sink = |Table { stream, key }: &Table| {
            let (url, schema) = (self.postgres.url(), self.schema);
            let key = key.map_or_else(String::new, |key| format!("key = [\"{key}\"]\n"));
            format!(
                "[sinks.{stream}_table]\ntype = \"postgres\"\nurl = \"{url}\"\ntable = \"{schema}.{stream}\"\n\
                 inputs = [\"{stream}\"]\n{key}"
            )
        };
        tables.iter().map(sink).collect()
    }

    /// The values of some columns in each row of a table.
    pub(crate) fn rows(&self, table: &str, columns: &str) -> Vec<String> {
        self.postgres.sql(&format!("select {columns} from {}.{table}", self.schema))
    }

    fn counted(&self, table: &str, columns: &str) -> Counted {
        let mut counted = Counted::new();
        self.rows(table, columns).into_iter().for_each(|row| *counted.entry(row).or_default() += 1);
        counted
    }

    /// Holds all tables, and what is known of the batches in them, against those of another host.
    pub(crate) fn compare(&self, expected: &Self, tables: &[Table]) -> Wrong {
        let mut wrong = Wrong::default();
        for Table { stream, .. } in tables {
            let (found, expected) = (self.counted(stream, "*"), expected.counted(stream, "*"));
            let (lost, doubled) = (missing(&expected, &found), missing(&found, &expected));
            tell(stream, &lost, &doubled);
            wrong += Wrong { lost: lost.values().sum(), doubled: doubled.values().sum(), differing: 0 };
        }
        // Digests tell of a batch whose rows are right only together with those of other batches.
        let batches = |tables: &Self| tables.counted("weir_commits", "sink, batch_time, rows, digest");
        let (found, expected) = (batches(self), batches(expected));
        let (lost, more) = (missing(&expected, &found), missing(&found, &expected));
        tell("weir_commits", &lost, &more);
        wrong += Wrong { differing: lost.len() + more.len(), ..Wrong::default() };
        wrong
    }
}

/// What is in the one more often than in the other, and how much more often.
fn missing(there: &Counted, here: &Counted) -> Counted {
    let more = |(line, times): (&String, &usize)| {
        let more = times.saturating_sub(here.get(line).copied().unwrap_or(0));
        (more > 0).then(|| (line.clone(), more))
    };
    there.iter().filter_map(more).collect()
}

fn tell(table: &str, lost: &Counted, doubled: &Counted) {
    for (what, lines) in [("is not there", lost), ("should not be there, or not so often", doubled)] {
        lines.keys().take(5).for_each(|line| println!("table {table}: {line} {what}"));
    }
}
