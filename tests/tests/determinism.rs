//! The same input gives the same bytes, whatever the partitions, threads and chunks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::collections::HashSet;

use weir_tests::output::{Row, Tree};
use weir_tests::{Folder, each};

/// Partitions, threads and rows of a call.
const CUTS: [(usize, usize, usize); 6] =
    [(1, 1, 8192), (2, 1, 100), (3, 2, 1000), (5, 4, 8192), (4, 2, 13), (128, 3, 4096)];

/// Everything that reorders, folds or fans out, over made-up rows of several blocks.
const PIPELINE: &str = r#"
    [sources.posts]
    type = "generator"
    rate = "20000/s"
    count = 50000
    seed = 7
    columns.user = { kind = "choice", of = ["ann", "bob", "cyd", "dan", "eve", "fay", "gil"] }
    columns.value = { kind = "float", min = -1000.0, max = 1000.0 }
    columns.text = { kind = "words", length = 40, vocabulary = 300 }
    columns.n = { kind = "sequence" }
    columns.member = { kind = "integer", min = 0, max = 400000 }

    [operators.lines]
    sql = "SELECT text AS line, user FROM posts WHERE n % 3 <> 1"
    inputs = ["posts"]
    [operators.words]
    transform = "words@0.1.0"
    inputs = ["lines"]
    [operators.tags]
    transform = "hashtags@0.1.0"
    inputs = ["posts"]
    [operators.renamed]
    sql = "SELECT tag AS word FROM tags"
    inputs = ["tags"]
    [operators.counts]
    aggregate = "count@0.1.0"
    inputs = ["words", "renamed"]
    key = ["word"]
    [operators.top]
    sql = "SELECT word, count FROM counts ORDER BY count DESC, word LIMIT 20"
    inputs = ["counts"]
    [operators.sums]
    aggregate = "float-sum@0.1.0"
    inputs = ["posts"]
    key = ["user"]
    [operators.members]
    sql = "SELECT concat('member ', member) AS member, value FROM posts"
    inputs = ["posts"]
    [operators.member_sums]
    aggregate = "float-sum@0.1.0"
    inputs = ["members"]
    key = ["member"]
    [operators.total]
    aggregate = "float-sum@0.1.0"
    inputs = ["posts"]
    [operators.stamped]
    transform = "stamp-a@0.1.0"
    inputs = ["counts"]
    key = ["word"]
"#;

const SINKS: [(&str, &str); 9] = [
    ("words", "json"),
    ("tags", "csv"),
    ("counts", "json"),
    ("top", "json"),
    ("sums", "json"),
    ("member_sums", "json"),
    ("total", "json"),
    ("stamped", "parquet"),
    ("posts", "parquet"),
];

fn pipeline((partitions, _, chunk_rows): (usize, usize, usize)) -> String {
    let sink = |(input, format): &(&str, &str)| {
        format!(
            "[sinks.{input}_out]\ntype = \"files\"\npath = \"out/{input}\"\nformat = \"{format}\"\ninputs = [\"{input}\"]\n"
        )
    };
    let sinks: String = SINKS.iter().map(sink).collect();
    format!("[batch]\npartitions = {partitions}\nchunk_rows = {chunk_rows}\n{PIPELINE}\n{sinks}")
}

fn run(cut: (usize, usize, usize), pipeline: &str) -> Folder {
    let folder = Folder::new();
    folder.write("p.toml", pipeline);
    folder.weir(&["run", "--once", "--threads", &cut.1.to_string(), "p.toml"]).ok();
    folder
}

#[track_caller]
fn same(tree: &Tree, reference: &Tree) {
    let names = |tree: &Tree| tree.0.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(tree), names(reference), "other files");
    let differ: Vec<_> =
        tree.0.iter().filter(|(name, bytes)| reference.0[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differ.is_empty(), "other bytes in {differ:?}");
}

#[test]
fn given_the_same_rows_when_run_with_other_partitions_threads_and_chunks_then_every_file_has_the_same_bytes() {
    let reference = run(CUTS[0], &pipeline(CUTS[0])).tree("out");
    assert_eq!(reference.0.len(), 3 * 2 * SINKS.len(), "three batches a sink, a file and a manifest each");
    each(CUTS, |cut| same(&run(cut, &pipeline(cut)).tree("out"), &reference));
}

#[test]
fn given_float_sums_when_compared_with_a_plain_sum_then_they_are_close_and_yet_the_same_in_every_run() {
    let folder = run(CUTS[3], &pipeline(CUTS[3]));
    let of_all = |rows: &[Row]| rows.iter().map(|row| row["sum"].as_f64().expect("a number")).sum::<f64>();
    let [sums, member_sums, totals] =
        ["sums", "member_sums", "total"].map(|name| folder.batches(&format!("out/{name}")));
    for (batch, users) in &sums.0 {
        let members = &member_sums.0[batch];
        assert_eq!(users.len(), 7);
        let keys: HashSet<&str> = members.iter().filter_map(|row| row["member"].as_str()).collect();
        assert!(keys.len() == members.len() && members.len() > 9_000, "a row for each of very many members");
        let total = of_all(&totals.0[batch]);
        for sum in [of_all(users), of_all(members)] {
            assert!((sum - total).abs() < 1e-6 * total.abs().max(1.0), "{sum} and {total}");
        }
    }
}

#[test]
fn given_a_text_of_many_small_blocks_when_run_with_other_cuts_then_every_file_has_the_same_bytes() {
    let lines: String = (0..3000).map(|n| format!("{} w{} é{}\n", n % 7, n * n % 31, "x".repeat(n % 50))).collect();
    let pipeline = |(partitions, _, chunk_rows): (usize, usize, usize), block_size: &str| {
        format!(
            r#"
            [batch]
            partitions = {partitions}
            chunk_rows = {chunk_rows}
            block_size = "{block_size}"
            [sources.lines]
            type = "file"
            path = "lines.txt"
            rate = "1000/s"
            [operators.words]
            transform = "words@0.1.0"
            inputs = ["lines"]
            [operators.counts]
            aggregate = "count@0.1.0"
            inputs = ["words"]
            key = ["word"]
            [sinks.counts_out]
            type = "files"
            path = "out/counts"
            inputs = ["counts"]
            [sinks.lines_out]
            type = "files"
            path = "out/lines"
            inputs = ["lines"]
            "#
        )
    };
    let run = |cut: (usize, usize, usize), block_size: &str| {
        let folder = Folder::new();
        folder.write("lines.txt", &lines);
        folder.write("p.toml", pipeline(cut, block_size));
        folder.weir(&["run", "--once", "--threads", &cut.1.to_string(), "p.toml"]).ok();
        folder.tree("out")
    };
    let reference = run(CUTS[0], "200 B");
    assert_eq!(reference.0.len(), 3 * 2 * 2, "three batches a sink, a file and a manifest each");
    each(CUTS, |cut| same(&run(cut, "200 B"), &reference));
    // The order of a chain of transforms does not even depend on the blocks.
    let lines_of = |tree: &Tree| {
        let lines = tree.0.iter().filter(|(path, _)| path.starts_with("lines"));
        lines.map(|(path, bytes)| (path.clone(), bytes.clone())).collect::<Vec<_>>()
    };
    assert_eq!(lines_of(&run(CUTS[3], "4 KiB")), lines_of(&reference));
}

#[test]
fn given_batches_large_and_small_when_each_has_partitions_by_its_size_then_every_file_has_the_same_bytes() {
    let line = |n: usize| format!("w{} {}", n * n % 61, "w ".repeat(n / 1000 % 2 * 100));
    let lines: String = (0..6000).map(|n| format!("{}\n", line(n))).collect();
    let run = |partitions: &str| {
        let folder = Folder::new();
        folder.write("lines.txt", &lines);
        folder.write(
            "p.toml",
            format!(
                r#"
                [batch]
                block_size = "3 KiB"
                {partitions}
                [sources.lines]
                type = "file"
                path = "lines.txt"
                rate = "1000/s"
                [operators.words]
                transform = "words@0.1.0"
                inputs = ["lines"]
                [operators.of_three]
                aggregate = "count@0.1.0"
                inputs = ["words"]
                key = ["word"]
                window = {{ length = "3s", slide = "1s" }}
                [operators.counts]
                aggregate = "count@0.1.0"
                inputs = ["words"]
                key = ["word"]
                [operators.values]
                sql = "SELECT word, count AS value FROM counts"
                inputs = ["counts"]
                [operators.so_far]
                state = "tally@0.1.0"
                inputs = ["values"]
                key = ["word"]
                [sinks.of_three_out]
                type = "files"
                path = "out/of_three"
                inputs = ["of_three"]
                [sinks.so_far_out]
                type = "files"
                path = "out/so_far"
                inputs = ["so_far"]
                [sinks.words_out]
                type = "files"
                path = "out/words"
                inputs = ["words"]
                "#
            ),
        );
        folder.weir(&["run", "--once", "p.toml"]).ok();
        folder.tree("out")
    };
    let reference = run("partitions = 1");
    assert_eq!(reference.0.len(), 6 * 2 * 3, "six batches a sink, a file and a manifest each");
    same(&run(""), &reference);
}

#[test]
fn given_floats_when_aggregated_by_queries_then_the_bits_do_not_depend_on_the_cut() {
    let pipeline = |(partitions, _, chunk_rows): (usize, usize, usize)| {
        format!(
            r#"
            [batch]
            partitions = {partitions}
            chunk_rows = {chunk_rows}
            [sources.numbers]
            type = "generator"
            rate = "30000/s"
            count = 60000
            columns = {{ k = {{ kind = "integer", min = 0, max = 499 }}, value = {{ kind = "float", min = -1e12, max = 1e12 }} }}
            [operators.sums]
            aggregate = "float-sum@0.1.0"
            inputs = ["numbers"]
            key = ["k"]
            [operators.of_keys]
            sql = "select sum(sum) as total, avg(sum) as mean, approx_percentile_cont(sum, 0.5) as middle from sums"
            inputs = ["sums"]
            [operators.of_rows]
            sql = "select sum(value) as total, avg(value) as mean, approx_percentile_cont(value, 0.5) as middle from numbers"
            inputs = ["numbers"]
            [sinks.of_keys_out]
            type = "files"
            path = "out/of_keys"
            inputs = ["of_keys"]
            [sinks.of_rows_out]
            type = "files"
            path = "out/of_rows"
            inputs = ["of_rows"]
            "#
        )
    };
    let reference = run(CUTS[0], &pipeline(CUTS[0])).tree("out");
    assert_eq!(reference.0.len(), 2 * 2 * 2, "two batches a sink, a file and a manifest each");
    each(CUTS, |cut| same(&run(cut, &pipeline(cut)).tree("out"), &reference));
}
