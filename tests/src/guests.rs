//! The components that tests run: built once, registered once, and linked into each test's data folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::folder::weir;

const TARGET: &str = "wasm32-unknown-unknown";

/// Packages of this workspace that are components.
const PACKAGES: [&str; 11] =
    ["count", "evil", "evil-aggregate", "float-sum", "grep", "hashtags", "picky", "stamp-a", "stamp-b", "sum", "words"];

static BUILT: LazyLock<PathBuf> = LazyLock::new(|| match env::var_os("WEIR_GUESTS") {
    Some(folder) => folder.into(),
    None => build(),
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

/// The folder into which cargo puts what it builds, told from where it put this executable.
pub(crate) fn profile_folder() -> PathBuf {
    let executable = env::current_exe().expect("a test knows its executable");
    executable.ancestors().nth(2).expect("it lies in PROFILE/deps").to_owned()
}

/// The folder under which cargo puts all that it builds.
pub fn target() -> PathBuf {
    profile_folder().parent().expect("a profile lies in the target folder").to_owned()
}

fn build() -> PathBuf {
    let target = target();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).env("CARGO_TARGET_DIR", &target);
    cargo.args(["build", "--quiet", "--release", "--target", TARGET]);
    for package in PACKAGES {
        cargo.args(["-p", package]);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "the components do not build; `rustup target add {TARGET}` may be missing");
    target.join(TARGET).join("release")
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
