//! Linux: a timer of the thread's own time, and the handler of its signal.

use std::mem::{MaybeUninit, zeroed};
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, compiler_fence};

use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use wasm_encoder::{CodeSection, ExportKind, ExportSection, Function, FunctionSection, Module, TypeSection};

use super::{Code, TICK, Trap};

/// Ignored by who does not handle it, and of no other use here: it tells of urgent data of a socket whose owner asks for it.
const SIGNAL: libc::c_int = libc::SIGURG;

/// The sections of compiled code.
const TEXT: &str = ".text";
const TRAPS: &str = ".wasmtime.traps";

/// An instruction that traps, wherever it is.
#[cfg(target_arch = "x86_64")]
const TRAPPING: &[u8] = &[0x0F, 0x0B];
#[cfg(target_arch = "aarch64")]
const TRAPPING: &[u8] = &[0x1F, 0xC1, 0x00, 0x00];

pub(super) fn trap(engine: &wasmtime::Engine) -> Option<Trap> {
    let (mut types, mut functions, mut exports, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    types.ty().function([], []);
    functions.function(0);
    exports.export("trap", ExportKind::Func, 0);
    let mut body = Function::new([]);
    body.instructions().unreachable().end();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&exports).section(&code);
    let module = wasmtime::Module::new(engine, module.finish()).ok()?;
    let image = module.image_range();
    let file = object::File::parse(bytes(&image)).ok()?;
    let text = file.section_by_name(TEXT)?;
    let mut traps = wasmtime_environ::iterate_traps(file.section_by_name(TRAPS)?.data().ok()?)?;
    let always = |offset: usize| text.data().is_ok_and(|text| text[offset..].starts_with(TRAPPING));
    let (offset, _) = traps.find(|(offset, _)| always(*offset as usize))?;
    let address = address(&image, &text)? + offset as usize;
    Some(Trap { address, _module: module })
}

pub(super) fn functions(image: Range<*const u8>) -> Option<Box<[Range<usize>]>> {
    let file = object::File::parse(bytes(&image)).ok()?;
    let start = address(&image, &file.section_by_name(TEXT)?)?;
    let function = |symbol: object::Symbol<'_, '_>| {
        let is_function = symbol.kind() == SymbolKind::Text && symbol.name().ok()?.contains("]::function[");
        let (offset, size) = (usize::try_from(symbol.address()).ok()?, usize::try_from(symbol.size()).ok()?);
        is_function.then(|| start + offset..start + offset + size)
    };
    let mut functions: Box<[_]> = file.symbols().filter_map(function).collect();
    functions.sort_by_key(|function| function.start);
    Some(functions)
}

/// The bytes of an image of compiled code, which is to be there as long as they are looked at.
fn bytes(image: &Range<*const u8>) -> &[u8] {
    // SAFETY: wasmtime gives the range of what it has mapped, and keeps it as long as the module or component.
    unsafe { std::slice::from_raw_parts(image.start, image.end.addr() - image.start.addr()) }
}

/// Where a section of an image lies in memory.
fn address<'a>(image: &Range<*const u8>, section: &impl ObjectSection<'a>) -> Option<usize> {
    Some(image.start.addr() + usize::try_from(section.file_range()?.0).ok()?)
}

/// The call that a thread is at. Written by this thread alone, and read by its handler.
struct Call {
    /// Null between calls.
    code: AtomicPtr<Code>,
    /// At 0 the call is to be ended.
    ticks: AtomicU32,
    ended: AtomicBool,
}

thread_local! {
    static CALL: Call = const {
        Call { code: AtomicPtr::new(null_mut()), ticks: AtomicU32::new(0), ended: AtomicBool::new(false) }
    };
    static TIMER: Option<Timer> = Timer::start();
}

pub(super) fn is_ready() -> bool {
    TIMER.with(Option::is_some)
}

pub(super) fn within<T>(ticks: u32, code: &Code, call: impl FnOnce() -> T) -> (T, bool) {
    /// Clears the call, whether it returns or panics.
    struct At;
    impl Drop for At {
        fn drop(&mut self) {
            CALL.with(|at| at.code.store(null_mut(), Ordering::Relaxed));
            compiler_fence(Ordering::SeqCst);
        }
    }
    CALL.with(|at| {
        at.ticks.store(ticks, Ordering::Relaxed);
        at.ended.store(false, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        at.code.store(std::ptr::from_ref(code).cast_mut(), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    });
    let clear = At;
    let answer = call();
    drop(clear);
    (answer, CALL.with(|at| at.ended.load(Ordering::Relaxed)))
}

pub(super) fn ends_here() -> bool {
    CALL.with(|at| {
        let ends = !at.code.load(Ordering::Relaxed).is_null() && at.ticks.load(Ordering::Relaxed) == 0;
        if ends {
            at.ended.store(true, Ordering::Relaxed);
        }
        ends
    })
}

/// A thread's timer; it runs as long as the thread does.
struct Timer(libc::timer_t);

impl Timer {
    fn start() -> Option<Self> {
        static HANDLED: OnceLock<bool> = OnceLock::new();
        if !*HANDLED.get_or_init(handle) {
            return None;
        }
        let tick = libc::timespec { tv_sec: 0, tv_nsec: libc::c_long::try_from(TICK.as_nanos()).ok()? };
        let each = libc::itimerspec { it_interval: tick, it_value: tick };
        let mut timer = MaybeUninit::uninit();
        // SAFETY: all that is passed is initialized, and `timer` is written before it is read.
        unsafe {
            let mut event: libc::sigevent = zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL;
            event.sigev_notify_thread_id = libc::gettid();
            if libc::timer_create(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut event, timer.as_mut_ptr()) != 0 {
                return None;
            }
            let timer = Self(timer.assume_init());
            (libc::timer_settime(timer.0, 0, &raw const each, null_mut()) == 0).then_some(timer)
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: it is this thread's own, and nobody has it any more.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// Has the signal handled; whether that went well, and nobody else handles it.
fn handle() -> bool {
    // SAFETY: `tick` may be called between any two instructions, as the module's head says.
    unsafe {
        let mut before: libc::sigaction = zeroed();
        if libc::sigaction(SIGNAL, null(), &raw mut before) != 0
            || ![libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction)
        {
            return false;
        }
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = tick as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(SIGNAL, &raw const action, null_mut()) == 0
    }
}

/// Handles the signal: the thread has worked for a tick.
extern "C" fn tick(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    CALL.with(|at| {
        // SAFETY: `within` has a reference to it until it sets it to null.
        let Some(code) = (unsafe { at.code.load(Ordering::Relaxed).as_ref() }) else { return };
        let ticks = at.ticks.load(Ordering::Relaxed);
        if ticks > 1 {
            at.ticks.store(ticks - 1, Ordering::Relaxed);
            return;
        }
        at.ticks.store(0, Ordering::Relaxed);
        // SAFETY: the kernel gives a handler with SA_SIGINFO the thread's context, which it goes on with afterwards.
        let counter = unsafe { program_counter(context.cast()) };
        if code.has(*counter as usize) {
            at.ended.store(true, Ordering::Relaxed);
            *counter = code.trap.address as _;
        }
    });
}

/// Of a context that lives as long as the reference.
#[cfg(target_arch = "x86_64")]
unsafe fn program_counter<'a>(context: *mut libc::ucontext_t) -> &'a mut libc::greg_t {
    // SAFETY: the caller's.
    unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] }
}

/// Of a context that lives as long as the reference.
#[cfg(target_arch = "aarch64")]
unsafe fn program_counter<'a>(context: *mut libc::ucontext_t) -> &'a mut libc::c_ulonglong {
    // SAFETY: the caller's.
    unsafe { &mut (*context).uc_mcontext.pc }
}
