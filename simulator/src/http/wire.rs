//! The connection, with a knife: it can be cut before a reply or in the middle of its body.
//!
//! Key decision: cutting is done where the bytes leave, so that the client sees a true broken connection: a
//! reset, or fewer bytes than the headers promised. Under TLS the cut is above the cipher: what left before it
//! is decipherable, and no farewell follows.
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
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

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
pub(crate) struct Door {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    /// Handshakes under way; one that fails is simply gone.
    shaking: JoinSet<Option<(Channel, SocketAddr)>>,
}

impl Door {
    pub fn new(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        Self {
            listener,
            tls,
            shaking: JoinSet::new(),
        }
    }

    /// The next connection that is ready to talk HTTP.
    async fn next(&mut self) -> (Channel, SocketAddr) {
        loop {
            tokio::select! {
                (stream, addr) = Listener::accept(&mut self.listener) => {
                    // Small replies must not wait for the client's acknowledgement; failing to say so is harmless.
                    let _ = stream.set_nodelay(true);
                    let Some(tls) = self.tls.clone() else {
                        return (Box::pin(stream), addr);
                    };
                    self.shaking.spawn(async move {
                        let stream = tls.accept(stream).await.ok()?;
                        Some((Box::pin(stream) as Channel, addr))
                    });
                }
                Some(done) = self.shaking.join_next() => {
                    if let Ok(Some(ready)) = done {
                        return ready;
                    }
                }
            }
        }
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (channel, addr) = self.next().await;
        let knife = Knife(Arc::new(AtomicI64::new(WHOLE)));
        (Wire { channel, knife }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What carries the bytes: TCP, or TLS over it.
trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}
type Channel = Pin<Box<dyn Duplex>>;

/// One connection.
pub(crate) struct Wire {
    channel: Channel,
    knife: Knife,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.channel.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.knife.allow(buf) {
            Some(0) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(n) => self.channel.as_mut().poll_write(cx, &buf[..n]),
            None => self.channel.as_mut().poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.as_mut().poll_shutdown(cx)
    }
}
