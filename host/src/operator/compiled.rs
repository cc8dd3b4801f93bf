//! Components made ready to be instantiated, and the cache of their compiled code.
//!
//! Compiled code is trusted by wasmtime as is, so it is only ever read from a private folder that this process's user
//! wrote; what does not load is compiled again.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use bytesize::ByteSize;
use wasmtime::component::{Component, InstancePre};

use super::digest::Digest;
use super::engine::Engine;
use super::identity::identity;
use super::inspect::{Kind, World};
use super::instance::{Host, linker};
use super::interrupt::Code;
use super::registry::Registry;
use crate::allocator;

/// A component of as many bytes has code for counting fuel alone: what is as large is an interpreter, whose calls take long,
/// and to compile it takes seconds.
const LARGE: usize = 4 << 20;
/// To compile one of as many bytes takes so long that people are told.
const TOLD: usize = 1 << 20;

/// A component, compiled and linked.
pub struct Compiled {
    digest: Digest,
    kind: Kind,
    interface: String,
    counting: InstancePre<Host>,
    fast: Option<Fast>,
    /// A call of it was so long that it had to be made again on code that counts.
    long: AtomicBool,
}

/// The same on code that counts no fuel, and where in memory that is.
pub(super) struct Fast {
    pub(super) pre: InstancePre<Host>,
    pub(super) code: Arc<Code>,
}

impl Compiled {
    /// The digest of the component's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The world that it implements.
    pub fn world(&self) -> World {
        self.kind.world
    }

    /// The interface that it exports, of the version that it was built against.
    pub(super) fn interface(&self) -> &str {
        &self.interface
    }

    /// The interface beside that of `state` which a component exports that can take over states of earlier versions.
    pub(super) fn migrate(&self) -> String {
        self.kind.version.interface("migrate")
    }

    pub(super) fn counting(&self) -> &InstancePre<Host> {
        &self.counting
    }

    /// None where all calls count their fuel.
    pub(super) fn fast(&self) -> Option<&Fast> {
        self.fast.as_ref()
    }

    /// Whether its calls are so long that none should be tried on code that counts no fuel.
    pub(super) fn has_long_calls(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    /// A call was.
    pub(super) fn note_long_call(&self) {
        if !self.long.swap(true, Ordering::Relaxed) {
            tracing::debug!(component = %self.digest.short(), "calls take long: from now on their fuel is counted");
        }
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compiled({:?}, {})", self.digest, self.kind.world)
    }
}

/// Turns digests into compiled components; shared by all tasks of a host.
#[derive(Debug)]
pub struct Components {
    engine: Engine,
    registry: Registry,
    cache: PathBuf,
    loaded: Mutex<HashMap<Digest, Arc<Compiled>>>,
}

impl Components {
    /// Serves the components of `registry`, keeping compiled code under the folder `cache`.
    pub fn new(engine: Engine, registry: Registry, cache: &Path) -> Self {
        let cache = cache.join(format!("{:016x}", engine.identity()));
        Self { engine, registry, cache, loaded: Mutex::default() }
    }

    /// The registry that the components come from.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The engine that they run on.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The component with this digest; compiles it if it was not yet. Takes up to seconds: not for a reactor thread.
    pub fn get(&self, digest: Digest) -> Result<Arc<Compiled>> {
        if let Some(compiled) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return Ok(compiled.clone());
        }
        let bytes = self.registry.bytes(digest)?;
        let compiled = Arc::new(self.load(digest, &bytes)?);
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, compiled.clone());
        Ok(compiled)
    }

    fn load(&self, digest: Digest, bytes: &[u8]) -> Result<Compiled> {
        let kind = super::inspect::inspect(bytes)?;
        if bytes.len() >= TOLD && !self.cached(self.engine.wasmtime(), digest).exists() {
            let name = identity(bytes).map_or_else(|| digest.short(), |own| format!("{}@{}", own.name, own.version));
            let size = ByteSize::b(bytes.len() as u64).display().iec();
            tracing::info!(component = name, %size, "compiling; the code is kept for the next time");
        }
        let (_, counting) = self.linked(self.engine.wasmtime(), kind, digest, bytes)?;
        let fast = match self.engine.fast_engine() {
            // A sink waits for others more than it computes.
            Some(engine) if kind.world != World::Sink && bytes.len() < LARGE => {
                let (component, pre) = self.linked(&engine.wasmtime, kind, digest, bytes)?;
                Code::of(&component, engine.trap.clone()).map(|code| Fast { pre, code: Arc::new(code) })
            }
            _ => None,
        };
        let interface = kind.world.interface(kind.version);
        Ok(Compiled { digest, kind, interface, counting, fast, long: AtomicBool::new(false) })
    }

    fn linked(
        &self,
        engine: &wasmtime::Engine,
        kind: Kind,
        digest: Digest,
        bytes: &[u8],
    ) -> Result<(Component, InstancePre<Host>)> {
        let component = match self.cached_component(engine, digest) {
            Some(component) => component,
            None => self.compile(engine, digest, bytes)?,
        };
        let pre = linker(engine, kind)
            .and_then(|linker| linker.instantiate_pre(&component))
            .map_err(anyhow::Error::from)
            .with_context(|| format!("component {} cannot be linked", digest.short()))?;
        Ok((component, pre))
    }

    fn cached_component(&self, engine: &wasmtime::Engine, digest: Digest) -> Option<Component> {
        let path = self.cached(engine, digest);
        if !path.exists() || private_folder(&self.cache).is_err() {
            return None;
        }
        // SAFETY: the file lies in a folder that only this user can write (mode 0700, checked when it is made), was
        // written by `compile` below and put there whole by rename; nothing that a user hands to Weir ends up there.
        let component = unsafe { Component::deserialize_file(engine, &path) };
        component
            .inspect_err(
                |e| tracing::debug!(path = %path.display(), error = %e, "compiled code does not load; compiling again"),
            )
            .ok()
    }

    fn compile(&self, engine: &wasmtime::Engine, digest: Digest, bytes: &[u8]) -> Result<Component> {
        let component = Component::from_binary(engine, bytes)
            .map_err(anyhow::Error::from)
            .with_context(|| format!("component {} cannot be compiled", digest.short()))?;
        allocator::give_back();
        // Without a cache everything works, only slower to start.
        if let Err(error) = self.keep(engine, digest, &component) {
            tracing::warn!(error = %format!("{error:#}"), "compiled code is not cached");
        }
        Ok(component)
    }

    fn keep(&self, engine: &wasmtime::Engine, digest: Digest, component: &Component) -> Result<()> {
        private_folder(&self.cache)?;
        let code = component.serialize().map_err(anyhow::Error::from)?;
        let file = tempfile::NamedTempFile::new_in(&self.cache)?;
        fs::write(file.path(), code)?;
        file.persist(self.cached(engine, digest))?;
        Ok(())
    }

    fn cached(&self, engine: &wasmtime::Engine, digest: Digest) -> PathBuf {
        let counts = if wasmtime::Engine::same(engine, self.engine.wasmtime()) { "" } else { ".fast" };
        self.cache.join(format!("{}{counts}.cwasm", digest.hex()))
    }
}

/// Makes the folder for this user alone, and refuses one that others can write to.
fn private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the folder {}", path.display()))?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o022 != 0 {
        bail!("others can write to {} (mode {:o}); run `chmod go-w` on it", path.display(), mode & 0o777);
    }
    Ok(())
}
