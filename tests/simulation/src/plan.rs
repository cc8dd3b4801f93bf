//! What a seed has in store.

use weir::storage::Fault;
use weir_tests::dice::Dice;

use crate::family::Member;
use crate::sink::SinkFaultKind;

/// About how many changes a life makes on the disk.
const CHANGES: u64 = 70;

/// How a life of the host goes.
#[derive(Debug, Clone)]
pub(crate) struct LifePlan {
    /// Which of the definitions it runs.
    pub(crate) variant: usize,
    /// For how many intervals there was no host before it.
    pub(crate) away: u64,
    /// For how many intervals it is to live.
    pub(crate) ticks: u64,
    pub(crate) disk: DiskPlan,
    /// Which write of a checkpoint fails, if one does.
    pub(crate) checkpoint_fails_at: usize,
    /// With the batch of which tick what goes wrong at which sink.
    pub(crate) sink: Option<(u64, usize, SinkFaultKind)>,
    /// Before which tick the operator is swapped.
    pub(crate) swap: Option<u64>,
    /// For how many batches it is watched afterwards.
    pub(crate) watched: u32,
    /// Whether it is killed where it stands in the end, or may finish.
    pub(crate) killed: bool,
    /// Of a disk that loses power when the life is over: how many bytes of what was not synced stay, and whether names do.
    pub(crate) power_cut: Option<(usize, bool)>,
    /// How many rows are sent before each tick.
    pub(crate) sends: Vec<u64>,
}

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskPlan {
    Works,
    /// A change fails, and later ones do not.
    Fails(Fault),
    /// The host dies within a change.
    Dies(Fault),
}

impl DiskPlan {
    pub(crate) fn fault(self) -> Option<Fault> {
        match self {
            Self::Works => None,
            Self::Fails(fault) | Self::Dies(fault) => Some(fault),
        }
    }
}

impl LifePlan {
    /// A life in which nothing goes wrong.
    pub(crate) fn calm(ticks: u64) -> Self {
        Self {
            variant: 0,
            away: 0,
            ticks,
            disk: DiskPlan::Works,
            checkpoint_fails_at: usize::MAX,
            sink: None,
            swap: None,
            watched: 0,
            killed: false,
            power_cut: None,
            sends: vec![3; usize::try_from(ticks).expect("few")],
        }
    }

    /// A life of at most so many ticks.
    pub(crate) fn random(dice: &mut Dice, member: &Member, most: u64) -> Self {
        let ticks = dice.of(0..most + 1);
        let at = usize::try_from(dice.of_any_size(CHANGES) - 1).expect("few");
        let torn = usize::try_from(dice.of(0..60)).expect("few");
        let disk = match dice.of(0..4) {
            0 => DiskPlan::Works,
            1 => DiskPlan::Fails(Fault::Error { at, torn }),
            _ => DiskPlan::Dies(Fault::Stop { at, torn }),
        };
        let kinds = [
            SinkFaultKind::Begin,
            SinkFaultKind::Stage,
            SinkFaultKind::Write,
            SinkFaultKind::Finish,
            SinkFaultKind::Commit,
            SinkFaultKind::CommitAfter,
            SinkFaultKind::Slow(dice.of(1..4)),
            SinkFaultKind::Slow(dice.of(1..4)),
        ];
        let kind = kinds[usize::try_from(dice.of(0..8)).expect("few")];
        let sinks = member.sinks().count() as u64;
        let sink = (dice.of(0..ticks.max(1)), usize::try_from(dice.of(0..sinks)).expect("few"), kind);
        Self {
            variant: if dice.once_in(3) { dice.of(0..member.variants.len() as u64) as usize } else { 0 },
            away: if dice.once_in(3) { dice.of(0..4) } else { 0 },
            ticks,
            disk,
            checkpoint_fails_at: if dice.once_in(4) { dice.of(0..12) as usize } else { usize::MAX },
            sink: dice.once_in(4).then_some(sink),
            swap: (!member.swaps.is_empty() && dice.once_in(2)).then(|| dice.of(0..ticks.max(1))),
            watched: u32::try_from(dice.of(0..4)).expect("few"),
            // A host that is stopped before its first tick cuts what waits at once, ahead of the batch's time.
            killed: dice.once_in(2) || ticks == 0 && member.receives.is_some(),
            power_cut: dice.once_in(2).then(|| (dice.of(0..60) as usize, dice.once_in(2))),
            sends: (0..ticks).map(|_| dice.of(0..4)).collect(),
        }
    }
}
