//! A guest for one task: store, limits, fuel, captured log, and the verdict when a call goes wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{ComponentNamedList, ComponentType, Func, Instance, Lift, Linker, Lower, TypedFunc};
use wasmtime::{ResourceLimiter, Store, Trap};
use wasmtime_wasi::I32Exit;

use super::columns::WitField;
use super::compiled::{Compiled, Fast};
use super::http::{self, Http, HttpError, HttpRequest, HttpResponse};
use super::inspect::{Kind, World};
use super::interrupt::{self, Code};
use super::moment::Moment;
use super::verdict::{CallError, Verdict, bounded, contract, failure};
use super::wasi::{self, Wasi};
use crate::units::Size;

/// Most bytes of log that a task keeps.
pub(super) const LOG_BOUND: usize = 64 << 10;

/// What a component may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of an instance.
    pub memory: Size,
    /// Fuel of one call.
    pub fuel: u64,
    /// What one call may answer with.
    pub output: Size,
}

/// How much a guest's log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum LogLevel {
    /// For the operator's author.
    #[component(name = "debug")]
    Debug,
    /// Worth knowing.
    #[component(name = "info")]
    Info,
    /// Worth a look.
    #[component(name = "warn")]
    Warn,
    /// Something is wrong.
    #[component(name = "error")]
    Error,
}

/// What an operator used. All but the time, and whether fuel was counted, is the same wherever and whenever the same task
/// runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fuel consumed by all calls; 0 if it was not counted in each.
    pub fuel: u64,
    /// The largest linear memory of any instance, in bytes.
    pub peak_memory: u64,
    /// Calls made.
    pub calls: u64,
    /// How long they took.
    pub time: Duration,
}

impl Usage {
    /// Adds another task's usage.
    pub fn add(&mut self, other: Usage) {
        self.fuel = both_fuels((self.fuel, self.calls), (other.fuel, other.calls));
        self.peak_memory = self.peak_memory.max(other.peak_memory);
        self.calls += other.calls;
        self.time += other.time;
    }
}

/// The fuel of two usages, each given with its calls; 0 if that of one of them was not counted.
pub(crate) fn both_fuels(one: (u64, u64), other: (u64, u64)) -> u64 {
    let is_counted = |(fuel, calls): (u64, u64)| fuel > 0 || calls == 0;
    if is_counted(one) && is_counted(other) { one.0 + other.0 } else { 0 }
}

/// The host's side of one instance.
pub(super) struct Host {
    memory_limit: usize,
    memory: usize,
    peak_memory: usize,
    denied: bool,
    log: Vec<(LogLevel, String)>,
    log_bytes: usize,
    /// The last error that was logged, whether the log had room for it or not.
    last_error: Option<String>,
    /// What sends for the guest. None: nothing is to be sent.
    http: Option<Arc<dyn Http>>,
    moment: Moment,
    /// Made when the guest first asks for it.
    wasi: Option<Box<Wasi>>,
}

impl Host {
    /// Sends for the guest.
    pub(super) fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match &self.http {
            Some(http) => http.send(request),
            None => Err(HttpError::Denied("nothing can be sent before `write`".to_owned())),
        }
    }

    /// What the guest has of WASI.
    pub(super) fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&self.moment)))
    }

    /// Puts what was printed into the log, where it belongs.
    fn collect(&mut self, all: bool) {
        let printed = self.wasi.as_ref().map(|wasi| wasi.take_lines(all)).unwrap_or_default();
        for (level, line) in printed {
            self.keep(level, line);
        }
    }

    fn log(&mut self, level: LogLevel, message: String) {
        self.collect(false);
        self.keep(level, message);
    }

    /// Why a call went wrong, in the guest's own words.
    fn last_words(&self) -> Option<String> {
        let printed = self.wasi.as_ref().and_then(|wasi| wasi.said());
        printed.or_else(|| self.last_error.clone())
    }

    fn keep(&mut self, level: LogLevel, message: String) {
        if level == LogLevel::Error {
            self.last_error = Some(bounded(message.clone()));
        }
        if self.log_bytes > LOG_BOUND {
            return;
        }
        self.log_bytes += message.len();
        if self.log_bytes > LOG_BOUND {
            self.log.push((LogLevel::Warn, format!("the log is cut here, at {}", Size(LOG_BOUND as u64))));
        } else {
            self.log.push((level, message));
        }
    }
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // A component may have several memories; the limit is on their sum.
        let total = self.memory - current.min(self.memory) + desired;
        if total > self.memory_limit {
            self.denied = true;
            return Ok(false);
        }
        self.memory = total;
        self.peak_memory = self.peak_memory.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// A linker that offers `log`, to a sink also `http`, to who imports it WASI, and nothing else.
pub(super) fn linker(engine: &wasmtime::Engine, kind: Kind) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.instance(&kind.version.interface("log"))?.func_wrap(
        "log",
        |mut store: wasmtime::StoreContextMut<'_, Host>, (level, message): (LogLevel, String)| {
            store.data_mut().log(level, message);
            Ok(())
        },
    )?;
    if kind.world == World::Sink {
        http::link(&mut linker, kind.version)?;
    }
    if kind.wasi {
        wasi::link(&mut linker)?;
    }
    Ok(linker)
}

/// A function that an instance exports.
#[derive(Clone, Copy)]
pub(super) struct Export(Func);

/// Which code of a component an instance runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// That which counts fuel.
    Always,
    /// That which counts none, where there is such and no call was long; a long one ends with [`CallError::Long`].
    WhenLong,
}

/// When calls end.
enum End {
    /// When their fuel is used up.
    Fuel,
    /// After so many ticks.
    Ticks(u32, Arc<Code>),
}

/// One instance of a component, with its store.
pub(super) struct Guest {
    store: Store<Host>,
    instance: Instance,
    limits: Limits,
    end: End,
    used: Usage,
}

impl Guest {
    /// Instantiates the component afresh.
    pub(super) fn new(
        compiled: &Compiled,
        metering: Metering,
        limits: Limits,
        moment: Moment,
    ) -> Result<Self, CallError> {
        let may_be_fast = metering == Metering::WhenLong && !compiled.has_long_calls() && interrupt::is_ready();
        let ticks = interrupt::ticks(limits.fuel).filter(|_| may_be_fast);
        let (pre, end) = match compiled.fast().zip(ticks) {
            Some((Fast { pre, code }, ticks)) => (pre, End::Ticks(ticks, code.clone())),
            None => (compiled.counting(), End::Fuel),
        };
        let host = Host {
            memory_limit: usize::try_from(limits.memory.0).unwrap_or(usize::MAX),
            memory: 0,
            peak_memory: 0,
            denied: false,
            log: Vec::new(),
            log_bytes: 0,
            last_error: None,
            http: None,
            moment,
            wasi: None,
        };
        let mut store = Store::new(pre.engine(), host);
        store.limiter(|host| host);
        store.set_hostcall_fuel(usize::try_from(limits.output.0).unwrap_or(usize::MAX));
        let instance = end.within(limits, &mut store, |store| pre.instantiate(store))?;
        let mut guest = Self { store, instance, limits, end, used: Usage::default() };
        guest.account()?;
        Ok(guest)
    }

    /// From here on, what the guest sends is sent.
    pub(super) fn grant(&mut self, http: Arc<dyn Http>) {
        self.store.data_mut().http = Some(http);
    }

    /// Finds a function of an exported interface.
    pub(super) fn export(&mut self, interface: &str, name: &str) -> Result<Export, CallError> {
        let missing = || contract(format!("`{interface}` has no function `{name}`"));
        let outer = self.instance.get_export_index(&mut self.store, None, interface).ok_or_else(missing)?;
        let inner = self.instance.get_export_index(&mut self.store, Some(&outer), name).ok_or_else(missing)?;
        self.instance.get_func(&mut self.store, inner).map(Export).ok_or_else(missing)
    }

    /// The function under the type that the interface gives it. Borrowing parameters have a type for each borrow, so
    /// this is done for each call.
    pub(super) fn typed<P, R>(&self, export: Export) -> Result<TypedFunc<P, R>, CallError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        export.0.typed(&self.store).map_err(|e| contract(format!("a function has another type: {e:#}")))
    }

    /// Calls with full fuel. After an error the instance must not be called again.
    pub(super) fn call<P, R>(&mut self, function: TypedFunc<P, R>, params: P) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        if let Some(wasi) = &self.store.data().wasi {
            wasi.begin();
        }
        let started = Instant::now();
        let result = self.end.within(self.limits, &mut self.store, |store| function.call(store, params));
        self.used.time += started.elapsed();
        self.used.calls += 1;
        self.account()?;
        result
    }

    fn account(&mut self) -> Result<(), CallError> {
        if let End::Fuel = self.end {
            let left = self.store.get_fuel().map_err(|e| CallError::Host(format!("{e:#}")))?;
            self.used.fuel += self.limits.fuel.saturating_sub(left);
        }
        self.used.peak_memory = self.store.data().peak_memory as u64;
        Ok(())
    }

    /// What the instance has used so far.
    pub(super) fn used(&self) -> Usage {
        self.used
    }

    /// Takes the log lines since the last time.
    pub(super) fn take_log(&mut self) -> Vec<(LogLevel, String)> {
        let host = self.store.data_mut();
        host.collect(true);
        std::mem::take(&mut host.log)
    }
}

impl End {
    /// Lets a guest run, and says what it means if that goes wrong.
    fn within<T>(
        &self,
        limits: Limits,
        store: &mut Store<Host>,
        run: impl FnOnce(&mut Store<Host>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let (result, was_long) = match self {
            Self::Fuel => {
                store.set_fuel(limits.fuel).map_err(|e| CallError::Host(format!("{e:#}")))?;
                (run(store), false)
            }
            Self::Ticks(ticks, code) => {
                let (result, ended) = interrupt::within(*ticks, code, || run(store));
                // Here the stack is smaller.
                let overflowed = |error: &wasmtime::Error| error.downcast_ref() == Some(&Trap::StackOverflow);
                let was_long = ended || result.as_ref().is_err_and(overflowed);
                (result, was_long)
            }
        };
        result.map_err(|error| if was_long { CallError::Long } else { diagnose(store.data(), limits, &error) })
    }
}

/// A fresh instance, configured, and the shape that it answered with.
pub(super) fn configured<Shape: Lift + Send + Sync + 'static>(
    compiled: &Compiled,
    metering: Metering,
    limits: Limits,
    moment: Moment,
    config: &str,
    input: &[WitField],
) -> Result<(Guest, Shape), CallError> {
    configured_with(compiled, metering, limits, moment, (config.to_owned(), input.to_vec()))
}

/// The same, of an operator that is told its key's columns, too.
pub(super) fn configured_keyed<Shape: Lift + Send + Sync + 'static>(
    compiled: &Compiled,
    metering: Metering,
    limits: Limits,
    moment: Moment,
    config: &str,
    keys: &[WitField],
    input: &[WitField],
) -> Result<(Guest, Shape), CallError> {
    configured_with(compiled, metering, limits, moment, (config.to_owned(), keys.to_vec(), input.to_vec()))
}

fn configured_with<Params, Shape>(
    compiled: &Compiled,
    metering: Metering,
    limits: Limits,
    moment: Moment,
    params: Params,
) -> Result<(Guest, Shape), CallError>
where
    Params: ComponentNamedList + Lower + Send + Sync + 'static,
    Shape: Lift + Send + Sync + 'static,
{
    let mut guest = Guest::new(compiled, metering, limits, moment)?;
    let configure = guest.export(compiled.interface(), "configure")?;
    let configure: TypedFunc<Params, (Result<Shape, String>,)> = guest.typed(configure)?;
    let (answer,) = guest.call(configure, params)?;
    Ok((guest, answer.map_err(failure)?))
}

/// Says what a wasmtime error means. The text must be the same on every host: no addresses, no backtrace.
fn diagnose(host: &Host, limits: Limits, error: &wasmtime::Error) -> CallError {
    let trap = error.downcast_ref::<Trap>().copied();
    match trap {
        Some(Trap::OutOfFuel) => return Verdict::Fuel { limit: limits.fuel }.into(),
        Some(Trap::StackOverflow) => return Verdict::Stack.into(),
        _ if host.denied => return Verdict::Memory { limit: limits.memory }.into(),
        _ => {}
    }
    if let Some(trap) = trap {
        let hint = match trap {
            // In languages that keep a stack of their own in memory.
            Trap::MemoryOutOfBounds => " (a pointer that is wrong, or a recursion that does not end)",
            _ => "",
        };
        return Verdict::Trap { trap: format!("{trap}{hint}"), message: host.last_words() }.into();
    }
    if let Some(I32Exit(code)) = error.downcast_ref() {
        // WASI's `exit` knows no more of the code.
        let trap = format!("it called `exit`, with {}", if *code == 0 { "success" } else { "a failure" });
        return Verdict::Trap { trap, message: host.last_words() }.into();
    }
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls") {
        return Verdict::Output { limit: limits.output }.into();
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CallError::Host(format!("{text}; too many tasks at once: lower `partitions`"));
    }
    // What is left comes from reading the answer: pointers out of memory, invalid discriminants, and their like.
    contract(text)
}
