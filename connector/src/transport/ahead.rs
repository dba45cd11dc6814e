//! A reading that is under way while something else is done.
//!
//! Key decision: it runs on the transport's own runtime and is given up when it is dropped; its headers can be had
//! before its body, since they may say what to ask for next. It never asks again: `retry` does.

use reqwest::header::HeaderMap;
use tokio::sync::oneshot::{Receiver, channel};
use tokio::task::JoinHandle;

use super::{Call, Host, Reply, Secret, Transport, exchange, interrupted};
use crate::error::Fault;

/// A reading whose reply has not been waited for.
pub struct Started {
    task: JoinHandle<Result<Reply, Fault>>,
    head: Receiver<HeaderMap>,
}

impl Started {
    /// Whether the reply came, or nothing ever will.
    pub fn is_there(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Transport {
    /// Sends a reading and does not wait for its reply.
    pub fn start(&self, host: &Host, call: &Call, bearer: &Secret) -> Result<Started, Fault> {
        self.check()?;
        let request = self.request(host, call, Some(bearer))?;
        let client = self.client.clone();
        let (told, head) = channel();
        let exchange = async move { exchange(&client, request, Some(told)).await };
        Ok(Started {
            task: self.handle().spawn(exchange),
            head,
        })
    }

    /// Waits for the headers; none where there is no success.
    pub fn head(&self, started: &mut Started) -> Option<HeaderMap> {
        self.block_on(async {
            tokio::select! { head = &mut started.head => head.ok(), () = self.cancelled() => None }
        })
    }

    /// Waits for the whole reply.
    pub fn finish(&self, mut started: Started) -> Result<Reply, Fault> {
        self.block_on(async {
            tokio::select! {
                reply = &mut started.task => {
                    reply.unwrap_or_else(|_| Err(Fault::broken("the request was given up", true)))
                }
                () = self.cancelled() => Err(interrupted().into()),
            }
        })
    }
}
