//! The one small runtime on which requests to object stores run.
//!
//! Key decision: one for the process and behind a synchronous face, made when it is first needed: a host of the
//! engine inherits no runtime, and may call from a thread of its own. It is never shut down, and runs nothing else.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Runtime};

use crate::base::error::{Error, Kind, Result};

/// Threads that wait for sockets; the work between two answers is small.
const THREADS: usize = 2;

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

/// Runs `work` to its end and waits for it; callable from any thread, also from one of another runtime.
pub(super) fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(THREADS)
            .thread_name("halite-object")
            .enable_all();
        builder.build().map_err(|e| e.to_string())
    });
    let failed = |why: &str| Error::new(Kind::Io, format!("requests to object storage cannot run: {why}"));
    let runtime = runtime.as_ref().map_err(|why| failed(why))?;
    let (sender, receiver) = sync_channel(1);
    runtime.spawn(async move {
        let _ = sender.send(work.await);
    });
    receiver
        .recv()
        .unwrap_or_else(|_| Err(failed("one ended without a result")))
}
