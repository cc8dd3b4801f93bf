//! The macros as users see them, each with an example that runs.

/// Derives [`Record`](trait@crate::Record): a struct as a row, each field a column of the same name.
///
/// Fields are of the types that [`Value`](crate::Value) lists. Text and bytes are best borrowed: the struct has one
/// lifetime then, and nothing is copied. `#[record(name = "…")]` on a field names a column that is no Rust name.
///
/// As an operator's input a record says which columns the operator reads; no others cross into the sandbox. A row with
/// a null in a field that is no `Option` is rejected. As an output it says which columns the operator adds.
///
/// ```
/// use weir_guest::{Record, Timestamp};
///
/// #[derive(Record)]
/// struct Request<'a> {
///     at: Timestamp,
///     path: &'a str,
///     user: Option<&'a str>,
///     #[record(name = "response-bytes")]
///     size: i64,
/// }
///
/// assert_eq!(Request::FIELDS[3].name, "response-bytes");
/// ```
#[doc(inline)]
pub use weir_guest_macros::Record;

/// Makes a function from a row to a row the crate's operator.
///
/// It is `fn(row: In) -> Out` or `fn(row: In, config: &Config) -> Out`, with records `In` and `Out`. It may return
/// `Option<Out>` to drop rows, and `Result<Out, E>` or `Result<Option<Out>, E>` to reject them, for which `E` is anything
/// that can be displayed. `Config` is anything that serde can deserialize, made once for each instance: what is costly to
/// prepare goes into its `#[serde(try_from = "…")]`.
///
/// The output has the columns that are kept, then those of `Out`:
///
/// - `#[map]`: keeps none.
/// - `#[map(keep = all)]`: keeps all, but those that `Out` has under the same name.
/// - `#[map(keep = ["user", "at"])]`: keeps these. They need not be in `In`; the host carries them over.
///
/// The function stays as it is. Beside it there is a type of the same name, for [`testing`](crate::testing).
///
/// ```
/// use serde::Deserialize;
/// use weir_guest::{Record, testing};
///
/// #[derive(Record)]
/// struct Reading {
///     celsius: f64,
/// }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Alarm {
///     fahrenheit: f64,
/// }
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Limits {
///     above: f64,
/// }
///
/// #[weir_guest::map(keep = all)]
/// fn alarm(reading: Reading, limits: &Limits) -> Result<Option<Alarm>, String> {
///     if reading.celsius < -273.15 {
///         return Err(format!("{} °C is colder than anything", reading.celsius));
///     }
///     let fahrenheit = reading.celsius * 1.8 + 32.0;
///     Ok((reading.celsius > limits.above).then_some(Alarm { fahrenheit }))
/// }
///
/// let readings = [20.0, 100.0, -300.0].map(|celsius| Reading { celsius });
/// let answer = testing::transform::<alarm>().config(r#"{"above": 50}"#).run(readings)?;
/// assert_eq!(answer.columns(), ["celsius", "fahrenheit"]);
/// assert_eq!(answer.rows::<Alarm>()?, [Alarm { fahrenheit: 212.0 }]);
/// assert_eq!(answer.rejects(), [(2, "-300 °C is colder than anything".to_owned())]);
/// # Ok::<(), String>(())
/// ```
#[doc(inline)]
pub use weir_guest_macros::map;

/// Makes a function that says whether a row stays the crate's operator.
///
/// It is `fn(row: In) -> bool` or `fn(row: In, config: &Config) -> bool`, or returns a `Result` of it to reject rows. Rows
/// that stay keep all their columns; only those of `In` cross into the sandbox.
///
/// ```
/// use weir_guest::{Record, testing};
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Request {
///     status: i64,
/// }
///
/// #[weir_guest::filter]
/// fn failed(request: Request) -> bool {
///     request.status >= 500
/// }
///
/// let answer = testing::transform::<failed>().run([200, 503].map(|status| Request { status }))?;
/// assert_eq!(answer.rows::<Request>()?, [Request { status: 503 }]);
/// # Ok::<(), String>(())
/// ```
#[doc(inline)]
pub use weir_guest_macros::filter;

/// Makes a function from a row to any number of rows the crate's operator.
///
/// It is `fn(row: In) -> Out` or `fn(row: In, config: &Config) -> Out`, where `Out` can be iterated and gives records: an
/// `Option`, a `Vec`, or best an iterator, which needs no memory. It may return a `Result` of such, spelled as `Result`, to
/// reject rows. For `keep` and `Config` see [`#[map]`](macro@map).
///
/// ```
/// use weir_guest::{Record, testing};
///
/// #[derive(Record)]
/// struct Post<'a> {
///     text: &'a str,
/// }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Mention<'a> {
///     user: &'a str,
/// }
///
/// #[weir_guest::flat_map]
/// fn mentions<'a>(post: Post<'a>) -> impl Iterator<Item = Mention<'a>> {
///     post.text.split(' ').filter_map(|word| word.strip_prefix('@')).map(|user| Mention { user })
/// }
///
/// let answer = testing::transform::<mentions>().run([Post { text: "@ann meet @bob" }])?;
/// assert_eq!(answer.rows::<Mention>()?, [Mention { user: "ann" }, Mention { user: "bob" }]);
/// # Ok::<(), String>(())
/// ```
#[doc(inline)]
pub use weir_guest_macros::flat_map;

/// Makes a function over all rows of a call the crate's operator: for work that is faster over whole columns.
///
/// It is `fn(rows: Rows<'a, In>, out: &mut Emitter<'a, Out>)` or
/// `fn(rows: Rows<'a, In>, config: &Config, out: &mut Emitter<'a, Out>)`; it may return `Result<(), E>`, whose error stops
/// the job. Nulls are the function's own affair. How many rows come in a call is the host's choice, and nothing may depend on
/// it; but where the pipeline says `whole_partition = true`, a call has all rows of a block, or of a key group. For `keep` and `Config` see [`#[map]`](macro@map).
///
/// ```
/// use weir_guest::{Emitter, Record, Rows, testing};
///
/// #[derive(Record)]
/// struct Sample {
///     value: f64,
/// }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Square {
///     square: f64,
/// }
///
/// #[weir_guest::batch]
/// fn squares<'a>(samples: Rows<'a, Sample>, out: &mut Emitter<'a, Square>) {
///     for (row, value) in samples.columns.value.values().iter().enumerate() {
///         out.emit(row, Square { square: value * value });
///     }
/// }
///
/// let answer = testing::transform::<squares>().run([1.0, 3.0].map(|value| Sample { value }))?;
/// assert_eq!(answer.rows::<Square>()?, [Square { square: 1.0 }, Square { square: 9.0 }]);
/// # Ok::<(), String>(())
/// ```
#[doc(inline)]
pub use weir_guest_macros::batch;

/// Makes an implementation of [`Aggregate`](trait@crate::Aggregate) the crate's operator; see there for an example.
///
/// If the implementation has a `retract`, the host is told so.
#[doc(inline)]
pub use weir_guest_macros::aggregate;

/// Makes an implementation of [`State`](trait@crate::State) the crate's operator; see there for an example.
///
/// `#[state(migrates = [1, 2])]` says which earlier versions' states the operator can take up. Each of them needs a
/// [`Migrate`](trait@crate::Migrate): see there for an example.
#[doc(inline)]
pub use weir_guest_macros::state;

/// Makes an implementation of [`Sink`](trait@crate::Sink) the crate's operator; see there for an example.
#[doc(inline)]
pub use weir_guest_macros::sink;
