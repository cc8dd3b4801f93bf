//! What the glue of an operator with state promises: the answer to one call, value by value, and runs of batches against
//! a model.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde::Deserialize;
use weir_guest::bindings::rows::{Batch, Column, DataType, Field, Reject, Values, VarLen};
use weir_guest::bindings::state::{Fate, Touched, Updated};
use weir_guest::state::{self, Cause, Group, Next, Shape, State, Turn, update};
use weir_guest::{Record, Timestamp, batch_time, testing};

/// Adds up orders of a shop's customers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    /// Higher amounts are rejected.
    #[serde(default = "unlimited")]
    limit: i64,
}

fn unlimited() -> i64 {
    i64::MAX
}

#[derive(Record)]
struct Customer<'a> {
    name: &'a str,
}

#[derive(Record)]
struct Order<'a> {
    amount: i64,
    then: Option<&'a str>,
}

#[derive(Record, Debug, Clone, Default, PartialEq)]
struct Sum {
    total: i64,
    last: Option<String>,
}

#[derive(Record)]
struct Line<'a> {
    cause: &'a str,
    who: &'a str,
    what: Option<&'a str>,
    sum: i64,
}

fn label(cause: Cause) -> &'static str {
    match cause {
        Cause::Rows => "rows",
        Cause::Idle => "idle",
        Cause::Timer => "timer",
        Cause::All => "all",
    }
}

#[weir_guest::state]
impl State for Ledger {
    type Key<'a> = Customer<'a>;
    type Input<'a> = Order<'a>;
    type State = Sum;
    type Output<'a> = Line<'a>;

    const VERSION: u32 = 7;

    /// A line for each order, or for the call if it has none. The last order says what becomes of the customer: `leave`,
    /// `forget me`, or `wake` after so many microseconds as the amount.
    fn update<'a>(
        &self,
        customer: Customer<'a>,
        sum: Option<Sum>,
        orders: &mut Group<'a, Order<'a>>,
        turn: &mut Turn<'a, Line<'a>>,
    ) -> Next<Sum> {
        let (cause, who) = (label(turn.cause()), customer.name);
        let mut sum = sum.unwrap_or_default();
        if orders.is_empty() {
            turn.emit(Line { cause, who, what: None, sum: sum.total });
        }
        let mut last = None;
        while let Some(order) = orders.next() {
            if order.amount > self.limit {
                orders.reject(format!("{} is above {}", order.amount, self.limit));
                continue;
            }
            sum.total += order.amount;
            turn.emit(Line { cause, who, what: order.then, sum: sum.total });
            last = Some(order);
        }
        match last {
            None | Some(Order { then: Some("leave"), .. }) => Next::Unchanged,
            Some(Order { then: Some("forget me"), .. }) => Next::Remove,
            Some(Order { then, amount }) => {
                if then == Some("wake") {
                    turn.wake_at(batch_time() + Duration::from_micros(amount as u64));
                }
                sum.last = then.map(str::to_owned);
                Next::Keep(sum)
            }
        }
    }
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field { name: name.to_owned(), data_type, nullable }
}

fn keys() -> Vec<Field> {
    vec![field("shop", DataType::Int64, true), field("name", DataType::Utf8, true)]
}

fn input() -> Vec<Field> {
    vec![
        field("then", DataType::Utf8, true),
        field("at", DataType::Timestamp, true),
        field("amount", DataType::Int64, true),
    ]
}

#[test]
fn a_shape_names_what_is_read_kept_and_answered() {
    let shape = Shape {
        reads: Some(vec![2, 0]),
        state: vec![field("total", DataType::Int64, false), field("last", DataType::Utf8, true)],
        version: 7,
        output: vec![
            field("cause", DataType::Utf8, false),
            field("who", DataType::Utf8, false),
            field("what", DataType::Utf8, true),
            field("sum", DataType::Int64, false),
        ],
    };
    assert_eq!(update::configure::<Ledger>("{}", &keys(), &input()).map(|(_, shape)| shape), Ok(shape));
}

#[test]
fn a_pipeline_that_does_not_fit_is_refused() {
    #[track_caller]
    fn refused(config: &str, keys: &[Field], input: &[Field], why: &str) {
        assert_eq!(update::configure::<Ledger>(config, keys, input).expect_err("it does not fit"), why);
    }
    refused(
        "{}",
        &keys()[..1],
        &input(),
        "the key has no column `name` (utf8), which the operator reads; it has `shop` (int64)",
    );
    refused(
        "{}",
        &[field("name", DataType::Int64, false)],
        &input(),
        "the operator reads column `name` as utf8, but in the key it is int64; the key has `name` (int64)",
    );
    refused(
        "{}",
        &keys(),
        &input()[..1],
        "the input has no column `amount` (int64), which the operator reads; it has `then` (utf8)",
    );
    refused(
        r#"{"limt": 3}"#,
        &keys(),
        &input(),
        "the operator's config is not valid: unknown field `limt`, expected `limit`",
    );
}

fn text(values: &[Option<&str>]) -> Column {
    let mut all = VarLen { offsets: vec![0], data: Vec::new() };
    for value in values {
        all.data.extend(value.unwrap_or_default().as_bytes());
        all.offsets.push(all.data.len() as i32);
    }
    Column { values: Values::Utf8(all), validity: validity(values) }
}

fn ints(values: &[Option<i64>]) -> Column {
    let all = values.iter().map(|value| value.unwrap_or_default()).collect();
    Column { values: Values::Int64(all), validity: validity(values) }
}

/// None where there is no null.
fn validity<T>(values: &[Option<T>]) -> Option<Vec<u8>> {
    let bits = values.iter().enumerate().fold(0, |bits, (row, value)| bits | u8::from(value.is_some()) << row);
    values.iter().any(Option::is_none).then_some(vec![bits])
}

/// Five keys: one that is kept, with a timer and a reject; one that leaves all as it is; one without a name; one that is
/// due; one that is forgotten.
fn touched() -> Touched {
    Touched {
        keys: Batch {
            row_count: 5,
            columns: vec![ints(&[Some(1); 5]), text(&[Some("ann"), Some("bob"), None, Some("cid"), Some("dan")])],
        },
        groups: vec![0, 3, 5, 7, 7, 8],
        input: Batch {
            row_count: 8,
            columns: vec![
                ints(&[Some(5), Some(2001), Some(1001), Some(1), None, Some(1), Some(2), Some(3)]),
                text(&[None, None, Some("wake"), Some("leave"), None, None, None, Some("forget me")]),
            ],
        },
        previous: Batch {
            row_count: 5,
            columns: vec![
                ints(&[Some(0), Some(20), Some(30), Some(40), Some(50)]),
                text(&[None, Some("x"), None, Some("y"), Some("z")]),
            ],
        },
        present: vec![0b11110],
        causes: vec![Cause::Rows, Cause::Timer, Cause::Rows, Cause::Idle, Cause::Rows],
    }
}

fn answer(config: &str, touched: Touched) -> Result<Updated, String> {
    let (operator, _) = update::configure::<Ledger>(config, &keys(), &input())?;
    weir_guest::set_batch_time(Timestamp::from_millis(10));
    update::update(&operator, &state::Touched::new(touched)?)
}

#[test]
fn an_answer_has_an_entry_for_each_key_and_rows_in_their_order() {
    let expected = Updated {
        next: Batch {
            row_count: 5,
            columns: vec![
                ints(&[Some(1006), Some(0), Some(0), Some(0), Some(0)]),
                text(&[Some("wake"), None, None, None, None]),
            ],
        },
        fates: vec![Fate::Keep, Fate::Unchanged, Fate::Unchanged, Fate::Unchanged, Fate::Remove],
        // 10 ms and 1001 µs, rounded up.
        timers: vec![12, 0, 0, 0, 0],
        output: Batch {
            row_count: 5,
            columns: vec![
                text(&[Some("rows"), Some("rows"), Some("timer"), Some("idle"), Some("rows")]),
                text(&[Some("ann"), Some("ann"), Some("bob"), Some("cid"), Some("dan")]),
                text(&[None, Some("wake"), Some("leave"), None, Some("forget me")]),
                ints(&[Some(5), Some(1006), Some(21), Some(40), Some(53)]),
            ],
        },
        output_from: vec![0, 0, 1, 3, 4],
        rejects: [
            (1, "2001 is above 2000"),
            (4, "column `amount` is null"),
            (5, "the key's column `name` is null"),
            (6, "the key's column `name` is null"),
        ]
        .map(|(row, reason)| Reject { row, reason: reason.to_owned() })
        .to_vec(),
    };
    assert_eq!(answer(r#"{"limit": 2000}"#, touched()), Ok(expected));
}

#[test]
fn keys_without_an_entry_for_each_are_refused() {
    #[track_caller]
    fn refused(change: impl Fn(&mut Touched), why: &str) {
        let mut touched = touched();
        change(&mut touched);
        assert_eq!(answer("{}", touched), Err(why.to_owned()));
    }
    refused(|touched| touched.causes.truncate(4), "4 causes for 5 keys");
    refused(|touched| touched.groups.truncate(5), "4 ends of groups for 5 keys");
    refused(|touched| touched.groups[5] = 7, "groups that do not cut 8 rows into parts");
    refused(|touched| touched.present.clear(), "0 bytes of `present` for 5 keys");
    refused(|touched| touched.previous = Batch { row_count: 4, columns: vec![] }, "4 states for 5 keys");
    refused(|touched| touched.keys.row_count = 4, "keys: column 0: 5 values for 4 rows");
    refused(|touched| touched.previous.columns[0] = ints(&[None; 5]), "a state's column `total` is null");
}

/// Where a timer may be set to, and the milliseconds that cross.
#[test]
fn a_timer_is_rounded_up_and_never_none() {
    #[derive(Deserialize)]
    struct WakeAt;

    #[derive(Record)]
    struct Micros {
        at: Timestamp,
    }

    #[weir_guest::state]
    impl State for WakeAt {
        type Key<'a> = ();
        type Input<'a> = Micros;
        type State = ();
        type Output<'a> = ();

        fn update<'a>(&self, (): (), _: Option<()>, rows: &mut Group<'a, Micros>, turn: &mut Turn<'a, ()>) -> Next<()> {
            rows.for_each(|row| turn.wake_at(row.at));
            Next::Keep(())
        }
    }

    let micros = [i64::MIN, -1, 0, 1, 1000, 1001, i64::MAX];
    let at = Column { values: Values::Timestamp(micros.to_vec()), validity: None };
    let none = || Batch { row_count: 7, columns: vec![] };
    let touched = Touched {
        keys: none(),
        groups: (0..=7).collect(),
        input: Batch { row_count: 7, columns: vec![at] },
        previous: none(),
        present: vec![0],
        causes: vec![Cause::Rows; 7],
    };
    let (operator, _) =
        update::configure::<WakeAt>("", &[], &[field("at", DataType::Timestamp, false)]).expect("it can be configured");
    let touched = state::Touched::new(touched).expect("it is sound");
    let updated = update::update(&operator, &touched).expect("it answers");
    assert_eq!(updated.timers, [1, 1, 1, 1, 1, 2, i64::MAX as u64 / 1000 + 1]);
    assert_eq!((updated.next, updated.output.row_count), (none(), 0));
}

/// All columns of a key.
#[derive(Record, Debug, Clone, PartialEq)]
struct Account {
    shop: i64,
    name: Option<String>,
}

/// All columns of a row.
#[derive(Record, Debug, Clone)]
struct Row {
    then: Option<String>,
    at: i64,
    amount: Option<i64>,
}

#[derive(Record, Debug, PartialEq)]
struct Printed {
    shop: i64,
    cause: String,
    who: String,
    what: Option<String>,
    sum: i64,
}

#[derive(Record, Debug, PartialEq)]
struct Kept {
    shop: i64,
    name: Option<String>,
    total: i64,
    last: Option<String>,
}

fn row(amount: i64, then: &str) -> Row {
    Row { then: (!then.is_empty()).then(|| then.to_owned()), at: 0, amount: Some(amount) }
}

fn account(name: &str) -> Account {
    Account { shop: 1, name: Some(name.to_owned()) }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Each printed line as `cause who sum`.
fn printed(answer: &testing::Answer) -> Result<Vec<String>, String> {
    let line = |line: Printed| format!("{} {} {}", line.cause, line.who, line.sum);
    Ok(answer.rows::<Printed>()?.into_iter().map(line).collect())
}

#[test]
fn keys_are_called_when_they_have_rows_or_are_due() -> Result<(), String> {
    let mut run = testing::state::<Ledger>().timeout(Duration::from_millis(100));
    let answer =
        run.batch(at(10), [(account("bob"), vec![row(1, ""), row(2, "")]), (account("ann"), vec![row(3, "")])])?;
    assert_eq!(answer.columns(), ["shop", "name", "cause", "who", "what", "sum"]);
    assert_eq!(printed(&answer)?, ["rows bob 1", "rows bob 3", "rows ann 3"]);

    // A timer goes before a timeout and comes once; a key that is due and has rows is called once, with them.
    run.batch(at(20), [(account("ann"), vec![row(80_000, "wake")])])?;
    assert_eq!(printed(&run.batch_without_rows(at(99))?)?, Vec::<String>::new());
    assert_eq!(printed(&run.batch(at(100), [(account("ann"), vec![row(7, "leave")])])?)?, ["timer ann 80010"]);
    assert_eq!(printed(&run.batch_without_rows(at(110))?)?, ["idle bob 3"]);

    // Though she left all unchanged, ann had rows at 100.
    assert_eq!(printed(&run.batch_without_rows(at(199))?)?, Vec::<String>::new());
    assert_eq!(run.states()?.rows::<Kept>()?.len(), 1);
    assert_eq!(printed(&run.batch_without_rows(at(200))?)?, ["idle ann 80003"]);
    assert_eq!(run.states()?.rows::<Kept>()?, []);
    Ok(())
}

#[test]
fn with_touch_all_every_known_key_is_called() -> Result<(), String> {
    let mut run = testing::state::<Ledger>().touch_all();
    run.batch(at(10), ["cid", "ann", "bob"].map(|name| (account(name), vec![row(1, "")])))?;
    let answer = run.batch(at(20), [(account("bob"), vec![row(1, "forget me")])])?;
    assert_eq!(printed(&answer)?, ["rows bob 2", "all ann 1", "all cid 1"]);
    assert_eq!(printed(&run.batch_without_rows(at(30))?)?, ["all ann 1", "all cid 1"]);
    Ok(())
}

#[test]
fn rejects_are_counted_over_all_keys() -> Result<(), String> {
    let nameless = Account { shop: 2, name: None };
    let null = Row { amount: None, ..row(0, "") };
    let mut run = testing::state::<Ledger>().config(r#"{"limit": 5}"#).chunk(1);
    let answer = run.batch(
        at(10),
        [
            (account("ann"), vec![row(6, ""), row(5, "")]),
            (nameless, vec![row(1, ""), row(2, "")]),
            (account("bob"), vec![null]),
        ],
    )?;
    let rejects = [
        (0, "6 is above 5"),
        (2, "the key's column `name` is null"),
        (3, "the key's column `name` is null"),
        (4, "column `amount` is null"),
    ];
    assert_eq!(answer.rejects(), rejects.map(|(row, why)| (row, why.to_owned())));
    // Who had no row taken has no state.
    assert_eq!(run.states()?.rows::<Kept>()?, [Kept { shop: 1, name: account("ann").name, total: 5, last: None }]);
    Ok(())
}

#[test]
fn a_batch_that_cannot_be_is_refused() -> Result<(), String> {
    #[track_caller]
    fn refused(result: Result<testing::Answer, String>, why: &str) {
        assert_eq!(result.expect_err("it cannot be"), why);
    }
    let mut run = testing::state::<Ledger>();
    refused(run.batch_without_rows(at(1)), "the first batch must be one with rows: they say what columns there are");
    run.batch(at(10), [(account("ann"), [row(1, "")])])?;
    refused(run.batch(at(10), [(account("ann"), [row(1, "")])]), "the batch is not after the one before");
    refused(
        run.batch(at(20), [(Customer { name: "ann" }, [row(1, "")])]),
        "the batch has other columns than the one before",
    );
    let twice = [(account("ann"), [row(1, "")]), (account("ann"), [row(1, "")])];
    refused(run.batch(at(20), twice), r#"key [Int64(1), Utf8("ann")] is there twice"#);
    // None of it counted.
    assert_eq!(printed(&run.batch(at(20), [(account("ann"), [row(1, "")])])?)?, ["rows ann 2"]);
    Ok(())
}

/// What a model keeps of a customer: total, last rows, timer.
type Model = BTreeMap<String, (i64, u64, u64)>;

/// A batch by the model: what is printed, and what is kept after.
fn model(
    kept: &mut Model,
    now: u64,
    timeout: u64,
    all: bool,
    groups: &BTreeMap<String, Vec<(i64, &str)>>,
) -> Vec<String> {
    let mut printed = Vec::new();
    let before = kept.clone();
    for (name, rows) in groups {
        let entry = before.get(name).copied();
        let woken = entry.is_some_and(|(.., timer)| timer != 0 && timer <= now);
        let mut total = entry.map_or(0, |(total, ..)| total);
        for (amount, _) in rows {
            total += amount;
            printed.push(format!("{} {name} {total}", if woken { "timer" } else { "rows" }));
        }
        match (rows[rows.len() - 1], entry) {
            ((_, "forget me"), _) => {
                kept.remove(name);
            }
            ((_, "leave"), None) => {}
            ((_, "leave"), Some((total, _, timer))) => {
                kept.insert(name.clone(), (total, now, if woken { 0 } else { timer }));
            }
            ((amount, then), _) => {
                let timer = if then == "wake" { now + (amount as u64).div_ceil(1000) } else { 0 };
                kept.insert(name.clone(), (total, now, timer));
            }
        }
    }
    for (name, (total, last, timer)) in before.into_iter().filter(|(name, _)| !groups.contains_key(name)) {
        if timer != 0 && timer <= now {
            printed.push(format!("timer {name} {total}"));
            kept.insert(name, (total, last, 0));
        } else if last + timeout <= now {
            printed.push(format!("idle {name} {total}"));
            kept.remove(&name);
        } else if all {
            printed.push(format!("all {name} {total}"));
        }
    }
    printed
}

fn batches() -> impl Strategy<Value = Vec<BTreeMap<String, Vec<(i64, &'static str)>>>> {
    let then = prop::sample::select(vec!["", "", "wake", "leave", "forget me"]);
    let rows = prop::collection::vec((0..30_000_i64, then), 1..4);
    prop::collection::vec(prop::collection::btree_map("[a-e]", rows, 0..4), 1..12)
}

proptest! {
    #[test]
    fn a_run_is_what_the_model_says(batches in batches(), timeout in 1..40_u64, all: bool, chunk in 1..6_usize) {
        let mut run = testing::state::<Ledger>().timeout(Duration::from_millis(timeout)).chunk(chunk);
        if all {
            run = run.touch_all();
        }
        let mut kept = Model::new();
        for (batch, now) in batches.iter().zip((10..).step_by(10)) {
            let groups = batch.iter().map(|(name, rows)| {
                (account(name), rows.iter().map(|(amount, then)| row(*amount, then)).collect::<Vec<_>>())
            });
            let answer = run.batch(at(now as i64), groups).map_err(TestCaseError::fail)?;
            prop_assert_eq!(printed(&answer).map_err(TestCaseError::fail)?, model(&mut kept, now, timeout, all, batch));
            let states = run.states().map_err(TestCaseError::fail)?;
            let states = states.rows::<Kept>().map_err(TestCaseError::fail)?;
            let states: Vec<_> = states.into_iter().map(|kept| (kept.name.unwrap_or_default(), kept.total)).collect();
            let expected: Vec<_> = kept.iter().map(|(name, (total, ..))| (name.clone(), *total)).collect();
            prop_assert_eq!(states, expected);
        }
    }
}
