//! All lives of a seed, and what must be true at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use weir::driver::{BatchLog, Record, Shortened};
use weir::operator::Digest;
use weir::storage::Storage;
use weir_tests::dice::Dice;

use crate::family::{Family, INTERVAL, Member, NOW, Receives, Rows};
use crate::life::{Lived, live};
use crate::plan::{DiskPlan, LifePlan};
use crate::world::{Paths, World};

/// How many batches there are in the end.
const BATCHES: u64 = 16;
/// How many lives go wrong before the last, which does not.
const LIVES: u64 = 4;

/// What is there in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Output {
    sinks: Rows,
    /// Dead letters, by batch.
    letters: BTreeMap<String, String>,
}

/// What was tried, over all seeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    stories: BTreeMap<&'static str, u64>,
    lives: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        for (to, from) in [(&mut self.stories, &other.stories), (&mut self.lives, &other.lives)] {
            from.iter().for_each(|(name, count)| *to.entry(name).or_default() += count);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |counts: &BTreeMap<&str, u64>| {
            counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        write!(f, "pipelines: {}\nlives: {}", text(&self.stories), text(&self.lives))
    }
}

/// Which component ran, from a batch on.
type Timeline = Vec<(u64, Digest)>;

pub(crate) fn undisturbed(family: &Family, member: &Member) -> Output {
    let (paths, mut world) = (Paths::new(), World::new(member));
    let lived = live(family, member, &paths, &mut world, &LifePlan::calm(BATCHES), NOW);
    assert_eq!(lived.error, None, "{}", member.name);
    let output = output(&paths, &world);
    let wanted = |rows: &BTreeMap<u64, Vec<String>>| rows.len() > 3;
    assert!(output.sinks.values().all(wanted), "{} has too little output: {output:?}", member.name);
    output
}

/// Lives through all that a seed has in store; prints each life if it is to be `told`.
pub(crate) fn tell(family: &Family, paths: &Paths, seed: u64, told: bool) -> Result<Counts> {
    let mut dice = Dice::new(seed);
    let member = &family.members[usize::try_from(dice.of(0..family.members.len() as u64))?];
    let expected = member.expected(family);
    let mut world = World { told, short_log: dice.once_in(2), ..World::new(member) };
    let (mut now, mut counts) = (NOW, Counts::default());
    let mut timeline: Timeline = member.swaps.first().map(|first| (0, first.digest)).into_iter().collect();
    for _ in 0..dice.of(1..LIVES + 1) {
        let left = BATCHES - (now - NOW) / INTERVAL;
        let mut plan = LifePlan::random(&mut dice, member, (left / 2).min(6));
        plan.away = if now == NOW { 0 } else { plan.away.min(left / 4) };
        let lived = one_life(family, member, paths, &mut world, &plan, now, &mut timeline)?;
        *counts.lives.entry(kind(&plan, &lived)).or_default() += 1;
        // Until there is a first batch, the clock may as well not have gone on: output is told by batch times.
        now = if has_cut(paths, &world) { lived.now } else { NOW };
    }
    let left = BATCHES - (now - NOW) / INTERVAL;
    let lived = one_life(family, member, paths, &mut world, &LifePlan::calm(left), now, &mut timeline)?;
    if let Some(error) = lived.error {
        bail!("{}: the last life, in which nothing was to go wrong, failed: {error}", member.name);
    }
    *counts.stories.entry(member.name).or_default() += 1;
    let records = BatchLog::salvage(&world.disk, &paths.folder.log());
    if let Some(Record::Shortened(Shortened { batches, .. })) = records.first() {
        *counts.stories.entry("with a shortened log").or_default() += 1;
        ensure!(world.short_log, "{}: a short log forgot {batches} batches", member.name);
    }
    check(member, paths, &world, expected, &timeline)?;
    Ok(counts)
}

/// Whether any batch is known to the log.
fn has_cut(paths: &Paths, world: &World) -> bool {
    BatchLog::salvage(&world.disk, &paths.folder.log()).iter().any(|record| matches!(record, Record::Cut(_)))
}

fn kind(plan: &LifePlan, lived: &Lived) -> &'static str {
    match (&lived.error, plan.disk) {
        (None, _) => "stopped",
        (Some(error), _) if error == "killed as planned" => "killed between batches",
        (Some(_), DiskPlan::Dies(_)) => "killed within a write",
        (Some(_), DiskPlan::Fails(_)) => "ended by the disk",
        (Some(_), DiskPlan::Works) => "ended by a sink",
    }
}

fn one_life(
    family: &Family,
    member: &Member,
    paths: &Paths,
    world: &mut World,
    plan: &LifePlan,
    now: u64,
    timeline: &mut Timeline,
) -> Result<Lived> {
    let changes = world.disk.changes();
    world.disk.set_fault(plan.disk.fault().map(|fault| later(fault, changes)));
    let lived = live(family, member, paths, world, plan, now);
    if world.told {
        println!("{}, from {now} to {}: {plan:?}: {:?}", member.name, lived.now, lived.error);
    }
    if let Some(error) = &lived.error
        && !excused(plan, error)
    {
        bail!("{}: a life of {plan:?} ended: {error}", member.name);
    }
    follow(member, &lived, timeline);
    world.disk.set_fault(None);
    if let Some((kept, names_kept)) = plan.power_cut {
        world.disk = world.disk.after_power_cut(kept, names_kept);
    }
    Ok(lived)
}

/// Faults are planned from the start of a life.
fn later(fault: weir::storage::Fault, changes: usize) -> weir::storage::Fault {
    use weir::storage::Fault::{Error, Stop};
    match fault {
        Error { at, torn } => Error { at: at + changes, torn },
        Stop { at, torn } => Stop { at: at + changes, torn },
    }
}

/// Whether an error follows from what was planned.
fn excused(plan: &LifePlan, error: &str) -> bool {
    let disk = plan.disk != DiskPlan::Works && error.contains("simulated: no space left");
    let dead = matches!(plan.disk, DiskPlan::Dies(_))
        && (error.contains("host is dead")
            || error.contains("store is down")
            || error.contains("no checkpoint could be written"));
    let sink = plan.sink.is_some() && error.contains("simulated: ");
    let checkpoint = plan.checkpoint_fails_at != usize::MAX
        && (error.contains("the store is down") || error.contains("no checkpoint could be written"));
    disk || dead || sink || checkpoint || error == "killed as planned"
}

/// What a life says of which component runs from when on.
fn follow(member: &Member, lived: &Lived, timeline: &mut Timeline) {
    for swapped in lived.swaps.iter().flatten() {
        timeline.push((swapped.first_batch.as_millis(), swapped.to.digest));
    }
    if let [.., None] = &*lived.swaps
        && let (Some(running), [a, b]) = (timeline.last().map(|(_, digest)| *digest), &*member.swaps)
    {
        // Nobody was told that it was done; it may have been all the same.
        let other = if running == a.digest { b.digest } else { a.digest };
        timeline.push((UNKNOWN, other));
    }
}

/// From some batch on, or not at all.
const UNKNOWN: u64 = u64::MAX;

fn output(paths: &Paths, world: &World) -> Output {
    let sinks = world.sinks.iter().map(|(name, written)| (name.clone(), written.rows())).collect();
    let folder = paths.folder.dead_letters();
    let names = world.disk.list(&folder).expect("a simulated disk can be listed");
    let read = |name: String| {
        let text = world.disk.read(&folder.join(&name)).expect("it is there");
        (name, String::from_utf8(text).expect("JSON"))
    };
    Output { sinks, letters: names.into_iter().filter(|name| name.ends_with(".jsonl")).map(read).collect() }
}

fn check(member: &Member, paths: &Paths, world: &World, expected: &Output, timeline: &Timeline) -> Result<()> {
    for (sink, written) in &world.sinks {
        let changed = written.changed();
        ensure!(
            changed.is_empty(),
            "{}: batches {changed:?} of sink {sink} changed after they were visible",
            member.name
        );
    }
    let mut found = output(paths, world);
    let mut expected = expected.clone();
    if let Some(receives) = member.receives {
        check_received(&found, receives, world)?;
        for sink in [receives.rows, receives.states] {
            found.sinks.remove(sink);
            expected.sinks.remove(sink);
        }
    }
    if !member.swaps.is_empty() {
        check_stamps(member, &mut found, timeline)?;
        strip_stamps(&mut expected);
    }
    for (sink, batches) in &expected.sinks {
        let found = &found.sinks[sink];
        let times: BTreeSet<&u64> = batches.keys().chain(found.keys()).collect();
        for time in times {
            let (found, expected) = (found.get(time), batches.get(time));
            ensure!(found == expected, "{}: batch {time} of sink {sink} is {found:?}, not {expected:?}", member.name);
        }
    }
    ensure!(
        found.letters == expected.letters,
        "{}: the dead letters are {:?}, not {:?}",
        member.name,
        found.letters,
        expected.letters
    );
    Ok(())
}

/// Each row that was acknowledged came out once, none twice, and the states are of those that did.
fn check_received(found: &Output, receives: Receives, world: &World) -> Result<()> {
    let parse = |row: &String| serde_json::from_str::<Value>(row);
    let mut seen = BTreeMap::<u64, u64>::new();
    for row in found.sinks[receives.rows].values().flatten() {
        *seen.entry(parse(row)?["n"].as_u64().unwrap_or(u64::MAX)).or_default() += 1;
    }
    let mut counted = BTreeMap::new();
    for row in found.sinks[receives.states].values().flatten() {
        let row = parse(row)?;
        counted.insert(row["user"].as_str().unwrap_or_default().to_owned(), row["tweets"].as_u64().unwrap_or(0));
    }
    let mut expected = BTreeMap::<String, u64>::new();
    for (user, n) in world.inbox.rows() {
        let times = seen.remove(&n).unwrap_or(0);
        ensure!(times == 1, "received: row {n} came out {times} times");
        *expected.entry(user).or_default() += 1;
    }
    ensure!(seen.is_empty(), "received: rows {seen:?} came out, and were never sent");
    ensure!(counted == expected, "received: the states count {counted:?}, not {expected:?}");
    Ok(())
}

/// Takes the stamps off, each of which must be of the component that ran.
fn check_stamps(member: &Member, found: &mut Output, timeline: &Timeline) -> Result<()> {
    let version = |digest: Digest| if digest == member.swaps[0].digest { "a" } else { "b" };
    let unknown = timeline.iter().any(|(from, _)| *from == UNKNOWN);
    for (time, rows) in found.sinks.values().flatten().filter(|_| !unknown) {
        let running = timeline.iter().rfind(|(from, _)| from <= time);
        let wanted = format!("\"version\":\"{}\"", running.map_or("", |(_, digest)| version(*digest)));
        ensure!(rows.iter().all(|row| row.contains(&wanted)), "swapped: batch {time} has {rows:?}, not {wanted}");
    }
    for rows in found.sinks.values().flat_map(BTreeMap::values) {
        // Whatever ran, ran for all of a batch.
        let versions: BTreeSet<bool> = rows.iter().map(|row| row.contains("\"version\":\"a\"")).collect();
        ensure!(versions.len() <= 1, "swapped: a batch was run by both: {rows:?}");
    }
    strip_stamps(found);
    Ok(())
}

fn strip_stamps(output: &mut Output) {
    for row in output.sinks.values_mut().flat_map(BTreeMap::values_mut).flatten() {
        *row = row.replace("\"version\":\"b\"", "\"version\":\"a\"");
    }
}
