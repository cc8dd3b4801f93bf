//! The components that tests run: built once, registered once, and linked into each test's data folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::folder::weir;

const TARGET: &str = "wasm32-unknown-unknown";

/// Packages of this workspace that are components.
const PACKAGES: [&str; 30] = [
    "anomaly",
    "count",
    "dated",
    "evil",
    "evil-aggregate",
    "evil-sink",
    "evil-state",
    "float-sum",
    "fraud",
    "grep",
    "hashtags",
    "json-parse",
    "k-means",
    "max",
    "mean",
    "min",
    "mood",
    "pagerank",
    "patient",
    "picky",
    "regression",
    "sessions",
    "stamp-a",
    "stamp-b",
    "sum",
    "tally",
    "tally-2",
    "top-k",
    "webhook",
    "words",
];

static BUILT: LazyLock<PathBuf> = LazyLock::new(|| match env::var_os("WEIR_GUESTS") {
    Some(folder) => folder.into(),
    None => cargo_build(TARGET, &PACKAGES),
});

/// The guest that asks for all that an operator is not given, as each of two toolchains makes it: a core module of WASI's
/// first version, and a component of its second. Built when a test first wants it.
pub static AMBIENT: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    ["wasm32-wasip1", "wasm32-wasip2"].map(|target| cargo_build(target, &["ambient"]).join("ambient.wasm"))
});

/// A data folder in which every component is registered and compiled.
static REGISTERED: LazyLock<tempfile::TempDir> = LazyLock::new(register);

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The file of a component, as the compiler left it.
pub fn wasm(package: &str) -> PathBuf {
    BUILT.join(format!("{}.wasm", package.replace('-', "_")))
}

/// The custom sections in which a component's module says what it imports and exports: put behind another module, they
/// make it a component of the same world.
pub fn types_of(package: &str) -> Vec<u8> {
    let module = fs::read(wasm(package)).expect("it was built");
    let mut types = Vec::new();
    // After magic number and version come the sections: an id, a length, and so many bytes.
    let mut at = 8;
    while at < module.len() {
        let start = at;
        let (length, first) = leb128(&module, start + 1);
        at = first + length;
        let (name_length, name) = leb128(&module, first);
        if module[start] == 0 && module[name..name + name_length].starts_with(b"component-type") {
            types.extend_from_slice(&module[start..at]);
        }
    }
    assert!(!types.is_empty(), "{package} does not say what it exports");
    types
}

/// A number of seven bits a byte, the lowest first; and where what follows it begins.
fn leb128(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        number |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        at += 1;
        if byte & 0x80 == 0 {
            return (number, at);
        }
    }
}

/// The folder into which cargo puts what it builds, told from where it put this executable: there, or in its
/// `deps`.
pub(crate) fn profile_folder() -> PathBuf {
    let executable = env::current_exe().expect("a test knows its executable");
    let folder = executable.parent().expect("it lies in a folder");
    let deps = folder.file_name().is_some_and(|name| name == "deps");
    if deps { folder.parent().expect("`deps` lies in a folder").to_owned() } else { folder.to_owned() }
}

/// The folder under which cargo puts all that it builds.
pub fn target() -> PathBuf {
    profile_folder().parent().expect("a profile lies in the target folder").to_owned()
}

fn cargo_build(target: &str, packages: &[&str]) -> PathBuf {
    let folder = self::target();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).env("CARGO_TARGET_DIR", &folder);
    cargo.args(["build", "--quiet", "--release", "--target", target]);
    for package in packages {
        cargo.args(["-p", package]);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "the components do not build; `rustup target add {target}` may be missing");
    folder.join(target).join("release")
}

fn register() -> tempfile::TempDir {
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    for package in PACKAGES {
        let file = wasm(package);
        let output = weir(data.path()).args(["plugin", "register"]).arg(&file).output().expect("weir can be started");
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    data
}

/// Makes every component known to a data folder that is not there yet.
pub(crate) fn install(data: &Path) {
    link(REGISTERED.path(), data);
}

/// Gives compiled code back, so that each component is compiled once a test executable.
pub(crate) fn keep_compiled(data: &Path) {
    let (from, to) = (data.join("cache"), REGISTERED.path().join("cache"));
    if from.exists() {
        link(&from, &to);
    }
}

/// The same files under another root. A host replaces files and never writes into one, so they can be shared.
fn link(from: &Path, to: &Path) {
    make_private(to);
    for entry in fs::read_dir(from).expect("the folder can be listed").map(|entry| entry.expect("an entry")) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            link(&source, &target);
        } else if !target.exists() {
            // Another test may have been faster.
            let _ = fs::hard_link(&source, &target);
        }
    }
}

fn make_private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("a folder can be made");
}
