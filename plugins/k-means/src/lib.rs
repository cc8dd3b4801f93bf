//! Clusters that follow a stream: a k-means model for each key, which learns from some rows and answers others.
//!
//! The rules are those of Spark's `StreamingKMeans`, see [`model`]. Reads `train`, `id` and `features`, and of the key
//! nothing: it names the model, and may be a constant. `features` is text, a point's coordinates as JSON and MLlib write
//! them, `[1.5, -2]`, since no column has lists; SQL makes it of columns: `'[' || x || ',' || y || ']'`. In each batch the
//! model first learns from all rows that say `train`, at once; then every other row is answered with the row's `id`, the
//! `cluster` that it is of, from 0, and the `distance` to its center.
//!
//! Every call counts as a batch that lets the past fade, with rows to train on or not. In Spark every batch does: so it is
//! here with `touch = "all"`; else batches without a row for the model do not count.
//!
//! Config:
//!
//! - `centers`: where the clusters begin, a list of points; or `random = { clusters, dimensions, seed = 0 }`, which draws
//!   them.
//! - `weight`: for how many points the centers stand that the clusters begin with; 0 by default, with which one that gets
//!   no point in the first batch is given up at once.
//! - `decay`: how much of the past outlives a batch, from 0 to 1; 1 by default, which forgets nothing. For a half-life of
//!   h it is 0.5^(1/h).
//! - `time_unit`: `"batches"`, or `"points"` if the past fades by `decay` with each point instead.

mod config;
pub mod model;

use serde::Deserialize;
use serde_json::json;
use weir_guest::Record;
use weir_guest::state::{Cause, Group, Next, State, Turn};

use config::{Config, Settings};
use model::Model;

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct KMeans(Config);

impl TryFrom<Settings> for KMeans {
    type Error = String;

    fn try_from(settings: Settings) -> Result<Self, Self::Error> {
        settings.try_into().map(Self)
    }
}

/// A point to learn from or to find the cluster of.
#[derive(Record, Debug)]
pub struct Point<'a> {
    /// Whether to learn from it; if not, it is answered.
    pub train: bool,
    /// What its answer is known by.
    pub id: Option<&'a str>,
    /// Its coordinates, as in `[1.5, -2]`.
    pub features: &'a str,
}

/// A model as it is kept: [`Model`] in JSON, which brings each number back exactly.
#[derive(Record, Debug, PartialEq)]
pub struct Kept {
    /// A list of points.
    pub centers: String,
    /// A list of numbers.
    pub weights: String,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Assigned<'a> {
    /// That of the point.
    pub id: Option<&'a str>,
    /// The number of the cluster, from 0.
    pub cluster: i64,
    /// How far the point is from its center.
    pub distance: f64,
}

impl TryFrom<Kept> for Model {
    type Error = String;

    /// A pipeline's `initial` may have put in anything.
    fn try_from(kept: Kept) -> Result<Self, Self::Error> {
        let wrong = |column: &str, error: serde_json::Error| format!("the model's `{column}` are no lists: {error}");
        let centers: Vec<Vec<f64>> = serde_json::from_str(&kept.centers).map_err(|error| wrong("centers", error))?;
        let weights: Vec<f64> = serde_json::from_str(&kept.weights).map_err(|error| wrong("weights", error))?;
        let model = Self { centers, weights };
        let dimensions = model.dimensions();
        if dimensions == 0 || model.centers.iter().any(|center| center.len() != dimensions) {
            return Err("the model's `centers` are none, or have different numbers of coordinates".to_owned());
        }
        if model.weights.len() != model.centers.len() {
            return Err("the model has not as many `weights` as `centers`".to_owned());
        }
        Ok(model)
    }
}

impl From<&Model> for Kept {
    fn from(model: &Model) -> Self {
        Self { centers: json!(model.centers).to_string(), weights: json!(model.weights).to_string() }
    }
}

/// A point's coordinates, of which there must be so many.
fn coordinates(text: &str, dimensions: usize) -> Result<Vec<f64>, String> {
    let point: Vec<f64> = serde_json::from_str(text).map_err(|error| format!("`features` is no list: {error}"))?;
    if point.len() != dimensions {
        return Err(format!("`features` has {} coordinates; the model has {dimensions}", point.len()));
    }
    match point.iter().find(|x| x.abs() > FARTHEST) {
        Some(x) => Err(format!("`features` has the coordinate {x:e}; beyond {FARTHEST:e} there are no squares")),
        None => Ok(point),
    }
}

/// The sums and squares of coordinates up to this are numbers still.
const FARTHEST: f64 = 1e100;

#[weir_guest::state]
impl State for KMeans {
    type Key<'a> = ();
    type Input<'a> = Point<'a>;
    type State = Kept;
    type Output<'a> = Assigned<'a>;

    fn update<'a>(
        &self,
        (): (),
        kept: Option<Kept>,
        rows: &mut Group<'a, Point<'a>>,
        turn: &mut Turn<'a, Assigned<'a>>,
    ) -> Next<Kept> {
        let mut model = match kept.map_or_else(|| Ok(self.0.start.clone()), Model::try_from) {
            Ok(model) => model,
            Err(reason) => {
                while rows.next().is_some() {
                    rows.reject(&reason);
                }
                return Next::Unchanged;
            }
        };
        let dimensions = model.dimensions();
        let (mut train, mut answer) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next() {
            match coordinates(row.features, dimensions) {
                Ok(point) if row.train => train.push(point),
                Ok(point) => answer.push((row.id, point)),
                Err(reason) => rows.reject(reason),
            }
        }
        if train.is_empty() && answer.is_empty() && turn.cause() != Cause::All {
            return Next::Unchanged;
        }
        model.update(&train, self.0.decay, self.0.unit);
        for (id, point) in answer {
            let (cluster, distance) = model.nearest(&point);
            turn.emit(Assigned { id, cluster: cluster as i64, distance });
        }
        Next::Keep(Kept::from(&model))
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::{Timestamp, testing};

    use super::*;

    #[derive(Record)]
    struct Name<'a> {
        model: &'a str,
    }

    const CONFIG: &str = r#"{"centers": [[0, 0], [10, 10]], "decay": 0.5}"#;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn learn(features: &str) -> Point<'_> {
        Point { train: true, id: None, features }
    }

    fn find<'a>(id: &'a str, features: &'a str) -> Point<'a> {
        Point { train: false, id: Some(id), features }
    }

    fn kept(centers: &str, weights: &str) -> Kept {
        Kept { centers: centers.to_owned(), weights: weights.to_owned() }
    }

    #[test]
    fn a_batch_is_learned_from_before_any_of_it_is_answered() -> Result<(), String> {
        let mut run = testing::state::<KMeans>().config(CONFIG);
        let rows = ["[1, 1]", "[3,1]", "[10, 10]"].map(learn);
        let rows = [find("a", "[1, 2]"), find("b", "[10, 13.5]")].into_iter().chain(rows);
        let answer = run.batch(at(1), [(Name { model: "m" }, rows)])?;
        let expected = [("a", 0, 2_f64.sqrt()), ("b", 1, 3.5)].map(|(id, cluster, distance)| Assigned {
            id: Some(id),
            cluster,
            distance,
        });
        assert_eq!(answer.rows::<Assigned>()?, expected);
        assert_eq!(run.states()?.rows::<Kept>()?, [kept("[[2.0,1.0],[10.0,10.0]]", "[2.0,1.0]")]);
        Ok(())
    }

    #[test]
    fn a_batch_without_rows_counts_where_every_key_is_touched() -> Result<(), String> {
        let rows = || [(Name { model: "m" }, [learn("[1, 1]"), learn("[11, 11]")])];
        for (all, weights) in [(false, "[1.0,1.0]"), (true, "[0.5,0.5]")] {
            let mut run = testing::state::<KMeans>().config(CONFIG);
            if all {
                run = run.touch_all();
            }
            run.batch(at(1), rows())?;
            run.batch_without_rows(at(2))?;
            assert_eq!(run.states()?.rows::<Kept>()?, [kept("[[1.0,1.0],[11.0,11.0]]", weights)]);
        }
        Ok(())
    }

    #[test]
    fn a_row_that_is_no_point_of_the_model_is_rejected_and_changes_nothing() -> Result<(), String> {
        let mut run = testing::state::<KMeans>().config(CONFIG);
        let rows = || [learn("[1, 1, 1]"), learn("1 2"), learn("[1, null]"), learn("[1, -1e101]"), find("a", "[]")];
        let answer = run.batch(at(1), [(Name { model: "m" }, rows())])?;
        let rejects: Vec<_> = answer.rejects().iter().map(|(_, why)| why.split(':').next().unwrap_or("")).collect();
        let expected = [
            "`features` has 3 coordinates; the model has 2",
            "`features` is no list",
            "`features` is no list",
            "`features` has the coordinate -1e101; beyond 1e100 there are no squares",
            "`features` has 0 coordinates; the model has 2",
        ];
        assert_eq!(rejects, expected);
        assert_eq!(run.states()?.len(), 0);
        Ok(())
    }

    #[test]
    fn models_of_several_names_do_not_meet() -> Result<(), String> {
        let mut run = testing::state::<KMeans>().config(CONFIG).chunk(1);
        let rows = |low, high| [learn(low), learn(high)];
        run.batch(
            at(1),
            [(Name { model: "m" }, rows("[1, 1]", "[10, 10]")), (Name { model: "n" }, rows("[0, 0]", "[9, 9]"))],
        )?;
        let expected = [kept("[[1.0,1.0],[10.0,10.0]]", "[1.0,1.0]"), kept("[[0.0,0.0],[9.0,9.0]]", "[1.0,1.0]")];
        assert_eq!(run.states()?.rows::<Kept>()?, expected);
        Ok(())
    }
}
