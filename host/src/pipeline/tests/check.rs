//! Pipelines that fit the schema and make no sense, and in which words they are refused.

use super::{check, check_added};

#[test]
fn names_can_be_used_in_a_query_and_are_used_once() {
    check_added(
        "[tables.My-Table]\npath = 't'\nformat = 'csv'",
        &["3:9: `My-Table` cannot be a name in [tables]: use lower-case letters, digits and `_`, beginning with a \
             letter or `_`, so that a query can name it without quotes"],
    );
    check_added(
        "[operators.a]\ntransform = 'x@1'\ninputs = ['a']\n[tables.out]\npath = 't'\nformat = 'csv'",
        &[
            "2:7: [sinks.out] has the name of [tables.out]: give one of them another",
            "3:12: [operators.a] has the name of [sources.a]: give one of them another",
        ],
    );
    check(
        "name = 'a b'\nsources = {}\nsinks = {}",
        &[
            "1:1: `a b` cannot be the pipeline's name: use letters, digits, `_` and `-`",
            "2:1: there are no sources: add a table `[sources.NAME]`",
            "3:1: there are no sinks: add a table `[sinks.NAME]`",
        ],
    );
}

#[test]
fn an_operator_is_one_thing() {
    check_added(
        "[operators.x]\ninputs = ['a']",
        &["3:12: [operators.x] must have exactly one of `transform`, `aggregate`, `state`, `sql`, `sample`, \
             `repartition` and `snapshot`, or only a `window`; but has none"],
    );
    check_added(
        "[operators.x]\ninputs = ['a']\ntransform = 'x@1'\nsql = 'SELECT 1'",
        &["3:12: [operators.x] must have exactly one of `transform`, `aggregate`, `state`, `sql`, `sample`, \
             `repartition` and `snapshot`, or only a `window`; but has `transform` \
             and `sql`"],
    );
    check_added(
        "[operators.x]\ninputs = ['a']\ntransform = 'x'\n[operators.y]\ninputs = ['a']\naggregate = 'sha256:12'",
        &[
            "5:1: `transform` in [operators.x]: `x` has no version: write it as `x@1.0.0`, or as `sha256:` and 64 \
             hex digits",
            "8:1: `aggregate` in [operators.y]: `sha256:12` is not a digest: after `sha256:` come 64 hex digits",
        ],
    );
    check_added(
        "[operators.x]\ninputs = ['a']\nsql = ' '\nkey = ['k']\npartitions = 2\nconfig = {}\non_reject = 'skip'\n\
         limits.fuel = 5\nmax_rejects = 5",
        &[
            "5:1: `sql` in [operators.x] is empty",
            "6:1: `key` does not go with `sql` in [operators.x]: a query sees all rows of its inputs, and says \
             GROUP BY or JOIN",
            "7:1: `partitions` does not go with `sql` in [operators.x]: it is for components, \
             after a shuffle by `key`",
            "8:1: `config` does not go with `sql` in [operators.x]: it is passed to a component",
            "9:1: `on_reject` does not go with `sql` in [operators.x]: it is for components; nothing is rejected here",
            "10:1: `limits` does not go with `sql` in [operators.x]: they are for components",
            "11:1: `max_rejects` does not go with `sql` in [operators.x]: it is for components; nothing is rejected here",
        ],
    );
    check_added(
        "[operators.x]\ninputs = ['a']\ntransform = 'x@1'\npartitions = 2\nlimits.fuel = 0",
        &[
            "6:1: `partitions` in [operators.x] needs a `key`: without one the rows stay in the partitions \
             they are in",
            "7:8: `fuel` in [operators.x.limits] must be more than 0, or nothing can run",
        ],
    );
    check_added(
        "[operators.x]\ninputs = ['a']\naggregate = 'x@1'\nkey = ['k', '', 'k']",
        &["6:13: `key` in [operators.x] names a column without a name", "6:17: `key` in [operators.x] names `k` twice"],
    );
}

#[test]
fn a_limit_of_rejects_is_for_rejects_that_do_not_end_the_run() {
    let added = |max_rejects: &str| {
        format!(
            "[operators.x]\ninputs = ['b']\ntransform = 'x@1'\n{max_rejects}\n\
             [sources.b]\ntype = 'file'\npath = 'b'\n{max_rejects}"
        )
    };
    for fine in ["on_reject = 'skip'\nmax_rejects = 0", "on_reject = 'dead-letter'\nmax_rejects = '0.5%'"] {
        check_added(&added(fine), &[]);
    }
    let nothing = "means nothing where the first row that is rejected ends the run: set `on_reject` to \"skip\" or \
                   \"dead-letter\", or leave `max_rejects` out";
    check_added(
        &added("max_rejects = '1%'"),
        &[
            &format!("6:1: `max_rejects` in [operators.x] {nothing}"),
            &format!("10:1: `max_rejects` in [sources.b] {nothing}"),
        ],
    );
    check_added(
        "[operators.x]\ninputs = ['a']\ntransform = 'x@1'\non_reject = 'skip'\nmax_rejects = '120%'",
        &[
            "7:15: `max_rejects` in [operators.x]: `120%` does not say how many rows: write a whole number, as in 100, or a \
           share of the rows in from \"0%\" to \"100%\", with at most 4 decimals, as in \"0.5%\"",
        ],
    );
    for (wrong, message) in [
        ("-1", "must be at least 0, not -1"),
        ("1.5", "must be an integer, or a string such as \"1%\", not a float"),
        ("true", "must be an integer, or a string such as \"1%\", not a boolean"),
    ] {
        check_added(
            &format!("[operators.x]\ninputs = ['a']\ntransform = 'x@1'\non_reject = 'skip'\nmax_rejects = {wrong}"),
            &[&format!("7:15: `max_rejects` in [operators.x] {message}")],
        );
    }
}

#[test]
fn inputs_exist_and_can_be_read() {
    check_added(
        "[operators.events]\ninputs = ['a']\nsql = 'SELECT 1'\n[sinks.o]\ntype = 'stdout'\ninputs = ['evnts']",
        &["8:11: [sinks.o] reads `evnts`, which is no source or operator; did you mean `events`? (known: `a`, \
             `events`)"],
    );
    check_added(
        "[operators.x]\ninputs = []\ntransform = 'x@1'\n[sinks.o]\ntype = 'stdout'\ninputs = []",
        &[
            "4:1: [operators.x] reads nothing: name a source or an operator in `inputs`",
            "8:1: [sinks.o] reads nothing: name a source or an operator in `inputs`",
        ],
    );
    check_added(
        "[operators.x]\ninputs = ['a', 'a', 'out', 'q']\ntransform = 'x@1'",
        &[
            "4:16: `inputs` of [operators.x] names `a` twice",
            "4:21: [operators.x] cannot read the sink `out`: name the source or operator that the sink reads",
            "4:28: [operators.x] reads `q`, which is no source or operator (known: `a`)",
        ],
    );
    let tables = "[tables.t]\npath = 't'\nformat = 'csv'\n";
    check_added(
        &format!(
            "{tables}[operators.x]\ninputs = ['t']\ntransform = 'x@1'\n[sinks.o]\ntype = 'stdout'\ninputs = ['t']"
        ),
        &[
            "7:11: [operators.x] cannot read the table `t`: only an operator with `sql` can, by its name",
            "11:11: [sinks.o] cannot read the table `t`: only an operator with `sql` can, by its name",
        ],
    );
    check_added(
        &format!("{tables}[operators.x]\ninputs = ['t']\nsql = 'SELECT * FROM t'"),
        &["7:1: [operators.x] reads only tables: name a source or an operator in `inputs`; every table is there \
             for its query anyway"],
    );
}

#[test]
fn loops_are_named_whole() {
    check_added(
        "[operators.x]\ninputs = ['x']\ntransform = 'x@1'",
        &["4:1: operators feed each other in a loop: x -> x; within a batch an operator cannot read what follows \
             from its own output"],
    );
    check_added(
        "[operators.c]\ninputs = ['b', 'd']\ntransform = 'x@1'\n[operators.b]\ninputs = ['c']\ntransform = 'x@1'\n\
         [operators.d]\ninputs = ['d', 'a']\ntransform = 'x@1'",
        &[
            "4:1: operators feed each other in a loop: c -> b -> c; within a batch an operator cannot read what \
             follows from its own output",
            "10:1: operators feed each other in a loop: d -> d; within a batch an operator cannot read what follows \
             from its own output",
        ],
    );
}

#[test]
fn batches_and_blocks_have_sensible_sizes() {
    check_added(
        "[batch]\ninterval = '5ms'\nblock_interval = '0s'\nblock_size = '0 B'",
        &[
            "4:1: `interval` in [batch] is 5ms; the shortest is 10ms",
            "5:1: `block_interval` in [batch] must be more than 0s",
            "6:1: `block_size` in [batch] must be more than 0 B",
        ],
    );
    check_added(
        "[batch]\ninterval = '10500us'",
        &["4:1: `interval` in [batch] is 10ms 500us; it must be a whole number of milliseconds"],
    );
    check_added("[batch]\ninterval = '2 days'", &["4:1: `interval` in [batch] is 2days; the longest is 1day"]);
    check_added(
        "[batch]\ninterval = '100ms'\nblock_interval = '200ms'\nblock_memory = '1 MiB'",
        &[
            "5:1: `block_interval` in [batch] is 200ms, longer than the `interval` of 100ms: a batch is made \
             of whole blocks",
            "6:1: `block_memory` in [batch] is 1 MiB, too little for one block of 4 MiB (`block_size`)",
        ],
    );
    check_added(
        "[batch.backpressure]\nproportional = -1\nmin_rate = '0/s'\ninitial_rate = '0/s'",
        &[
            "4:1: `proportional` in [batch.backpressure] must not be negative",
            "5:1: `min_rate` in [batch.backpressure] must be more than 0/s",
            "6:1: `initial_rate` in [batch.backpressure] must be more than 0/s",
        ],
    );
}

#[test]
fn sources_say_enough_and_not_too_much() {
    check_added(
        "[sources.b]\ntype = 'socket'",
        &["3:10: [sources.b] needs `connect` or `listen`, as in `connect = \"localhost:9999\"`"],
    );
    check_added(
        "[sources.b]\ntype = 'socket'\nconnect = 'b:1'\nlisten = 'b:1'",
        &["6:1: [sources.b] has both `connect` and `listen`: leave one out"],
    );
    check_added(
        "[sources.b]\ntype = 'socket'\nlisten = ':1'\nformat = 'json'\nmax_rate = '0/s'",
        &[
            "5:1: `listen` in [sources.b] must be a host and a port, as in \"localhost:9999\", not \":1\"",
            "6:1: [sources.b] needs a `schema`, as in `schema = { user = \"utf8\" }`: a socket has no first rows to \
             infer it from",
            "7:1: `max_rate` in [sources.b] must be more than 0/s",
        ],
    );
    check_added(
        "[sources.b]\ntype = 'http'\nlisten = 'b'\npath = 'rows?x=1'\nformat = 'json'\nmax_body = '2 GiB'\nmax_rate = '0/s'",
        &[
            "5:1: `listen` in [sources.b] must be a host and a port, as in \"localhost:9999\", not \"b\"",
            "6:1: `path` in [sources.b] must be the path of a URL, as in \"/rows\", not \"rows?x=1\": it begins with `/`, \
             and what is not plain ASCII is written with `%`",
            "7:1: [sources.b] needs a `schema`, as in `schema = { user = \"utf8\" }`: requests have no first rows to \
             infer it from",
            "8:1: `max_body` in [sources.b] must be from 1 B to 1 GiB, not 2 GiB",
            "9:1: `max_rate` in [sources.b] must be more than 0/s",
        ],
    );
    check_added(
        "[sources.b]\ntype = 'socket'\nconnect = 'b:0'",
        &["5:1: `connect` in [sources.b] must be a host and a port, as in \"localhost:9999\", not \"b:0\""],
    );
    check_added(
        "[sources.b]\ntype = 'file'\npath = ''\nwatch = true\nrate = '0/s'\nschema = { n = 'int64' }",
        &[
            "5:1: `path` in [sources.b] is empty",
            "7:1: `rate` in [sources.b] must be more than 0/s",
            "8:1: [sources.b] reads text, whose one column is `line` of type `utf8`: leave out `schema`, or say \
             `format`",
        ],
    );
    check_added(
        "[sources.b]\ntype = 'file'\npath = 'b'\nformat = 'csv'\nschema = {}",
        &["7:1: `schema` in [sources.b] has no columns: name some, or leave it out"],
    );
    check_added(
        "[tables.t]\npath = 't'\nformat = 'csv'\nschema = { a = 'binary', '' = 'utf8' }",
        &[
            "6:1: `schema` in [tables.t] has a column without a name",
            "6:12: the column `a` of [tables.t] is `binary`, which CSV cannot carry: make it `utf8`, or use json",
        ],
    );
    check_added(
        "[sources.b]\ntype = 'generator'\nrate = '1/s'\ncolumns = {}",
        &["6:1: [sources.b] makes rows without columns: add some, as in `columns.n = { kind = \"sequence\" }`"],
    );
    check_added(
        "[sources.b]\ntype = 'generator'\nrate = '1/s'\n[sources.b.columns]\n\
         i = { kind = 'integer', min = 1, max = 0 }\n\
         f = { kind = 'float', min = 1, max = 1 }\nc = { kind = 'choice', of = [] }",
        &[
            "7:1: the column `i` of [sources.b] cannot be made: `min` 1 is more than `max` 0",
            "8:1: the column `f` of [sources.b] cannot be made: `min` 1 is not less than `max` 1",
            "9:1: the column `c` of [sources.b] cannot be made: `of` has nothing to choose from",
        ],
    );
}

#[test]
fn two_sinks_do_not_share_a_folder() {
    check_added(
        "[sinks.o]\ntype = 'files'\npath = 'out'\ninputs = ['a']\n\
         [sinks.p]\ntype = 'files'\npath = './out/'\ninputs = ['a']",
        &["9:1: [sinks.p] writes into the folder of [sinks.o], where each batch has one place: give it another \
             `path`"],
    );
}

#[test]
fn everything_is_told_at_once_and_nothing_that_only_follows() {
    // The misspelt key is why x seems to be nothing, and is told alone; y is told all the same.
    check_added(
        "[batch]\nintervall = '1s'\n[operators.x]\ntransfrom = 'x@1'\ninputs = ['a']\n\
         [operators.y]\ninputs = ['nowhere']\nsql = 'SELECT 1'",
        &[
            "4:1: unknown key `intervall` in [batch]; did you mean `interval`? (known: `backpressure`, \
             `block_interval`, `block_memory`, `block_size`, `chunk_rows`, `interval`, `missed`, `partitions`, `remember`)",
            "6:1: unknown key `transfrom` in [operators.x]; did you mean `transform`? (known: `aggregate`, `config`, `initial`, `inputs`, `key`, `late`, \
             `limits`, `max_rejects`, `on_reject`, `partitions`, `remember`, `repartition`, `sample`, `snapshot`, `sql`, `state`, \
             `timeout`, `touch`, `transform`, `whole_partition`, `window`)",
            "9:11: [operators.y] reads `nowhere`, which is no source or operator (known: `a`, `x`)",
        ],
    );
}

#[test]
fn a_sink_over_a_network_knows_where_to_and_may_not_be_told_what_it_does_itself() {
    let sink = |keys: &str| format!("[sinks.o]\ninputs = ['a']\n{keys}");
    let postgres = |keys: &str| sink(&format!("type = 'postgres'\n{keys}"));
    let http = |keys: &str| sink(&format!("type = 'http'\n{keys}"));
    check_added(
        &postgres("url = 'postgres://u@h:high/d'\ntable = 'a.b.c'\nkey = ['k', '', 'k']"),
        &[
            "6:1: `url` in [sinks.o] is no address of a PostgreSQL database (invalid value for option `port`): write it as \
             postgres://USER:PASSWORD@HOST:PORT/DATABASE",
            "7:1: `table` in [sinks.o] must be `NAME` or `SCHEMA.NAME`",
            "8:13: `key` in [sinks.o] names a column without a name",
            "8:17: `key` in [sinks.o] names `k` twice",
        ],
    );
    check_added(
        &postgres("url = 'postgres://h/d?sslmode=require'\ntable = 't'"),
        &[
            "6:1: `url` in [sinks.o] requires TLS, which this sink does not have yet: leave out `sslmode`, and connect over \
             a network that you trust or through a tunnel",
        ],
    );
    check_added(
        &postgres("url = 'user=u'\ntable = 't'"),
        &["6:1: `url` in [sinks.o] has no host: write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE"],
    );
    check_added(
        &http("url = 'http://ann:secret@localhost/rows'"),
        &[
            "6:1: `url` in [sinks.o] has a user in it, which is not sent: write headers.Authorization = \"Basic ${NAME}\", \
           where NAME holds USER:PASSWORD in Base64",
        ],
    );
    check_added(
        &http(
            "url = 'localhost/rows'\ntimeout = '0s'\nmax_bytes = '0 B'\n[sinks.o.headers]\nHost = 'h'\n\
             'a b' = 'c'\nX = \"a\\nb\"",
        ),
        &[
            "6:1: `url` in [sinks.o] is no address to send to: write it as http://HOST:PORT/PATH",
            "7:1: `timeout` in [sinks.o] must be more than 0",
            "8:1: `max_bytes` in [sinks.o] must be more than 0",
            "10:1: `Host` cannot be set in [sinks.o.headers]: the sink sets it itself",
            "11:1: `a b` in [sinks.o.headers] cannot be the name of a header",
            "12:1: the value of `X` in [sinks.o.headers] cannot stand in a header: is there a line break?",
        ],
    );
    check_added(
        &http("url = 'https://example.org/'"),
        &[
            "6:1: `url` in [sinks.o] is https, which this sink does not have yet: send to a proxy on this machine that adds TLS",
        ],
    );
}

#[test]
fn a_sink_that_is_a_component_names_one_and_origins() {
    check_added(
        "[sinks.o]\ninputs = ['a']\ntype = 'component'\ncomponent = 'x'\ntimeout = '0s'\nlimits.fuel = 0",
        &[
            "6:1: `component` in [sinks.o]: `x` has no version: write it as `x@1.0.0`, or as `sha256:` and 64 hex digits",
            "7:1: `timeout` in [sinks.o] must be more than 0",
            "8:8: `fuel` in [sinks.o.limits] must be more than 0, or nothing can run",
        ],
    );
}
