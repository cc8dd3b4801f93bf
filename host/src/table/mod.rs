//! Tables: data at rest beside the stream.
//!
//! A table's [`Contents`] are its rows at one moment, named by their digest. A cut says which contents its batch reads, so
//! they are kept on disk, by digest, before the cut is logged ([`TableStore`]), and the batch finds them there however late
//! or often it runs. When a table is read again is the driver's to say; this room knows files and digests only.
//!
//! - `contents`: rows, and the digest that they have.
//! - `files`: from a file or a folder to contents, and whether files are as they were.
//! - `parquet`: the rows of a Parquet file.
//! - `store`: contents by digest, in memory and on disk.

mod contents;
mod files;
mod parquet;
mod store;

pub use contents::Contents;
pub use files::{Fingerprint, read};
pub use store::TableStore;
