//! Components and compiled code on disk: what is damaged is told or mended, never run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::fs;
use std::path::{Path, PathBuf};

use weir_tests::guests::wasm;
use weir_tests::{Folder, each};

const PIPELINE: &str = r#"
    [sources.lines]
    type = "file"
    path = "lines.txt"
    [operators.words]
    transform = "words@0.1.0"
    inputs = ["lines"]
    [sinks.out]
    type = "files"
    path = "out"
    inputs = ["words"]
"#;

/// A folder that shares no file with others, in which the pipeline has run.
fn folder() -> Folder {
    let folder = Folder::empty();
    folder.weir(&["plugin", "register", &wasm("words").display().to_string()]).ok();
    folder.write("lines.txt", "to be\n");
    folder.run_once(PIPELINE).ok();
    folder
}

/// The files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it can be listed").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

/// The code that is compiled of the one component: some that counts fuel, and some that does not.
fn compiled(folder: &Folder) -> Vec<PathBuf> {
    let compiled = files(&folder.data().join("cache"));
    assert_eq!(compiled.len(), 2, "{compiled:?}");
    compiled
}

#[test]
fn given_compiled_code_that_is_damaged_when_run_then_it_is_compiled_again() {
    let whole = folder();
    let code = fs::read(&compiled(&whole)[0]).expect("there is compiled code");
    each([&b""[..], b"not compiled code", &code[..64], &code[..code.len() / 2]], |contents| {
        let folder = folder();
        let files = compiled(&folder);
        files.iter().for_each(|file| fs::write(file, contents).expect("it can be written"));
        folder.run_once(PIPELINE).ok();
        assert_eq!(folder.batches("out").column("word"), ["to", "be"]);
        assert_eq!(compiled(&folder), files);
        for file in files {
            assert!(fs::read(&file).expect("it is there") != contents, "what was damaged is still there");
        }
    });
}

#[test]
fn given_compiled_code_in_a_folder_that_others_can_write_to_when_run_then_it_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let file = &compiled(&folder)[0];
    let cache = file.parent().expect("a file lies in a folder");
    fs::set_permissions(cache, fs::Permissions::from_mode(0o777)).expect("it is ours");
    let finished = folder.run_once(PIPELINE).ok();
    assert!(finished.stderr.contains("others can write to"), "{}", finished.stderr);
}

#[test]
fn given_no_cache_at_all_when_run_then_it_is_made_anew() {
    let folder = folder();
    fs::remove_dir_all(folder.data().join("cache")).expect("it can be removed");
    folder.run_once(PIPELINE).ok();
    assert_eq!(folder.batches("out").column("word"), ["to", "be"]);
}

#[test]
fn given_a_component_that_is_damaged_when_run_then_the_message_says_what_to_do() {
    let folder = folder();
    let file = &files(&folder.data().join("registry/components"))[0];
    let mut bytes = fs::read(file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("it can be written");
    folder.run_once(PIPELINE).refused(&["operator `words`", "is damaged", "register the component again"]);
    fs::remove_file(file).expect("it can be removed");
    folder.run_once(PIPELINE).refused(&["operator `words`", "cannot be read"]);
    folder.weir(&["plugin", "register", &wasm("words").display().to_string()]).ok();
    folder.run_once(PIPELINE).ok();
}
