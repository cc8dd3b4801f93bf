//! The one wasmtime engine of a host, and the settings that make a guest's result the same everywhere.
//!
//! The settings belong to the identity of a result: two hosts agree byte for byte only if [`Engine::identity`] agrees.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use anyhow::{Context, Result};
use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::interrupt::Trap;

/// The stack of a guest, in bytes. Fixed, so that a recursion overflows at the same depth everywhere.
const GUEST_STACK: usize = 512 << 10;

/// The same for code that counts no fuel: so small that what fits in it fits in the other, which has frames for functions
/// that are inlined here, and larger ones.
const FAST_GUEST_STACK: usize = GUEST_STACK / 2;

/// How many component instances may live at once in a host: tasks, one for each operator and partition.
const INSTANCES: u32 = 1000;

/// How many modules a component may be made of, each with an instance in a task. Python's is made of some 40: the
/// interpreter, its libraries, and what holds them together.
const MODULES: u32 = 100;

/// Memory that a slot of the pool keeps between tasks instead of giving it back page by page.
const KEEP_RESIDENT: usize = 64 << 20;

/// Shared wasmtime engines with Weir's settings: one whose code counts fuel, and perhaps one whose code counts none.
#[derive(Clone)]
pub struct Engine {
    counting: wasmtime::Engine,
    fast: Option<Fast>,
}

/// One whose code counts no fuel, and what ends its calls.
#[derive(Clone)]
pub(super) struct Fast {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) trap: Arc<Trap>,
}

impl Engine {
    /// An engine under which all calls count their fuel.
    pub fn counting() -> Result<Self> {
        Ok(Self { counting: wasmtime_engine(&config())?, fast: None })
    }

    /// One under which calls count their fuel only where that matters.
    pub fn fast() -> Result<Self> {
        let mut fast = config();
        // Where time counts. An interpreter, which has no such code, would take gigabytes to compile so.
        fast.compiler_inlining(wasmtime::Inlining::Yes);
        // Nobody asks where in a guest a trap was; a call that is ended has no frames to be walked through.
        fast.consume_fuel(false).max_wasm_stack(FAST_GUEST_STACK).wasm_backtrace_max_frames(None);
        let wasmtime = wasmtime_engine(&fast)?;
        let fast = Trap::new(&wasmtime).map(|trap| Fast { wasmtime, trap: Arc::new(trap) });
        Ok(Self { fast, ..Self::counting()? })
    }

    /// wasmtime's own handle, for code that counts fuel.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.counting
    }

    /// The one for code that counts none, if calls may run on such.
    pub(super) fn fast_engine(&self) -> Option<&Fast> {
        self.fast.as_ref()
    }

    /// Identifies engine version, settings and machine: compiled code is only valid, and results are only comparable
    /// bit for bit, under the same identity.
    pub fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.counting.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({:016x})", self.identity())
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        // Deterministic results: one NaN, one meaning of relaxed SIMD, interruption by fuel alone.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .consume_fuel(true)
        .max_wasm_stack(GUEST_STACK)
        .wasm_memory64(false)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    config
}

fn wasmtime_engine(config: &Config) -> Result<wasmtime::Engine> {
    wasmtime::Engine::new(config).map_err(anyhow::Error::from).context(
        "the WebAssembly engine could not start: it reserves a few TiB of address space (not memory); \
         check `ulimit -v` and the container's limits",
    )
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * MODULES)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES * 4)
        .max_core_instances_per_component(MODULES)
        .max_memory_size(4 << 30)
        .table_elements(100_000)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(wasmtime::Enabled::Auto);
    pool
}
