//! A request whose body is given as it goes: that of a file, of any size.
//!
//! Key decision: who has the bytes gives them piece by piece, a few ahead of the wire at most, and the length is said
//! beforehand, so that a body cut short is seen by the org as such and never taken for a whole. It does not ask again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use halite_engine::base::error::{Error, Kind, Result};
use http_body::{Body as Sends, Frame, SizeHint};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc::{Receiver, channel};

use super::{Call, Host, Reply, Secret, Transport, exchange};
use crate::error::Fault;

/// Pieces that may wait.
const AHEAD: usize = 4;

/// Gives all bytes of a body to the function that it gets.
pub type Give<'a> = dyn FnMut(&mut dyn FnMut(Vec<u8>) -> Result<()>) -> Result<()> + 'a;

/// The body on the wire's side.
struct Pieces {
    receiver: Receiver<Vec<u8>>,
    left: u64,
}

impl Sends for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let wrong = |why| Poll::Ready(Some(Err(io::Error::other(why))));
        match self.receiver.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) if self.left > 0 => wrong("the body ended before its length"),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(piece)) => match self.left.checked_sub(piece.len() as u64) {
                None => wrong("the body is longer than was said"),
                Some(left) => {
                    self.left = left;
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from(piece)))))
                }
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Transport {
    /// Sends `call` with a body of `bytes` bytes, which `give` gives, and takes the whole reply.
    pub fn upload(
        &self,
        host: &Host,
        call: &Call,
        bearer: Option<&Secret>,
        (content_type, bytes): (&str, u64),
        give: &mut Give<'_>,
    ) -> Result<Reply, Fault> {
        self.check()?;
        let mut request = self.request(host, call, bearer)?;
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| Error::invalid(format!("`{content_type}` is not a content type")))?;
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        let (sender, receiver) = channel(AHEAD);
        let pieces = Pieces {
            receiver,
            left: bytes,
        };
        *request.body_mut() = Some(reqwest::Body::wrap(pieces));
        let client = self.client.clone();
        let answer = self
            .handle()
            .spawn(async move { exchange(&client, request, None).await });
        let given = give(&mut |piece| {
            let sent = self.block_on(sender.send(piece));
            // The org answered before it had everything: its answer says why.
            sent.map_err(|_| Error::new(Kind::Interrupted, "the org takes no more of the body"))
        });
        drop(sender);
        let reply = self
            .block_on(answer)
            .map_err(|e| Fault::broken(format!("the request ended: {e}"), true))?;
        match given {
            Err(e) if e.kind() != Kind::Interrupted => Err(e.into()),
            _ => reply,
        }
    }
}
