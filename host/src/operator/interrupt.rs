//! Ends a guest's call that goes on for long, at no cost to calls that do not.
//!
//! Code that counts fuel is slower by a third, and few calls ever use theirs up. So a call first runs on code that counts
//! nothing, and is ended when it has been at work for as long as none could be whose fuel suffices; what becomes of it is
//! then for code that counts to say. It makes no difference which of both a call ran on, but in time.
//!
//! The kernel sends a thread a signal each time that it has been at work for a [`TICK`]. The signal's handler counts them,
//! and ends a call that has had too many: it sets the thread's program counter to an instruction of wasmtime's that always
//! traps, an `unreachable`. The trap goes the way of any other: wasmtime unwinds the guest, and the call returns an error.
//!
//! # Why this is sound
//!
//! wasmtime takes a trap at such an instruction by what it noted when the guest was entered, and drops all that the guest has
//! in registers and on its stack; so it makes no difference which instruction of which function the guest was at before. It
//! would make a difference where a guest is being entered or left, in trampolines, libcalls and the host's own functions:
//! there nothing is ended, but at the next tick. Which code is a function's own, the symbols of the compiled image tell, and
//! which instruction traps, its table of traps. The handler runs on the thread that calls, between two of its instructions;
//! it reads what only this thread writes, takes no lock and allocates nothing.
//!
//! Where there is no such timer (another system than Linux, another machine), all calls run on code that counts.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Component;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod nowhere;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use linux as system;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
use nowhere as system;

/// How long a thread works between two signals.
const TICK: Duration = Duration::from_millis(5);

/// More fuel than any machine's code that counts nothing gets through in a nanosecond: it would have to finish this many of the
/// guest's instructions. What has not used up this much by the clock, has not used up its fuel.
const FUEL_PER_NANOSECOND: u64 = 64;

/// The ticks after which a call of so much fuel is ended; none if it is to run on code that counts from the beginning, as it
/// would be ended within a tick.
pub(super) fn ticks(fuel: u64) -> Option<u32> {
    let longest = Duration::from_nanos(fuel / FUEL_PER_NANOSECOND);
    let ticks = u32::try_from(longest.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX);
    (ticks > 0).then_some(ticks)
}

/// An instruction that always traps.
pub(super) struct Trap {
    address: usize,
    /// It is this module's.
    _module: wasmtime::Module,
}

impl Trap {
    /// None where calls cannot be ended.
    pub(super) fn new(engine: &wasmtime::Engine) -> Option<Self> {
        system::trap(engine)
    }
}

/// Where the functions of compiled code are.
pub(super) struct Code {
    /// In the order of their addresses.
    functions: Box<[Range<usize>]>,
    trap: Arc<Trap>,
}

impl Code {
    /// None where its calls cannot be ended.
    pub(super) fn of(component: &Component, trap: Arc<Trap>) -> Option<Self> {
        Some(Self { functions: system::functions(component.image_range())?, trap })
    }

    /// Whether an address is within a function.
    fn has(&self, address: usize) -> bool {
        let after = self.functions.partition_point(|function| function.start <= address);
        after > 0 && address < self.functions[after - 1].end
    }
}

/// Makes a call on a thread of its own time; tells whether it was ended after so many ticks.
pub(super) fn within<T>(ticks: u32, code: &Code, call: impl FnOnce() -> T) -> (T, bool) {
    system::within(ticks, code, call)
}

/// Whether the call that this thread is at has had its ticks: for functions of the host's that take long themselves, and then
/// return an error.
pub(super) fn ends_here() -> bool {
    system::ends_here()
}

/// Whether calls of this thread can be ended.
pub(super) fn is_ready() -> bool {
    system::is_ready()
}

#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    use super::super::engine::Engine;
    use super::*;

    /// A component whose `go` calls a function of its core module, which has these functions.
    fn component(engine: &wasmtime::Engine, functions: &str) -> Component {
        let text = format!(
            "(component
                (core module $m
                    (memory 16)
                    (table 1 1 funcref)
                    (elem (i32.const 0) $step)
                    (func $step (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
                    {functions})
                (core instance $i (instantiate $m))
                (func (export \"go\") (param \"n\" s64) (result s64) (canon lift (core func $i \"go\"))))"
        );
        Component::new(engine, wat::parse_str(text).unwrap()).unwrap()
    }

    fn go(component: &Component, ticks: u32, n: i64) -> (wasmtime::Result<i64>, bool) {
        let trap = Trap::new(component.engine()).expect("an instruction that traps");
        let code = Code::of(component, Arc::new(trap)).expect("functions");
        let mut store = Store::new(component.engine(), ());
        let instance = Linker::new(component.engine()).instantiate(&mut store, component).unwrap();
        let go = instance.get_typed_func::<(i64,), (i64,)>(&mut store, "go").unwrap();
        let (answer, ended) = within(ticks, &code, || go.call(&mut store, (n,)));
        (answer.map(|(n,)| n), ended)
    }

    /// Ways to use up time for so long as `n` is not zero, each turn counted in `turns`.
    const LOOPS: [(&str, &str); 6] = [
        ("nothing else", ""),
        ("a load and a store", "(i64.store (i32.const 8) (i64.load (i32.const 16)))"),
        ("a call", "(local.set $turns (call $step (local.get $turns)))"),
        (
            "a call through a table",
            "(local.set $turns (call_indirect (param i64) (result i64) (local.get $turns) (i32.const 0)))",
        ),
        ("a function of the host's", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 10000))"),
        ("a float's remainder by division", "(local.set $turns (i64.div_s (local.get $turns) (i64.const 3)))"),
    ];

    fn endless(engine: &wasmtime::Engine, body: &str) -> Component {
        component(
            engine,
            &format!(
                "(func (export \"go\") (param $n i64) (result i64) (local $turns i64)
                    (if (i64.eqz (local.get $n)) (then (return (i64.const 7))))
                    (loop {body} (br 0))
                    (unreachable))"
            ),
        )
    }

    #[test]
    fn given_a_call_that_does_not_end_when_it_has_had_its_ticks_then_it_is_ended_and_others_go_on() {
        let engine = Engine::fast().unwrap();
        let engine = &engine.fast_engine().unwrap().wasmtime;
        assert!(is_ready());
        for (what, body) in LOOPS {
            let component = endless(engine, body);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        assert!(is_ready());
                        for ticks in [1, 1, 2, 3, 1] {
                            let (answer, ended) = go(&component, ticks, 1);
                            assert!(ended && answer.is_err(), "{what}: {answer:?}");
                            let (answer, ended) = go(&component, 1, 0);
                            assert!(!ended, "{what}");
                            assert_eq!(answer.unwrap(), 7, "{what}");
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn given_calls_within_calls_when_they_are_ended_at_any_depth_then_all_of_them_are() {
        let engine = Engine::fast().unwrap();
        let engine = &engine.fast_engine().unwrap().wasmtime;
        assert!(is_ready());
        // Goes down and up again, so that frames are being made and left all the time.
        let functions = "
            (func $down (param $depth i64) (result i64)
                (if (i64.eqz (local.get $depth)) (then (return (i64.const 1))))
                (i64.add (i64.const 1) (call $down (i64.sub (local.get $depth) (i64.const 1)))))
            (func (export \"go\") (param $n i64) (result i64)
                (loop (drop (call $down (local.get $n))) (br 0))
                (unreachable))";
        let component = component(engine, functions);
        for n in 0..40 {
            let (answer, ended) = go(&component, 1, n * 25);
            assert!(ended && answer.is_err(), "at {n}: {answer:?}");
        }
    }

    #[test]
    fn given_fuel_when_its_ticks_are_asked_for_then_less_than_one_is_none() {
        let tick = FUEL_PER_NANOSECOND * TICK.as_nanos() as u64;
        let cases = [(0, None), (tick - 1, None), (tick, Some(1)), (3 * tick + 1, Some(3)), (u64::MAX, Some(u32::MAX))];
        for (fuel, expected) in cases {
            assert_eq!(ticks(fuel), expected, "{fuel}");
        }
    }
}
