//! Making a folder visible: by one rename, or one exchange of two folders.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, Result};

use crate::fault;

/// Makes the folder `staged` visible as `visible`. What was there lies in `staged` or `removed` afterwards, for the
/// caller to remove.
///
/// Where the file system cannot exchange two folders, the old one is moved away first: for a moment neither is there.
pub(super) fn replace(staged: &Path, visible: &Path, removed: &Path) -> Result<()> {
    fault::point("a batch is made visible");
    if !visible.exists() {
        return fs::rename(staged, visible).with_context(|| format!("renaming {} into place", visible.display()));
    }
    match exchange(staged, visible) {
        Ok(()) => Ok(()),
        Err(error) if is_unsupported(&error) => move_away_and_rename(staged, visible, removed),
        Err(error) => Err(error).with_context(|| format!("replacing {}", visible.display())),
    }
}

pub(super) fn move_away_and_rename(staged: &Path, visible: &Path, removed: &Path) -> Result<()> {
    move_away(visible, removed)?;
    fault::point("a batch is moved into place");
    fs::rename(staged, visible).with_context(|| format!("renaming {} into place", visible.display()))
}

/// Moves a folder to where nobody looks, in place of what lies there.
pub(super) fn move_away(folder: &Path, removed: &Path) -> Result<()> {
    remove_if_there(removed)?;
    fault::point("a batch is moved away");
    fs::rename(folder, removed).with_context(|| format!("moving {} away", folder.display()))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_a: &Path, _b: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// A file system that does not know the flag says so with EINVAL, an old kernel with ENOSYS.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

/// Removes a folder and what is in it.
pub(super) fn remove_if_there(folder: &Path) -> Result<()> {
    fault::point("a staged batch is removed");
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.with_context(|| format!("removing {}", folder.display())),
    }
}

/// Makes sure that the names in a folder survive a crash.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    fault::point("a folder of batches is synced");
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("syncing {}", folder.display()))
}
