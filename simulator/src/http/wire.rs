//! The connection, with a knife: it can be cut before a reply or in the middle of its body.
//!
//! Key decision: cutting is done where the bytes leave, so that the client sees a true broken connection: a
//! reset, or fewer bytes than the headers promised.
//! Not here: when to cut (`server`).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// No cut is asked for.
const WHOLE: i64 = -1;
/// The body has begun and this many bytes may still leave; stored below `WHOLE` as `-2 - n`.
const COUNTING: i64 = -2;

/// Tells a connection how much of the next body may leave.
#[derive(Debug, Clone)]
pub(crate) struct Knife(Arc<AtomicI64>);

impl Knife {
    /// Nothing more leaves: neither headers nor body.
    pub fn cut_now(&self) {
        self.0.store(COUNTING, Ordering::SeqCst);
    }

    /// The headers leave, and this many bytes of the body.
    pub fn cut_body_after(&self, bytes: usize) {
        self.0.store(i64::try_from(bytes).unwrap_or(0), Ordering::SeqCst);
    }

    /// How many bytes of this buffer may leave; `None` for all.
    fn allow(&self, buf: &[u8]) -> Option<usize> {
        let state = self.0.load(Ordering::SeqCst);
        if state == WHOLE {
            return None;
        }
        let (head, left) = if state >= 0 {
            let end = buf.windows(4).position(|w| w == b"\r\n\r\n")?;
            (end + 4, usize::try_from(state).unwrap_or(0))
        } else {
            (0, usize::try_from(COUNTING - state).unwrap_or(0))
        };
        let body = (buf.len() - head).min(left);
        self.0.store(
            COUNTING - i64::try_from(left - body).unwrap_or(0),
            Ordering::SeqCst,
        );
        Some(head + body)
    }
}

impl Connected<IncomingStream<'_, Door>> for Knife {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().knife.clone()
    }
}

/// The listener.
#[derive(Debug)]
pub(crate) struct Door(pub TcpListener);

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.0).await;
        // Small replies must not wait for the client's acknowledgement; failing to say so is harmless.
        let _ = stream.set_nodelay(true);
        (
            Wire {
                stream,
                knife: Knife(Arc::new(AtomicI64::new(WHOLE))),
            },
            addr,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    knife: Knife,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.knife.allow(buf) {
            Some(0) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(n) => Pin::new(&mut self.stream).poll_write(cx, &buf[..n]),
            None => Pin::new(&mut self.stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
