//! What windows on event time should give, worked out as plainly as can be: every open window is a list of rows.

use std::collections::BTreeMap;

/// A row: when it happened, its key and its value.
pub(super) type Event = (i64, u8, i64);

/// How rows are put into windows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Windows of (length, slide), folded by key.
    Sliding(i64, i64),
    /// Sessions by key, with this gap.
    Session(i64),
    /// The rows themselves, in windows of (length, slide).
    Held(i64, i64),
}

/// The rows of each open window of a key, each with when it arrived.
type Open = BTreeMap<(i64, i64, u8), Vec<(usize, Event)>>;

/// What should come out: the lines of each batch, and how many rows were late.
pub(super) fn expected(kind: Kind, delay: i64, batches: &[&[Event]]) -> (Vec<Vec<String>>, u64) {
    let mut open = Open::new();
    let (mut watermark, mut late, mut out, mut arrived) = (0, 0, Vec::new(), 0);
    for (batch, rows) in batches.iter().enumerate() {
        for &row in *rows {
            arrived += 1;
            let (at, key, _) = row;
            let windows: Vec<(i64, i64)> = match kind {
                Kind::Session(gap) => vec![(at, at + gap)],
                Kind::Sliding(length, slide) | Kind::Held(length, slide) => {
                    let starts = (-40..=at / slide).map(|n| n * slide);
                    starts.filter(|s| *s <= at && at < s + length).map(|s| (s, s + length)).collect()
                }
            };
            let key = if matches!(kind, Kind::Held(..)) { 0 } else { key };
            late += u64::from(windows.iter().all(|(_, end)| *end <= watermark));
            for (start, end) in windows.into_iter().filter(|(_, end)| *end > watermark) {
                open.entry((start, end, key)).or_default().push((arrived, row));
            }
        }
        if matches!(kind, Kind::Session(_)) {
            while join(&mut open) {}
        }
        let latest = rows.iter().map(|(at, ..)| at - delay).max().unwrap_or(0);
        watermark = if batch + 1 == batches.len() { i64::MAX } else { watermark.max(latest) };
        let closed = open.keys().filter(|(_, end, _)| *end <= watermark).copied().collect::<Vec<_>>();
        let mut lines = Vec::new();
        for window in closed {
            let rows = open.remove(&window).unwrap_or_default();
            lines.extend(shown(kind, window, rows));
        }
        out.push(lines);
    }
    (out, late)
}

/// Makes one session of two that overlap or touch, if there are any.
fn join(open: &mut Open) -> bool {
    let all: Vec<_> = open.keys().copied().collect();
    for a in &all {
        for b in all.iter().filter(|b| *b != a && b.2 == a.2) {
            if a.0 <= b.1 && b.0 <= a.1 {
                let mut rows = open.remove(a).unwrap_or_default();
                rows.extend(open.remove(b).unwrap_or_default());
                open.entry((a.0.min(b.0), a.1.max(b.1), a.2)).or_default().extend(rows);
                return true;
            }
        }
    }
    false
}

fn shown(kind: Kind, (start, end, key): (i64, i64, u8), mut rows: Vec<(usize, Event)>) -> Vec<String> {
    let window = format!("\"window_start\":{},\"window_end\":{}", time(start), time(end));
    match kind {
        Kind::Held(..) => {
            let rows = rows.iter();
            rows.map(|(_, (at, k, v))| format!("{{\"at\":{at},\"k\":\"k{k}\",\"v\":{v},{window}}}")).collect()
        }
        Kind::Sliding(..) => vec![folded(key, &window, &rows)],
        Kind::Session(_) => {
            // Accumulators are merged in the order in which they start.
            rows.sort_by_key(|(arrived, (at, ..))| (*at, *arrived));
            vec![folded(key, &window, &rows)]
        }
    }
}

fn folded(key: u8, window: &str, rows: &[(usize, Event)]) -> String {
    let sum: i64 = rows.iter().map(|(_, (.., v))| v).sum();
    let first = rows.first().map_or(0, |(_, (.., v))| *v);
    format!("{{\"k\":\"k{key}\",{window},\"sum\":{sum},\"first\":{first}}}")
}

/// As the sink writes it.
fn time(millis: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
    format!("\"{}\"", time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}
