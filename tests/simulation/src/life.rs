//! A host from its start to its end.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use indexmap::IndexMap;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, yield_now};
use weir::driver::Clock;
use weir::driver::{
    BatchStats, Care, Ground, Handle, LogLimits, ManualClock, Running, Setup, Status, Swapped, Target, Typed,
    WatchLimits,
};
use weir::operator::Reference;
use weir::sink::Sink;
use weir::source::Mode;
use weir::time::BatchTime;

use crate::checkpoints::Objects;
use crate::family::{Family, INTERVAL, Member};
use crate::plan::LifePlan;
use crate::receiver::Receiver;
use crate::sink::{SimulatedSink, SinkFault, SinkFaultKind};
use crate::world::{Paths, World};

/// An error, unless all input has come to its end.
const ENDED: &str = "the host has ended, and nobody asked it to";

/// How a life went.
#[derive(Debug, Default)]
pub(crate) struct Lived {
    /// Why it ended before its time.
    pub(crate) error: Option<String>,
    /// What the swapped operator ran when the host had started.
    pub(crate) running: Vec<Running>,
    /// Swaps that were asked for, and what was answered.
    pub(crate) swaps: Vec<Option<Swapped>>,
    /// The clock in the end.
    pub(crate) now: u64,
}

/// A host at work.
struct Host {
    clock: ManualClock,
    handle: Handle,
    objects: Objects,
    batches: UnboundedReceiver<BatchStats>,
    running: JoinHandle<Result<Status>>,
}

/// Lives through a plan, from `now` on.
pub(crate) fn live(
    family: &Family,
    member: &Member,
    paths: &Paths,
    world: &mut World,
    plan: &LifePlan,
    now: u64,
) -> Lived {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = ManualClock::at(now + plan.away * INTERVAL);
    let mut lived = Lived::default();
    let ended = runtime.block_on(lead(family, member, paths, world, plan, &clock, &mut lived));
    lived.error = ended.err().map(|error| format!("{error:#}")).filter(|error| !(member.ends && error == ENDED));
    lived.now = clock.now();
    end(runtime, &clock, world, &mut lived);
    lived
}

/// Whatever of the host is still at work ends; nothing of that reaches the disk.
fn end(runtime: Runtime, clock: &ManualClock, world: &mut World, lived: &mut Lived) {
    if lived.error.is_some() {
        let stop = weir::storage::Fault::Stop { at: 0, torn: 0 };
        // What has failed by itself is dead anyway.
        world.disk.set_fault(Some(stop));
    }
    // A slow sink wakes up.
    clock.advance(Duration::from_secs(3600));
    drop(runtime);
    world.sinks.values().for_each(crate::sink::Written::host_died);
}

async fn lead(
    family: &Family,
    member: &Member,
    paths: &Paths,
    world: &mut World,
    plan: &LifePlan,
    clock: &ManualClock,
    lived: &mut Lived,
) -> Result<()> {
    let objects = Objects::new(world.objects.clone(), world.disk.clone(), plan.checkpoint_fails_at);
    let receiver = member.receives.map(|receives| Receiver::new(receives.source));
    let first = clock.now() / INTERVAL * INTERVAL + INTERVAL;
    let fault = |number: usize| match plan.sink {
        Some((tick, sink, kind)) if sink == number => {
            Some(SinkFault { batch: BatchTime::from_millis(first + tick * INTERVAL), kind })
        }
        _ => None,
    };
    let sinks = member.sinks().enumerate().map(|(number, name)| {
        let (written, disk, clock) = (world.sinks[name].clone(), world.disk.clone(), clock.clone());
        let sink: Arc<dyn Sink> = Arc::new(SimulatedSink { written, disk, clock, fault: fault(number) });
        (name.to_owned(), sink)
    });
    let ground = Ground {
        storage: Arc::new(world.disk.clone()),
        checkpoints: Some(objects.location()),
        sinks: sinks.collect(),
        sources: receiver.iter().map(|r| ("sent".to_owned(), r.opener())).collect::<IndexMap<_, _>>(),
        log: if world.short_log { LogLimits { bytes: 0, batches: 2 } } else { LogLimits::default() },
    };
    let mut host = start(family, member.variants[plan.variant].clone(), paths, ground, clock, objects).await?;
    lived.running = host.handle.status().operators;
    host.settled().await?;
    let mut behind = 0;
    for tick in 0..plan.ticks {
        if plan.swap == Some(tick)
            && let [a, b] = &*member.swaps
        {
            let to = if host.handle.status().operators[0].digest == a.digest { b } else { a };
            let typed = host.handle.typed();
            let fitting = typed.fitting(&to.operator, &Reference::Digest(to.digest), &family.operators)?;
            let watch = WatchLimits { batches: plan.watched, max_traps: 0 };
            let care = Care { trial: None, watch };
            let swapped = host.handle.swap(Target::Component(fitting), care).await;
            lived.swaps.push(swapped.ok());
        }
        if let Some(receiver) = &receiver {
            receiver.send(&mut world.inbox, plan.sends[usize::try_from(tick)?]).await;
        }
        clock.advance(Duration::from_millis(INTERVAL));
        behind += 1;
        let slow =
            matches!(plan.sink, Some((at, _, SinkFaultKind::Slow(intervals))) if (at..at + intervals).contains(&tick));
        if slow && tick + 1 < plan.ticks {
            continue;
        }
        if slow {
            // It would wait for ever: the clock stands still now.
            break;
        }
        // Batches that were waiting at the start come first.
        host.up_to(clock.now() / INTERVAL * INTERVAL).await?;
        behind = 0;
        host.settled().await?;
    }
    if plan.killed || behind > 0 {
        host.running.abort();
        return Err(anyhow!("killed as planned"));
    }
    host.handle.stop().await;
    host.running.await??;
    Ok(())
}

async fn start(
    family: &Family,
    typed: Typed,
    paths: &Paths,
    ground: Ground,
    clock: &ManualClock,
    objects: Objects,
) -> Result<Host> {
    let (sender, batches) = unbounded_channel();
    let setup = Setup {
        ground,
        mode: Mode::Live,
        threads: NonZeroUsize::MIN,
        start: BatchTime::from_millis(0),
        clock: Arc::new(clock.clone()),
        output: Arc::new(Mutex::new(Vec::new())),
        give_up: Vec::new(),
        drop_swaps: false,
        on_batch: Box::new(move |stats| drop(sender.send(stats.clone()))),
    };
    let (driver, handle) = setup.open(typed, family.operators.clone(), &paths.folder).await?;
    let running = tokio::spawn(driver.run());
    Ok(Host { clock: clock.clone(), handle, objects, batches, running })
}

impl Host {
    /// Waits until this batch is committed.
    async fn up_to(&mut self, batch: u64) -> Result<()> {
        loop {
            let reached = self.handle.status().last.is_some_and(|last| last.batch.as_millis() >= batch);
            if reached {
                return Ok(());
            }
            tokio::select! {
                stats = self.batches.recv() => {
                    if stats.is_none() {
                        return Err(self.why().await);
                    }
                }
                () = patience() => bail!("batch {batch} does not come; it is {}", self.clock.now()),
            }
        }
    }

    /// Waits until the driver has nothing to do before the clock goes on: what is asked of it is answered after what
    /// happened before, and a checkpoint that was begun is done.
    async fn settled(&mut self) -> Result<()> {
        let mut before = None;
        loop {
            if self
                .handle
                .swap(Target::Back("nobody".to_owned()), Care::default())
                .await
                .is_err_and(|e| e.to_string().contains("is stopping"))
            {
                return Err(self.why().await);
            }
            let (begun, failed, done) = self.objects.progress();
            let known = self.handle.status().checkpoint;
            // A manifest that was written is known a moment later.
            if begun == failed + done && before == Some((begun, failed, done, known)) {
                return Ok(());
            }
            before = Some((begun, failed, done, known));
            yield_now().await;
        }
    }

    /// Why the driver has ended.
    async fn why(&mut self) -> anyhow::Error {
        match (&mut self.running).await {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => anyhow!(ENDED),
            Err(error) => anyhow!("the driver was lost: {error}"),
        }
    }
}

/// What takes longer than this hangs.
async fn patience() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}
