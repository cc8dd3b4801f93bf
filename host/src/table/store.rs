//! Contents by digest: in memory while batches need them, on disk for as long as a batch may be run again.
//!
//! A file `DIGEST.arrow` (Arrow's IPC format) holds one table's contents; the digest is that of the file's bytes, so a file is
//! written once and checked whenever it is read. It appears whole or not at all.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use arrow::ipc::reader::FileReader;
use arrow::record_batch::RecordBatch;

use super::Contents;
use crate::fault;
use crate::operator::{Digest, DigestWriter};

const EXTENSION: &str = ".arrow";

/// The contents of a pipeline's tables.
#[derive(Debug)]
pub struct TableStore {
    folder: PathBuf,
    loaded: Mutex<HashMap<Digest, Arc<Contents>>>,
}

impl TableStore {
    /// Keeps contents in this folder, which is made when the first come.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), loaded: Mutex::default() }
    }

    /// Keeps contents; once this returns, they outlive the process. Blocks on the disk.
    pub fn keep(&self, contents: &Arc<Contents>) -> Result<()> {
        let path = self.path(contents.digest());
        let failed = || format!("cannot keep a table's rows in {}; is the disk full?", path.display());
        if !path.exists() {
            self.write(contents, &path).with_context(failed)?;
        } else if self.in_memory(contents.digest()).is_none() {
            // Whoever made it may have been killed before its name was durable.
            File::open(&self.folder).and_then(|folder| folder.sync_all()).with_context(failed)?;
        }
        self.lock().insert(contents.digest(), contents.clone());
        Ok(())
    }

    fn write(&self, contents: &Contents, path: &Path) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        let mut buffered = BufWriter::new(file.as_file_mut());
        contents.write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.as_file().sync_all()?;
        fault::point("a table's rows are renamed");
        file.persist(path)?;
        fault::point("the folder of tables is synced");
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// Contents that are in memory.
    pub fn in_memory(&self, digest: Digest) -> Option<Arc<Contents>> {
        self.lock().get(&digest).cloned()
    }

    /// Contents that were kept. Blocks on the disk when they are not in memory.
    pub fn get(&self, digest: Digest) -> Result<Arc<Contents>> {
        if let Some(contents) = self.in_memory(digest) {
            return Ok(contents);
        }
        let contents = Arc::new(self.read(digest)?);
        self.lock().insert(digest, contents.clone());
        Ok(contents)
    }

    fn read(&self, digest: Digest) -> Result<Contents> {
        let path = self.path(digest);
        let file = File::open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => anyhow!(
                "the rows that a table had are not kept any more: there is no {}; a batch can be run again only while \
                 `remember` reaches back to it",
                path.display()
            ),
            _ => anyhow!(e).context(format!("cannot read {}", path.display())),
        })?;
        let damaged = || format!("{} is damaged: remove it, and start the host anew", path.display());
        let mut file = BufReader::new(file);
        let mut found = DigestWriter::default();
        io::copy(&mut file, &mut found).with_context(damaged)?;
        if found.finish() != digest {
            bail!("{}", damaged());
        }
        file.rewind().with_context(damaged)?;
        let reader = FileReader::try_new(file, None).with_context(damaged)?;
        let schema = reader.schema();
        let rows: Vec<RecordBatch> = reader.collect::<Result<_, _>>().with_context(damaged)?;
        Ok(Contents::known(schema, rows, digest))
    }

    /// Lets go of contents in memory but these.
    pub fn retain_in_memory(&self, needed: &HashSet<Digest>) {
        self.lock().retain(|digest, _| needed.contains(digest));
    }

    /// Removes contents from the disk but these, and what a crash left half-written. Blocks on the disk.
    pub fn retain_on_disk(&self, needed: &HashSet<Digest>) -> Result<()> {
        let failed = || format!("cannot tidy up {}", self.folder.display());
        let entries = match fs::read_dir(&self.folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.with_context(failed)?,
        };
        let names: HashSet<String> = needed.iter().map(|digest| file_name(*digest)).collect();
        for entry in entries {
            let path = entry.with_context(failed)?.path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            // What is not ours is not ours to remove.
            let ours = name.ends_with(EXTENSION) || name.starts_with(".tmp");
            if ours && !names.contains(name) {
                fault::point("a table's rows are removed");
                fs::remove_file(&path).with_context(failed)?;
            }
        }
        Ok(())
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(file_name(digest))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Contents>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_name(digest: Digest) -> String {
    format!("{}{EXTENSION}", digest.hex())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use proptest::prelude::*;

    use super::*;

    fn contents(rows: &[(Option<&str>, i64)], batch: usize) -> Arc<Contents> {
        let fields = vec![Field::new("user", DataType::Utf8, true), Field::new("n", DataType::Int64, false)];
        let schema = Arc::new(Schema::new(fields));
        let batches = rows.chunks(batch.max(1)).map(|rows| {
            let users: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|(user, _)| *user)));
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, n)| *n)));
            RecordBatch::try_new(schema.clone(), vec![users, numbers]).unwrap()
        });
        Arc::new(Contents::new(schema.clone(), batches.collect()).unwrap())
    }

    fn rows(contents: &Contents) -> Vec<(Option<String>, i64)> {
        let pairs = |batch: &RecordBatch| {
            let users = batch.column(0).as_string::<i32>().clone();
            let numbers = batch.column(1).as_primitive::<Int64Type>().clone();
            (0..batch.num_rows()).map(move |i| (users.is_valid(i).then(|| users.value(i).to_owned()), numbers.value(i)))
        };
        contents.rows().iter().flat_map(|batch| pairs(batch).collect::<Vec<_>>()).collect()
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn another_process_reads_the_same_rows_by_their_digest() {
        let folder = tempfile::tempdir().unwrap();
        let first = contents(&[(Some("ann"), 1), (None, 2)], 8);
        TableStore::at(folder.path()).keep(&first).unwrap();
        let again = TableStore::at(folder.path()).get(first.digest()).unwrap();
        assert_eq!(rows(&again), [(Some("ann".to_owned()), 1), (None, 2)]);
        assert_eq!((again.digest(), again.schema()), (first.digest(), first.schema()));
    }

    #[test]
    fn the_file_that_holds_contents_has_their_digest() {
        let folder = tempfile::tempdir().unwrap();
        let first = contents(&[(Some("ann"), 1)], 8);
        let store = TableStore::at(folder.path());
        store.keep(&first).unwrap();
        let bytes = fs::read(store.path(first.digest())).unwrap();
        assert_eq!(Digest::of(&bytes), first.digest());
    }

    #[test]
    fn a_file_that_was_changed_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let first = contents(&[(Some("ann"), 1)], 8);
        let store = TableStore::at(folder.path());
        store.keep(&first).unwrap();
        let path = store.path(first.digest());
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = TableStore::at(folder.path()).get(first.digest()).unwrap_err();
        assert!(error.to_string().ends_with(".arrow is damaged: remove it, and start the host anew"), "{error:#}");
    }

    #[test]
    fn what_is_not_needed_goes_with_what_a_crash_left() {
        let folder = tempfile::tempdir().unwrap();
        let store = TableStore::at(folder.path());
        let (old, new) = (contents(&[(None, 1)], 8), contents(&[(None, 2)], 8));
        store.keep(&old).unwrap();
        store.keep(&new).unwrap();
        fs::write(folder.path().join(".tmpABC"), "half").unwrap();
        let needed = HashSet::from([new.digest()]);
        store.retain_in_memory(&needed);
        assert!(store.in_memory(old.digest()).is_none());
        assert_eq!(store.get(old.digest()).unwrap().digest(), old.digest());
        store.retain_in_memory(&needed);
        store.retain_on_disk(&needed).unwrap();
        assert_eq!(files(folder.path()), 1);
        let error = store.get(old.digest()).unwrap_err();
        assert!(error.to_string().contains("are not kept any more"), "{error:#}");
    }

    proptest! {
        /// Rows that come in other batches are the same contents.
        #[test]
        fn a_digest_tells_rows_and_not_batches(
            given in proptest::collection::vec((proptest::option::of("[a-z]{0,3}"), any::<i64>()), 0..60),
            one in 1_usize..20,
            other in 1_usize..20,
        ) {
            let given: Vec<(Option<&str>, i64)> = given.iter().map(|(user, n)| (user.as_deref(), *n)).collect();
            let (one, other) = (contents(&given, one), contents(&given, other));
            prop_assert_eq!(one.digest(), other.digest());
            let expected: Vec<_> = given.iter().map(|(user, n)| (user.map(str::to_owned), *n)).collect();
            prop_assert_eq!(rows(&one), expected);
        }
    }
}
