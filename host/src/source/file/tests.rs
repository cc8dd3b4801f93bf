//! Cutting files into blocks, and reading the blocks back.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::num::NonZeroUsize;
use std::time::Duration;

use arrow::array::AsArray;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::block::BlockStore;
use crate::rows::ColumnType;
use crate::source::{BlockReader, Decoding, declared_schema};

/// A folder and a source over it, cut once a second.
struct Given {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    decoding: Decoding,
    format: Format,
    block_size: u64,
}

impl Given {
    fn new(format: Format, block_size: u64) -> Self {
        let schema = match format {
            Format::Text => crate::source::infer_schema(Path::new("."), format).unwrap(),
            _ => {
                declared_schema(&[("a", ColumnType::Utf8), ("b", ColumnType::Int64)].map(|(n, t)| (n.into(), t)).into())
            }
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            decoding: Decoding::records(format, &schema).unwrap(),
            format,
            block_size,
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn open(&self, path: &Path, watch: bool, rate: Option<f64>, mode: Mode) -> Result<FileSource> {
        self.source(path, watch, rate, None, mode)
    }

    fn source(
        &self,
        path: &Path,
        watch: bool,
        rate: Option<f64>,
        max_files: Option<NonZeroUsize>,
        mode: Mode,
    ) -> Result<FileSource> {
        let context = SourceContext {
            store: BlockStore::new(1),
            interval: Duration::from_secs(1),
            block_interval: Duration::from_millis(200),
            block_size: self.block_size,
            mode,
            runtime: self.runtime.handle().clone(),
        };
        FileSource::open(path, watch, rate.map(Rate), max_files, self.format, &self.decoding.schema(), &context)
    }

    /// The first column of the blocks' rows.
    fn rows(&self, blocks: &[Block]) -> Vec<String> {
        let store = BlockStore::new(1);
        let chunk = NonZeroUsize::new(3).unwrap();
        let mut rows = vec![];
        for block in blocks {
            let before = rows.len();
            for decoded in BlockReader::open(block, &self.decoding, &store, chunk).unwrap() {
                let decoded = decoded.unwrap();
                let column = decoded.rows.column(0).as_string::<i32>();
                rows.extend(column.iter().map(|s| s.unwrap_or("null").to_owned()));
                rows.extend(decoded.rejects.into_iter().map(|r| format!("rejected {}", r.record)));
            }
            assert!(block.rows.is_none_or(|counted| counted.get() == (rows.len() - before) as u64));
        }
        rows
    }
}

fn at(second: u64) -> BatchTime {
    BatchTime::from_millis(second * 1000)
}

/// Where blocks begin and end, and how many rows they have; 0 where that was not counted.
fn extents(blocks: &[Block]) -> Vec<(u64, u64, u64)> {
    blocks
        .iter()
        .map(|block| match &block.data {
            BlockData::File { start, end, .. } => (*start, *end, block.rows.map_or(0, NonZeroU64::get)),
            other => unreachable!("{other:?}"),
        })
        .collect()
}

#[test]
fn given_a_folder_when_cut_then_files_come_in_the_order_of_their_names_in_blocks_of_whole_records() {
    let given = Given::new(Format::Text, 4);
    given.file("b", "d\n");
    given.file("a", "aa\nb\r\n\nc");
    for ignored in [".hidden", "_success", "c.tmp"] {
        given.file(ignored, "no\n");
    }
    fs::create_dir(given.folder.path().join("folder")).unwrap();
    let mut source = given.open(given.folder.path(), false, None, Mode::Once).unwrap();
    assert!(!source.ended());

    let cut = source.cut(at(1), None).unwrap();

    assert_eq!(extents(&cut.blocks), [(0, 6, 0), (6, 8, 0), (0, 2, 0)]);
    assert_eq!(given.rows(&cut.blocks), ["aa", "b", "", "c", "d"]);
    let Moved::Files(moved) = cut.moved else { unreachable!("files") };
    assert_eq!((moved.opened, moved.current), (2, None));
    assert!(source.ended());
    assert_eq!(source.cut(at(2), None).unwrap().blocks, []);
}

#[test]
fn given_a_small_rest_of_a_file_when_cut_then_it_goes_with_the_block_before_it() {
    let file = |lines| [b"1234567\n".repeat(lines), b"x\n".to_vec()].concat();
    for (lines, expected) in
        [(2, vec![(0, 16, 2), (16, 32, 2), (32, 50, 3)]), (3, vec![(0, 16, 2), (16, 32, 2), (32, 48, 2), (48, 58, 2)])]
    {
        let given = Given::new(Format::Text, 16);
        let path = given.file("a", file(lines + 4));
        let cut = |limit| given.open(&path, false, None, Mode::Once).unwrap().cut(at(1), limit).unwrap();
        assert_eq!(extents(&cut(Some(100)).blocks), expected);
        // Whether rows are counted or not.
        let uncounted: Vec<_> = expected.iter().map(|(start, end, _)| (*start, *end, 0)).collect();
        assert_eq!(extents(&cut(None).blocks), uncounted);
    }
    // However large a block may be.
    let given = Given::new(Format::Text, u64::MAX);
    let path = given.file("a", file(9));
    let cut = given.open(&path, false, None, Mode::Once).unwrap().cut(at(1), None).unwrap();
    assert_eq!(extents(&cut.blocks), [(0, 74, 0)]);
}

#[test]
fn given_csv_files_when_cut_then_each_ones_header_is_left_out_and_quoted_newlines_stay_in_their_record() {
    let given = Given::new(Format::Csv, 5);
    given.file("1.csv", "\u{FEFF}a,b\r\n\"x\ny\",1\r\n\r\nz,2\r\n\n");
    given.file("2.csv", "a,b\nw,3");
    given.file("3.csv", "a,b");
    given.file("4.csv", "");
    let mut source = given.open(given.folder.path(), false, None, Mode::Once).unwrap();
    let cut = source.cut(at(1), None).unwrap();
    assert_eq!(extents(&cut.blocks), [(8, 17, 1), (17, 24, 1), (4, 7, 1)]);
    assert_eq!(given.rows(&cut.blocks), ["x\ny", "z", "w"]);
    assert!(source.ended());
}

#[test]
fn given_a_csv_file_with_other_columns_when_cut_then_the_error_names_it_and_both() {
    let given = Given::new(Format::Csv, 100);
    let file = given.file("1.csv", "b,a\n1,x\n");
    let mut source = given.open(&file, false, None, Mode::Once).unwrap();
    let error = source.cut(at(1), None).unwrap_err().to_string();
    assert!(error.contains("1.csv") && error.contains("`b,a`") && error.contains("`a,b`"), "{error}");
}

#[test]
fn given_a_rate_when_cut_then_batches_have_the_rows_that_are_due_live_and_once_alike() {
    let given = Given::new(Format::Text, 1000);
    let file = given.file("x", "a\nb\nc\nd\ne\nf\ng\n");
    let cuts = |mode| {
        let mut source = given.open(&file, false, Some(2.5), mode).unwrap();
        let mut cuts = vec![];
        for second in 1.. {
            if source.ended() {
                break;
            }
            cuts.push(source.cut(at(second), None).unwrap());
        }
        cuts
    };
    let live = cuts(Mode::Live);
    assert_eq!(live.iter().map(|c| given.rows(&c.blocks).concat()).collect::<Vec<_>>(), ["ab", "cde", "fg"]);
    assert_eq!(cuts(Mode::Once), live);
}

#[test]
fn given_a_limit_when_cut_then_it_bounds_the_batch_and_what_was_due_comes_later() {
    let given = Given::new(Format::Text, 1000);
    let file = given.file("x", "a\nb\nc\nd\ne\nf\n");
    let mut source = given.open(&file, false, Some(2.0), Mode::Live).unwrap();
    let mut rows = |limit| given.rows(&source.cut(at(limit), Some(limit)).unwrap().blocks).concat();
    assert_eq!((rows(1), rows(2), rows(3), rows(4)), ("a".into(), "bc".into(), "def".into(), String::new()));
}

#[test]
fn given_most_files_of_a_batch_when_cut_then_each_has_so_many_and_the_rest_of_one_counts() {
    let given = Given::new(Format::Text, 1000);
    for (name, content) in [("1", "a\nb\n"), ("2", "c\n"), ("3", "d\n"), ("4", "e\n")] {
        given.file(name, content);
    }
    let mut source = given.source(given.folder.path(), false, None, NonZeroUsize::new(2), Mode::Once).unwrap();
    let mut rows = |second, limit| given.rows(&source.cut(at(second), limit).unwrap().blocks).concat();
    assert_eq!([rows(1, Some(1)), rows(2, None), rows(3, None)], ["a", "bc", "de"]);
    assert!(source.ended());
}

#[test]
fn given_most_files_of_a_batch_when_resumed_paced_or_watched_then_each_has_so_many_and_an_empty_one_counts() {
    for (rate, watch) in [(None, false), (Some(3.0), false), (None, true)] {
        let given = Given::new(Format::Text, 1000);
        for (name, content) in [("1", "a\nb\n"), ("2", ""), ("3", "c\n"), ("4", "d\n"), ("5", "e\n")] {
            given.file(name, content);
        }
        let mut position = Position::Start;
        let mut rows = |second| {
            let two = NonZeroUsize::new(2);
            let mut source = given.source(given.folder.path(), watch, rate, two, Mode::Live).unwrap();
            source.resume(&position).unwrap();
            let cut = source.cut(at(second), None).unwrap();
            position.follow(&cut.moved);
            given.rows(&cut.blocks).concat()
        };
        assert_eq!([rows(1), rows(2)], ["ab", "cd"], "{rate:?}, {watch}");
        given.file("0", "f\n");
        assert_eq!(rows(3), if watch { "ef" } else { "e" });
    }
}

#[test]
fn given_a_rate_that_is_left_out_for_a_while_when_it_is_back_then_it_counts_anew() {
    let given = Given::new(Format::Text, 1000);
    let file = given.file("x", "a\nb\nc\nd\ne\n");
    let mut position = Position::Start;
    let mut run = |rate, second, limit| {
        let mut source = given.open(&file, false, rate, Mode::Live).unwrap();
        source.resume(&position).unwrap();
        let cut = source.cut(at(second), limit).unwrap();
        position.follow(&cut.moved);
        given.rows(&cut.blocks).concat()
    };
    assert_eq!([run(Some(2.0), 1, None), run(None, 2, Some(1)), run(Some(1.0), 3, None)], ["ab", "c", "d"]);
}

#[test]
fn given_a_file_that_has_become_shorter_when_its_rest_is_cut_then_the_error_names_it() {
    let given = Given::new(Format::Text, 2);
    let file = given.file("x", "a\nb\nc\nd\ne\n");
    let mut source = given.open(&file, false, None, Mode::Live).unwrap();
    source.cut(at(1), Some(1)).unwrap();
    given.file("x", "a\nb\n");
    let error = source.cut(at(2), None).unwrap_err().to_string();
    let way_out = "put it back as it was, or begin anew with `weir run --fresh`";
    assert_eq!(error, format!("{} is shorter than it was: an input file must not change; {way_out}", file.display()));
}

#[test]
fn given_a_watched_folder_when_files_appear_then_each_is_read_once_and_one_that_grows_is_not_followed() {
    let given = Given::new(Format::Text, 1000);
    given.file("b", "1\n");
    let mut source = given.open(given.folder.path(), true, None, Mode::Live).unwrap();
    let mut cut = |second| given.rows(&source.cut(at(second), None).unwrap().blocks).concat();
    assert_eq!(cut(1), "1");
    given.file("b", "1\n2\n");
    given.file("d.tmp", "4\n");
    given.file("c", "5\n");
    given.file("a", "3\n");
    assert_eq!(cut(2), "35");
    fs::rename(given.folder.path().join("d.tmp"), given.folder.path().join("d")).unwrap();
    assert_eq!(cut(3), "4");
    assert_eq!(cut(4), "");
    assert!(!source.ended());
    source.stop();
    assert!(source.ended());
    let once = given.open(given.folder.path(), true, None, Mode::Once).unwrap();
    assert!(!once.watched);
}

#[test]
fn given_paths_that_cannot_be_read_when_opened_then_the_error_names_them() {
    let given = Given::new(Format::Text, 1000);
    let missing = given.open(Path::new("/nowhere/x"), false, None, Mode::Live).unwrap_err().to_string();
    assert_eq!(missing, "there is no file or folder /nowhere/x");
    let file = given.file("x", "a\n");
    let watched = given.open(&file, true, None, Mode::Live).unwrap_err().to_string();
    assert!(watched.contains("only a folder can be watched"), "{watched}");

    let mut source = given.open(&file, false, None, Mode::Live).unwrap();
    fs::remove_file(&file).unwrap();
    let gone = format!("{:#}", source.cut(at(1), None).unwrap_err());
    assert!(gone.contains(&file.display().to_string()), "{gone}");
}

#[test]
fn given_a_file_that_vanishes_after_the_cut_when_its_block_is_read_then_the_error_names_it() {
    let given = Given::new(Format::Text, 1000);
    let file = given.file("x", "a\n");
    let cut = given.open(&file, false, None, Mode::Live).unwrap().cut(at(1), None).unwrap();
    fs::remove_file(&file).unwrap();
    let store = BlockStore::new(1);
    let error = BlockReader::open(&cut.blocks[0], &given.decoding, &store, NonZeroUsize::MIN).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} is gone", file.display())), "{error}");
}

#[test]
fn given_a_file_whose_lines_have_moved_since_the_cut_when_a_block_of_it_is_read_then_the_error_names_it() {
    let given = Given::new(Format::Text, 2);
    let file = given.file("x", "aaa\nbbb\nccc\n");
    let blocks = given.open(&file, false, None, Mode::Live).unwrap().cut(at(1), None).unwrap().blocks;
    given.file("x", "aaaabbb\nccc\n");
    assert_eq!(given.rows(&blocks[2..]), ["ccc"]);
    let store = BlockStore::new(1);
    let error = BlockReader::open(&blocks[1], &given.decoding, &store, NonZeroUsize::MIN).unwrap_err().to_string();
    assert!(error.starts_with(&format!("no line of {} begins at byte 4 any more", file.display())), "{error}");
}

proptest! {
    #[test]
    fn given_any_file_when_cut_at_any_block_size_and_limits_then_the_blocks_rows_are_those_of_the_whole(
        content in prop::collection::vec(prop::sample::select(&b"ab\n\r \"\n,"[..]), 0..200),
        format in prop::sample::select(&[Format::Text, Format::Json, Format::Csv][..]),
        block_size in 1u64..50,
        limits in prop::collection::vec(prop::option::weighted(0.8, 1u64..9), 1..10),
    ) {
        let header: &[u8] = if format == Format::Csv { b"a,b\n" } else { b"" };
        let whole = Given::new(format, u64::MAX);
        let file = whole.file("x", [header, &content].concat());
        let expected = whole.open(&file, false, None, Mode::Once).unwrap().cut(at(1), None).unwrap().blocks;
        prop_assert!(expected.len() <= 1);

        let given = Given { block_size, ..Given::new(format, 0) };
        let mut source = given.open(&file, false, None, Mode::Once).unwrap();
        let mut blocks = vec![];
        for (second, limit) in limits.iter().cycle().enumerate() {
            if source.ended() { break; }
            let cut = source.cut(at(second as u64), *limit).unwrap();
            let counted = cut.blocks.iter().filter_map(|b| b.rows).map(NonZeroU64::get).sum::<u64>();
            prop_assert!(limit.is_none_or(|limit| counted <= limit));
            blocks.extend(cut.blocks);
        }

        let rejected_last = |mut rows: Vec<String>| { rows.sort_by_key(|r| r.starts_with("rejected ")); rows };
        prop_assert_eq!(rejected_last(given.rows(&blocks)), rejected_last(whole.rows(&expected)));
        // Blocks lie one after the other.
        let extents = extents(&blocks);
        prop_assert!(extents.windows(2).all(|pair| pair[0].1 == pair[1].0), "{:?}", extents);
    }
}
