//! Requests as bytes: what no decent client would send, and replies as they travel.
//!
//! Key decision: a connection a request, read to its end; an end without a reply is told apart from a reply.
//! Not here: decoding (a real client does that).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// A reply as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Raw {
    /// What a header says; names in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Status and JSON, null if it is none.
    pub fn json(&self) -> (u16, Value) {
        (
            self.status,
            serde_json::from_slice(&self.body).unwrap_or(Value::Null),
        )
    }
}

/// Sends bytes; `None` if the connection ended without a whole head.
pub fn exchange(to: SocketAddr, request: &[u8]) -> Option<Raw> {
    let mut stream = TcpStream::connect(to).unwrap();
    // The server may answer, and hang up, before it has read all.
    let _ = stream.write_all(request);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let body = all.split_off(end);
    let head = String::from_utf8(all).unwrap();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Raw { status, head, body })
}

/// A request that ends its connection. `target` is sent as it is; headers are whole lines without their ends.
pub fn request(method: &str, target: &[u8], headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut lines = vec!["Host: localhost".to_owned(), "Connection: close".to_owned()];
    lines.extend_from_slice(headers);
    if !body.is_empty() || method == "POST" {
        lines.push(format!("Content-Length: {}", body.len()));
    }
    let first = [method.as_bytes(), b" ", target, b" HTTP/1.1\r\n"].concat();
    let head = lines.join("\r\n") + "\r\n\r\n";
    [&first, head.as_bytes(), body].concat()
}
