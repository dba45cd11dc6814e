//! The connection, and the tape that may leave in a reply's place.
//!
//! Key decision: a broken reply is a row of bytes, sent as they are where bytes leave, and then the connection
//! ends; so the client sees a true broken connection, and what it sees does not hang on how the server writes.
//! Under TLS the tape is above the cipher: what left is decipherable, and no farewell follows.
//! Not here: what is on a tape (`play`).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;

/// How often a slow reply moves on.
const BEAT: Duration = Duration::from_millis(20);

/// Bytes that leave instead of what the server writes; after the last one the connection ends.
#[derive(Debug)]
pub(crate) struct Tape {
    bytes: Vec<u8>,
    at: usize,
    /// Bytes a second.
    rate: Option<u32>,
}

impl Tape {
    pub fn new(bytes: Vec<u8>, rate: Option<u32>) -> Self {
        Self { bytes, at: 0, rate }
    }

    /// The next bytes to send, and how long to rest after each of them.
    fn next(&self) -> (&[u8], Option<Duration>) {
        let left = &self.bytes[self.at..];
        let Some(rate) = self.rate else {
            return (left, None);
        };
        let rest = Duration::from_secs(1) / rate.max(1);
        let piece = (BEAT.as_nanos() / rest.as_nanos().max(1)).max(1);
        let piece = usize::try_from(piece).unwrap_or(usize::MAX);
        (&left[..piece.min(left.len())], Some(rest))
    }
}

/// Puts a tape into a connection.
#[derive(Debug, Clone)]
pub(crate) struct Knife(Arc<Mutex<Option<Tape>>>);

impl Knife {
    pub fn play(&self, tape: Tape) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tape);
    }

    fn taken(&self) -> Option<Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
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
        let knife = Knife(Arc::new(Mutex::new(None)));
        let wire = Wire {
            channel,
            knife,
            tape: None,
            rest: None,
        };
        (wire, addr)
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
    tape: Option<Tape>,
    rest: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Sends what is left of a tape.
    fn play(&mut self, tape: &mut Tape, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(rest) = &mut self.rest {
                ready!(rest.as_mut().poll(cx));
                self.rest = None;
            }
            let (piece, rest) = tape.next();
            if piece.is_empty() {
                return self.channel.as_mut().poll_flush(cx);
            }
            let sent = ready!(self.channel.as_mut().poll_write(cx, piece))?;
            if let Some(rest) = rest {
                ready!(self.channel.as_mut().poll_flush(cx))?;
                let time = rest.saturating_mul(u32::try_from(sent).unwrap_or(u32::MAX));
                self.rest = Some(Box::pin(tokio::time::sleep(time)));
            }
            tape.at += sent;
        }
    }
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
        let Some(mut tape) = self.tape.take().or_else(|| self.knife.taken()) else {
            return self.channel.as_mut().poll_write(cx, buf);
        };
        let played = self.play(&mut tape, cx);
        self.tape = Some(tape);
        ready!(played)?;
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.as_mut().poll_shutdown(cx)
    }
}
