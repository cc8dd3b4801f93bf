//! What outlives a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use weir::data_dir::{DataDir, PipelineDir};
use weir::storage::SimulatedDisk;

use crate::family::Member;
use crate::receiver::Inbox;
use crate::sink::Written;

/// Where files would lie on a real disk. Nothing is written there.
#[derive(Debug)]
pub(crate) struct Paths {
    pub(crate) folder: PipelineDir,
    _root: tempfile::TempDir,
}

impl Paths {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = DataDir::at(root.path()).claim("p").expect("nobody else uses it");
        Self { folder, _root: root }
    }
}

/// What outlives a host: its disk, its checkpoints, what sinks have, and clients.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) disk: SimulatedDisk,
    pub(crate) objects: Arc<InMemory>,
    pub(crate) sinks: BTreeMap<String, Written>,
    pub(crate) inbox: Inbox,
    /// Whether lives are printed.
    pub(crate) told: bool,
    /// Whether batch logs are shortened as often as they can be.
    pub(crate) short_log: bool,
}

impl World {
    pub(crate) fn new(member: &Member) -> Self {
        let sinks = member.sinks().map(|name| (name.to_owned(), Written::default()));
        Self {
            disk: SimulatedDisk::default(),
            objects: Arc::default(),
            sinks: sinks.collect(),
            inbox: Inbox::default(),
            told: false,
            short_log: false,
        }
    }
}
