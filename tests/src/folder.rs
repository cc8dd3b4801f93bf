//! A user's folder, and commands run in it.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::PATIENCE;
use crate::guests;
use crate::live::Live;
use crate::output::{Batches, Tree};

/// A temporary folder with pipeline files, input and output, and a data folder of its own.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    knows_components: bool,
}

/// A command that came to its end.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it printed.
    pub stdout: String,
    /// All that it complained about or logged.
    pub stderr: String,
    /// The most memory that it had resident, in bytes, as far as sampling saw.
    pub peak_memory: u64,
}

impl Folder {
    /// A folder whose data folder knows every component.
    pub fn new() -> Self {
        let folder = Self { knows_components: true, ..Self::empty() };
        guests::install(&folder.data());
        folder
    }

    /// A folder in which nothing was ever done.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), knows_components: false }
    }

    /// Where `name` is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
        fs::write(path, contents).expect("a file can be written");
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Everything that a sink made visible.
    pub fn tree(&self, sink: &str) -> Tree {
        Tree::read(&self.path(sink))
    }

    /// The rows that a sink wrote as JSON, by batch.
    pub fn batches(&self, sink: &str) -> Batches {
        Batches::of(&self.tree(sink))
    }

    /// The files of a pipeline's dead letters: those of its live runs, and of its last run over all input.
    pub fn letter_files(&self, pipeline: &str) -> Tree {
        let folder = self.data().join("pipelines").join(pipeline);
        let [mut live, once] = ["dead-letters", "once/dead-letters"].map(|letters| Tree::read(&folder.join(letters)));
        live.0.extend(once.0);
        live
    }

    /// The dead letters of a pipeline, by batch.
    pub fn dead_letters(&self, pipeline: &str) -> Batches {
        Batches::of_letters(&self.letter_files(pipeline))
    }

    /// The command `weir`, to be run here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = weir(&self.data());
        command.current_dir(self.folder.path()).args(args);
        command
    }

    /// Runs `weir` to its end.
    pub fn weir(&self, args: &[&str]) -> Finished {
        let finished = Finished::wait(self.command(args), &args.join(" "));
        if self.knows_components {
            guests::keep_compiled(&self.data());
        }
        finished
    }

    /// Writes the pipeline `p.toml` and runs it over all its input.
    pub fn run_once(&self, pipeline: &str) -> Finished {
        self.write("p.toml", pipeline);
        self.weir(&["run", "--once", "p.toml"])
    }

    /// Writes the pipeline `p.toml` and starts a host that runs it live.
    pub fn start(&self, pipeline: &str) -> Live {
        self.write("p.toml", pipeline);
        Live::start(self.command(&["run", "p.toml"]))
    }

    /// What the one running host says of itself.
    pub fn status(&self) -> Value {
        let finished = self.weir(&["status", "--json"]).ok();
        serde_json::from_str(&finished.stdout).expect("status is JSON")
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// The command with a data folder, and nothing of the caller's environment that it would heed.
pub(crate) fn weir(data: &Path) -> Command {
    let built = || guests::profile_folder().join("weir");
    let path = env::var_os("WEIR_BIN").map_or_else(built, PathBuf::from);
    assert!(
        path.exists(),
        "there is no {}: `cargo build --release -p weir`, or say where it is in WEIR_BIN",
        path.display()
    );
    let mut command = Command::new(path);
    command.env("WEIR_DATA_DIR", data).env_remove("RUST_LOG").env_remove("RUST_BACKTRACE").env("COLUMNS", "100");
    command
}

impl Finished {
    /// Runs a command to its end; one that does not end is killed, and the test fails.
    pub fn wait(mut command: Command, what: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{what} cannot be started: {e}"));
        let stdout = child.stdout.take().expect("it is piped");
        let mut stderr = child.stderr.take().expect("it is piped");
        let errors = thread::spawn(move || text(&mut stderr));
        let (ended, end) = channel();
        let printed = thread::spawn(move || {
            let text = text(&mut { stdout });
            // Nobody listens any more when the command took too long.
            let _ = ended.send(());
            text
        });
        let peak_memory = watch(&mut child, &end, what);
        let status = child.wait().expect("a child can be waited for");
        Self {
            status,
            stdout: printed.join().expect("the reader does not panic"),
            stderr: errors.join().expect("the reader does not panic"),
            peak_memory,
        }
    }

    /// The command did what it was told.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
        self
    }

    /// The command refused, and its message has all of these texts.
    #[track_caller]
    pub fn refused(self, texts: &[&str]) -> Self {
        assert_eq!(self.status.code(), Some(1), "{}\n{}", self.stdout, self.stderr);
        let message = self.message();
        for text in texts {
            assert!(message.contains(text), "`{text}` is not in the message:\n{message}");
        }
        for leak in ["Execution error", "Arrow error", "DataFusion error", "Internal error", "panicked at host"] {
            assert!(!message.contains(leak), "the message says `{leak}`, which is nobody's business:\n{message}");
        }
        self
    }

    /// What it says after `error: `, to its end.
    #[track_caller]
    pub fn message(&self) -> &str {
        let at = self.stderr.find("error: ").unwrap_or_else(|| panic!("there is no error message:\n{}", self.stderr));
        &self.stderr[at..]
    }
}

fn text(pipe: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).expect("a pipe can be read");
    String::from_utf8(bytes).expect("weir prints UTF-8")
}

/// Looks at a child's memory now and then until it closes its output.
fn watch(child: &mut Child, end: &std::sync::mpsc::Receiver<()>, what: &str) -> u64 {
    let begun = Instant::now();
    let mut peak = 0;
    loop {
        peak = peak.max(resident(child.id()).unwrap_or(0));
        match end.recv_timeout(Duration::from_millis(5)) {
            Err(RecvTimeoutError::Timeout) if begun.elapsed() > PATIENCE => {
                child.kill().expect("a child can be killed");
                panic!("weir {what} hangs: it has not ended after {PATIENCE:?}");
            }
            Err(RecvTimeoutError::Timeout) => {}
            _ => return peak,
        }
    }
}

/// The most memory that a process has had resident; nothing where that cannot be told.
pub(crate) fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}
