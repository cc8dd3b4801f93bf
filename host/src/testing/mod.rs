//! What unit tests share: bytes damaged at random, allocations watched, fixtures made, and a store that dies.

mod allocation;
mod damage;
mod objects;

pub(crate) use allocation::largest_allocation;
pub(crate) use damage::{Damage, damage};
pub(crate) use objects::DyingStore;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Keeps bytes of a format of today under `src/`, for the tests of all versions to come. What a released version has
/// written is never written over.
pub(crate) fn keep_fixture(path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    match File::create_new(&path) {
        Ok(mut file) => file.write_all(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
