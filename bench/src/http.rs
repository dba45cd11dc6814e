//! A plain HTTP client for measuring: one connection, bodies counted and thrown away unless they are wanted.
//!
//! Key decision: a socket and a buffer, so that what is measured is the server and not a client's comforts.
//! This is not a client for anything else: no TLS, no redirects, no retries.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Bytes read from the socket at a time.
const BUFFER: usize = 256 << 10;

/// A connection that stays open.
pub struct Connection {
    stream: BufReader<TcpStream>,
    token: String,
}

/// What came back.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Bytes of the body.
    pub bytes: u64,
    /// The body, if it was wanted.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Connection {
    /// Connects; requests carry the token.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(addr: SocketAddr, token: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(BUFFER, stream),
            token: token.to_owned(),
        })
    }

    /// Sends a request and reads the answer; the body is kept if `keep` says so.
    ///
    /// # Errors
    /// The connection broke, or what came is no HTTP.
    pub fn send(&mut self, method: &str, target: &str, body: &str, keep: bool) -> io::Result<Answer> {
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: simulator\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.token
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        let first = self.line()?;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .ok_or_else(broken)?;
        let mut answer = Answer {
            status,
            bytes: 0,
            body: Vec::new(),
            headers: Vec::new(),
        };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            answer.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        if answer
            .header("transfer-encoding")
            .is_some_and(|t| t.contains("chunked"))
        {
            loop {
                let size = u64::from_str_radix(self.line()?.trim(), 16).map_err(|_| broken())?;
                self.take(size, keep, &mut answer)?;
                self.line()?;
                if size == 0 {
                    return Ok(answer);
                }
            }
        }
        let length = answer
            .header("content-length")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        self.take(length, keep, &mut answer)?;
        Ok(answer)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn take(&mut self, length: u64, keep: bool, answer: &mut Answer) -> io::Result<()> {
        let mut part = self.stream.by_ref().take(length);
        let read = if keep {
            part.read_to_end(&mut answer.body)? as u64
        } else {
            io::copy(&mut part, &mut io::sink())?
        };
        answer.bytes += read;
        if read == length { Ok(()) } else { Err(broken()) }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is cut short or no HTTP")
}

/// Sends so many bytes over a loopback connection and reads them as [`Connection`] does: what the machine gives.
///
/// # Errors
/// The connection cannot be had.
pub fn plain_copy(bytes: u64) -> io::Result<()> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let addr = listener.local_addr()?;
    let sender = std::thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let block = vec![b'x'; BUFFER];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(BUFFER as u64);
            stream.write_all(&block[..part as usize])?;
            left -= part;
        }
        Ok(())
    });
    let mut stream = BufReader::with_capacity(BUFFER, TcpStream::connect(addr)?);
    let read = io::copy(&mut stream, &mut io::sink())?;
    sender.join().map_err(|_| broken())??;
    if read == bytes { Ok(()) } else { Err(broken()) }
}
