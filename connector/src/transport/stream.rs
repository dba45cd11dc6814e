//! A body that is taken as it comes: that of a file, of any size.
//!
//! Key decision: a task of the transport's own runtime reads, and hands on a few pieces ahead at most, so that memory is
//! bounded and whoever takes them may be as slow as he likes. Bytes from the middle are asked for by `Range`, and where
//! they begin is believed from the reply alone. It never asks again: `retry` does.

use halite_engine::base::error::{Kind, Result};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, RANGE};
use reqwest::{Client, Request};
use tokio::sync::mpsc::{Sender, channel};

use super::{Call, Host, Secret, Transport, interrupted, reason, redirected, take_body};
use crate::error::Fault;

/// Pieces that may wait.
const AHEAD: usize = 8;
/// A reply that begins where it was asked to.
const PARTIAL: u16 = 206;
/// What a file is when a later part of it is not of the first.
const CHANGED: &str = "the file changed while it was read";
/// There are no bytes from there on.
const BEYOND: u16 = 416;

/// What comes of a body.
enum Piece {
    /// Where it begins, and the headers.
    Head(u64, HeaderMap),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing more, or what went wrong.
    End(Result<(), Fault>),
}

/// What is known of a file before all of it has come: what comes later must be of the same.
#[derive(Debug, Default)]
pub struct Whole {
    total: Option<u64>,
    tag: Option<Vec<u8>>,
}

impl Whole {
    /// Takes note of a reply that begins at `begins`; false if it is of another file than the one before.
    fn is_of(&mut self, begins: u64, headers: &HeaderMap) -> bool {
        let tag = headers.get(ETAG).map(|tag| tag.as_bytes().to_vec());
        let total = if begins > 0 {
            total(headers)
        } else {
            length(headers)
        };
        let other = |a: Option<u64>| a.zip(self.total).is_some_and(|(a, b)| a != b);
        let retagged = tag.as_ref().zip(self.tag.as_ref()).is_some_and(|(a, b)| a != b);
        if begins > 0 && (other(total) || retagged) {
            return false;
        }
        *self = Self { total, tag };
        true
    }
}

/// Takes the bytes that stand at an offset.
pub type EachPiece<'a> = dyn FnMut(u64, &[u8]) -> Result<()> + 'a;

impl Transport {
    /// Sends a reading and gives its body, from byte `from` on where the server can do that; gives the headers.
    pub fn stream(
        &self,
        host: &Host,
        call: &Call,
        bearer: &Secret,
        (from, whole): (u64, &mut Whole),
        each: &mut EachPiece<'_>,
    ) -> Result<HeaderMap, Fault> {
        self.check()?;
        let mut request = self.request(host, call, Some(bearer))?;
        if from > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-"))
        {
            request.headers_mut().insert(RANGE, range);
        }
        let (sender, mut pieces) = channel(AHEAD);
        let task = self
            .handle()
            .spawn(read(self.client.clone(), request, from, sender));
        let (mut at, mut headers) = (0, HeaderMap::new());
        let end = loop {
            let piece = self.block_on(async {
                tokio::select! { piece = pieces.recv() => Some(piece), () = self.cancelled() => None }
            });
            match piece {
                None => break Err(interrupted().into()),
                Some(None) => break Err(Fault::broken("the reply was given up", true)),
                Some(Some(Piece::Head(begins, all))) => {
                    if !whole.is_of(begins, &all) {
                        break Err(Fault::doubt(Kind::Invalid, CHANGED));
                    }
                    (at, headers) = (begins, all);
                }
                Some(Some(Piece::Bytes(bytes))) => {
                    if let Err(error) = each(at, &bytes) {
                        break Err(error.into());
                    }
                    at += bytes.len() as u64;
                }
                Some(Some(Piece::End(end))) => break end,
            }
        };
        task.abort();
        end.map(|()| headers)
    }
}

async fn read(client: Client, request: Request, from: u64, to: Sender<Piece>) {
    let end = pieces(&client, request, from, &to).await;
    // Nobody listens any more: no matter.
    let _ = to.send(Piece::End(end)).await;
}

async fn pieces(client: &Client, request: Request, from: u64, to: &Sender<Piece>) -> Result<(), Fault> {
    let mut reply = client.execute(request).await.map_err(|e| {
        let sent = !e.is_connect();
        Fault::broken(format!("no reply: {}", reason(e)), sent)
    })?;
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    if status == BEYOND {
        return match total(&headers) {
            Some(total) if total != from => Err(Fault::doubt(Kind::Invalid, CHANGED)),
            _ => Ok(()),
        };
    }
    if (300..400).contains(&status) {
        return Err(redirected(&headers).into());
    }
    if status >= 400 {
        return Err(Fault::answer(status, &take_body(&mut reply).await?));
    }
    let begins = if status == PARTIAL {
        begin(&headers).ok_or_else(|| Fault::broken("a part of a file that does not say which", true))?
    } else {
        0
    };
    let mut gone = to.send(Piece::Head(begins, headers)).await.is_err();
    while !gone {
        let piece = reply.chunk().await;
        let piece = piece.map_err(|e| Fault::broken(format!("the reply broke off: {}", reason(e)), true))?;
        let Some(piece) = piece else { break };
        gone = to.send(Piece::Bytes(piece.to_vec())).await.is_err();
    }
    Ok(())
}

/// How long the whole is: `bytes 100-199/500`, `bytes */500`.
fn total(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.rsplit_once('/')?.1.trim().parse().ok()
}

/// How long a whole reply is.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Where a part begins: `bytes 100-199/500`.
fn begin(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split_once('-')?
        .0
        .trim()
        .parse()
        .ok()
}
