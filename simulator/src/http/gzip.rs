//! Compressed replies, for clients that ask for them.
//!
//! Key decision: the fastest level, since the link is a loopback; a reply that the client did not ask to have
//! compressed is not touched, so that nothing slows its bytes.
//! Source: REST API guide, "Use Compression"; Bulk API 2.0 guide, "Get Results for a Query Job".
//! Not here: broken gzip (`play`); compressed requests, which are not read.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::reply::Reply;
use super::request::Request;

/// Whether a client takes gzip: it names it, or all there is, and not with `q=0`.
pub(crate) fn accepted(request: &Request) -> bool {
    let header = request.header("accept-encoding").unwrap_or_default();
    header.split(',').any(|coding| {
        let (name, options) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = options
            .split_once('=')
            .is_some_and(|(q, value)| q.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0));
        ["gzip", "x-gzip", "*"]
            .iter()
            .any(|n| name.trim().eq_ignore_ascii_case(n))
            && !refused
    })
}

/// The same reply compressed, whatever its size; as it was, if that cannot be.
pub(crate) fn packed(mut reply: Reply) -> Reply {
    if reply.body.is_empty() {
        return reply;
    }
    if let Ok(body) = compress(&reply.body) {
        reply.body = body;
        return reply
            .with("Content-Encoding", "gzip".to_owned())
            .with("Vary", "Accept-Encoding".to_owned());
    }
    reply
}

/// Whether this is a body that the API compresses: text, and not the bytes of somebody's file.
pub(crate) fn worthwhile(reply: &Reply, least: usize) -> bool {
    let kind = reply.content_type.as_ref();
    let text = kind.starts_with("text/") || kind.starts_with("application/json") || kind.contains("xml");
    text && reply.body.len() >= least
}

fn compress(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn who_takes_gzip() {
        let takes = |text: &'static str| {
            let headers =
                HeaderMap::from_iter([("accept-encoding".parse().unwrap(), HeaderValue::from_static(text))]);
            accepted(&Request::new("GET", "/", "", headers, Bytes::new()))
        };
        for yes in ["gzip", "deflate, GZIP;q=0.5", "br, *", "gzip;q=1.0"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "identity", "deflate", "gzip;q=0", "gzip; q=0.0", "gzipped"] {
            assert!(!takes(no), "{no}");
        }
    }
}
