//! When the batch log is shortened: after a checkpoint, once it is long.

#[cfg(test)]
mod tests;

use anyhow::Result;

use super::Driver;
use super::retry;
use crate::time::BatchTime;

impl Driver {
    /// Has a long log forget what neither a start nor anybody else can ask for any more; every checkpoint that is kept is of this
    /// batch or a later one. A log that cannot be shortened goes on growing.
    pub(super) fn shorten_log(&mut self, checkpointed: BatchTime) -> Result<()> {
        // What is watched may be taken back, and then all since is needed.
        if self.watch.is_some() || !self.log.is_long() {
            return Ok(());
        }
        let needed = self.log.needed(checkpointed, self.typed.windows.longest_kept());
        let shorter = self.log.shorter(&*self.storage, needed).and_then(|shorter| {
            // Only the log knows which letters batches have sent through again and a crash has left.
            shorter.iter().try_for_each(|shorter| retry::catch_up(&self.runner.dead_letters, &shorter.gone))?;
            Ok(shorter)
        });
        match shorter {
            Ok(Some(shorter)) => self.log.shorten(&*self.storage, &shorter),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::warn!("the batch log cannot be shortened, and goes on growing: {error:#}");
                Ok(())
            }
        }
    }
}
