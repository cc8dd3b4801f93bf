//! Where a pipeline's checkpoints lie, remembered beside the batch log: when the pipeline file names another place, they are found,
//! and taken there.
//!
//! Within a place they are in a folder of their own, `PIPELINE/NUMBER`, with a number that nobody has had before. So pipelines may
//! share a place, two of one name in two data folders, too, and what was forgotten is never found again.

#[cfg(test)]
mod tests;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoints, Location, Restored, out_of_reach};
use crate::data_dir::PipelineDir;
use crate::place::Place;
use crate::storage::{self, Storage};

/// The version of the file's form.
const FORMAT: u32 = 1;

/// Where the checkpoints of a pipeline's runs lie.
#[derive(Debug)]
pub(super) struct Placement {
    storage: Arc<dyn Storage>,
    file: PathBuf,
    /// The folder of the data folder's.
    own: PathBuf,
    known: Known,
}

/// What is remembered. No place is the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    format: u32,
    /// What the pipeline file said.
    place: Option<Place>,
    /// Where in it they are.
    at: Option<Place>,
    /// Where nothing is of use, and something may be left.
    left: Vec<Option<Place>>,
}

impl Placement {
    /// What is known of the runs before.
    pub(super) fn of(storage: Arc<dyn Storage>, folder: &PipelineDir) -> Result<Self> {
        let (file, own) = (folder.placement(), folder.checkpoints());
        let damaged = || {
            format!(
                "{} does not say where the checkpoints are. Put a copy of the file in its place that is as it was, or begin \
                 anew, without the states that they hold, with --fresh",
                file.display()
            )
        };
        let known = match storage.read(&file) {
            Ok(text) => serde_json::from_slice(&text).with_context(damaged)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Known { format: FORMAT, place: None, at: None, left: Vec::new() }
            }
            Err(error) => return Err(error).with_context(damaged),
        };
        ensure!(
            known.format == FORMAT,
            "{} is of format {}, which this version cannot read",
            file.display(),
            known.format
        );
        Ok(Self { storage, file, own, known })
    }

    /// Where they are.
    pub(super) fn location(&self) -> Result<Location> {
        self.open(self.known.at.as_ref())
    }

    fn open(&self, at: Option<&Place>) -> Result<Location> {
        at.map_or_else(|| Location::folder(&self.own), Location::at)
    }

    /// The checkpoints, and the newest, before they are taken to `wanted`.
    pub(super) async fn checkpoints(
        &self,
        keep: Duration,
        wanted: Option<&Place>,
    ) -> Result<(Checkpoints, Option<Restored>)> {
        let opened = async {
            let at = || out_of_reach(&self.named(self.known.at.as_ref()));
            Checkpoints::open(self.location().with_context(at)?, keep).await
        };
        let opened = opened.await;
        if self.known.place.as_ref() == wanted {
            return opened;
        }
        opened.with_context(|| {
            format!(
                "the checkpoints in {} must be read before they go to {}, as the pipeline file says now",
                self.named(self.known.at.as_ref()),
                self.named(wanted)
            )
        })
    }

    /// Takes the checkpoints to the place that is wanted now. Until all are there, they are where they were.
    pub(super) async fn move_to(
        mut self,
        wanted: Option<&Place>,
        pipeline: &str,
        checkpoints: &mut Checkpoints,
    ) -> Result<()> {
        if self.known.place.as_ref() != wanted {
            let number = RandomState::new().hash_one((SystemTime::now(), std::process::id()));
            let to = wanted.map(|place| place.within(&format!("{pipeline}/{number:016x}")));
            let from = self.known.at.clone();
            let moved = async {
                // So that what a crash leaves half-way is removed.
                self.leave(to.clone());
                self.write()?;
                let location = self.open(to.as_ref())?;
                location.clear().await?;
                checkpoints.move_to(location).await?;
                self.leave(from.clone());
                self.known.left.retain(|left| *left != to);
                self.known = Known { place: wanted.cloned(), at: to.clone(), ..self.known.clone() };
                self.write()
            };
            moved.await.with_context(|| {
                format!(
                    "the checkpoints in {} cannot go to {}, as the pipeline file says now; they stay where they are. Make both \
                     reachable, or put `location` of [checkpoint] back as it was",
                    self.named(from.as_ref()),
                    self.named(wanted)
                )
            })?;
            tracing::info!(from = %self.named(from.as_ref()), to = %self.named(to.as_ref()), "checkpoints have another place");
        }
        self.tidy().await
    }

    /// What is at a place is of no use any more.
    fn leave(&mut self, at: Option<Place>) {
        if !self.known.left.contains(&at) {
            self.known.left.push(at);
        }
    }

    /// Removes what is left in places that are not used any more, as far as it can be.
    async fn tidy(&mut self) -> Result<()> {
        let mut left = Vec::new();
        for at in &self.known.left {
            if let Err(error) = self.remove(at.as_ref()).await {
                let place = self.named(at.as_ref());
                tracing::warn!(place, "checkpoints of no use cannot be removed; the next start tries again: {error:#}");
                left.push(at.clone());
            }
        }
        if left.len() < self.known.left.len() {
            self.known.left = left;
            self.write()?;
        }
        Ok(())
    }

    async fn remove(&self, at: Option<&Place>) -> Result<()> {
        let Some(Place::Folder(folder)) = at else { return self.open(at)?.clear().await };
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error)?,
            _ => {}
        }
        // Another data folder's may be in it.
        let _ = folder.parent().map(fs::remove_dir);
        Ok(())
    }

    /// Begins anew, where nothing is known: what there was is removed at the next start.
    pub(super) fn begin_anew(mut self) -> Result<()> {
        let Known { at, left, .. } = self.known;
        let left: Vec<_> = left.into_iter().chain([at]).filter(Option::is_some).collect();
        if left.is_empty() {
            return Ok(());
        }
        self.known = Known { format: FORMAT, place: None, at: None, left };
        self.write()
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.known)?;
        let written = storage::create(&*self.storage, &self.file, &text);
        written.map(drop).with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn named(&self, at: Option<&Place>) -> String {
        at.map_or_else(|| self.own.display().to_string(), Place::to_string)
    }
}

/// A place that means the same from wherever a host is started.
pub(super) fn absolute(place: &Place) -> Result<Place> {
    let here = std::env::current_dir().context("the folder in which this was started cannot be told")?;
    Ok(place.clone().relative_to(&here))
}
