//! The mood of each user, from what they write: state that is kept for each key, from batch to batch.
//!
//! Reads `text`, and of the key nothing, so that it can be any. A text scores from -1 (sad) to 1 (happy), see [`score`], and
//! the mood is the exponentially weighted average of all scores: `mood = decay * mood + (1 - decay) * score`, from a mood
//! of 0. A user with new texts has one row in the answer; one who falls silent for the pipeline's `timeout` is forgotten
//! without a word.
//!
//! Config: `decay`, how much of the mood outlives a text, from 0 (only the last text counts) to below 1; 0.8 by default.

mod score;

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::state::{Cause, Group, Next, State, Turn};

pub use score::score;

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default = "default_decay")]
    decay: f64,
}

fn default_decay() -> f64 {
    0.8
}

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Moods {
    decay: f64,
}

impl TryFrom<Settings> for Moods {
    type Error = String;

    fn try_from(Settings { decay }: Settings) -> Result<Self, Self::Error> {
        if !(0.0..1.0).contains(&decay) {
            return Err(format!("`decay` is {decay}; it must be at least 0 and less than 1"));
        }
        Ok(Self { decay })
    }
}

/// A text of a user.
#[derive(Record, Debug)]
pub struct Tweet<'a> {
    /// What it says.
    pub text: &'a str,
}

/// What is remembered of a user.
#[derive(Record, Debug, Default, PartialEq)]
pub struct Mood {
    /// From -1 (sad) to 1 (happy).
    pub mood: f64,
    /// How many texts are in it.
    pub tweets: i64,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Report<'a> {
    /// From -1 (sad) to 1 (happy).
    pub mood: f64,
    /// How many texts are in it.
    pub tweets: i64,
    /// `happy`, `neutral` or `sad`.
    pub feeling: &'a str,
}

/// As far from 0 as this, a mood is neutral still.
const NEUTRAL: f64 = 0.1;

fn feeling(mood: f64) -> &'static str {
    match mood {
        _ if mood > NEUTRAL => "happy",
        _ if mood < -NEUTRAL => "sad",
        _ => "neutral",
    }
}

#[weir_guest::state]
impl State for Moods {
    type Key<'a> = ();
    type Input<'a> = Tweet<'a>;
    type State = Mood;
    type Output<'a> = Report<'a>;

    fn update<'a>(
        &self,
        (): (),
        mood: Option<Mood>,
        tweets: &mut Group<'a, Tweet<'a>>,
        turn: &mut Turn<'a, Report<'a>>,
    ) -> Next<Mood> {
        if turn.cause() == Cause::Idle {
            return Next::Remove;
        }
        let Mood { mut mood, tweets: before } = mood.unwrap_or_default();
        let mut count = before;
        for tweet in tweets {
            mood = self.decay * mood + (1.0 - self.decay) * score(tweet.text);
            count += 1;
        }
        if count == before {
            return Next::Unchanged;
        }
        turn.emit(Report { mood, tweets: count, feeling: feeling(mood) });
        Next::Keep(Mood { mood, tweets: count })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use weir_guest::{Timestamp, testing};

    #[derive(Record)]
    struct User<'a> {
        user: &'a str,
    }

    #[derive(Record)]
    struct Post<'a> {
        text: Option<&'a str>,
    }

    fn says<'a>(user: &'a str, texts: &[&'a str]) -> (User<'a>, Vec<Post<'a>>) {
        (User { user }, texts.iter().map(|&text| Post { text: Some(text) }).collect())
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_mood_follows_what_is_written() -> Result<(), String> {
        let mut moods = testing::state::<Moods>().config(r#"{"decay": 0.5}"#);
        let answer = moods.batch(at(1), [says("ann", &["what a great day :)", "lunch"]), says("bob", &["so sad"])])?;
        let reports =
            [Report { mood: 0.25, tweets: 2, feeling: "happy" }, Report { mood: -0.5, tweets: 1, feeling: "sad" }];
        assert_eq!(answer.columns(), ["user", "mood", "tweets", "feeling"]);
        assert_eq!(answer.rows::<Report>()?, reports);

        // The others are not in the answer, and keep their mood.
        let answer = moods.batch(at(2), [says("ann", &["work", "work"])])?;
        assert_eq!(answer.rows::<Report>()?, [Report { mood: 0.0625, tweets: 4, feeling: "neutral" }]);
        let kept = [Mood { mood: 0.0625, tweets: 4 }, Mood { mood: -0.5, tweets: 1 }];
        assert_eq!(moods.states()?.rows::<Mood>()?, kept);
        Ok(())
    }

    #[test]
    fn who_falls_silent_is_forgotten_without_a_word() -> Result<(), String> {
        let mut moods = testing::state::<Moods>().timeout(Duration::from_millis(50)).touch_all();
        moods.batch(at(1), [says("ann", &["happy"])])?;
        assert_eq!(moods.batch_without_rows(at(50))?.rows::<Report>()?, []);
        assert_eq!(moods.states()?.len(), 1);
        assert_eq!(moods.batch_without_rows(at(51))?.rows::<Report>()?, []);
        assert_eq!(moods.states()?.len(), 0);
        Ok(())
    }

    #[test]
    fn a_text_that_is_null_is_rejected_and_is_no_tweet() -> Result<(), String> {
        let mut moods = testing::state::<Moods>();
        let null = || Post { text: None };
        let answer = moods.batch(
            at(1),
            [(User { user: "ann" }, vec![null()]), (User { user: "bob" }, vec![null(), Post { text: Some("") }])],
        )?;
        assert_eq!(answer.rows::<Report>()?, [Report { mood: 0.0, tweets: 1, feeling: "neutral" }]);
        assert_eq!(answer.rejects(), [0, 1].map(|row| (row, "column `text` is null".to_owned())));
        assert_eq!(moods.states()?.len(), 1);
        Ok(())
    }

    #[test]
    fn a_decay_out_of_range_is_refused() {
        for (decay, fits) in [("0", true), ("0.999", true), ("1", false), ("-0.1", false)] {
            let config = format!(r#"{{"decay": {decay}}}"#);
            let answer = testing::state::<Moods>().config(config).batch(at(1), [says("ann", &[])]);
            let why = format!(
                "the operator's config is not valid: `decay` is {decay}; it must be at least 0 and less than 1"
            );
            assert_eq!(answer.map(|_| ()), if fits { Ok(()) } else { Err(why) });
        }
    }
}
