//! A PostgreSQL server of a test's own, in a temporary folder, reached through a socket there.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// Where Debian and Ubuntu put each version's programs.
const INSTALLED: &str = "/usr/lib/postgresql";
/// Set by whoever runs the tests where PostgreSQL cannot be installed.
const WITHOUT: &str = "WEIR_TESTS_WITHOUT_POSTGRES";

/// A server with an empty database. It ends when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    server: Option<Child>,
}

impl Postgres {
    /// Makes a server and starts it. None, and a line that says so, where PostgreSQL is not installed and cannot be.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                env::var_os(WITHOUT).is_some(),
                "PostgreSQL is not installed: `apt-get install postgresql`, or set {WITHOUT}=1 to go without these tests"
            );
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut postgres = Self { folder, programs, server: None };
        if let Some((user, group)) = postgres_user() {
            chown(postgres.folder.path(), Some(user), Some(group)).expect("root can give a folder away");
        }
        let mut initdb = postgres.program("initdb");
        initdb.args(["--username=weir", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"]);
        let made = initdb.arg(postgres.data()).output().expect("initdb can be started");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        postgres.run();
        Some(postgres)
    }

    /// Starts the server, and waits until it takes connections.
    pub fn run(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=20"]);
        let mut server = command.stderr(Stdio::piped()).spawn().expect("postgres can be started");
        let mut log = BufReader::new(server.stderr.take().expect("it is piped"));
        self.server = Some(server);
        let mut seen = String::new();
        while !seen.contains("ready to accept connections") {
            let read = log.read_line(&mut seen).expect("the server's log can be read");
            assert!(read > 0, "the server does not start:\n{seen}");
        }
        // It must not block on a full pipe.
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    }

    /// Ends all its connections and the server, as its service manager does.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        let kill = Command::new("kill").args(["-INT", &server.id().to_string()]).status();
        assert!(kill.expect("kill can be started").success());
        server.wait().expect("a child can be waited for");
    }

    /// Where the database is, as a sink is told.
    pub fn url(&self) -> String {
        format!("host={} user=weir dbname=postgres", self.folder.path().display())
    }

    /// Runs SQL; its rows as lines, with `|` between columns.
    pub fn sql(&self, text: &str) -> Vec<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url(), "-c", text]);
        let answer = psql.output().expect("psql can be started");
        assert!(answer.status.success(), "{text}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).expect("the database is UTF-8").lines().map(str::to_owned).collect()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of the server's; it refuses to be run by root.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let Some((user, group)) = postgres_user() else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        command.arg(program).current_dir(self.folder.path());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.stop();
        }
    }
}

/// The programs of the latest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(INSTALLED).ok().into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let has_all = |folder: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists());
    versions.filter(has_all).max().or_else(|| on_path.into_iter().find(has_all))
}

/// Who runs the server when root runs the tests: the user that the package makes, else nobody.
fn postgres_user() -> Option<(u32, u32)> {
    let number = |args: &[&str]| {
        let answer = Command::new("id").args(args).output().expect("id can be started");
        String::from_utf8_lossy(&answer.stdout).trim().parse::<u32>().ok()
    };
    if number(&["-u"]) != Some(0) {
        return None;
    }
    let of = |name| Some((number(&["-u", name])?, number(&["-g", name])?));
    Some(of("postgres").or_else(|| of("nobody")).expect("there is a user without rights"))
}
