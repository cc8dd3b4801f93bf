//! The registry: a folder of components, content-addressed, with `name@version` as names for digests.
//!
//! A name, once given, never changes its digest, so that a pipeline file means the same thing tomorrow.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::digest::Digest;
use super::identity::identity;
use super::inspect::{World, componentize, inspect};
use super::reference::{ComponentName, Reference};

/// A named component in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: ComponentName,
    /// What the name stands for.
    pub digest: Digest,
    /// The world that it implements.
    pub world: World,
    /// The component's size in bytes.
    pub size: u64,
}

/// Components on disk: `components/HEX.wasm`, and `names/NAME@VERSION` holding a digest.
#[derive(Debug, Clone)]
pub struct Registry {
    root: PathBuf,
}

impl Registry {
    /// The registry in this folder, which is made when something is first registered.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Registers a component, or a core module that can be made one. Name and version default to those that the SDK
    /// wrote into it. Registering the same bytes under the same name again changes nothing.
    pub fn register(&self, bytes: &[u8], name: Option<&str>, version: Option<&str>) -> Result<Entry> {
        let own = identity(bytes);
        let component = componentize(bytes)?;
        let world = inspect(&component)?.world;
        let name = name.or(own.as_ref().map(|i| i.name.as_str()));
        let version = version.or(own.as_ref().map(|i| i.version.as_str()));
        let (Some(name), Some(version)) = (name, version) else {
            bail!("the component does not say its name and version; give --name and --version");
        };
        let name = ComponentName::new(name, version)?;
        let digest = Digest::of(&component);
        write_once(&self.component_path(digest), &component)?;
        write_once(&self.name_path(&name), digest.to_string().as_bytes())?;
        let held = self.resolve_name(&name)?;
        if held != digest {
            bail!(
                "{name} is registered already, with other contents ({}); a name never changes what it means: \
                 give another --version, or `weir plugin remove {name}` first",
                held.short()
            );
        }
        Ok(Entry { name, digest, world, size: component.len() as u64 })
    }

    /// What a reference stands for.
    pub fn resolve(&self, reference: &Reference) -> Result<Digest> {
        match reference {
            Reference::Name(name) => self.resolve_name(name),
            Reference::Digest(digest) if self.component_path(*digest).exists() => Ok(*digest),
            Reference::Digest(digest) => bail!("no component {digest} is registered; `weir plugin list` shows what is"),
        }
    }

    fn resolve_name(&self, name: &ComponentName) -> Result<Digest> {
        let path = self.name_path(name);
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().with_context(|| {
                format!("{} is damaged; `weir plugin remove {name}` and register again", path.display())
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => bail!("{}", self.unknown(name)),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn unknown(&self, wanted: &ComponentName) -> String {
        let entries = self.names().unwrap_or_default();
        let versions: Vec<String> =
            entries.iter().filter(|n| n.name() == wanted.name()).map(ToString::to_string).collect();
        if !versions.is_empty() {
            return format!("{wanted} is not registered; there is {}", versions.join(", "));
        }
        // The last of the best is taken: a release before the builds that came of it.
        let nearest = entries.iter().rev().max_by_key(|n| (strsim::jaro(n.name(), wanted.name()) * 1000.0) as u64);
        let hint = nearest
            .filter(|n| strsim::jaro(n.name(), wanted.name()) > 0.8)
            .map(|n| format!("; did you mean {n}?"))
            .unwrap_or_else(|| "; `weir plugin register FILE` adds one, `weir plugin list` shows what there is".into());
        format!("{wanted} is not registered in {}{hint}", self.root.display())
    }

    /// The bytes of a component, checked against its digest.
    pub fn bytes(&self, digest: Digest) -> Result<Vec<u8>> {
        let path = self.component_path(digest);
        let bytes =
            fs::read(&path).with_context(|| format!("component {digest} cannot be read from {}", path.display()))?;
        if Digest::of(&bytes) != digest {
            bail!(
                "{} is damaged: its contents are not {digest}; delete it and register the component again",
                path.display()
            );
        }
        Ok(bytes)
    }

    fn names(&self) -> Result<Vec<ComponentName>> {
        let folder = self.root.join("names");
        let listing = match fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e).with_context(|| format!("cannot list {}", folder.display())),
        };
        let mut names = Vec::new();
        for file in listing {
            if let Ok(Reference::Name(name)) = file?.file_name().to_string_lossy().parse() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// All named components, in order of their names.
    pub fn list(&self) -> Result<Vec<Entry>> {
        self.names()?.into_iter().map(|name| self.entry(name)).collect()
    }

    /// One named component.
    pub fn entry(&self, name: ComponentName) -> Result<Entry> {
        let digest = self.resolve_name(&name)?;
        let bytes = self.bytes(digest)?;
        let world = inspect(&bytes).with_context(|| format!("{name} is no operator"))?.world;
        Ok(Entry { name, digest, world, size: bytes.len() as u64 })
    }

    /// Forgets a name; the component goes too when no other name stands for it.
    pub fn remove(&self, name: &ComponentName) -> Result<()> {
        let digest = self.resolve_name(name)?;
        let path = self.name_path(name);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        for other in self.names()? {
            if self.resolve_name(&other)? == digest {
                return Ok(());
            }
        }
        let path = self.component_path(digest);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    fn component_path(&self, digest: Digest) -> PathBuf {
        self.root.join("components").join(format!("{}.wasm", digest.hex()))
    }

    fn name_path(&self, name: &ComponentName) -> PathBuf {
        self.root.join("names").join(name.to_string())
    }
}

/// Writes the file whole unless it is there; never replaces one.
fn write_once(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let describe = || format!("cannot write {}", path.display());
    fs::create_dir_all(folder).with_context(describe)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(describe)?;
    file.write_all(bytes).with_context(describe)?;
    file.as_file().sync_all().with_context(describe)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e.error).with_context(describe),
    }
}
