//! Other components in the place of operators and sinks, between two batches: asked for, tried, put in, taken back.

use std::sync::{Arc, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::sync::oneshot;

use super::trial::Trial;
use super::watch::{Before, Watch};
use super::{
    Care, Cut, Delivering, Driver, Fitting, NewSink, Purpose, Queued, Record, Redirected, RolledBack, Running, Sink,
    Swapped, Target, Typed, WaitingBatch, WatchLimits,
};

impl Driver {
    pub(super) fn asked_to_swap(&mut self, to: Target, care: Care, reply: oneshot::Sender<Result<Swapped, String>>) {
        let answer = match (self.in_the_way(&to, &care), to, care.trial) {
            (Some(why), _, _) => Err(anyhow!(why)),
            (None, Target::Component(to), Some(limits)) => match self.typed.runs(&to.running.operator) {
                Some(from) => {
                    let (operator, component) = (&to.running.operator, &to.running.component);
                    tracing::info!(operator, component, batches = limits.batches, "a trial begins");
                    self.trial = Some(Trial::new(from, to, limits, care.watch, reply));
                    self.show_care();
                    return;
                }
                None => Err(anyhow!("operator `{}` is no component", to.running.operator)),
            },
            (None, to, _) => self.swap(to, care.watch),
        };
        // Who asked may have gone away; the swap holds all the same.
        let _ = reply.send(answer.map_err(|e| format!("{e:#}")));
    }

    /// Why an operator cannot be swapped, or a component tried. While one is tried, other operators may be swapped: the stream
    /// and what runs beside it read the same cuts, and so change together.
    fn in_the_way(&self, to: &Target, care: &Care) -> Option<String> {
        if let Target::Component(Fitting { running: to, .. }) = to
            && self.typed.runs(&to.operator).is_some_and(|runs| runs.digest == to.digest)
        {
            // There would be nothing to go back to.
            let Running { operator, component, digest } = to;
            return Some(format!(
                "operator `{operator}` runs {component} ({}) already; nothing was changed",
                digest.short()
            ));
        }
        let tried = &self.trial.as_ref().filter(|trial| !trial.is_abandoned())?.to.running;
        let operator = match to {
            Target::Component(to) => &to.running.operator,
            Target::Back(operator) => operator,
        };
        let what = match (*operator == tried.operator, care.trial) {
            (true, _) => "",
            (false, Some(_)) => ", and one component is tried at a time",
            (false, None) => return None,
        };
        Some(format!(
            "{} is being tried in operator `{}`{what}; wait for its end (`weir status` says how far it is), or end the \
             command that asked for it",
            tried.component, tried.operator
        ))
    }

    /// Has `weir status` tell how far a trial and a watch are.
    pub(super) fn show_care(&self) {
        let mut status = self.status.write().unwrap_or_else(PoisonError::into_inner);
        status.trial = self.trial.as_ref().map(Trial::trying);
        status.watch = self.watch.as_ref().map(Watch::watching);
    }

    pub(super) fn end_trial(&mut self, end: Result<(), String>) {
        let Some(trial) = self.trial.take() else { return };
        let swapped = end.and_then(|()| {
            self.swap(Target::Component(trial.to.clone()), trial.watch).map_err(|error| format!("{error:#}"))
        });
        self.show_care();
        trial.answer(swapped);
    }

    fn swap(&mut self, to: Target, watch: WatchLimits) -> Result<Swapped> {
        let (to, back) = match to {
            Target::Component(to) => (to, false),
            Target::Back(operator) => (self.ran_before(&operator)?, true),
        };
        let mut typed = Typed::clone(&self.typed);
        let from = typed.swap(&to)?;
        let (operator, to) = (to.running.operator.clone(), to.running);
        let watched = watch.batches > 0 && !back;
        if watched {
            self.log.append(&Record::Watched { to: to.clone(), limits: watch })?;
        }
        self.log.append(&Record::Swapped { from: from.running.clone(), to: to.clone() })?;
        if let Some(watch) = &self.watch {
            // It has shown that it can stay.
            let (operator, component) = (&watch.to.operator, &watch.to.component);
            tracing::info!(operator, component, "the swap is watched no longer, as another was made");
        }
        self.end_watch();
        if watched {
            self.watch = Some(Watch::new(from.clone(), to.clone(), self.next, watch));
        }
        tracing::info!(operator, from = from.running.component, to = to.component, first_batch = %self.next, "swapped");
        let swapped = Swapped { from: from.running.clone(), to, first_batch: self.next, trial: None };
        let history = self.before.entry(operator).or_default();
        if back {
            history.pop();
        } else {
            history.push(from);
        }
        self.show(typed);
        self.show_care();
        Ok(swapped)
    }

    /// Has another component deliver a sink's rows.
    pub(super) fn redirect(&mut self, to: NewSink) -> Result<Delivering> {
        let NewSink { name, delivers, sink } = to;
        let from = self.status.read().unwrap_or_else(PoisonError::into_inner).sinks.get(&name).cloned();
        let from = from.with_context(|| format!("there is no sink `{name}` that is a component"))?;
        let redirected = Redirected { sink: name.clone(), from, to: delivers.clone() };
        self.log.append(&Record::Redirected(redirected.clone()))?;
        let mut typed = Typed::clone(&self.typed);
        typed.deliver(&name, &delivers);
        self.show(typed);
        self.status.write().unwrap_or_else(PoisonError::into_inner).sinks.insert(name.clone(), delivers);
        let waiting = self.take_over(&name, &sink);
        self.new_sinks.push((name, sink));
        Ok(Delivering { swap: redirected, waiting })
    }

    /// Has a sink go on with the batch at work, if that waits for the one in whose place it is put.
    fn take_over(&self, name: &str, sink: &Arc<dyn Sink>) -> Option<WaitingBatch> {
        let outage = self.runner.outages.now().filter(|outage| outage.staged && outage.sink == name)?;
        let undelivered = self.runner.rooms.sinks.get(name)?.undelivered(outage.batch)?;
        let taken_over = sink.take_over(outage.batch, undelivered);
        if taken_over {
            self.runner.outages.offer(name.to_owned(), sink.clone());
        }
        Some(WaitingBatch { batch: outage.batch, taken_over })
    }

    /// The component that an operator ran before the last swap.
    fn ran_before(&self, operator: &str) -> Result<Fitting> {
        let before = self.before.get(operator).and_then(|before| before.last()).cloned();
        let before = before.with_context(|| {
            format!("operator `{operator}` was not swapped, or was taken back already: there is nothing to go back to")
        })?;
        ensure!(
            !self.typed.changes_states(&before),
            "operator `{operator}` cannot go back to {}: its states were migrated, and {0} keeps them in another form; swap \
             in a component that migrates them back",
            before.running.component
        );
        Ok(before)
    }

    /// The pipeline as it is from now on.
    fn show(&mut self, typed: Typed) {
        self.typed = Arc::new(typed);
        self.shown.write().unwrap_or_else(PoisonError::into_inner).clone_from(&self.typed);
        self.status.write().unwrap_or_else(PoisonError::into_inner).operators = self.typed.running();
    }

    /// Whether the batches that were committed last may be taken back.
    pub(super) fn may_go_back(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.before.is_some())
    }

    /// The last swap stays: its batches' input is held no longer.
    pub(super) fn end_watch(&mut self) {
        let Some(watch) = self.watch.take() else { return };
        watch.since.iter().for_each(|cut| self.let_go(cut));
        self.show_care();
    }

    /// Takes the last swap back, and all that its batches have left behind; runs what failed again, with what ran before.
    pub(super) async fn roll_back(
        &mut self,
        rolled_back: RolledBack,
        to: &Fitting,
        before: &Before,
        since: Vec<Arc<Cut>>,
        failed: Queued,
    ) -> Result<()> {
        let RolledBack { from, to: again, first_batch: first, why } = rolled_back.clone();
        let operator = again.operator.clone();
        tracing::warn!(
            operator,
            from = from.component,
            to = again.component,
            first_batch = %first,
            "the swap is rolled back: {why}"
        );
        self.log.append(&Record::RolledBack { from, to: again.clone(), first, why: why.clone() })?;
        if let Some(checkpointing) = &mut self.checkpointing {
            checkpointing.go_back(before).await?;
        }
        self.runner.rooms.state.go_back(&before.store);
        let mut typed = Typed::clone(&self.typed);
        typed.swap(to)?;
        self.show(typed);
        self.before.entry(operator.clone()).or_default().pop();
        let redo = since.into_iter().map(|cut| (cut, Purpose::Redo));
        let queued = [failed].into_iter().chain(self.queue.drain(..)).map(|queued| (queued.cut, queued.purpose));
        let as_before = redo.chain(queued).map(|(cut, purpose)| {
            let mut cut = Cut::clone(&cut);
            cut.replace(&again);
            Queued { typed: self.typed.clone(), cut: Arc::new(cut), purpose }
        });
        self.queue = as_before.collect();
        if let Some(trial) = self.trial.take() {
            trial.give_up(&format!("operator `{operator}` was rolled back ({why})"));
        }
        self.show_care();
        self.status.write().unwrap_or_else(PoisonError::into_inner).rolled_back = Some(rolled_back);
        Ok(())
    }
}
