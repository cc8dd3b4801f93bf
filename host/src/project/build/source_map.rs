//! Source maps, as esbuild writes them: which line of which file each line of its output comes from.

use serde::{Deserialize, Serialize};

const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A source map (version 3), as far as it is needed.
#[derive(Debug, Deserialize)]
pub(super) struct SourceMap {
    sources: Vec<String>,
    mappings: String,
}

/// What an exception is told with.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Lines {
    sources: Vec<String>,
    /// For each line of the output the index of its source, and the line there, from 1.
    lines: Vec<Option<(i64, i64)>>,
}

impl SourceMap {
    /// The lines, of sources in the project's folder as they are called there.
    pub(super) fn lines(&self) -> Lines {
        let sources = self.sources.iter().map(|path| path.trim_start_matches("../").to_owned()).collect();
        // Each segment says by how much it is further than the one before, which may be of an earlier line.
        let (mut source, mut line) = (0, 0);
        let lines = self.mappings.split(';').map(|segments| {
            let mut first = None;
            for segment in segments.split(',') {
                if let [_, sources_on, lines_on, ..] = numbers(segment)[..] {
                    source += sources_on;
                    line += lines_on;
                    first = first.or(Some((source, line + 1)));
                }
            }
            first
        });
        Lines { sources, lines: lines.collect() }
    }
}

/// Numbers in base 64: five bits a digit, the lowest first, and a sixth where more follow; the lowest bit of all is the sign.
fn numbers(segment: &str) -> Vec<i64> {
    let mut all = Vec::new();
    let (mut value, mut shift) = (0_i64, 0);
    for digit in segment.bytes() {
        let bits = DIGITS.iter().position(|&d| d == digit).unwrap_or_default() as i64;
        value |= (bits & 31).checked_shl(shift).unwrap_or_default();
        shift += 5;
        if bits & 32 == 0 {
            all.push(if value & 1 == 1 { -(value >> 1) } else { value >> 1 });
            (value, shift) = (0, 0);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_source_of_its_beginning() {
        // Line 2 is of a's lines 1 and 3, line 3 of b's line 17, line 5 of a's line 2.
        let map =
            SourceMap { sources: vec!["../src/a.ts".into(), "b.js".into()], mappings: ";AAAA,QAEI;ACcA;;ADfA".into() };
        assert_eq!(
            map.lines(),
            Lines {
                sources: vec!["src/a.ts".into(), "b.js".into()],
                lines: vec![None, Some((0, 1)), Some((1, 17)), None, Some((0, 2))],
            }
        );
        assert_eq!(numbers("AAgBC"), [0, 0, 16, 1]);
        assert_eq!(numbers("D"), [-1]);
    }
}
