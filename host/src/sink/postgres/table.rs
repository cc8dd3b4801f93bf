//! The table that is written to: found or made, and held against the rows; and the statements that write to it.

use std::fmt;

use anyhow::{Context, Result, bail};
use arrow::datatypes::Schema;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};

use super::Target;
use super::commits::Commits;
use super::connection::sink_error;
use crate::fault;
use crate::rows::ColumnType;

/// The longest name that PostgreSQL does not cut, in bytes.
const MAX_NAME: usize = 63;
/// Rows of a batch that go in by key wait here, numbered, for as long as the transaction takes. Each session has its own.
const STAGING: &str = "pg_temp.weir_batch";
const ROW: &str = "__weir_row";
/// Held while tables are made, so that two hosts that start together do not both make them.
const SETUP_LOCK: i64 = i64::from_be_bytes(*b"weir....");

/// A table that takes the rows.
#[derive(Debug)]
pub(super) struct Table {
    name: Name,
    not_null: Vec<String>,
    /// Which batches are in it.
    pub(super) commits: Commits,
    /// Makes a session's staging table, where rows go in by key.
    pub(super) staging: Option<String>,
    /// Takes encoded rows.
    pub(super) copy: String,
    /// Brings the rows from the staging table into the table.
    pub(super) merge: Option<String>,
}

/// A table with its schema.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) schema: String,
    pub(super) table: String,
}

/// A column of the table.
#[derive(Debug)]
struct Column {
    name: String,
    /// As the server writes it.
    kind: String,
    not_null: bool,
    /// The server sets it: always, or where no value is given.
    computed: bool,
    defaults: bool,
}

impl Table {
    /// Finds the table or makes it, and `weir_commits` beside it.
    pub(super) async fn open(client: &mut Client, target: &Target<'_>, rows: &Schema) -> Result<Self> {
        check_names(rows)?;
        check_key(target.key, rows)?;
        let setup = client.transaction().await.map_err(sink_error)?;
        query(&setup, "SELECT pg_advisory_xact_lock($1)", &[(&SETUP_LOCK, Type::INT8)]).await?;
        let written = target.table.split('.').map(quoted).collect::<Vec<_>>().join(".");
        let found = Name::find(&setup, &written).await?;
        let is_new = found.is_none();
        let name = match found {
            Some(name) => name,
            None => {
                let statement = create_table(&written, rows, target.key);
                if !target.create {
                    bail!("there is no table {}; make it with `{statement}`, or set `create = true`", target.table);
                }
                let made = setup.batch_execute(&statement).await.map_err(sink_error);
                made.with_context(|| format!("making the table {} with `{statement}`", target.table))?;
                let name = Name::find(&setup, &written).await?;
                name.with_context(|| format!("the table {} was made and is not there", target.table))?
            }
        };
        let columns = name.columns(&setup).await?;
        let problems = problems(&name, rows, &columns);
        if !problems.is_empty() {
            bail!("the table {name} does not take the rows: {}", problems.join("; "));
        }
        if !target.key.is_empty() {
            name.check_index(&setup, target.key).await?;
        }
        let commits = Commits::open(&setup, target, &name).await?;
        if is_new {
            // What it knows of such a table was said of one that is gone.
            commits.begin_anew(&setup).await?;
        }
        fault::point("a table is made");
        setup.commit().await.map_err(sink_error)?;
        let not_null = columns.into_iter().filter(|c| c.not_null || target.key.contains(&c.name)).map(|c| c.name);
        Ok(Self::new(name, commits, not_null.collect(), rows, target.key))
    }

    fn new(name: Name, commits: Commits, not_null: Vec<String>, rows: &Schema, key: &[String]) -> Self {
        let (into, columns) = (name.quoted(), list(rows.fields().iter().map(|field| field.name().as_str())));
        let copy_into =
            |table: &str, columns: &str| format!("COPY {table} ({columns}) FROM STDIN WITH (FORMAT binary)");
        if key.is_empty() {
            return Self { copy: copy_into(&into, &columns), name, not_null, commits, staging: None, merge: None };
        }
        let row = quoted(ROW);
        let key_list = list(key.iter().map(String::as_str));
        let others = rows.fields().iter().map(|field| field.name()).filter(|column| !key.contains(column));
        let set = others.map(|column| format!("{0} = EXCLUDED.{0}", quoted(column))).collect::<Vec<_>>().join(", ");
        let action = if set.is_empty() { "DO NOTHING".to_owned() } else { format!("DO UPDATE SET {set}") };
        Self {
            // Types and collations are the table's.
            staging: Some(format!(
                "CREATE TEMP TABLE weir_batch ON COMMIT DELETE ROWS AS \
                 SELECT 0::bigint AS {row}, {columns} FROM {into} WITH NO DATA"
            )),
            copy: copy_into(STAGING, &format!("{row}, {columns}")),
            merge: Some(format!(
                "INSERT INTO {into} ({columns}) SELECT DISTINCT ON ({key_list}) {columns} FROM {STAGING} \
                 ORDER BY {key_list}, {row} DESC ON CONFLICT ({key_list}) {action}"
            )),
            name,
            not_null,
            commits,
        }
    }

    /// Whether a row with null in this column would be refused.
    pub(super) fn refuses_null(&self, column: &str) -> bool {
        self.not_null.iter().any(|name| name == column)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl Name {
    /// The table that the server knows under a name, in whichever schema it looks.
    async fn find(setup: &Transaction<'_>, written: &str) -> Result<Option<Self>> {
        let text = "SELECT n.nspname::text, c.relname::text, c.relkind::text FROM pg_class c \
                    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";
        let found = query(setup, text, &[(&written, Type::TEXT)]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let name = Self { schema: row.try_get(0)?, table: row.try_get(1)? };
        match row.try_get(2)? {
            "r" | "p" => Ok(Some(name)),
            _ => bail!("{name} is not a table of this database (but a view, or something else): give a table"),
        }
    }

    fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }

    async fn columns(&self, setup: &Transaction<'_>) -> Result<Vec<Column>> {
        let text = "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, \
                    attgenerated <> '' OR attidentity = 'a', atthasdef OR attidentity <> '' \
                    FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let rows = query(setup, text, &[(&self.quoted(), Type::TEXT)]).await?;
        let column = |row: &Row| {
            Ok(Column {
                name: row.try_get(0)?,
                kind: row.try_get(1)?,
                not_null: row.try_get(2)?,
                computed: row.try_get(3)?,
                defaults: row.try_get(4)?,
            })
        };
        rows.iter().map(column).collect()
    }

    /// `ON CONFLICT` needs an index that says when two rows are the same.
    async fn check_index(&self, setup: &Transaction<'_>, key: &[String]) -> Result<()> {
        let text = "SELECT array_agg(a.attname::text) FROM pg_index i \
                    CROSS JOIN unnest(i.indkey) WITH ORDINALITY k(attnum, place) \
                    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
                    WHERE i.indrelid = to_regclass($1) AND k.place <= i.indnkeyatts AND i.indisunique AND i.indimmediate AND i.indisvalid \
                    AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid";
        for row in query(setup, text, &[(&self.quoted(), Type::TEXT)]).await? {
            let columns: Vec<String> = row.try_get(0)?;
            if columns.len() == key.len() && key.iter().all(|column| columns.contains(column)) {
                return Ok(());
            }
        }
        let columns = list(key.iter().map(String::as_str));
        bail!(
            "the table {self} has no unique index over `key` ({}): make one with `CREATE UNIQUE INDEX ON {} ({columns})`, or \
             leave out `key` to add every row",
            key.join(", "),
            self.quoted()
        )
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

pub(super) async fn query(
    setup: &Transaction<'_>,
    text: &str,
    values: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>> {
    Ok(setup.query_typed(text, values).await.map_err(sink_error)?)
}

fn check_names(rows: &Schema) -> Result<()> {
    if rows.fields().is_empty() {
        bail!("the rows have no columns, so that there is nothing to write");
    }
    for name in rows.fields().iter().map(|field| field.name()) {
        if name.len() > MAX_NAME || name.contains('\0') || name.is_empty() {
            bail!(
                "column `{name}` cannot have this name in PostgreSQL (1 to {MAX_NAME} bytes): rename it with a query"
            );
        }
    }
    Ok(())
}

fn check_key(key: &[String], rows: &Schema) -> Result<()> {
    for column in key {
        if rows.field_with_name(column).is_err() {
            let known: Vec<_> = rows.fields().iter().map(|field| field.name().as_str()).collect();
            bail!("`key` names the column `{column}`, which the rows do not have (they have {})", known.join(", "));
        }
    }
    Ok(())
}

/// The type of a column that holds values of ours.
fn postgres_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Boolean => "boolean",
        ColumnType::Int64 => "bigint",
        ColumnType::Float64 => "double precision",
        ColumnType::Timestamp => "timestamp with time zone",
        ColumnType::Utf8 => "text",
        ColumnType::Binary => "bytea",
    }
}

/// Whether a column of the type `found` takes every value of ours, unchanged.
fn takes(found: &str, kind: ColumnType) -> bool {
    found == postgres_type(kind)
        || match kind {
            ColumnType::Utf8 => found == "character varying",
            ColumnType::Timestamp => found == "timestamp(6) with time zone",
            _ => false,
        }
}

fn create_table(written: &str, rows: &Schema, key: &[String]) -> String {
    let columns = rows.fields().iter().filter_map(|field| {
        Some(format!("{} {}", quoted(field.name()), postgres_type(ColumnType::of(field.data_type())?)))
    });
    let key = (!key.is_empty()).then(|| format!("PRIMARY KEY ({})", list(key.iter().map(String::as_str))));
    format!("CREATE TABLE {written} ({})", columns.chain(key).collect::<Vec<_>>().join(", "))
}

/// Why a table does not take rows, and what to do about it.
fn problems(name: &Name, rows: &Schema, columns: &[Column]) -> Vec<String> {
    let table = name.quoted();
    let mut problems = Vec::new();
    for field in rows.fields() {
        let Some(kind) = ColumnType::of(field.data_type()) else { continue };
        let (quoted, wanted) = (quoted(field.name()), postgres_type(kind));
        match columns.iter().find(|column| column.name == *field.name()) {
            None => problems.push(format!(
                "it has no column `{}`: `ALTER TABLE {table} ADD COLUMN {quoted} {wanted}`, or leave the column out with a \
                 query",
                field.name()
            )),
            Some(column) if column.computed => problems.push(format!(
                "the server itself sets its column `{}`: leave the column out with a query",
                field.name()
            )),
            Some(column) if !takes(&column.kind, kind) => problems.push(format!(
                "its column `{}` is {}, which does not take every {kind}: `ALTER TABLE {table} ALTER COLUMN {quoted} TYPE \
                 {wanted}`, or cast in a query",
                field.name(),
                column.kind
            )),
            Some(_) => {}
        }
    }
    for column in columns {
        let given = rows.field_with_name(&column.name).is_ok();
        if !given && column.not_null && !column.defaults {
            problems.push(format!(
                "its column `{}` is NOT NULL without a default, and the rows do not have it: add it with a query, or give it \
                 a default",
                column.name
            ));
        }
    }
    problems
}

/// A name as SQL has it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    fn rows(columns: &[(&str, ColumnType)]) -> Schema {
        Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.arrow(), true)).collect::<Vec<_>>())
    }

    fn table(columns: &[(&str, ColumnType)], key: &[&str]) -> Table {
        let name = Name { schema: "public".into(), table: "t".into() };
        let key: Vec<String> = key.iter().map(ToString::to_string).collect();
        let target = Target { pipeline: "p", sink: "s", url: "", table: "t", key: &key, create: false, horizon: None };
        let commits = Commits::of(&target, &name, "public.weir_commits".into());
        Table::new(name, commits, vec!["a".into()], &rows(columns), &key)
    }

    #[test]
    fn given_names_with_quotes_in_them_when_tables_are_made_then_they_stay_names() {
        let all = [
            ("a\"; drop table x; --", ColumnType::Boolean),
            ("B", ColumnType::Int64),
            ("c", ColumnType::Float64),
            ("d", ColumnType::Timestamp),
            ("e", ColumnType::Utf8),
            ("f", ColumnType::Binary),
        ];
        let expected = "CREATE TABLE \"s\".\"t\" (\"a\"\"; drop table x; --\" boolean, \"B\" bigint, \"c\" double precision, \
                        \"d\" timestamp with time zone, \"e\" text, \"f\" bytea, PRIMARY KEY (\"B\", \"e\"))";
        assert_eq!(create_table("\"s\".\"t\"", &rows(&all), &["B".into(), "e".into()]), expected);
    }

    #[test]
    fn given_a_key_when_rows_are_merged_then_the_last_of_each_key_replaces_what_is_there() {
        let added = table(&[("a", ColumnType::Int64), ("b", ColumnType::Utf8)], &[]);
        assert_eq!(added.copy, "COPY \"public\".\"t\" (\"a\", \"b\") FROM STDIN WITH (FORMAT binary)");
        assert_eq!((added.staging, added.merge), (None, None));

        let merged = table(&[("a", ColumnType::Int64), ("b", ColumnType::Utf8)], &["a"]);
        assert_eq!(
            merged.copy,
            "COPY pg_temp.weir_batch (\"__weir_row\", \"a\", \"b\") FROM STDIN WITH (FORMAT binary)"
        );
        assert_eq!(
            merged.merge.as_deref(),
            Some(
                "INSERT INTO \"public\".\"t\" (\"a\", \"b\") SELECT DISTINCT ON (\"a\") \"a\", \"b\" FROM pg_temp.weir_batch \
                 ORDER BY \"a\", \"__weir_row\" DESC ON CONFLICT (\"a\") DO UPDATE SET \"b\" = EXCLUDED.\"b\""
            )
        );
        let only_keys = table(&[("a", ColumnType::Int64)], &["a"]);
        assert!(only_keys.merge.is_some_and(|merge| merge.ends_with("ON CONFLICT (\"a\") DO NOTHING")));
    }

    #[test]
    fn given_a_table_that_does_not_fit_when_checked_then_every_problem_is_told_with_its_way_out() {
        let column = |name: &str, kind: &str| Column {
            name: name.into(),
            kind: kind.into(),
            not_null: false,
            computed: false,
            defaults: false,
        };
        let wanted = rows(&[
            ("id", ColumnType::Int64),
            ("at", ColumnType::Timestamp),
            ("note", ColumnType::Utf8),
            ("lost", ColumnType::Binary),
            ("sum", ColumnType::Float64),
        ]);
        let columns = [
            column("id", "integer"),
            column("at", "timestamp(6) with time zone"),
            column("note", "character varying"),
            Column { computed: true, ..column("sum", "double precision") },
            Column { not_null: true, ..column("by", "text") },
            Column { not_null: true, defaults: true, ..column("nr", "bigint") },
        ];
        let name = Name { schema: "public".into(), table: "t".into() };
        let found = problems(&name, &wanted, &columns);
        let begins = [
            "its column `id` is integer, which does not take every int64: `ALTER TABLE \"public\".\"t\" ALTER COLUMN \"id\" \
             TYPE bigint`",
            "it has no column `lost`: `ALTER TABLE \"public\".\"t\" ADD COLUMN \"lost\" bytea`",
            "the server itself sets its column `sum`",
            "its column `by` is NOT NULL without a default",
        ];
        assert_eq!(found.len(), begins.len(), "{found:?}");
        for (found, begin) in found.iter().zip(begins) {
            assert!(found.starts_with(begin), "{found}");
        }
    }
}
