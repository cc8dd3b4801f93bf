//! Streams and polls that never wait.
//!
//! There is nothing to wait for but the clock: the standard streams are always ready. So a future that is not ready at
//! once is ready when the clock has moved on, or never. wasmtime-wasi's own would start a runtime and wait there.

use futures::FutureExt;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime::{Result, format_err};
use wasmtime_wasi::p2::bindings::io::{poll as async_poll, streams as async_streams};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};

use super::Host;
use super::clock::Clock;

type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;
type Event = Resource<DynPollable>;

/// What an instance can wait for.
struct Io<'a> {
    table: &'a mut ResourceTable,
    clock: &'a Clock,
}

impl HasData for Io<'static> {
    type Data<'a> = Io<'a>;
}

/// Offers polls and streams.
pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    fn io(host: &mut Host) -> Io<'_> {
        let wasi = host.wasi();
        Io { table: &mut wasi.table, clock: &wasi.clock }
    }
    poll::add_to_linker::<Host, Io<'static>>(linker, io)?;
    streams::add_to_linker::<Host, Io<'static>>(linker, io)
}

/// The result of what does not wait.
fn now<T>(work: impl Future<Output = StreamResult<T>>) -> StreamResult<T> {
    work.now_or_never().unwrap_or_else(|| Err(StreamError::Trap(format_err!("waits for a stream that never is ready"))))
}

fn borrowed(event: &Event) -> Event {
    Resource::new_borrow(event.rep())
}

impl poll::Host for Io<'_> {
    fn poll(&mut self, events: Vec<Event>) -> Result<Vec<u32>> {
        loop {
            self.clock.forget();
            let ready = async_poll::Host::poll(self.table, events.iter().map(borrowed).collect()).now_or_never();
            match ready {
                Some(ready) => return ready,
                None => self.clock.advance()?,
            }
        }
    }
}

impl poll::HostPollable for Io<'_> {
    fn ready(&mut self, event: Event) -> Result<bool> {
        async_poll::HostPollable::ready(self.table, event).now_or_never().unwrap_or(Ok(false))
    }

    fn block(&mut self, event: Event) -> Result<()> {
        poll::Host::poll(self, vec![event]).map(drop)
    }

    fn drop(&mut self, event: Event) -> Result<()> {
        async_poll::HostPollable::drop(self.table, event)
    }
}

impl streams::Host for Io<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        Ok(async_streams::Host::convert_stream_error(self.table, error)?.into())
    }
}

impl streams::HostInputStream for Io<'_> {
    fn read(&mut self, stream: Input, length: u64) -> StreamResult<Vec<u8>> {
        async_streams::HostInputStream::read(self.table, stream, length)
    }

    fn blocking_read(&mut self, stream: Input, length: u64) -> StreamResult<Vec<u8>> {
        now(async_streams::HostInputStream::blocking_read(self.table, stream, length))
    }

    fn skip(&mut self, stream: Input, length: u64) -> StreamResult<u64> {
        async_streams::HostInputStream::skip(self.table, stream, length)
    }

    fn blocking_skip(&mut self, stream: Input, length: u64) -> StreamResult<u64> {
        now(async_streams::HostInputStream::blocking_skip(self.table, stream, length))
    }

    fn subscribe(&mut self, stream: Input) -> Result<Event> {
        wasmtime_wasi::p2::subscribe(self.table, stream)
    }

    fn drop(&mut self, stream: Input) -> Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl streams::HostOutputStream for Io<'_> {
    fn check_write(&mut self, stream: Output) -> StreamResult<u64> {
        async_streams::HostOutputStream::check_write(self.table, stream)
    }

    fn write(&mut self, stream: Output, bytes: Vec<u8>) -> StreamResult<()> {
        async_streams::HostOutputStream::write(self.table, stream, bytes)
    }

    fn blocking_write_and_flush(&mut self, stream: Output, bytes: Vec<u8>) -> StreamResult<()> {
        now(async_streams::HostOutputStream::blocking_write_and_flush(self.table, stream, bytes))
    }

    fn blocking_write_zeroes_and_flush(&mut self, stream: Output, length: u64) -> StreamResult<()> {
        now(async_streams::HostOutputStream::blocking_write_zeroes_and_flush(self.table, stream, length))
    }

    fn subscribe(&mut self, stream: Output) -> Result<Event> {
        wasmtime_wasi::p2::subscribe(self.table, stream)
    }

    fn write_zeroes(&mut self, stream: Output, length: u64) -> StreamResult<()> {
        async_streams::HostOutputStream::write_zeroes(self.table, stream, length)
    }

    fn flush(&mut self, stream: Output) -> StreamResult<()> {
        async_streams::HostOutputStream::flush(self.table, stream)
    }

    fn blocking_flush(&mut self, stream: Output) -> StreamResult<()> {
        now(async_streams::HostOutputStream::blocking_flush(self.table, stream))
    }

    fn splice(&mut self, to: Output, from: Input, length: u64) -> StreamResult<u64> {
        async_streams::HostOutputStream::splice(self.table, to, from, length)
    }

    fn blocking_splice(&mut self, to: Output, from: Input, length: u64) -> StreamResult<u64> {
        now(async_streams::HostOutputStream::blocking_splice(self.table, to, from, length))
    }

    fn drop(&mut self, stream: Output) -> Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}
