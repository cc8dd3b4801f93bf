//! A new project: a language's template for a world, with the SDK and the interface.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use include_dir::{Dir, DirEntry, include_dir};

use super::Language;
use crate::operator::{ComponentName, World};

/// `LANGUAGE/…`: an SDK, and in `templates/WORLD` and `templates/common` what a project begins with.
static SDKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk");
static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit");

/// The folders of an SDK that do not go along.
const TEMPLATES: &str = "templates";
const CACHE: &str = "__pycache__";
/// Files of this extension are written without it, with the project's name in them.
const FILLED: &str = "in";
const NAME: &str = "@NAME@";

/// Why a project in a language cannot have a name, if it cannot.
fn is_taken(language: Language, name: &str) -> Option<&'static str> {
    const CRATES: [&str; 6] = ["weir-guest", "weir-guest-macros", "wit-bindgen", "serde", "serde_json", "memchr"];
    const PACKAGES: [&str; 5] = ["weir-guest", "componentize-qjs", "esbuild", "typescript", "assemblyscript"];
    match language {
        Language::Rust if ["test", "core", "std", "alloc", "proc_macro"].contains(&name) => {
            Some("a crate of it would stand in the way of Rust's own")
        }
        Language::Rust if CRATES.contains(&name) => Some("it is the name of a crate that the project needs"),
        Language::JavaScript | Language::TypeScript | Language::AssemblyScript if PACKAGES.contains(&name) => {
            Some("it is the name of a package that the project needs")
        }
        Language::JavaScript | Language::TypeScript | Language::AssemblyScript if name == "node_modules" => {
            Some("npm takes no package of that name")
        }
        _ => None,
    }
}

/// What to write.
#[derive(Debug)]
pub struct NewProject<'n> {
    /// The operator's name.
    pub name: &'n str,
    /// The language that it will be written in.
    pub language: Language,
    /// What it is to be.
    pub world: World,
}

/// Writes a project into a folder of its name, whole or not at all.
pub fn write(new: &NewProject<'_>) -> Result<PathBuf> {
    let NewProject { name, language, world } = new;
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase()) && ComponentName::new(name, "0.1.0").is_ok();
    if !valid {
        bail!("`{name}` cannot be a name: begin with a lower-case letter, and use lower-case letters, digits, - and _");
    }
    if let Some(reason) = is_taken(*language, name) {
        bail!("`{name}` cannot be the name of a project in {language}: {reason}; choose another");
    }
    let folder = PathBuf::from(name);
    if folder.symlink_metadata().is_ok() {
        bail!("{} is there already; choose another name, or remove it", folder.display());
    }
    let dir = |of: &Language| SDKS.get_dir(of.folder()).with_context(|| format!("there is no SDK for {language}"));
    let (own, sdk) = (dir(language)?, dir(&language.of_sdk())?);
    let template = |of: &str| own.get_dir(own.path().join(TEMPLATES).join(of));
    let Some(template_of_world) = template(&world.to_string()) else {
        bail!("{}", no_template(*language, *world, own));
    };
    // Written beside and put in place whole: no half a project is left behind.
    let parent = tempfile::tempdir_in(".").context("cannot write to this folder")?;
    let project = parent.path().join(name);
    let writing = || -> Result<()> {
        let into = project.join("weir/guest-sdk").join(sdk.path());
        copy(sdk, sdk.path(), &into, name, &|path| path.ends_with(TEMPLATES) || path.ends_with(CACHE))?;
        copy(&WIT, WIT.path(), &project.join("weir/wit"), name, &|_| false)?;
        for template in template("common").into_iter().chain([template_of_world]) {
            copy(template, template.path(), &project, name, &|_| false)?;
        }
        Ok(())
    };
    writing().with_context(|| format!("cannot write {}", folder.display()))?;
    fs::rename(&project, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
    Ok(folder)
}

fn no_template(language: Language, world: World, sdk: &Dir<'_>) -> String {
    let templates = sdk.get_dir(sdk.path().join(TEMPLATES));
    let names = templates.into_iter().flat_map(|dir| dir.dirs()).filter_map(|dir| dir.path().file_name());
    let worlds: Vec<_> = names.filter(|name| *name != "common").map(|name| name.to_string_lossy()).collect();
    format!(
        "there is no template for the world `{world}` in {language}: there is {}; in Rust there are all",
        worlds.join(", ")
    )
}

/// Writes what lies in a folder of templates.
fn copy(dir: &Dir<'_>, root: &Path, into: &Path, name: &str, skip: &dyn Fn(&Path) -> bool) -> Result<()> {
    for entry in dir.entries() {
        let target = into.join(entry.path().strip_prefix(root)?);
        match entry {
            DirEntry::Dir(dir) if skip(dir.path()) => {}
            DirEntry::Dir(dir) => copy(dir, root, into, name, skip)?,
            DirEntry::File(file) => {
                fs::create_dir_all(target.parent().unwrap_or(into))?;
                if target.extension().is_some_and(|extension| extension == FILLED) {
                    let text = file.contents_utf8().context("a template is no text")?;
                    fs::write(target.with_extension(""), text.replace(NAME, name))?;
                } else {
                    fs::write(target, file.contents())?;
                }
            }
        }
    }
    Ok(())
}
