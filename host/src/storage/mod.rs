//! The disk, as logs see it: files that are only appended to, and names that change at once.
//!
//! A log promises that what it has acknowledged survives a crash at any instant, and that promise can only be tested
//! when a disk can be made to fail, to tear a write and to lose what was not synced. So logs write through [`Storage`]:
//! [`Disk`] in production, [`SimulatedDisk`] in tests. The trait says no more than a file system does: bytes are durable
//! once their file is synced, names once their folder is.

mod disk;
mod simulated;

pub use disk::Disk;
pub use simulated::{Fault, SimulatedDisk};

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

/// A file that is not whole yet has this behind its name.
pub const UNFINISHED: &str = ".new";

/// Files by path. Calls block.
pub trait Storage: Debug + Send + Sync {
    /// Makes a folder, and those above it, where they are missing.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// The names of the files in a folder, sorted. Names that are not UTF-8 are left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// All bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// `length` bytes of a file from byte `start`; an error where it has fewer.
    fn read_at(&self, path: &Path, start: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Opens a file, made when it is not there, for adding to its end.
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;

    /// Gives a file another name, in the place of whatever had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable: files made, renamed and removed.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is added to.
pub trait StorageFile: Debug + Send {
    /// Adds bytes to the end. After an error, any number of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file off at `length` bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes its bytes durable. After an error nothing is known of what was appended since the last success.
    fn sync(&mut self) -> io::Result<()>;
}

/// Makes a file that is there whole or not at all, in the place of whatever had its name. When this returns it is
/// durable, name and all, and open for adding to its end.
pub fn create(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn StorageFile>> {
    let file = write_aside(storage, path, bytes)?;
    put_in_place(storage, path)?;
    Ok(file)
}

/// The first half of [`create`]: the file is whole and durable, under another name. Until the second half nothing has
/// happened to whatever has its name.
pub fn write_aside(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn StorageFile>> {
    let mut file = storage.open(&unfinished(path))?;
    // An earlier attempt may have left something.
    file.truncate(0)?;
    file.append(bytes)?;
    file.sync()?;
    Ok(file)
}

/// The second half of [`create`]. After an error, what has the name is not known.
pub fn put_in_place(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    storage.rename(&unfinished(path), path)?;
    path.parent().map_or(Ok(()), |folder| storage.sync_folder(folder))
}

/// What a file is called until it is whole.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}
