//! Event time: when rows happened, how far a stream has come in it, and the windows that it is cut into.
//!
//! All in milliseconds since the Unix epoch. Nothing here knows a clock: event time moves when rows come in, and only then.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::rows::ColumnType;
use crate::time::BatchTime;

/// The column with the start of a row's window.
pub const WINDOW_START: &str = "window_start";
/// The column with the end of a row's window, which is no part of it.
pub const WINDOW_END: &str = "window_end";

/// The last millisecond of the year 9999. A later event time is a slip, such as microseconds in an int64 column, and
/// would close every window at once.
pub const LATEST: i64 = 253_402_300_799_999;

/// Longer windows are refused, so that no window's end is past what a timestamp can hold.
pub const LONGEST: i64 = LATEST;

/// How far a stream has come in event time: no row that happened before is waited for any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Watermark(u64);

impl Watermark {
    /// Before the first row.
    pub const NONE: Self = Self(0);
    /// Past everything: the stream has ended.
    pub const END: Self = Self(u64::MAX);

    /// The watermark of a stream whose latest row happened at `latest`.
    pub const fn behind(latest: u64, delay: u64) -> Self {
        Self(latest.saturating_sub(delay))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whether a window that ends at `end` is complete.
    pub fn passed(self, end: i64) -> bool {
        u64::try_from(end).map_or(true, |end| end <= self.0)
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none yet"),
            Self::END => f.write_str("past the end of the stream"),
            Self(millis) => BatchTime::from_millis(millis).fmt(f),
        }
    }
}

/// A stretch of event time, from `start` until just before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first millisecond.
    pub start: i64,
    /// Just past the last one.
    pub end: i64,
}

/// How event time is cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventWindows {
    /// Windows of `length` that start at each multiple of `slide`; tumbling where both are the same.
    Sliding {
        /// How long each is.
        length: i64,
        /// How far one starts after the one before; at most the length.
        slide: i64,
    },
    /// Of a key: from a row until nothing happened for longer than `gap`.
    Session {
        /// How long it must be quiet.
        gap: i64,
    },
}

impl EventWindows {
    /// Tells these windows from others, for what is kept of them.
    pub fn version(self) -> u32 {
        crc32fast::hash(format!("{self:?}").as_bytes())
    }

    /// The windows that a row is in, the earliest first. For a session, the one that the row would be alone.
    pub fn of(self, time: i64) -> impl Iterator<Item = Span> {
        let (last, length, slide) = match self {
            Self::Sliding { length, slide } => (time - time.rem_euclid(slide), length, slide),
            Self::Session { gap } => (time, gap, gap),
        };
        let before = (length - 1 - (time - last)) / slide;
        (0..=before).rev().map(move |n| last - n * slide).map(move |start| Span { start, end: start + length })
    }
}

/// The two columns that a window adds to a row.
pub fn window_fields() -> [Arc<Field>; 2] {
    [WINDOW_START, WINDOW_END].map(|name| Arc::new(Field::new(name, ColumnType::Timestamp.arrow(), false)))
}

/// Rows of these columns, each with its window.
pub fn with_window(rows: &Schema) -> Schema {
    Schema::new(rows.fields().iter().cloned().chain(window_fields()).collect::<Vec<_>>())
}

/// Whether a column can say when rows happened: a timestamp, or milliseconds since the epoch.
pub fn tells_time(column: &DataType) -> bool {
    matches!(ColumnType::of(column), Some(ColumnType::Timestamp | ColumnType::Int64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(windows: EventWindows, time: i64) -> Vec<(i64, i64)> {
        windows.of(time).map(|span| (span.start, span.end)).collect()
    }

    #[test]
    fn windows_start_at_multiples_of_the_slide_and_hold_their_start_but_not_their_end() {
        let tumbling = EventWindows::Sliding { length: 10, slide: 10 };
        assert_eq!(spans(tumbling, 19), [(10, 20)]);
        assert_eq!(spans(tumbling, 20), [(20, 30)]);
        let sliding = EventWindows::Sliding { length: 25, slide: 10 };
        assert_eq!(spans(sliding, 4), [(-20, 5), (-10, 15), (0, 25)]);
        assert_eq!(spans(sliding, 5), [(-10, 15), (0, 25)]);
        assert_eq!(spans(EventWindows::Session { gap: 7 }, 3), [(3, 10)]);
    }

    #[test]
    fn a_watermark_passes_a_window_at_its_end() {
        assert!(!Watermark::NONE.passed(1));
        assert!(!Watermark::behind(109, 10).passed(100));
        assert!(Watermark::behind(110, 10).passed(100));
        assert!(Watermark::END.passed(LATEST + LONGEST));
        assert_eq!(Watermark::behind(5, 10), Watermark::NONE);
    }

    proptest! {
        #[test]
        fn a_row_is_in_just_the_windows_around_it(time in 0_i64..10_000, slide in 1_i64..50, more in 0_i64..200) {
            let length = slide + more;
            let expected: Vec<_> = (-300..300)
                .map(|n| time / slide * slide + n * slide)
                .filter(|start| *start <= time && time < start + length)
                .map(|start| (start, start + length))
                .collect();
            prop_assert_eq!(spans(EventWindows::Sliding { length, slide }, time), expected);
        }
    }
}
