//! The sink for PostgreSQL, against a server of its own: rows once, whatever happens in between.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use weir_tests::{Finished, Folder, Live, Postgres, each};

/// Two batches of orders.
const ORDERS: &str = r#"{"id": 1, "item": "tea, \"green\"\t\\N", "price": 2.5, "paid": true, "at": "2026-01-31T12:00:00.000001Z"}
{"id": 2, "item": null, "price": 0.1}
{"id": 3, "item": "naïve\nline", "price": -1, "paid": false, "at": "1969-12-31T23:59:59Z"}
"#;

/// The orders, as a query leaves them, in a table; `more` are keys of the sink.
fn pipeline(query: &str, more: &str) -> String {
    format!(
        r#"
        name = "shop"
        [sources.orders]
        type = "file"
        path = "orders.jsonl"
        format = "json"
        rate = "2/s"
        schema = {{ id = "int64", item = "utf8", price = "float64", paid = "boolean", at = "timestamp" }}
        [operators.rows]
        sql = "{query}"
        inputs = ["orders"]
        [sinks.db]
        type = "postgres"
        url = "${{DATABASE}}"
        inputs = ["rows"]
        {more}
        "#
    )
}

fn folder(orders: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("orders.jsonl", orders);
    folder
}

fn run(folder: &Folder, postgres: &Postgres, pipeline: &str) -> Finished {
    folder.write("p.toml", pipeline);
    let mut command = folder.command(&["run", "--once", "p.toml"]);
    command.env("DATABASE", postgres.url());
    Finished::wait(command, "run --once")
}

/// What `weir_commits` says: time and number of rows of each batch.
fn commits(postgres: &Postgres) -> Vec<String> {
    postgres.sql("select pipeline, sink, batch_time, rows from weir_commits order by batch_time")
}

#[test]
fn given_rows_of_every_type_when_written_then_they_are_in_the_table_once_however_often_the_batches_run() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = folder(ORDERS);
    let pipeline = pipeline("select *, arrow_cast(item, 'Binary') as raw from orders", "table = 'public.orders'");
    let columns = "select column_name, data_type from information_schema.columns where table_name = 'orders' \
                   order by ordinal_position";
    let rows =
        "set timezone = 'UTC'; select id, replace(item, E'\\n', '/'), price, paid, at, raw from orders order by id";
    for _ in 0..2 {
        run(&folder, &postgres, &pipeline).ok();
        assert_eq!(
            postgres.sql(columns),
            [
                "id|bigint",
                "item|text",
                "price|double precision",
                "paid|boolean",
                "at|timestamp with time zone",
                "raw|bytea"
            ]
        );
        assert_eq!(
            postgres.sql(rows),
            [
                "1|tea, \"green\"\t\\N|2.5|t|2026-01-31 12:00:00.000001+00|\\x7465612c2022677265656e22095c4e",
                "2||0.1|||",
                "3|naïve/line|-1|f|1969-12-31 23:59:59+00|\\x6e61c3af76650a6c696e65",
            ]
        );
        assert_eq!(commits(&postgres), ["shop|db|1000|2", "shop|db|2000|1"]);
    }
}

#[test]
fn given_a_batch_that_is_in_the_table_when_other_rows_come_under_its_time_then_it_stays_and_a_warning_says_so() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = folder("{\"id\": 1}\n");
    let pipeline = pipeline("select id from orders", "table = 'orders'");
    assert!(!run(&folder, &postgres, &pipeline).ok().stderr.contains("with other rows"));
    assert!(!run(&folder, &postgres, &pipeline).ok().stderr.contains("with other rows"));
    folder.write("orders.jsonl", "{\"id\": 2}\n");
    let warned = run(&folder, &postgres, &pipeline).ok().stderr;
    assert!(warned.contains("in the table already, with other rows"), "{warned}");
    assert_eq!(postgres.sql("select id from orders"), ["1"]);
}

#[test]
fn given_a_key_when_rows_are_written_then_the_last_row_of_each_key_stays() {
    let Some(postgres) = Postgres::start() else { return };
    // Batches of two rows: the second replaces the first, and the third batch replaces the second.
    let folder = folder(concat!(
        "{\"id\": 1, \"item\": \"a\", \"price\": 1}\n{\"id\": 1, \"item\": \"a\", \"price\": 2}\n",
        "{\"id\": 2, \"item\": \"a\", \"price\": 3}\n{\"id\": 1, \"item\": \"b\", \"price\": 4}\n",
        "{\"id\": 2, \"item\": \"a\", \"price\": 5}\n",
    ));
    postgres.sql("create schema sales");
    let keyed = pipeline("select id, item, price from orders", "table = 'sales.last'\nkey = ['id', 'item']");
    run(&folder, &postgres, &keyed).ok();
    let rows = "select id, item, price from sales.last order by id, item";
    assert_eq!(postgres.sql(rows), ["1|a|2", "1|b|4", "2|a|5"]);
    assert_eq!(
        postgres.sql("select batch_time, rows from sales.weir_commits order by 1"),
        ["1000|2", "2000|2", "3000|1"]
    );

    // Nothing but the key, into a table that is there.
    postgres.sql("create table seen (item text, unique (item))");
    run(&folder, &postgres, &pipeline("select item from orders", "table = 'seen'\nkey = ['item']")).ok();
    assert_eq!(postgres.sql("select item from seen order by item"), ["a", "b"]);
}

/// A stream of numbers at work, into a table to which they are added and one into which they are merged.
fn numbers(postgres: &Postgres, folder: &Folder, interval: &str) -> Live {
    let sink = |table: &str, more: &str| {
        format!(
            "[sinks.{table}]\ntype = 'postgres'\nurl = '${{DATABASE}}'\ntable = '{table}'\ninputs = ['numbers']\n{more}\n"
        )
    };
    let source = "[sources.numbers]\ntype = 'generator'\nrate = '2_000/s'\ncolumns.n = { kind = 'sequence' }\n";
    let (added, merged) = (sink("added", ""), sink("merged", "key = ['n']"));
    folder.write("p.toml", format!("batch = {{ interval = '{interval}' }}\n{source}{added}{merged}"));
    let mut command = folder.command(&["run", "p.toml"]);
    command.env("DATABASE", postgres.url());
    Live::start(command).started()
}

/// The same, once it has written rows into both.
fn numbers_until_written(postgres: &Postgres, folder: &Folder) -> Live {
    let mut host = numbers(postgres, folder, "100ms");
    host.wait_for("rows", |event| event.is("batch committed") && event.number("rows_out") > 0);
    host
}

/// Notes batches of these times, as if they had been written into the table `added` by live runs or by jobs.
fn written(postgres: &Postgres, live: bool, times: &str) {
    postgres.sql(&format!(
        "insert into weir_commits select 'p', 'added', 'added', t, 1, 'of other rows', {live} from {times} t"
    ));
}

/// Stops the host; all the numbers that it has committed are in both tables, once.
fn every_number_is_there_once(postgres: &Postgres, mut host: Live) {
    host.terminate();
    host.finish().ok();
    let rows: u64 = host.seen("batch committed").map(|event| event.number("rows_out")).sum();
    assert!(rows > 0);
    for table in ["added", "merged"] {
        let found = postgres.sql(&format!("select count(*), count(distinct n), min(n), max(n) from {table}"));
        assert_eq!(found, [format!("{0}|{0}|0|{1}", rows / 2, rows / 2 - 1)]);
    }
}

#[test]
fn given_a_server_that_stops_and_starts_when_a_stream_runs_then_its_rows_wait_and_every_row_is_there_once() {
    let Some(mut postgres) = Postgres::start() else { return };
    let folder = Folder::empty();
    let mut host = numbers(&postgres, &folder, "100ms");
    for _ in 0..2 {
        host.batch();
        postgres.stop();
        let down = host.wait_for("the outage", |event| event.is("the sink is not available; the batch waits for it"));
        assert!(["added", "merged"].iter().any(|sink| down.fields["sink"] == *sink), "{}", down.line);
        postgres.run();
        host.wait_for("the end of the outage", |event| event.is("the sink is available again"));
        host.batch();
    }
    every_number_is_there_once(&postgres, host);
}

#[test]
fn given_sessions_that_are_cut_off_at_any_instant_when_a_stream_runs_then_every_row_is_there_once() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = Folder::empty();
    let mut host = numbers(&postgres, &folder, "10ms");
    for _ in 0..20 {
        postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'weir'");
        host.batch();
    }
    every_number_is_there_once(&postgres, host);
}

#[test]
fn given_a_job_that_is_killed_when_it_runs_again_then_what_it_had_written_is_not_written_twice() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = Folder::empty();
    let pipeline = "
        [sources.numbers]
        type = 'generator'
        rate = '1_000/s'
        count = 100_000
        columns.n = { kind = 'sequence' }
        [sinks.added]
        type = 'postgres'
        url = '${DATABASE}'
        table = 'added'
        inputs = ['numbers']";
    folder.write("p.toml", pipeline);
    let command = || {
        let mut command = folder.command(&["run", "--once", "p.toml"]);
        command.env("DATABASE", postgres.url());
        command
    };
    for batches in [1, 9, 30] {
        let mut job = Live::start(command());
        (0..batches).for_each(|_| drop(job.batch()));
        job.kill();
    }
    let found = || postgres.sql("select count(*) = count(distinct n), count(*) = 100000 from added");
    assert_eq!(found(), ["t|f"], "it was killed half-way");
    Finished::wait(command(), "run --once").ok();
    assert_eq!(found(), ["t|t"]);
}

#[test]
fn given_commits_of_long_ago_when_a_live_host_writes_then_those_of_live_runs_go_and_those_of_jobs_stay() {
    let Some(postgres) = Postgres::start() else { return };
    every_number_is_there_once(&postgres, numbers_until_written(&postgres, &Folder::empty()));
    written(&postgres, true, "generate_series(1000, 9000, 1000)");
    written(&postgres, false, "generate_series(10000, 12000, 1000)");
    postgres.sql("truncate added, merged");
    let before = postgres.sql("select count(*) from weir_commits where live and sink = 'added' and batch_time > 9000");
    // With a data folder of its own, it begins with the first number.
    every_number_is_there_once(&postgres, numbers_until_written(&postgres, &Folder::empty()));
    let old = "select batch_time, live from weir_commits where batch_time <= 12000 order by 1";
    assert_eq!(postgres.sql(old), ["10000|f", "11000|f", "12000|f"]);
    let recent = "select count(*) from weir_commits where live and sink = 'added'";
    assert!(postgres.sql(recent)[0].parse::<u64>().unwrap() > before[0].parse().unwrap(), "what is recent stays");
}

#[test]
fn given_another_host_of_the_same_name_when_it_takes_a_batchs_place_then_the_run_ends_and_names_the_way_out() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = Folder::empty();
    let mut host = numbers_until_written(&postgres, &folder);
    written(&postgres, true, "(select (extract(epoch from now())::bigint + s) * 1000 t from generate_series(2, 60) s)");
    host.finish().refused(&["sink `added`", "another host has written", "pipeline `p`", "another `name`"]);
}

#[test]
fn given_a_job_when_its_table_is_another_or_made_anew_then_its_batches_are_written_there() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = folder(ORDERS);
    let into = |table: &str| pipeline("select id from orders", &format!("table = '{table}'"));
    let rows = |table: &str| postgres.sql(&format!("select id from {table} order by id"));
    run(&folder, &postgres, &into("a")).ok();
    run(&folder, &postgres, &into("b")).ok();
    assert_eq!([rows("a"), rows("b")], [["1", "2", "3"], ["1", "2", "3"]]);
    postgres.sql("drop table a");
    let again = [run(&folder, &postgres, &into("a")), run(&folder, &postgres, &into("b"))];
    let [anew, there] = again.map(|finished| finished.ok().stderr.matches("in the table already").count());
    assert_eq!([anew, there], [0, 2]);
    assert_eq!([rows("a"), rows("b")], [["1", "2", "3"], ["1", "2", "3"]]);
}

#[test]
fn given_rows_that_break_a_constraint_early_in_a_large_batch_when_written_then_the_run_ends_and_shows_which() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = Folder::empty();
    postgres.sql("create table few (n bigint check (n <> 7))");
    let pipeline = "
        [sources.numbers]
        type = 'generator'
        rate = '300_000/s'
        count = 300_000
        columns.n = { kind = 'sequence' }
        [sinks.db]
        type = 'postgres'
        url = '${DATABASE}'
        table = 'few'
        inputs = ['numbers']";
    run(&folder, &postgres, pipeline).refused(&["sink `db`", "public.few", "few_n_check"]);
    assert_eq!(postgres.sql("select count(*) from few"), ["0"]);
}

#[test]
fn given_a_table_that_does_not_take_the_rows_when_started_then_the_error_names_what_is_wrong_and_the_way_out() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = folder(ORDERS);
    postgres.sql("create table narrow (id integer, item text not null, extra text not null)");
    postgres.sql("create table free (id bigint, item text)");
    postgres.sql("create view seen as select 1::bigint as id");
    let two = "select id, item from orders";
    let cases: [(&str, &str, &[&str]); 6] = [
        (
            two,
            "table = 'narrow'",
            &[
                "sink `db`",
                "public.narrow",
                "column `id` is integer",
                "ALTER COLUMN \"id\" TYPE bigint",
                "column `extra`",
            ],
        ),
        (
            "select id, price from orders",
            "table = 'free'",
            &["no column `price`", "ADD COLUMN \"price\" double precision"],
        ),
        (two, "table = 'none'\ncreate = false", &["there is no table none", "CREATE TABLE \"none\" (\"id\" bigint"]),
        (two, "table = 'free'\nkey = ['id']", &["no unique index over `key` (id)", "CREATE UNIQUE INDEX ON"]),
        (two, "table = 'free'\nkey = ['nr']", &["the column `nr`", "they have id, item"]),
        ("select id from orders", "table = 'seen'", &["public.seen is not a table"]),
    ];
    each(cases, |(query, more, says)| drop(run(&folder, &postgres, &pipeline(query, more)).refused(says)));
    let narrow = pipeline("select item, 'x' as extra from orders", "table = 'narrow'");
    run(&folder, &postgres, &narrow).refused(&["sink `db`", "column `item`", "null"]);
    let twice = pipeline("select 1 as id, item from orders", "table = 'once'");
    postgres.sql("create table once (id bigint primary key, item text)");
    run(&folder, &postgres, &twice).refused(&[
        "batch 1970-01-01T00:00:01.000Z",
        "public.once",
        "(id)=(1) already exists",
    ]);
    assert_eq!(postgres.sql("select count(*) from once"), ["0"]);
}

#[test]
fn given_a_text_with_a_nul_when_written_then_the_error_names_it_and_the_way_out_works() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = folder("{\"id\": 1, \"item\": \"tea\\u0000pot\"}\n");
    let more = "table = 'orders'";
    let says = ["sink `db`", "column `item`", "NUL character (U+0000), after \"tea\"", "regexp_replace"];
    run(&folder, &postgres, &pipeline("select item from orders", more)).refused(&says);
    assert_eq!(postgres.sql("select count(*) from orders"), ["0"]);
    let mended = pipeline("select regexp_replace(item, '\\\\x00', '', 'g') as item from orders", more);
    run(&folder, &postgres, &mended).ok();
    assert_eq!(postgres.sql("select item from orders"), ["teapot"]);
}

#[test]
fn given_a_server_that_is_down_when_a_host_starts_then_it_says_so_at_once_without_the_password() {
    let Some(mut postgres) = Postgres::start() else { return };
    let folder = folder(ORDERS);
    let pipeline = pipeline("select id from orders", "table = 'orders'");
    postgres.stop();
    folder.write("p.toml", &pipeline);
    let mut command = folder.command(&["run", "--once", "p.toml"]);
    command.env("DATABASE", format!("{} password=hidden", postgres.url()));
    let finished = Finished::wait(command, "run --once").refused(&["sink `db`", "start the server, or correct `url`"]);
    assert!(!finished.stderr.contains("hidden"), "{}", finished.stderr);
}
