//! Files that do not fit the schema, and in which words they are refused.

use super::{check, check_added};

#[test]
fn a_misspelt_type_is_named() {
    let told = "4:1: unknown key `typ` in [sources.b]; did you mean `type`?";
    check_added("[sources.b]\ntyp = 'file'\npath = 'b'", &[told]);
}

#[test]
fn what_is_not_toml_is_refused() {
    check("a = [1,\n", &["1:8: not TOML: unclosed array, expected `]`"]);
    check(
        "a = 1\na = 2\n[b\nc = ?\n",
        &["2:1: not TOML: duplicate key", "3:3: not TOML: unclosed table, expected `]`"],
    );
    // The keys of a doubled table say nothing more.
    check(
        "[a]\nb = 1\nc = 1\n  [a]\n  b = 1\n  c = 1\n  [d]\ne = 1\ne = 1\n",
        &["4:4: not TOML: duplicate key", "9:1: not TOML: duplicate key"],
    );
}

#[test]
fn an_unknown_key_gets_the_nearest_known_one() {
    check_added(
        "[batch]\nintervall = '1s'",
        &["4:1: unknown key `intervall` in [batch]; did you mean `interval`? (known: `backpressure`, \
             `block_interval`, `block_memory`, `block_size`, `chunk_rows`, `interval`, `missed`, `partitions`, `remember`)"],
    );
    check_added(
        "[batch.backpressure]\nenable = true",
        &["4:1: unknown key `enable` in [batch.backpressure]; did you mean `enabled`? (known: `derivative`, \
             `enabled`, `initial_rate`, `integral`, `min_rate`, `proportional`)"],
    );
    check_added(
        "[operators.x]\ntransfrom = 'x@1'\ninputs = ['a']",
        &[
            "4:1: unknown key `transfrom` in [operators.x]; did you mean `transform`? (known: `aggregate`, `config`, `initial`, `inputs`, `key`, `late`, \
             `limits`, `max_rejects`, `on_reject`, `partitions`, `remember`, `repartition`, `sample`, `snapshot`, `sql`, `state`, \
             `timeout`, `touch`, `transform`, `whole_partition`, `window`)",
        ],
    );
    check_added(
        "[operators.x]\ntransform = 'x@1'\ninputs = ['a']\nlimits.ram = '1 MiB'",
        &["6:8: unknown key `ram` in [operators.x.limits] (known: `fuel`, `memory`, `output`)"],
    );
    check_added(
        "[sources.b]\ntype = 'file'\nfile = 'b'",
        &[
            "3:10: missing key `path` in [sources.b]: The file or folder",
            "5:1: unknown key `file` in [sources.b] (known: `event_time`, `format`, \
             `max_files`, `max_rejects`, `on_reject`, `path`, `rate`, `remember`, `schema`, `type`, `watch`)",
        ],
    );
    check_added(
        "[sinks.o]\ntype = 'stdout'\ninput = ['a']",
        &["5:1: unknown key `input` in [sinks.o]; did you mean `inputs`? (known: `format`, `inputs`, `type`)"],
    );
    check(
        "[source.a]\ntype = 'file'\npath = 'a'\n[sinks.out]\ntype = 'stdout'\ninputs = ['a']",
        &[
            "1:2: unknown key `source`; did you mean `sources`? (known: `batch`, `checkpoint`, `name`, `operators`, `sinks`, \
             `sources`, `tables`)",
        ],
    );
}

#[test]
fn a_missing_key_is_named_with_its_table() {
    check(
        "",
        &[
            "1:1: missing key `sources`: Where rows come from, a table `[sources.NAME]` for each source",
            "1:1: missing key `sinks`: Where results go, a table `[sinks.NAME]` for each sink",
        ],
    );
    check_added(
        "[sources.b]\npath = 'b'",
        &["3:10: missing key `type` in [sources.b]: one of `file`, `socket`, `http`, `generator`"],
    );
    check_added(
        "[sources.b]\ntype = 'generator'\nrate = '1/s'",
        &["3:10: missing key `columns` in [sources.b]: The columns, a table `columns.NAME` for each, whose `kind` \
             says how it is made"],
    );
    check_added(
        "[sources.b]\ntype = 'generator'\nrate = '1/s'\ncolumns.x = {}",
        &["6:9: missing key `kind` in [sources.b.columns.x]: one of `sequence`, `integer`, `float`, `choice`, \
             `words`"],
    );
    check_added("[tables.t]\npath = 't'", &["3:9: missing key `format` in [tables.t]: How bytes become rows"]);
    check_added(
        "[operators.x]\ntransform = 'x@1'",
        &["3:12: missing key `inputs` in [operators.x]: Sources and operators whose rows come in"],
    );
}

#[test]
fn an_unknown_word_gets_the_nearest_known_one() {
    check_added(
        "[sources.b]\ntype = 'sockett'\nconnect = 'b:1'",
        &["4:8: unknown type `sockett` in [sources.b]; did you mean `socket`? (known: `file`, `socket`, \
             `http`, `generator`)"],
    );
    check_added(
        "[sources.b]\ntype = 'kafka'",
        &["4:8: unknown type `kafka` in [sources.b] (known: `file`, `socket`, `http`, `generator`)"],
    );
    check_added(
        "[sources.b]\ntype = 'generator'\nrate = '1/s'\ncolumns.x.kind = 'seqence'",
        &["6:18: unknown kind `seqence` in [sources.b.columns.x]; did you mean `sequence`? (known: `sequence`, \
             `integer`, `float`, `choice`, `words`)"],
    );
    check_added(
        "[tables.t]\npath = 't'\nformat = 'cvs'\nschema = { a = 'string' }",
        &[
            "5:10: unknown value `cvs` for `format` in [tables.t]; did you mean `csv`? (known: `text`, `json`, `csv`, \
             `parquet`)",
            "6:16: unknown value `string` for `a` in [tables.t.schema] (known: `boolean`, `int64`, `float64`, \
             `timestamp`, `utf8`, `binary`)",
        ],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_told_in_words_of_the_file() {
    check_added(
        "[batch]\ninterval = 5\npartitions = '4'\nchunk_rows = 0\nblock_size = 512",
        &[
            "4:12: `interval` in [batch] must be a string such as \"200ms\", not an integer",
            "5:14: `partitions` in [batch] must be an integer, not a string; leave out the quotes",
            "6:14: `chunk_rows` in [batch] must be at least 1, not 0",
            "7:14: `block_size` in [batch] must be a string such as \"64 MiB\", not an integer",
        ],
    );
    check_added(
        "[batch]\npartitions = 99999999999999999999\n[batch.backpressure]\nenabled = 1\nintegral = nan",
        &[
            "4:14: `partitions` in [batch] does not fit into 64 bits",
            "6:11: `enabled` in [batch.backpressure] must be true or false, not an integer",
            "7:12: `integral` in [batch.backpressure] must be a finite number",
        ],
    );
    check(
        "sources.b = 3\nsinks.out = 4\n[tables.t]\npath = ['t']\nformat = 1",
        &[
            "1:13: `b` in [sources] must be a table, not an integer",
            "2:13: `out` in [sinks] must be a table, not an integer",
            "4:8: `path` in [tables.t] must be a string, not an array",
            "5:10: `format` in [tables.t] must be one of `text`, `json`, `csv`, `parquet`, not an integer",
        ],
    );
    check_added(
        "[sources.b]\ntype = 1",
        &["4:8: `type` in [sources.b] must be one of `file`, `socket`, `http`, `generator`"],
    );
    check_added(
        "[operators.x]\ntransform = 'x@1'\ninputs = 'a'\nconfig = 'none'\nkey = ['k', 1]",
        &[
            "5:10: `inputs` in [operators.x] must be an array, not a string",
            "6:10: `config` in [operators.x] must be a table, not a string",
            "7:13: `key[1]` in [operators.x] must be a string, not an integer",
        ],
    );
    check_added(
        "[[operators.x]]\ntransform = 'x@1'\ninputs = ['a']",
        &["3:1: `x` in [operators] must be a table, not an array"],
    );
    check_added(
        "[operators.x]\ntransform = 'x@1'\ninputs = ['a']\nconfig.deep.rate = inf",
        &["6:20: `rate` in [operators.x.config.deep] must be a finite number"],
    );
    check_added("name = 2026-01-01", &["3:8: `name` must be a string, not a datetime"]);
}

#[test]
fn a_text_with_a_unit_says_what_would_do() {
    check_added(
        "[batch]\ninterval = '200'\nblock_size = '4 parsecs'\nbackpressure.min_rate = '5'",
        &[
            "4:12: `interval` in [batch]: `200` is not a length of time (time unit needed, for example 200sec or \
             200ms): write numbers with units, as in \"200ms\" or \"2m 30s\"",
            "5:14: `block_size` in [batch]: `4 parsecs` is not a number of bytes: write a number and a unit, as in \
             \"64 MiB\", \"1 GB\" or \"512 B\"",
            "6:25: `min_rate` in [batch.backpressure]: `5` is not a rate: write rows a second, minute or hour, as \
             in \"500/s\", \"1000/m\" or \"10/h\"",
        ],
    );
}

#[test]
fn a_location_of_no_kind_that_there_is_says_what_would_do() {
    let would_do = "write a folder, as in \"checkpoints\" or \"file:///srv/checkpoints\", or a bucket, as in \
                    \"s3://bucket/prefix\", \"gs://bucket/prefix\" or \"az://container/prefix\"";
    for (location, wrong) in [
        ("ftp://h/a", "there is no such kind of store"),
        ("s3://key:secret@b/a", "it has a user in it; credentials are taken from the environment"),
        ("", "it is empty"),
    ] {
        let written = location.replace("key:secret", "…");
        let told = format!("3:23: `location` in [checkpoint]: `{written}` is no place ({wrong}): {would_do}");
        check_added(&format!("checkpoint.location = '{location}'"), &[&told]);
    }
}

#[test]
fn a_substitution_that_cannot_be_made_is_refused() {
    check_added(
        "[sources.b]\ntype = 'socket'\nconnect = '${NO_HOST}:${NO_PORT}'",
        &[
            "5:12: `connect` in [sources.b]: the environment variable `NO_HOST` is not set; set it, or write \
             `${NO_HOST:-default}`",
            "5:23: `connect` in [sources.b]: the environment variable `NO_PORT` is not set; set it, or write \
             `${NO_PORT:-default}`",
        ],
    );
    check_added(
        "[operators.x]\ninputs = ['a']\nsql = '''\nSELECT *\nFROM a\nWHERE x = '${X}' '''",
        &["8:12: `sql` in [operators.x]: the environment variable `X` is not set; set it, or write `${X:-default}`"],
    );
    check_added(
        "[operators.x]\ninputs = ['${']\ntransform = 'x@${1}'",
        &[
            "4:11: `inputs[0]` in [operators.x]: a `${` is not closed; write `${NAME}`, or `$${` for the characters \
             themselves",
            "5:13: `transform` in [operators.x]: `${1}` is not a substitution; write `${NAME}` or \
             `${NAME:-default}` with a name of letters, digits and `_`, or `$${` for the characters themselves",
        ],
    );
    check_added(
        "[batch]\npartitions = '${HOST}'\nbackpressure.enabled = '${FOUR}'\nchunk_rows = '${ZERO:-0}'",
        &[
            "4:14: `partitions` in [batch] must be an integer, but its variable gives `example.org`",
            "5:24: `enabled` in [batch.backpressure] must be true or false, but its variable gives `4`",
            "6:14: `chunk_rows` in [batch] must be at least 1, not 0",
        ],
    );
    check_added(
        "[batch]\npartitions = ' ${FOUR}'",
        &["4:14: `partitions` in [batch] must be an integer, not a string"],
    );
}
