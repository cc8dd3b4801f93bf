//! Sinks that are components: what they may send, to whom, and what becomes of rows that are not delivered.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_tests::guests::{wasm, workspace};
use weir_tests::http::{free_address, post};
use weir_tests::receiver::Request;
use weir_tests::{Folder, Receiver, each};

/// Batches of three numbers, delivered by a component.
fn pipeline(component: &str, url: &str, allow: &str, more: &str) -> String {
    let allow = if allow.is_empty() { String::new() } else { format!("allow = [\"{allow}\"]") };
    format!(
        r#"
        name = "numbers"
        [sources.numbers]
        type = "generator"
        rate = "3/s"
        count = 5
        columns.n = {{ kind = "sequence" }}
        [sinks.out]
        type = "component"
        component = "{component}@0.1.0"
        inputs = ["numbers"]
        {allow}
        {more}
        [sinks.out.config]
        url = "{url}"
        "#
    )
}

/// The plugin that posts rows, allowed to send where it does.
fn webhook(receiver: &Receiver, more: &str) -> String {
    pipeline("webhook", &receiver.url("/rows?x=1"), &receiver.url(""), more)
}

/// The sink that breaks rules, allowed to send where it does.
fn evil(deed: &str, receiver: &Receiver, more: &str) -> String {
    pipeline("evil-sink", &receiver.url("/"), &receiver.url(""), more) + &format!("do = \"{deed}\"\n")
}

/// A receiver that gives these answers in turn, and is content from then on.
fn receiver(answers: &[&str]) -> Receiver {
    let mut answers: Vec<String> = answers.iter().rev().map(|&answer| answer.to_owned()).collect();
    let mut next = move || answers.pop().unwrap_or_else(|| "204 No Content".to_owned());
    Receiver::answering(move |_| (next(), String::new()))
}

/// Part and rows of requests.
fn told(requests: &[Request]) -> Vec<(&str, &str)> {
    requests.iter().map(|request| (request.header("idempotency-key"), request.body.as_str())).collect()
}

const FIRST: (&str, &str) = ("numbers/out/1000/0/0-1", "{\"n\":0}\n{\"n\":1}\n");
const SECOND: (&str, &str) = ("numbers/out/1000/0/2-2", "{\"n\":2}\n");
const THIRD: (&str, &str) = ("numbers/out/2000/0/0-1", "{\"n\":3}\n{\"n\":4}\n");

#[test]
fn given_a_component_when_batches_are_delivered_then_each_row_is_sent_once_in_calls_that_name_their_rows() {
    let (folder, receiver) = (Folder::new(), receiver(&[]));
    let pipeline = webhook(&receiver, "max_rows = 2");
    folder.run_once(&pipeline).ok();
    let requests = receiver.rest();
    assert_eq!(told(&requests), [FIRST, SECOND, THIRD]);
    for request in &requests {
        assert_eq!(request.line, "POST /rows?x=1 HTTP/1.1");
        assert_eq!(request.header("content-type"), "application/x-ndjson");
    }
    // The same batches again are the same calls, for the receiver to know.
    folder.run_once(&pipeline).ok();
    assert_eq!(told(&receiver.rest()), [FIRST, SECOND, THIRD]);
}

#[test]
fn given_an_origin_that_is_not_granted_when_rows_are_sent_then_the_run_stops_and_nothing_was_sent() {
    let (folder, receiver) = (Folder::new(), receiver(&[]));
    let url = receiver.url("/rows");
    let (granted, other_port) = (receiver.url(""), "http://127.0.0.1:1");
    let not = format!("{granted} is not among `allow` of [sinks.out]: add it there");
    each(["", other_port, "http://localhost"], |allow| {
        let says = ["sink `out`: delivering batch 1970-01-01T00:00:01.000Z with webhook@0.1.0", "rows 0 to 2", &not];
        folder.run_once(&pipeline("webhook", &url, allow, "")).refused(&says);
        assert_eq!(receiver.rest(), []);
    });
    // A host's name in the user's place is still no host.
    let elsewhere = url.replace("http://", &format!("{granted}@"));
    folder.run_once(&pipeline("webhook", &elsewhere, &granted, "")).refused(&["the URL"]);
    assert_eq!(receiver.rest(), []);
    folder.run_once(&pipeline("webhook", &url, &granted, "")).ok();
    assert_eq!(receiver.rest().len(), 2);
}

#[test]
fn given_a_receiver_that_is_busy_when_rows_are_sent_then_calls_that_went_well_are_not_made_again() {
    let folder = Folder::new();
    let receiver = receiver(&["200 OK", "503 Service Unavailable", "429 Too Many Requests", "200 OK"]);
    let finished = folder.run_once(&webhook(&receiver, "max_rows = 2")).ok();
    assert_eq!(told(&receiver.rest()), [FIRST, SECOND, SECOND, SECOND, THIRD]);
    let count = |text: &str| finished.stderr.matches(text).count();
    assert_eq!(count("the sink is not available; the batch waits for it"), 1, "{}", finished.stderr);
    assert_eq!(count("it answers 503"), 1, "{}", finished.stderr);
    assert_eq!(count("the sink is available again"), 1, "{}", finished.stderr);
}

#[test]
fn given_nobody_to_send_to_when_somebody_comes_then_the_host_has_waited_and_all_rows_are_delivered() {
    let folder = Folder::new();
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = format!("http://{address}");
    let batch = "batch = { interval = \"100ms\" }\n";
    let mut host = folder.start(&(batch.to_owned() + &pipeline("webhook", &origin, &origin, ""))).started();
    host.wait_for("the outage", |event| event.is("the sink is not available; the batch waits for it"));
    let receiver = Receiver::at(&address.to_string(), |_| ("200 OK".to_owned(), String::new()));
    let mut rows = String::new();
    while rows.lines().count() < 5 {
        rows += &receiver.next().body;
    }
    assert_eq!(rows, (0..5).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>());
    host.terminate();
    host.finish().ok();
    assert_eq!(receiver.rest(), []);
}

#[test]
fn given_a_component_that_goes_wrong_when_rows_are_delivered_then_the_error_names_sink_component_batch_and_way_out() {
    let cases = [
        ("panic", "", "no rows today"),
        ("spin", "limits.fuel = 10_000_000", "raise `limits.fuel`"),
        ("grab", "limits.memory = \"16 MiB\"", "raise `limits.memory`"),
        ("reject-none", "", "row 3 rejected of a chunk of 3 rows"),
        ("send-much", "limits.output = \"2 MiB\"", "raise `limits.output`"),
        ("other-host", "", "the header `host` is set by the host"),
        ("split-header", "", "is there a line break?"),
        ("other-method", "", "the method `CONNECT` cannot be sent"),
    ];
    let (folder, receiver) = (Folder::new(), receiver(&[]));
    each(cases, |(deed, more, says)| {
        let named = "sink `out`: delivering batch 1970-01-01T00:00:01.000Z with evil-sink@0.1.0 (";
        let way_out = "name a version in `component` of [sinks.out]";
        folder.run_once(&evil(deed, &receiver, more)).refused(&[named, says, way_out]);
        assert_eq!(receiver.rest(), []);
    });
}

#[test]
fn given_a_component_that_cannot_be_configured_when_checked_then_it_is_refused_as_when_it_runs() {
    let (folder, receiver) = (Folder::new(), receiver(&[]));
    let cases = [
        ("send-early", "nothing can be sent before `write`"),
        ("read-none", "column 1000 of an input of 1 columns"),
        ("nothing", "unknown variant `nothing`"),
    ];
    each(cases, |(deed, says)| {
        folder.run_once(&evil(deed, &receiver, "")).refused(&["sink `out`", "evil-sink@0.1.0", says]);
        folder.weir(&["check", "p.toml"]).refused(&["sink `out`", "evil-sink@0.1.0", says]);
        assert_eq!(receiver.rest(), []);
    });
}

#[test]
fn given_a_redirect_to_another_origin_when_rows_are_sent_then_nothing_is_sent_there() {
    let (folder, other) = (Folder::new(), receiver(&[]));
    let answer = format!("307 Temporary Redirect\r\nLocation: {}", other.url("/elsewhere"));
    let moved = receiver(&[&answer, &answer]);
    folder.run_once(&webhook(&moved, "")).refused(&["it answers 307", &other.url("/elsewhere")]);
    // One that follows by itself is held to the same grants.
    let denied = format!("{} is not among `allow`", other.url(""));
    folder.run_once(&evil("follow", &moved, "")).refused(&[&denied]);
    assert_eq!((moved.rest().len(), other.rest().len()), (2, 0));
}

#[test]
fn given_rows_that_the_component_rejects_when_delivered_then_the_run_stops_or_goes_on_without_them() {
    let (folder, receiver) = (Folder::new(), receiver(&[]));
    let says = ["the component does not take a row: row 1 is odd", "the row: {\"n\":1}", "`on_reject` of [sinks.out]"];
    folder.run_once(&evil("reject", &receiver, "")).refused(&says);
    let finished = folder.run_once(&evil("reject", &receiver, "on_reject = \"skip\"")).ok();
    assert_eq!(finished.stderr.matches("rows that the sink does not take are left out").count(), 2);
}

#[test]
fn given_pipelines_with_components_as_sinks_when_checked_then_what_is_granted_is_told_and_mistakes_are_found() {
    let folder = Folder::new();
    let checked = |pipeline: &str| {
        folder.write("p.toml", pipeline);
        folder.weir(&["check", "p.toml"])
    };
    let (url, origin) = ("http://example.org:8080/rows", "http://example.org:8080");
    let sound = checked(&pipeline("webhook", url, origin, "")).ok();
    let line = "sink out (webhook@0.1.0): takes numbers; at least once, in calls that name their rows; may send to \
                http://example.org:8080\n";
    assert!(sound.stdout.ends_with(line), "{}", sound.stdout);
    let sound = checked(&pipeline("webhook", url, "", "")).ok();
    assert!(sound.stdout.ends_with("may send to nobody: `allow` is empty\n"), "{}", sound.stdout);
    let warned = checked(&pipeline("webhook", url, "https://example.org", "")).ok();
    assert!(warned.stderr.contains("may send to https://example.org, but sinks have no TLS yet"), "{}", warned.stderr);

    let words = pipeline("words", url, origin, "");
    checked(&words).refused(&[
        "sink `out`",
        "words@0.1.0",
        "world `transform`, not `sink`",
        "`transform = \"words@0.1.0\"`",
    ]);
    checked(&pipeline("wehbook", url, origin, "")).refused(&["sink `out`", "did you mean webhook@0.1.0?"]);
    checked(&pipeline("webhook", url, url, ""))
        .refused(&["`http://example.org:8080/rows` is no origin", "all its paths"]);
    checked(&pipeline("webhook", url, origin, "allowed = []")).refused(&["`allowed`", "did you mean `allow`?"]);
    let transform = "[sources.a]\ntype = 'generator'\nrate = '1/s'\ncolumns.n = { kind = 'sequence' }\n\
                     [operators.b]\ntransform = 'webhook@0.1.0'\ninputs = ['a']\n\
                     [sinks.c]\ntype = 'stdout'\ninputs = ['b']\n";
    checked(transform).refused(&["operator `b`", "world `sink`, not `transform`", "a sink of the type `component`"]);
}

#[test]
fn given_an_operator_that_wants_to_send_when_registered_then_it_is_refused_and_a_sink_may() {
    let folder = Folder::empty();
    let register = |file: &str| folder.weir(&["plugin", "register", file, "--name", "suspect", "--version", "1"]);
    // But for its import it is a true transform.
    let text = fs::read_to_string(workspace().join("tests/wat/wasi-importer.wat")).unwrap();
    let importer = text.replace("wasi:clocks/wall-clock@0.2.6", "weir:operator/http@0.1.0");
    folder.write("sending.wasm", wat::parse_str(importer).expect("it is sound"));
    let says = ["`weir:operator/http@0.1.0`", "pure function", "a component of the world `sink` may import it"];
    register("sending.wasm").refused(&says);
    // So is a module that calls it and says of itself that it is a transform.
    let module = r#"(module (import "weir:operator/http@0.1.0" "send" (func (param i32 i32)))
        (func (export "weir:operator/transform@0.1.0#apply")) (@custom "component-type:suspect" ""))"#;
    folder.write("sending.wasm", wat::parse_str(module).expect("it is sound"));
    register("sending.wasm").refused(&says);

    let registered = register(&wasm("webhook").display().to_string()).ok().stdout;
    assert!(registered.starts_with("suspect@1 registered: sink, "), "{registered}");
}

#[test]
fn given_a_sink_when_it_is_tried_then_what_it_would_send_is_printed_and_sent_only_where_it_is_allowed() {
    let (folder, receiver) = (Folder::empty(), receiver(&[]));
    folder.write("lines.txt", "to be\nor not\n");
    let file = wasm("webhook").display().to_string();
    let config = format!("{{\"url\": \"{}\"}}", receiver.url("/rows"));
    let tried = |more: &[&str]| {
        let args = ["plugin", "test", &file, "--input", "lines.txt", "--config", &config];
        folder.weir(&[&args[..], more].concat())
    };
    let head = format!("POST {}\nContent-Type: application/x-ndjson\nIdempotency-Key: ", receiver.url("/rows"));
    let body = "\n\n{\"line\":\"to be\"}\n{\"line\":\"or not\"}\n\n";
    let finished = tried(&[]).ok();
    let printed = finished.stdout;
    assert!(printed.starts_with(&head) && printed.ends_with(body), "{printed}");
    assert_eq!(printed.lines().count(), 7, "{printed}");
    assert!(finished.stderr.starts_with("2 rows in, 1 request, 0 rejected; "), "{}", finished.stderr);
    assert_eq!(receiver.rest(), []);

    let denied = format!("{} is not among --allow", receiver.url(""));
    tried(&["--allow", "http://example.org"]).refused(&[&denied]);
    assert_eq!(receiver.rest(), []);
    assert_eq!(tried(&["--allow", &receiver.url("")]).ok().stdout, printed);
    assert_eq!(told(&receiver.rest()), [("test/test/1000/0/0-1", "{\"line\":\"to be\"}\n{\"line\":\"or not\"}\n")]);

    assert_eq!(tried(&["--allow", "example.org"]).status.code(), Some(2));
    tried(&["--key", "line"]).refused(&["is a sink", "--key"]);
    let words = wasm("words").display().to_string();
    let args = ["plugin", "test", &words, "--input", "lines.txt", "--allow", "http://example.org"];
    folder.weir(&args).refused(&["world `transform`, which sends nothing"]);
}

#[test]
fn given_a_running_sink_when_component_and_grants_are_swapped_then_the_change_is_told_and_what_is_not_granted_waits() {
    let (folder, receiver, free) = (Folder::new(), receiver(&[]), free_address());
    let text = |interval: &str| {
        let (url, allow) = (receiver.url("/rows"), receiver.url(""));
        format!(
            "name = \"numbers\"\n[batch]\ninterval = \"{interval}\"\n[sources.numbers]\ntype = \"http\"\nlisten = \"{free}\"\n\
             format = \"json\"\nschema = {{ n = \"int64\" }}\n[sinks.out]\ntype = \"component\"\ncomponent = \"webhook@0.1.0\"\n\
             inputs = [\"numbers\"]\nallow = [\"{allow}\"]\nconfig = {{ url = \"{url}\" }}\n"
        )
    };
    let post_row = |n: u64| drop(post(&format!("http://{free}/"), None, format!("{{\"n\":{n}}}\n")));
    let bodies = || receiver.rest().into_iter().map(|request| request.body).collect::<Vec<_>>();
    let granted = receiver.url("");
    let webhook = wasm("webhook");
    folder.weir(&["plugin", "register", webhook.to_str().unwrap(), "--name", "hook", "--version", "2.0.0"]).ok();
    let mut host = folder.start(&text("100ms")).started();
    post_row(0);
    host.rows_in(1);
    let swap = |args: &[&str]| folder.weir(&[&["swap", "out"], args].concat());
    let swapped = swap(&["hook@2.0.0"]).ok().stdout;
    assert!(
        swapped.contains("sink `out` runs hook@2.0.0 (") && swapped.contains("before: webhook@0.1.0 ("),
        "{swapped}"
    );
    assert!(swapped.contains(&format!("it may send to {granted}, as before")), "{swapped}");
    post_row(1);
    host.rows_in(1);
    swap(&["webhook@0.1.0", "--trial", "3"]).refused(&["`out` is a sink, which cannot be tried"]);
    let watched = "`out` is a sink, which is not watched";
    swap(&["hook@2.0.0", "--watch", "3"]).refused(&[watched, "leave --watch and --max-traps out"]);
    swap(&["hook@2.0.0", "--max-traps", "3"]).refused(&[watched]);
    swap(&["--back"]).refused(&["name the component that `out` is to go back to"]);
    swap(&["hashtags@0.1.0"]).refused(&["world `transform`, not `sink`"]);
    let swapped = swap(&["hook@2.0.0", "--allow", "http://127.0.0.1:1"]).ok().stdout;
    assert!(swapped.contains("+ it may send to http://127.0.0.1:1\n"), "{swapped}");
    assert!(swapped.contains(&format!("- it may not send to {granted} any more\n")), "{swapped}");
    let status = folder.weir(&["status"]).ok().stdout;
    assert!(
        status.contains("sink out (hook@2.0.0, ") && status.contains("may send to http://127.0.0.1:1\n"),
        "{status}"
    );
    post_row(2);
    let denied = "is not among what the last swap of the sink has granted (`weir swap out hook@2.0.0 --allow …`)";
    host.finish().refused(&[denied, "when anything that the pipeline file says has changed"]);
    assert_eq!(bodies(), ["{\"n\":0}\n", "{\"n\":1}\n"]);

    // What was swapped in stays as long as the pipeline does, whatever became of its name; the row is not lost.
    folder.weir(&["plugin", "remove", "hook@2.0.0"]).ok();
    folder.start(&text("100ms")).finish().refused(&["with hook@2.0.0 (", denied]);
    let mut host = folder.start(&text("50ms")).started();
    let dropped = "the sink runs what the pipeline file names, not what had been swapped in";
    let told = host.seen(dropped).next().expect("it is told");
    assert_eq!((&told.fields["runs"], &told.fields["swapped_in"]), (&"webhook@0.1.0".into(), &"hook@2.0.0".into()));
    host.wait_for("the batch that waited", |event| event.is("batch committed"));
    host.terminate();
    host.finish().ok();
    assert_eq!(bodies(), ["{\"n\":2}\n"]);
}

#[test]
fn given_a_batch_that_waits_for_a_sink_when_that_is_swapped_then_the_new_one_goes_on_with_it_at_once() {
    let (folder, free) = (Folder::new(), free_address());
    // The second request, and all that come again for it, are put off until the sink is well.
    let well = Arc::new(AtomicBool::new(false));
    let (is_well, mut first) = (well.clone(), true);
    let receiver = Receiver::answering(move |_| {
        let taken = std::mem::take(&mut first) || is_well.load(Ordering::SeqCst);
        (if taken { "204 No Content" } else { "503 Busy" }.to_owned(), String::new())
    });
    let mut hook = fs::read(wasm("webhook")).unwrap();
    // A custom section, which changes nothing but the digest.
    hook.extend_from_slice(&[0, 2, 1, b'x']);
    folder.write("hook.wasm", hook);
    folder.weir(&["plugin", "register", "hook.wasm", "--name", "hook", "--version", "2.0.0"]).ok();
    let text = format!(
        "name = \"numbers\"\nbatch = {{ interval = \"100ms\" }}\n[sources.numbers]\ntype = \"http\"\nlisten = \"{free}\"\n\
         format = \"json\"\nschema = {{ n = \"int64\" }}\n[sinks.out]\ntype = \"component\"\ncomponent = \"webhook@0.1.0\"\n\
         inputs = [\"numbers\"]\nmax_rows = 1\nallow = [\"{}\"]\nconfig = {{ url = \"{}\" }}\n",
        receiver.url(""),
        receiver.url("/rows")
    );
    let mut host = folder.start(&text).started();
    post(&format!("http://{free}/"), None, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
    host.wait_for("the outage", |event| event.is("the sink is not available; the batch waits for it"));
    let status = || folder.weir(&["status"]).ok().stdout;
    let waits = "sink out is not available, and batch ";
    assert!(status().contains(waits) && status().contains("with webhook@0.1.0 ("), "{}", status());

    let swapped = folder.weir(&["swap", "out", "hook@2.0.0"]).ok().stdout;
    assert!(swapped.contains(", which waits for the sink, is delivered by hook@2.0.0 from here on\n"), "{swapped}");
    let mut requests = receiver.rest();
    // One that was under way may be among them.
    requests.extend((0..3).map(|_| receiver.next()));
    assert!(status().contains(waits) && status().contains("with hook@2.0.0 ("), "{}", status());
    well.store(true, Ordering::SeqCst);
    host.rows_in(3);
    assert!(!status().contains(waits), "{}", status());
    post(&format!("http://{free}/"), None, "{\"n\":3}\n");
    host.rows_in(1);
    host.terminate();
    host.finish().ok();
    requests.extend(receiver.rest());

    // Those that went well are not sent again; those that come again are the same.
    let mut told: Vec<_> = told(&requests);
    assert!(told.len() > 6, "{told:?}");
    told.dedup();
    assert_eq!(told.iter().map(|(_, body)| *body).collect::<String>(), "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
}
