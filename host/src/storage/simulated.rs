//! A disk in memory that fails where it is told to, and forgets what was not synced when the power goes.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Storage, StorageFile};

/// What happens at one change of the disk. Changes are counted from 0: each append, truncate, sync, open that makes a
/// file, rename, remove and sync of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This change fails, an append after its first `torn` bytes; later ones succeed.
    Error {
        /// Which change.
        at: usize,
        /// How many bytes of an append get there all the same.
        torn: usize,
    },
    /// This change and all that follow it fail, as if the host had been killed within it.
    Stop {
        /// Which change.
        at: usize,
        /// How many bytes of an append get there all the same.
        torn: usize,
    },
}

/// Files in memory. A handle: clones share one disk.
#[derive(Debug, Clone, Default)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    files: Vec<FileState>,
    /// Which file a name means now, and which it means after a crash.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    changes: usize,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Default)]
struct FileState {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

impl SimulatedDisk {
    /// An empty disk with one fault to come.
    pub fn with_fault(fault: Fault) -> Self {
        let disk = Self::default();
        disk.set_fault(Some(fault));
        disk
    }

    /// Changes what is to fail; changes are counted on.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// Whether a [`Fault::Stop`] has come: the host is as good as dead.
    pub fn has_stopped(&self) -> bool {
        let state = self.state();
        matches!(state.fault, Some(Fault::Stop { at, .. }) if state.changes > at)
    }

    /// How many changes there were, failed ones included.
    pub fn changes(&self) -> usize {
        self.state().changes
    }

    /// The disk as it may be after a power cut: of each file what was synced, and the first `kept` bytes of what was
    /// added to it since; the names that were synced, or, with `names_kept`, those that there were.
    pub fn after_power_cut(&self, kept: usize, names_kept: bool) -> Self {
        let mut state = self.state().clone();
        for file in &mut state.files {
            let synced = std::mem::take(&mut file.durable);
            let added = match file.bytes.strip_prefix(&synced[..]) {
                Some(added) => &added[..added.len().min(kept)],
                // It was cut off and the cut not synced.
                None => &[],
            };
            let bytes = [&synced[..], added].concat();
            *file = FileState { durable: bytes.clone(), bytes };
        }
        if !names_kept {
            state.names = state.durable_names.clone();
        }
        state.durable_names = state.names.clone();
        (state.fault, state.changes) = (None, 0);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Puts a file there, durable at once.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        let number = state.files.len();
        state.files.push(FileState { durable: bytes.clone(), bytes });
        state.names.insert(path.to_owned(), number);
        state.durable_names.insert(path.to_owned(), number);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a change; how many bytes of it get there when it fails.
    fn change(&mut self) -> Result<(), usize> {
        let now = self.changes;
        self.changes += 1;
        match self.fault {
            Some(Fault::Error { at, torn }) if now == at => Err(torn),
            Some(Fault::Stop { at, torn }) if now == at => Err(torn),
            Some(Fault::Stop { at, .. }) if now > at => Err(0),
            _ => Ok(()),
        }
    }

    fn change_whole(&mut self) -> io::Result<()> {
        self.change().map_err(|_| broken())
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::StorageFull, "simulated: no space left on device")
}

impl Storage for SimulatedDisk {
    fn create_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.names.keys().filter_map(|path| path.strip_prefix(folder).ok()?.to_str());
        Ok(inside.map(str::to_owned).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        Ok(state.files[state.find(path)?].bytes.clone())
    }

    fn read_at(&self, path: &Path, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let range = start..start.saturating_add(length);
        bytes.get(range).map(<[u8]>::to_vec).ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        let file = match state.find(path) {
            Ok(file) => file,
            Err(_) => {
                state.change_whole()?;
                let file = state.files.len();
                state.files.push(FileState::default());
                state.names.insert(path.to_owned(), file);
                file
            }
        };
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change_whole()?;
        let file = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change_whole()?;
        state.find(path)?;
        state.names.remove(path);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change_whole()?;
        let State { names, durable_names, .. } = &mut *state;
        durable_names.retain(|path, _| path.parent() != Some(folder));
        let inside = names.iter().filter(|(path, _)| path.parent() == Some(folder));
        durable_names.extend(inside.map(|(path, file)| (path.clone(), *file)));
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl StorageFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let done = state.change();
        let there = done.err().map_or(bytes, |torn| &bytes[..torn.min(bytes.len())]);
        state.files[self.file].bytes.extend_from_slice(there);
        done.map_err(|_| broken())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change_whole()?;
        state.files[self.file].bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change_whole()?;
        let file = &mut state.files[self.file];
        file.durable.clone_from(&file.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;
    use crate::storage::Disk;

    /// What every disk does.
    fn check(disk: &dyn Storage, folder: &Path) {
        let (a, b) = (folder.join("a"), folder.join("b"));
        disk.create_folder(folder).unwrap();
        let mut file = disk.open(&a).unwrap();
        file.append(b"one").unwrap();
        file.append(b"two").unwrap();
        file.truncate(4).unwrap();
        file.append(b"!").unwrap();
        file.sync().unwrap();
        assert_eq!(disk.read(&a).unwrap(), b"onet!");
        assert_eq!(disk.read_at(&a, 2, 2).unwrap(), b"et");
        assert_eq!(disk.read_at(&a, 4, 2).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        disk.open(&a).unwrap().append(b"?").unwrap();
        disk.rename(&a, &b).unwrap();
        disk.sync_folder(folder).unwrap();
        assert_eq!((disk.list(folder).unwrap(), disk.read(&b).unwrap()), (vec!["b".to_owned()], b"onet!?".to_vec()));
        disk.remove(&b).unwrap();
        assert_eq!(disk.read(&b).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(disk.list(folder).unwrap().is_empty());
    }

    #[test]
    fn given_files_when_changed_then_the_simulated_disk_does_as_the_real_one() {
        let folder = tempfile::tempdir().unwrap();
        check(&Disk, &folder.path().join("x"));
        check(&SimulatedDisk::default(), Path::new("/x"));
    }

    #[test]
    fn given_a_power_cut_when_bytes_and_names_were_not_synced_then_they_may_be_gone() {
        let disk = SimulatedDisk::default();
        let (folder, path) = (Path::new("/x"), Path::new("/x/a"));
        let mut file = disk.open(path).unwrap();
        file.append(b"synced").unwrap();
        file.sync().unwrap();
        assert!(disk.after_power_cut(9, false).list(folder).unwrap().is_empty());
        disk.sync_folder(folder).unwrap();
        file.append(b"not").unwrap();
        assert_eq!(disk.after_power_cut(0, false).read(path).unwrap(), b"synced");
        assert_eq!(disk.after_power_cut(2, false).read(path).unwrap(), b"syncedno");
    }

    #[test]
    fn given_a_fault_when_its_change_comes_then_the_append_is_torn_there() {
        for (fault, later) in [(Fault::Error { at: 1, torn: 2 }, true), (Fault::Stop { at: 1, torn: 2 }, false)] {
            let disk = SimulatedDisk::with_fault(fault);
            let mut file = disk.open(Path::new("/a")).unwrap();
            assert_eq!(file.append(b"abc").unwrap_err().kind(), ErrorKind::StorageFull);
            assert_eq!(disk.read(Path::new("/a")).unwrap(), b"ab");
            assert_eq!((file.sync().is_ok(), disk.changes()), (later, 3));
        }
    }
}
