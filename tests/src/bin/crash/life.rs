//! One life of a host: from its start to its death, or to its end.

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use weir_tests::dice::Dice;
use weir_tests::{Folder, PATIENCE};

/// About how many fault points a host passes in the longest life.
const POINTS: u64 = 2500;
/// The longest life that is cut off by time.
const LONGEST: Duration = Duration::from_millis(1500);

/// How a life is to end, if not by itself before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Killed after so long.
    After(Duration),
    /// Killed at this fault point.
    At(u64),
    /// Stopped after so long: it may process what it has received.
    Stopped(Duration),
}

/// How a life has ended.
#[derive(Debug)]
pub(crate) enum End {
    Killed,
    /// At the fault point of this name.
    KilledAt(String),
    /// Nobody wanted it to go on, or there was nothing to do any more.
    Finished,
    /// Stopped before it could listen to signals.
    NotBegun,
    /// By itself, and it should not have.
    Failed(String),
}

impl Death {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let after = |dice: &mut Dice| Duration::from_millis(dice.of(0..LONGEST.as_millis() as u64));
        match dice.of(0..10) {
            0 => Self::Stopped(after(dice)),
            1..4 => Self::After(after(dice)),
            _ => Self::At(dice.of_any_size(POINTS)),
        }
    }
}

/// A host at work.
#[derive(Debug)]
pub(crate) struct Life {
    child: Child,
    begun: Instant,
    log: std::path::PathBuf,
    /// Where in its log this life begins.
    log_start: usize,
}

impl Life {
    /// Starts `run p.toml`; at the fault point of this number it dies.
    pub(crate) fn begin(folder: &Folder, die_at: Option<u64>) -> Self {
        let log = folder.path("host.log");
        let file = OpenOptions::new().append(true).create(true).open(&log).expect("a log can be opened");
        let log_start = read(&log).len();
        let mut command: Command = folder.command(&["run", "p.toml"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).env_remove("WEIR_DIE_AT");
        // So that it dies while the batch log is shortened, too.
        command.env("WEIR_SHORT_LOG", "1");
        command.envs(die_at.map(|number| ("WEIR_DIE_AT", number.to_string())));
        Self { child: command.spawn().expect("the host can be started"), begun: Instant::now(), log, log_start }
    }

    /// Lets it live until it dies so. One that passes fewer fault points is killed all the same.
    pub(crate) fn lead(folder: &Folder, death: Death) -> End {
        let die_at = if let Death::At(number) = death { Some(number) } else { None };
        let mut life = Self::begin(folder, die_at);
        let (Death::After(until) | Death::Stopped(until)) = death else { return life.wait(Some(LONGEST * 2)) };
        if let Some(status) = life.wait_until(until) {
            return life.ended(status);
        }
        if let Death::Stopped(_) = death {
            life.stop();
            return life.wait(None);
        }
        life.kill()
    }

    pub(crate) fn kill(mut self) -> End {
        self.child.kill().expect("a child can be killed");
        let status = self.child.wait().expect("a child can be waited for");
        self.ended(status)
    }

    /// Waits until it is at work, or has ended.
    pub(crate) fn wait_until_begun(&mut self) {
        while !self.said().contains(r#""message":"started""#) {
            if self.child.try_wait().expect("a child can be waited for").is_some() {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Asks it to process what it has received and to end.
    pub(crate) fn stop(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        // It may have ended meanwhile.
        let _ = kill.expect("kill can be started");
    }

    /// Waits until it ends; after so long it is killed.
    pub(crate) fn wait(mut self, most: Option<Duration>) -> End {
        match self.wait_until(most.unwrap_or(PATIENCE)) {
            Some(status) => self.ended(status),
            None if most.is_some() => self.kill(),
            None => {
                let log = self.said();
                self.kill();
                End::Failed(format!("it hangs\n{log}"))
            }
        }
    }

    /// Looks now and then whether it has ended, up to an age.
    fn wait_until(&mut self, age: Duration) -> Option<ExitStatus> {
        loop {
            let ended = self.child.try_wait().expect("a child can be waited for");
            if ended.is_some() || self.begun.elapsed() >= age {
                return ended;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&read(&self.log)[self.log_start..]).into_owned()
    }

    fn ended(&self, status: ExitStatus) -> End {
        let said = self.said();
        match status.signal() {
            Some(9) => match said.lines().find_map(|line| line.strip_prefix("dying at fault point ")) {
                Some(point) => End::KilledAt(point.split_once(", ").map_or(point, |(_, name)| name).to_owned()),
                None => End::Killed,
            },
            Some(15) => End::NotBegun,
            _ if status.success() => End::Finished,
            _ => End::Failed(format!("{status}\n{said}")),
        }
    }
}

fn read(log: &Path) -> Vec<u8> {
    fs::read(log).unwrap_or_default()
}
