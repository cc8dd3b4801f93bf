//! Randomness that follows from a seed: SHA-256 over the seed and a counter.

use sha2::{Digest as _, Sha256};
use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut, Trap, bail};

use super::super::interrupt;
use super::{Host, Wasi};

/// Most random bytes of one call.
const MOST: u64 = 1 << 20;

/// A generator.
pub(super) struct Randomness {
    seed: [u8; 32],
    blocks: u64,
}

impl Randomness {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, blocks: 0 }
    }

    /// So many bytes. What is left of their last block is never given.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.next_multiple_of(32));
        while bytes.len() < length {
            bytes.extend_from_slice(&self.block());
        }
        bytes.truncate(length);
        bytes
    }

    fn number(&mut self) -> u64 {
        self.pair().0
    }

    /// Two numbers.
    pub(super) fn pair(&mut self) -> (u64, u64) {
        let block = self.block();
        let number = |at: usize| block[at..at + 8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        (number(0), number(8))
    }

    fn block(&mut self) -> [u8; 32] {
        let block = Sha256::new_with_prefix(self.seed).chain_update(self.blocks.to_le_bytes()).finalize();
        self.blocks += 1;
        block.into()
    }
}

/// Offers `wasi:random`. A byte costs a unit of fuel, as the guest's own would.
pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    let mut random = linker.instance("wasi:random/random@0.2.0")?;
    random.func_wrap("get-random-bytes", |store, (length,)| bytes(store, length, |wasi| &mut wasi.secure))?;
    random.func_wrap("get-random-u64", |store, ()| number(store, |wasi| &mut wasi.secure))?;
    let mut insecure = linker.instance("wasi:random/insecure@0.2.0")?;
    insecure.func_wrap("get-insecure-random-bytes", |store, (length,)| bytes(store, length, |w| &mut w.insecure))?;
    insecure.func_wrap("get-insecure-random-u64", |store, ()| number(store, |wasi| &mut wasi.insecure))?;
    let mut seed = linker.instance("wasi:random/insecure-seed@0.2.0")?;
    seed.func_wrap("insecure-seed", |mut store: StoreContextMut<'_, Host>, ()| {
        Ok((store.data_mut().wasi().insecure_seed,))
    })
}

type Of = fn(&mut Wasi) -> &mut Randomness;

fn bytes(mut store: StoreContextMut<'_, Host>, length: u64, of: Of) -> Result<(Vec<u8>,)> {
    if length > MOST {
        bail!("asked for {length} random bytes at once; there are at most {MOST}");
    }
    if interrupt::ends_here() {
        bail!(Trap::Interrupt);
    }
    // Where fuel is not counted, time is.
    if let Ok(left) = store.get_fuel() {
        store.set_fuel(left.checked_sub(length).ok_or(Trap::OutOfFuel)?)?;
    }
    Ok((of(store.data_mut().wasi()).bytes(length as usize),))
}

fn number(mut store: StoreContextMut<'_, Host>, of: Of) -> Result<(u64,)> {
    Ok((of(store.data_mut().wasi()).number(),))
}

#[cfg(test)]
mod tests {
    use super::Randomness;

    #[test]
    fn given_a_seed_when_drawn_from_then_the_same_comes_for_the_same_and_other_for_others() {
        let drawn = |seed: u8| {
            let mut random = Randomness::new([seed; 32]);
            (random.bytes(0), random.bytes(5), random.bytes(70), random.number(), random.pair())
        };
        let (none, five, seventy, number, pair) = drawn(1);
        assert_eq!((none.len(), five.len(), seventy.len()), (0, 5, 70));
        assert_eq!(drawn(1), (none, five.clone(), seventy.clone(), number, pair));
        assert_ne!(drawn(2).2, seventy);
        assert!(seventy.windows(5).all(|window| window != five), "nothing is given twice");
        assert!(pair.0 != pair.1 && pair.0 != number);
    }
}
