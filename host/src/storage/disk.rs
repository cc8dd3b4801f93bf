//! The file system of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Storage, StorageFile};
use crate::fault;

/// Files as the operating system keeps them. What is made here only this user can read: logs hold what was received,
/// definitions may hold passwords.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Storage for Disk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        if !folder.is_dir() {
            if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
                self.create_folder(parent)?;
            }
            fault::point("a folder is made");
            match fs::create_dir(folder) {
                // Somebody else was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => made?,
            }
        }
        // The folder's name lies in its parent. Whoever made it may have been killed before that was durable.
        self.sync_folder(parent.unwrap_or(Path::new(".")))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_at(&self, path: &Path, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        fault::point("a file is opened");
        Ok(Box::new(OpenOptions::new().append(true).create(true).mode(0o600).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fault::point("a file is renamed");
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fault::point("a file is removed");
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        fault::point("a folder is synced");
        File::open(folder)?.sync_all()
    }
}

impl StorageFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        fault::halfway("bytes are appended", || drop(self.write_all(&bytes[..bytes.len() / 2])));
        self.write_all(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        fault::point("a file is cut off");
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        fault::point("a file is synced");
        self.sync_data()?;
        fault::point("a file has been synced");
        Ok(())
    }
}
