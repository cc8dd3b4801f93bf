//! A pipeline that is another than when its host was killed: what was committed is finished as it was, before the pipeline of
//! now begins.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Extent, Setup, place};
use crate::counted::counted;
use crate::data_dir::PipelineDir;
use crate::driver::definition::{self, Definitions};
use crate::driver::misfits::Misfits;
use crate::driver::recovery::{Recovery, check_reach};
use crate::driver::rooms::rooms;
use crate::driver::{BatchLog, Typed};
use crate::plan::Operators;
use crate::plan::segment::with_segment;
use crate::source::Mode;

impl Setup {
    /// Batches that were committed under another definition of the pipeline, or with what is not to run any more, and that no
    /// checkpoint holds, are computed again as they were, up to a checkpoint that the pipeline of now can go on from. What a
    /// rollback was to make anew is left to the pipeline of now. Whether that was to be done; all that the pipeline of now cannot
    /// go on with was given up then.
    pub(super) async fn settle(&self, now: &Typed, operators: &Arc<Operators>, folder: &PipelineDir) -> Result<bool> {
        let (_, records) = BatchLog::open(&*self.ground.storage, &folder.log())?;
        let (name, wanted) = (&now.loaded.name, place(&now.loaded.pipeline)?);
        let Some(definition) = definition::last(&records) else { return Ok(false) };
        let is_other = definition != definition::digest(&now.loaded.pipeline)?;
        if !is_other && !self.drop_swaps {
            return Ok(false);
        }
        let committed = async || {
            let (_, restored) = self.ground.checkpoints(folder, Duration::ZERO, wanted.as_ref()).await?;
            check_reach(&records, restored.as_ref().map(|restored| restored.batch))?;
            let mut recovery = Recovery::of(&records, restored.as_ref());
            recovery.leave_out_redone();
            anyhow::Ok(recovery)
        };
        let recovery = committed().await?;
        if recovery.recompute.is_empty() || !(is_other || recovery.has_swaps(&now.loaded.pipeline)) {
            return Ok(false);
        }
        let failed = || {
            let back =
                if is_other { "put the pipeline back as it was and run it once" } else { "leave --drop-swaps out" };
            format!(
                "pipeline `{name}` is to run otherwise than when its host was killed, and {} that it had committed are to be \
                 computed again as it was, which cannot be done; {back}, or start with --fresh, which begins anew and forgets all \
                 states",
                counted(recovery.recompute.len() as u64, "batch")
            )
        };
        let before = async {
            let loaded = Definitions::at(self.ground.storage.clone(), &folder.definitions()).load(definition)?;
            let mut before = Typed::new(loaded, operators).await?;
            before.resume(&recovery.running, &recovery.before, operators)?;
            anyhow::Ok(before)
        };
        let before = before.await.with_context(failed)?;
        // What it will have kept, before anything is changed.
        let mut misfits = Misfits::of(now, &rooms(now)?, &rooms(&before)?, &recovery, operators)?;
        let kept = before.streams.iter().filter(|(name, _)| before.windows.kept(name).is_some());
        misfits.add_streams(now, kept.map(|(name, columns)| (name.as_str(), with_segment(columns))));
        misfits.check(name, &self.give_up)?;
        if let Some(watch) = &recovery.watch {
            let (operator, component) = (&watch.to.operator, &watch.to.component);
            tracing::warn!(operator, component, "the swap is watched no longer, as something else is to run");
        }
        let settled = async {
            let setup = Self {
                ground: self.ground.clone(),
                mode: Mode::Live,
                threads: self.threads,
                start: self.start,
                clock: self.clock.clone(),
                output: self.output.clone(),
                give_up: Vec::new(),
                drop_swaps: false,
                on_batch: Box::new(|_| {}),
            };
            let (driver, _) = setup.open_for(Extent::Settling, before, operators.clone(), folder).await?;
            driver.run().await?;
            // Only a checkpoint lets go of what was.
            ensure!(committed().await?.recompute.is_empty(), "no checkpoint could be written of them");
            Ok(true)
        };
        settled.await.with_context(failed)
    }
}
