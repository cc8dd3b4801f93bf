//! Records found in memory and in ranges of files, in chunks of any size.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::io::Write;

use proptest::prelude::*;

use super::*;

fn file_with(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Every record as (text, end, too long), asked for `max` at a time.
fn all(mut records: Records, max: usize) -> Vec<(Vec<u8>, u64, bool)> {
    let mut found = vec![];
    while let Some(chunk) = records.next_chunk(max).unwrap() {
        assert!((1..=max).contains(&chunk.spans.len()));
        found.extend(chunk.spans.iter().map(|s| (chunk.text(s).to_vec(), s.end, s.too_long)));
    }
    found
}

#[test]
fn given_blank_lines_when_they_are_not_kept_then_only_other_records_are_found() {
    let bytes = Bytes::from_static(b"\n  \r\na\r\n\nb\n \n");
    let records = Records::new(Input::memory(bytes.clone()), Framing::Lines, false);
    assert_eq!(all(records, 10), [(b"a".to_vec(), 8, false), (b"b".to_vec(), 11, false)]);
    let records = Records::new(Input::memory(bytes), Framing::Lines, true);
    assert_eq!(all(records, 1).len(), 6);
}

#[test]
fn given_a_record_that_is_too_long_when_read_then_only_its_start_is_kept_and_the_next_is_whole() {
    let long = vec![b'x'; 3 * MAX_RECORD_BYTES + 17];
    let input = [b"a\n", &long[..], b"\nb\n"].concat();
    let expected = [
        (b"a".to_vec(), 2, false),
        (long[..HEAD_BYTES].to_vec(), long.len() as u64 + 3, true),
        (b"b".to_vec(), long.len() as u64 + 5, false),
    ];
    let memory = Input::memory(Bytes::from(input.clone()));
    assert_eq!(all(Records::new(memory, Framing::Lines, true), 5), expected);

    let file = file_with(&input);
    let range = Input::file(file.path(), 0, input.len() as u64).unwrap();
    let mut records = Records::new(range, Framing::Lines, true);
    let mut found = vec![];
    while let Some(chunk) = records.next_chunk(5).unwrap() {
        found.extend(chunk.spans.iter().map(|s| (chunk.text(s).to_vec(), s.end, s.too_long)));
    }
    assert_eq!(found, expected);
    let Input::File(range) = records.input else { unreachable!("opened as a file") };
    assert!(range.buffer.len() < 2 * MAX_RECORD_BYTES + 4 * READ_BYTES, "{} bytes", range.buffer.len());
}

#[test]
fn given_records_around_the_limit_when_read_then_the_line_end_does_not_count() {
    for (extra, too_long) in [(0, false), (1, true)] {
        let line = vec![b'x'; MAX_RECORD_BYTES + extra];
        for end in ["", "\n", "\r\n"] {
            let input = [&line[..], end.as_bytes()].concat();
            let file = file_with(&input);
            let inputs = [Input::file(file.path(), 0, input.len() as u64).unwrap(), Input::memory(Bytes::from(input))];
            for input in inputs {
                let found = all(Records::new(input, Framing::Lines, true), 5);
                assert_eq!((found.len(), found[0].2), (1, too_long), "{extra} more, end {end:?}");
            }
        }
    }
}

#[test]
fn given_a_file_that_is_gone_or_shorter_when_read_then_the_error_names_it() {
    let gone = Input::file(Path::new("/nowhere/x.log"), 0, 1).unwrap_err().to_string();
    assert!(gone.starts_with("/nowhere/x.log is gone"), "{gone}");

    let file = file_with(b"ab\n");
    let mut records = Records::new(Input::file(file.path(), 0, 8).unwrap(), Framing::Lines, true);
    let shorter = records.next_chunk(10).unwrap_err().to_string();
    assert!(shorter.contains(&file.path().display().to_string()) && shorter.contains("5 bytes shorter"), "{shorter}");
}

proptest! {
    #[test]
    fn given_any_bytes_when_lines_are_passed_now_and_then_then_the_records_between_are_where_they_were(
        input in prop::collection::vec(prop::sample::select(&b"ab\n\r "[..]), 0..200),
        steps in prop::collection::vec((any::<bool>(), 1usize..9, 1u64..60), 1..40),
    ) {
        let file = file_with(&input);
        let records = || Input::file(file.path(), 0, input.len() as u64).map(|i| Records::new(i, Framing::Lines, true));
        let expected = all(records().unwrap(), 1000);
        let (mut records, mut at) = (records().unwrap(), 0_usize);
        for (pass, max_records, max_bytes) in steps {
            if pass {
                let before = at.checked_sub(1).map_or(0, |last| expected[last].1);
                let Some(passed) = records.pass_lines(max_records as u64, max_bytes).unwrap() else { continue };
                prop_assert!((1..=max_records as u64).contains(&passed.records) && passed.end - before <= max_bytes);
                at += passed.records as usize;
                prop_assert_eq!(passed.end, expected[at - 1].1);
            } else if let Some(chunk) = records.next_chunk(max_records).unwrap() {
                let found: Vec<_> = chunk.spans.iter().map(|s| (chunk.text(s).to_vec(), s.end, s.too_long)).collect();
                prop_assert_eq!(&found[..], &expected[at..at + found.len()]);
                at += found.len();
            } else {
                prop_assert_eq!(at, expected.len());
            }
        }
    }

    #[test]
    fn given_any_bytes_when_read_from_memory_or_a_range_in_any_chunks_then_records_are_the_same(
        input in prop::collection::vec(prop::sample::select(&b"ab\"\n\r, "[..]), 0..200),
        before in 0usize..10,
        max in 1usize..9,
        csv: bool,
        keep_blank: bool,
    ) {
        let framing = if csv { Framing::Csv } else { Framing::Lines };
        let whole = all(Records::new(Input::memory(Bytes::from(input.clone())), framing, keep_blank), 1000);
        let bytes = [&vec![b'\n'; before][..], &input, b"after\n"].concat();
        let file = file_with(&bytes);
        let range = Input::file(file.path(), before as u64, (before + input.len()) as u64).unwrap();
        let ranged = all(Records::new(range, framing, keep_blank), max);
        prop_assert_eq!(&ranged, &whole);
        if framing == Framing::Lines && keep_blank {
            let mut naive: Vec<&[u8]> = input.split(|b| *b == b'\n').collect();
            if naive.last().is_some_and(|last| last.is_empty()) { naive.pop(); }
            let naive: Vec<_> = naive.iter().map(|l| l.strip_suffix(b"\r").unwrap_or(l).to_vec()).collect();
            prop_assert_eq!(whole.iter().map(|r| r.0.clone()).collect::<Vec<_>>(), naive);
        }
    }
}
