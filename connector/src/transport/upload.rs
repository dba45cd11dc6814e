//! A request whose body is given as it goes: that of a file, of any size.
//!
//! Key decision: who has the bytes gives them piece by piece, a few ahead of the wire at most, and the length is said
//! beforehand, so that a body cut short is seen by the org as such and never taken for a whole. Sending may take any
//! time; an org that takes nothing for long, or says nothing afterwards, is left. It does not ask again.

use std::future::Future;
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
        let client = self.patient.clone();
        let answer = self
            .handle()
            .spawn(async move { exchange(&client, request, None).await });
        let stop = answer.abort_handle();
        let mut end = End::Given;
        let given = give(&mut |piece| {
            self.check()?;
            let sent = self.within(sender.send(piece));
            match sent {
                Some(Ok(())) => return Ok(()),
                Some(Err(_)) => end = End::Answered,
                None => end = End::Silent,
            }
            Err(Error::new(Kind::Interrupted, "the org takes no more of the body"))
        });
        drop(sender);
        if let (End::Given, Err(e)) = (&end, given) {
            // The org sees a body that is cut short, and makes nothing of it.
            stop.abort();
            return Err(e.into());
        }
        let silent = |what| Fault::broken(format!("{what} for {} s", self.silence.as_secs()), true);
        if end == End::Silent {
            stop.abort();
            return Err(silent("the org took nothing of the body"));
        }
        match self.within(answer) {
            Some(reply) => reply.map_err(|e| Fault::broken(format!("the request ended: {e}"), true))?,
            None => {
                stop.abort();
                Err(silent("no reply to the whole body"))
            }
        }
    }

    /// What comes of it, unless it takes too long.
    fn within<T: Send>(&self, future: impl Future<Output = T> + Send) -> Option<T> {
        self.block_on(async { tokio::time::timeout(self.silence, future).await.ok() })
    }
}

/// Where the giving of a body ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With its last byte, or where who has the bytes gave no more.
    Given,
    /// The org answered before it had everything: its answer says why.
    Answered,
    /// The org took nothing more.
    Silent,
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a slow line takes real time")]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    const PIECE: usize = 1 << 20;
    const PIECES: u64 = 256;

    /// Sends 256 MB to an org that does this with its connection.
    fn sent(
        silence: Duration,
        cancel: Option<u64>,
        org: impl FnOnce(TcpStream) + Send + 'static,
    ) -> Result<Reply, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || org(listener.accept().unwrap().0));
        let stop = Arc::new(AtomicBool::new(false));
        let transport = Transport::with_silence(Arc::clone(&stop), true, silence).unwrap();
        let host = Host::parse(&address).unwrap();
        let reply = transport.upload(
            &host,
            &Call::bare(reqwest::Method::POST, "/file"),
            None,
            ("application/octet-stream", PIECES * PIECE as u64),
            &mut |take| {
                (0..PIECES).try_for_each(|n| {
                    if cancel == Some(n) {
                        stop.store(true, Ordering::Relaxed);
                    }
                    take(vec![b'x'; PIECE])
                })
            },
        );
        drop(transport);
        served.join().unwrap();
        reply
    }

    /// Reads head and body, so long after each piece, and answers once it has all; how many bytes came.
    fn read(mut from: TcpStream, rest: Duration) -> u64 {
        let (mut bytes, mut piece) = (0, vec![0; PIECE]);
        while bytes < PIECES * PIECE as u64 {
            match from.read(&mut piece) {
                Ok(0) | Err(_) => return bytes,
                Ok(n) => bytes += n as u64,
            }
            thread::sleep(rest);
        }
        let _ = from.write_all(
            b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        );
        bytes
    }

    #[test]
    fn a_body_may_take_longer_than_silence_may() {
        let slow = Duration::from_millis(16);
        let reply = sent(Duration::from_secs(2), None, move |org| {
            read(org, slow);
        });
        assert_eq!(reply.unwrap().body, b"{}");
    }

    #[test]
    fn an_org_that_takes_nothing_more_is_left() {
        let deaf = |org: TcpStream| {
            thread::sleep(Duration::from_secs(2));
            drop(org);
        };
        let fault = sent(Duration::from_millis(300), None, deaf).unwrap_err();
        assert!(fault.to_string().contains("took nothing of the body"), "{fault}");
    }

    #[test]
    fn who_stops_gives_no_whole_body() {
        let (tell, told) = std::sync::mpsc::channel();
        let org = move |org| tell.send(read(org, Duration::ZERO)).unwrap();
        let error: Error = sent(Duration::from_secs(60), Some(100), org).unwrap_err().into();
        assert_eq!(error.kind(), Kind::Interrupted, "{error}");
        assert!(told.recv().unwrap() < PIECES * PIECE as u64);
    }
}
