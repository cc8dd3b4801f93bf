//! The folder in which a host keeps what outlives it.
//!
//! ```text
//! registry/             components, by digest and by name
//! cache/                compiled code; can be deleted at any time
//! pipelines/NAME/       one pipeline: lock, dead-letters/ of live runs, host.json while it runs
//! pipelines/NAME/live/  what a live run needs of those before: batches.log, blocks/, tables/, checkpoints/ or where they
//!                       are, definitions/
//! pipelines/NAME/once/  the same of the last run with --once, and its dead-letters/
//! pipelines/NAME/copy-… what `weir replay` and `weir verify` work on; can be deleted when none of them is at work
//! ```

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::fault;
use crate::operator::Registry;
use crate::storage::{Disk, Storage};

/// What a run over all input needs is in this folder of its pipeline's.
const ONCE: &str = "once";

/// The data folder.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
    cache: PathBuf,
}

impl DataDir {
    /// The folder at `root`, made when something is first kept.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let cache = root.join("cache");
        Self { root, cache }
    }

    /// The same folder, with compiled code kept where `other` keeps it.
    pub fn with_cache_of(&self, other: &Self) -> Self {
        Self { root: self.root.clone(), cache: other.cache.clone() }
    }

    /// The platform's folder for a user's data.
    pub fn default_root() -> Result<PathBuf> {
        let dirs = directories::ProjectDirs::from("", "", "weir");
        let dirs =
            dirs.context("this user has no home folder: say where to keep data with --data-dir or WEIR_DATA_DIR")?;
        Ok(dirs.data_dir().to_owned())
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The registered components.
    pub fn registry(&self) -> Registry {
        Registry::at(self.root.join("registry"))
    }

    /// Where compiled code is kept.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Makes a pipeline's folder and locks it for this process.
    pub fn claim(&self, pipeline: &str) -> Result<PipelineDir> {
        let path = self.root.join("pipelines").join(pipeline);
        Disk.create_folder(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).with_context(|| format!("cannot make {}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => {
                let folder = PipelineDir { run: path.join("live"), path, _lock: lock };
                folder.make_run()?;
                Ok(folder)
            }
            Err(TryLockError::WouldBlock) => bail!(
                "pipeline `{pipeline}` is being run by another process with the data folder {}; stop it, or choose another --data-dir",
                self.root.display()
            ),
            Err(TryLockError::Error(e)) => Err(e).with_context(|| format!("cannot lock {}", lock_path.display())),
        }
    }

    /// A copy of what the runs of a pipeline have left, for this process alone: a host may be at work.
    pub fn copy(&self, pipeline: &str, once: bool) -> Result<PipelineCopy> {
        let path = self.root.join("pipelines").join(pipeline);
        let run = path.join(if once { ONCE } else { "live" });
        if !run.join("batches.log").exists() {
            let how = if once { "--once " } else { "" };
            bail!("pipeline `{pipeline}` was never run {how}with the data folder {}", self.root.display());
        }
        let failed = || format!("cannot copy what is in {}", run.display());
        let scratch = tempfile::Builder::new().prefix("copy-").tempdir_in(&path).with_context(failed)?;
        fs::create_dir(scratch.path().join("live")).with_context(failed)?;
        // The log comes last: it names all that was copied before.
        for part in ["checkpoints.json", "checkpoints", "blocks", "tables", "definitions", "batches.log"] {
            copy(&run.join(part), &scratch.path().join("live").join(part)).with_context(failed)?;
        }
        let lock = File::create(scratch.path().join("lock")).with_context(failed)?;
        let folder = PipelineDir { run: scratch.path().join("live"), path: scratch.path().to_owned(), _lock: lock };
        Ok(PipelineCopy { folder, of: run, _scratch: scratch })
    }

    /// The pipelines that were run here, in order.
    pub fn pipelines(&self) -> Result<Vec<String>> {
        let folder = self.root.join("pipelines");
        let listing = match fs::read_dir(&folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            listing => listing.with_context(|| format!("cannot list {}", folder.display()))?,
        };
        let mut names = Vec::new();
        for entry in listing {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The dead letters of a pipeline's live runs, or of its last run over all input.
    pub fn dead_letters(&self, pipeline: &str, once: bool) -> PathBuf {
        dead_letters(&self.root.join("pipelines").join(pipeline), once)
    }

    /// The hosts that say they run here, in order of their pipelines' names.
    pub fn hosts(&self) -> Result<Vec<HostFile>> {
        let folder = self.root.join("pipelines");
        let listing = match fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e).with_context(|| format!("cannot list {}", folder.display())),
        };
        let mut hosts = Vec::new();
        for entry in listing {
            let path = entry?.path().join("host.json");
            if let Ok(text) = fs::read_to_string(&path) {
                hosts.push(serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?);
            }
        }
        hosts.sort_by(|a: &HostFile, b| a.pipeline.cmp(&b.pipeline));
        Ok(hosts)
    }
}

fn dead_letters(pipeline: &Path, once: bool) -> PathBuf {
    let of = if once { pipeline.join(ONCE) } else { pipeline.to_owned() };
    of.join("dead-letters")
}

/// Copies a file or a folder. What goes away meanwhile is left out; what is never changed is linked, not copied.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let gone = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
    match fs::read_dir(from) {
        Ok(listing) => {
            fs::create_dir_all(to)?;
            for entry in listing {
                let name = entry?.file_name();
                copy(&from.join(&name), &to.join(&name))?;
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            let grows = from.extension().is_some_and(|extension| extension == "log" || extension == "blocks");
            let copied = if grows { fs::copy(from, to).map(drop) } else { fs::hard_link(from, to) };
            match copied {
                Err(error) if !gone(&error) => Err(error),
                _ => Ok(()),
            }
        }
        Err(error) if gone(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A copy of a pipeline's folder, which goes with this.
#[derive(Debug)]
pub struct PipelineCopy {
    folder: PipelineDir,
    /// What it is a copy of.
    of: PathBuf,
    _scratch: TempDir,
}

impl PipelineCopy {
    /// An error as people can use it: it names what was copied, not the copy, which is gone when they look.
    pub fn told(&self, error: anyhow::Error) -> anyhow::Error {
        let (text, copy) = (format!("{error:#}"), self.folder.run.display().to_string());
        if text.contains(&copy) {
            return anyhow::anyhow!("{}", text.replace(&copy, &self.of.display().to_string()));
        }
        error
    }
}

impl Deref for PipelineCopy {
    type Target = PipelineDir;

    fn deref(&self) -> &PipelineDir {
        &self.folder
    }
}

/// How to reach a running host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFile {
    /// The pipeline that it runs.
    pub pipeline: String,
    /// Where its control API listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
}

/// A pipeline's folder, locked for this process.
#[derive(Debug)]
pub struct PipelineDir {
    path: PathBuf,
    /// Where what a run needs of those before lies.
    run: PathBuf,
    _lock: File,
}

impl PipelineDir {
    /// The folder for a run over all input, which knows nothing of runs before.
    pub fn once(mut self) -> Result<Self> {
        self.run = self.path.join(ONCE);
        self.forget()?;
        Ok(self)
    }

    /// Forgets what runs before have left, all of it at once.
    pub fn forget(&self) -> Result<()> {
        match fs::rename(&self.run, self.forgotten()) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot move {} away", self.run.display()))
            }
            _ => self.make_run(),
        }
    }

    fn make_run(&self) -> Result<()> {
        let forgotten = self.forgotten();
        match fs::remove_dir_all(&forgotten) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {}", forgotten.display()));
            }
            _ => {}
        }
        Disk.create_folder(&self.run).with_context(|| format!("cannot make the folder {}", self.run.display()))
    }

    fn forgotten(&self) -> PathBuf {
        self.path.join("forgotten")
    }

    /// The batch log.
    pub fn log(&self) -> PathBuf {
        self.run.join("batches.log")
    }

    /// Where the checkpoints are, if it is not here.
    pub fn placement(&self) -> PathBuf {
        self.run.join("checkpoints.json")
    }

    /// The checkpoints, unless the pipeline says otherwise.
    pub fn checkpoints(&self) -> PathBuf {
        self.run.join("checkpoints")
    }

    /// The pipelines, by digest, that runs were of.
    pub fn definitions(&self) -> PathBuf {
        self.run.join("definitions")
    }

    /// The block log.
    pub fn blocks(&self) -> PathBuf {
        self.run.join("blocks")
    }

    /// The dead letters. Those of a run over all input are forgotten with it.
    pub fn dead_letters(&self) -> PathBuf {
        dead_letters(&self.path, self.run == self.path.join(ONCE))
    }

    /// The contents that tables had.
    pub fn tables(&self) -> PathBuf {
        self.run.join("tables")
    }

    /// Rows that wait for the commit of their batch.
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// Says how to reach this host, until the guard is dropped.
    pub fn announce(&self, host: &HostFile) -> Result<Announced> {
        let path = self.path.join("host.json");
        let write = || -> Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            serde_json::to_writer(&mut file, host)?;
            fault::point("the host is announced");
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Announced { path })
    }
}

/// Takes the announcement back when dropped.
#[derive(Debug)]
pub struct Announced {
    path: PathBuf,
}

impl Drop for Announced {
    fn drop(&mut self) {
        // A stale file does no harm: who reads it finds nobody at the address.
        let _ = fs::remove_file(&self.path);
    }
}
