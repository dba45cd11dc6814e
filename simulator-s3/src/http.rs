//! HTTP/1.1 as far as a client of S3 speaks it: a head, a body of a given length, and the answer.
//!
//! Key decision: by hand, so that an answer can be cut anywhere, and a connection kept without one.
//! What is not needed (chunks, TLS, HTTP/2) is not there.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

/// The longest head and body that are read.
const HEAD_MAX: u64 = 64 << 10;
const BODY_MAX: usize = 256 << 20;

/// A request.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Decoded, without the slash that it begins with.
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The method, or `LIST` for a listing.
    pub(crate) fn verb(&self) -> &str {
        if self.key.is_empty() && self.query("list-type").is_some() {
            "LIST"
        } else {
            &self.method
        }
    }

    /// The key, or the prefix of a listing.
    pub(crate) fn target(&self) -> String {
        match self.verb() {
            "LIST" => self.query("prefix").unwrap_or_default().to_owned(),
            _ => self.key.clone(),
        }
    }
}

/// The next request of a connection; none if it was closed.
pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    let mut limited = reader.by_ref().take(HEAD_MAX);
    loop {
        let mut line = String::new();
        if limited.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" if head.is_empty() => {}
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut lines = head.iter();
    let mut first = lines.next().map(|line| line.split(' ')).into_iter().flatten();
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(&value.replace('+', " ")))
    });
    let mut request = Request {
        method: method.to_owned(),
        bucket: decode(bucket),
        key: decode(key),
        query: query.collect(),
        headers,
        body: Vec::new(),
    };
    let len = request.header("content-length").unwrap_or("0").parse::<usize>();
    let len = len.ok().filter(|&len| len <= BODY_MAX);
    let len = len.ok_or_else(|| io::Error::other("a body of no or too great a length"))?;
    request.body = vec![0; len];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// Waits until the other side hangs up.
pub(crate) fn until_closed(reader: &mut impl Read) -> io::Result<()> {
    io::copy(reader, &mut io::sink()).map(drop)
}

/// `%2F` and the like, as bytes of UTF-8.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// An error document, as S3 writes it: with the key of who asked, which nobody should pass on.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let key = crate::ACCESS_KEY;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>It failed.</Message>\
             <AWSAccessKeyId>{key}</AWSAccessKeyId><RequestId>1</RequestId></Error>"
        );
        let mut answer = Self::new(status);
        answer.headers.push(("Content-Type", "application/xml".into()));
        if status != 304 {
            answer.body = body.into_bytes();
        }
        answer
    }

    /// Sends it; only half of its body if `half`. To a HEAD it has none.
    pub(crate) fn write(&self, mut to: &TcpStream, request: &Request, half: bool) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Answer\r\nx-amz-request-id: 1\r\n", self.status);
        let mut length = self.body.len().to_string();
        for (name, value) in &self.headers {
            match *name {
                "Content-Length" => length.clone_from(value),
                name => head += &format!("{name}: {value}\r\n"),
            }
        }
        if ![204, 304].contains(&self.status) {
            head += &format!("Content-Length: {length}\r\n");
        }
        head += "\r\n";
        to.write_all(head.as_bytes())?;
        if request.method != "HEAD" {
            let end = if half {
                self.body.len() / 2
            } else {
                self.body.len()
            };
            to.write_all(self.body.get(..end).unwrap_or_default())?;
        }
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_apart() {
        let text = "PUT /b/p/a%20%C3%A9%zz?x=1%262&y HTTP/1.1\r\nIf-None-Match: *\r\nContent-Length: 3\r\n\r\nabcGET";
        let mut reader = text.as_bytes();
        let request = read(&mut reader).unwrap().unwrap();
        assert_eq!((request.bucket.as_str(), request.key.as_str()), ("b", "p/a é%zz"));
        assert_eq!(
            (request.query("x"), request.query("y"), request.query("z")),
            (Some("1&2"), Some(""), None)
        );
        assert_eq!(
            (request.header("if-none-match"), request.body.as_slice()),
            (Some("*"), &b"abc"[..])
        );
        assert_eq!(reader, b"GET");
        assert!(read(&mut &b""[..]).unwrap().is_none());
        assert!(read(&mut &b"PUT /b/k HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc"[..]).is_err());
    }
}
