//! The sessions of each user: events with no gap between them, a row for each session when it is over.
//!
//! Reads `at`, when an event happened, and of the key nothing: it says whose the sessions are. Events that are at most the
//! gap apart are of one session. A session is over when an event comes that is more than the gap later, and also when
//! nothing has come for the gap by the batch clock: nobody has to come back for a session to end. Events may come in any
//! order within a batch; one that is late joins the open session if it is near enough, and else is a session of its own.
//!
//! Where rows come late by more than that, or are replayed faster than they happened, use a window instead, which waits
//! for the watermark: `event_time` on the source, and `window = { gap = "30m" }` on an aggregate.
//!
//! Answers with `start` and `end`, the times of the first and the last event, and `events`, how many there were.
//!
//! Config: `gap`, as in `"30m"`.

#[path = "../../span.rs"]
mod span;

use serde::Deserialize;
use weir_guest::state::{Cause, Group, Next, State, Turn};
use weir_guest::{Record, Timestamp, batch_time};

use span::Span;

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    gap: Span,
}

/// Something that a user did.
#[derive(Record, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
}

/// A session: the one that is open as state, and one that is over as answer.
#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub struct Session {
    /// The time of the first event.
    pub start: Timestamp,
    /// The time of the last event.
    pub end: Timestamp,
    /// How many events there were.
    pub events: i64,
}

impl From<Event> for Session {
    fn from(Event { at }: Event) -> Self {
        Self { start: at, end: at, events: 1 }
    }
}

impl Sessions {
    /// Joins what is not more than the gap apart; in order of time.
    fn join(&self, mut parts: Vec<Session>) -> Vec<Session> {
        parts.sort_by_key(|part| part.start);
        let mut sessions: Vec<Session> = Vec::new();
        for part in parts {
            match sessions.last_mut() {
                Some(last) if part.start <= last.end + self.gap.0 => {
                    last.end = last.end.max(part.end);
                    last.events += part.events;
                }
                _ => sessions.push(part),
            }
        }
        sessions
    }
}

#[weir_guest::state]
impl State for Sessions {
    type Key<'a> = ();
    type Input<'a> = Event;
    type State = Session;
    type Output<'a> = Session;

    fn update<'a>(
        &self,
        (): (),
        open: Option<Session>,
        events: &mut Group<'a, Event>,
        turn: &mut Turn<'a, Session>,
    ) -> Next<Session> {
        let new: Vec<Session> = events.map(Session::from).collect();
        if new.is_empty() {
            return match (turn.cause(), open) {
                (Cause::Timer | Cause::Idle, Some(over)) => {
                    turn.emit(over);
                    Next::Remove
                }
                _ => Next::Unchanged,
            };
        }
        let mut sessions = self.join(open.into_iter().chain(new).collect());
        let Some(open) = sessions.pop() else { return Next::Unchanged };
        sessions.into_iter().for_each(|over| turn.emit(over));
        turn.wake_at(batch_time() + self.gap.0);
        Next::Keep(open)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weir_guest::testing;

    use super::*;

    #[derive(Record)]
    struct User<'a> {
        user: &'a str,
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn events<const N: usize>(user: &str, seconds: [i64; N]) -> (User<'_>, Vec<Event>) {
        (User { user }, seconds.map(|seconds| Event { at: at(seconds) }).into())
    }

    fn session(start: i64, end: i64, events: i64) -> Session {
        Session { start: at(start), end: at(end), events }
    }

    fn run() -> testing::State<Sessions> {
        testing::state::<Sessions>().config(r#"{"gap": "10s"}"#)
    }

    #[test]
    fn a_gap_between_two_events_ends_a_session() -> Result<(), String> {
        let mut run = run();
        let answer = run.batch(at(30), [events("ann", [1, 5, 15, 26]), events("bob", [2])])?;
        assert_eq!(answer.columns(), ["user", "start", "end", "events"]);
        assert_eq!(answer.rows::<Session>()?, [session(1, 15, 3)]);
        // The session goes on over batches.
        let answer = run.batch(at(38), [events("ann", [36]), events("bob", [13])])?;
        assert_eq!(answer.rows::<Session>()?, [session(2, 2, 1)]);
        assert_eq!(run.states()?.rows::<Session>()?, [session(26, 36, 2), session(13, 13, 1)]);
        Ok(())
    }

    #[test]
    fn who_does_not_come_back_has_a_session_that_ends_by_the_batch_clock() -> Result<(), String> {
        let mut run = run();
        run.batch(at(30), [events("ann", [27, 29]), events("bob", [29])])?;
        assert_eq!(run.batch(at(39), [events("bob", [38])])?.rows::<Session>()?, []);
        assert_eq!(run.batch_without_rows(at(40))?.rows::<Session>()?, [session(27, 29, 2)]);
        assert_eq!(run.batch_without_rows(at(49))?.rows::<Session>()?, [session(29, 38, 2)]);
        assert_eq!(run.states()?.len(), 0);
        Ok(())
    }

    #[test]
    fn an_event_that_is_late_joins_what_is_near_and_else_stands_alone() -> Result<(), String> {
        let mut run = run();
        run.batch(at(30), [events("ann", [25])])?;
        let answer = run.batch(at(31), [events("ann", [24, 16, 3])])?;
        assert_eq!(answer.rows::<Session>()?, [session(3, 3, 1)]);
        assert_eq!(run.states()?.rows::<Session>()?, [session(16, 25, 3)]);
        Ok(())
    }

    #[test]
    fn a_timeout_of_the_pipeline_ends_a_session_too() -> Result<(), String> {
        let mut run = run().timeout(Duration::from_secs(2)).touch_all();
        run.batch(at(30), [events("ann", [29])])?;
        assert_eq!(run.batch_without_rows(at(31))?.rows::<Session>()?, []);
        assert_eq!(run.batch_without_rows(at(32))?.rows::<Session>()?, [session(29, 29, 1)]);
        Ok(())
    }

    #[test]
    fn a_gap_that_is_no_span_of_time_is_refused() {
        for (config, why) in [
            ("{}", "missing field `gap`"),
            (r#"{"gap": 30}"#, "invalid type: integer `30`, expected a string"),
            (r#"{"gap": "30"}"#, r#""30" is no span of time; write it as in "500ms", "30s", "1h 30m" or "2d""#),
        ] {
            let answer = testing::state::<Sessions>().config(config).batch(at(1), [events("ann", [])]);
            assert_eq!(answer.map(|_| ()), Err(format!("the operator's config is not valid: {why}")));
        }
    }
}
