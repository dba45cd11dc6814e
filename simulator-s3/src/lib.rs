//! S3 in memory that answers over HTTP, and fails, lies, or forgets to answer on command.
//!
//! Key decision: written from the documentation of S3's API over `std::net` alone, with one thread a connection, since
//! no framework lets a server hang up, answer twice or do late what it was asked. It shares no types with the engine,
//! checks no signatures, and is for tests only: nothing of it is ever linked into the command.

mod date;
mod http;
mod script;
mod store;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use script::{Act, Asked, Judge, Rule};
pub use store::Lie;

use http::{Answer, Request};
use script::Script;
use store::Store;

/// The access key that is known; any other is refused.
pub const ACCESS_KEY: &str = "AKIATEST";
/// The secret that goes with it. Signatures are not checked.
pub const SECRET: &str = "very-secret-0123456789";

/// A server that runs until it is dropped.
pub struct S3 {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    script: Mutex<Script>,
    stop: AtomicBool,
    /// Connections that are open.
    open: AtomicUsize,
    link: Mutex<Link>,
}

/// What all answers go through, if it is narrow: so many bytes a second, and until when it is taken.
#[derive(Default)]
struct Link {
    bytes_a_second: Option<u64>,
    taken: Option<Instant>,
}

impl Link {
    /// How long an answer of so many bytes is on its way that is sent now.
    #[expect(clippy::disallowed_methods, reason = "a link has a speed")]
    fn send(&mut self, bytes: u64) -> Option<Duration> {
        let nanos = bytes.saturating_mul(1_000_000_000) / self.bytes_a_second?.max(1);
        let now = Instant::now();
        let from = self.taken.filter(|taken| *taken > now).unwrap_or(now);
        let arrives = from + Duration::from_nanos(nanos);
        self.taken = Some(arrives);
        Some(arrives - now)
    }
}

impl S3 {
    /// Starts one with an empty bucket of that name, on a port of its own.
    ///
    /// # Errors
    /// What the system says about the port.
    pub fn start(bucket: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            store: Store::new(bucket),
            script: Mutex::default(),
            stop: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            link: Mutex::default(),
        });
        let server = Arc::clone(&shared);
        std::thread::Builder::new().name("s3".into()).spawn(move || {
            for connection in listener.incoming().flatten() {
                if server.stop.load(Ordering::SeqCst) {
                    return;
                }
                let server = Arc::clone(&server);
                server.open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    drop(serve(&server, &connection));
                    server.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        })?;
        Ok(Self { address, shared })
    }

    /// The environment that leads a client here.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Adds a rule; of several that fit a request the first one counts.
    pub fn script(&self, rule: Rule) {
        self.lock().rules.push(rule);
    }

    /// All answers share a link of so many bytes a second from now on.
    pub fn link(&self, bytes_a_second: u64) {
        let mut link = self.shared.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.bytes_a_second = Some(bytes_a_second);
    }

    /// Forgets all rules, and the judge.
    pub fn calm(&self) {
        let mut script = self.lock();
        script.rules.clear();
        script.judge = None;
    }

    /// Asks `judge` about each request that no rule names.
    pub fn judge(&self, judge: impl Judge + 'static) {
        self.lock().judge = Some(Box::new(judge));
    }

    /// Does at once what was put off.
    pub fn settle(&self) {
        let late = std::mem::take(&mut self.lock().late);
        for (_, request) in late {
            drop(self.shared.answer(&request));
        }
    }

    /// How many connections are open: none, and nothing that was sent is still under way.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Which conditions are not kept from now on.
    pub fn lie(&self, lie: Lie) {
        self.shared.store.lie(lie);
    }

    /// Gives each write an ETag of its own, as encryption by KMS does; else it follows from the bytes.
    pub fn fresh_etags(&self) {
        self.shared.store.fresh_etags();
    }

    /// How many names a page of a listing has; 1,000 unless told.
    pub fn page(&self, names: usize) {
        self.shared.store.page(names);
    }

    /// What was asked since this was last called.
    pub fn take_log(&self) -> Vec<Asked> {
        std::mem::take(&mut self.lock().log)
    }

    /// The keys of the bucket, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.shared.store.keys()
    }

    /// The bytes behind a key.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.store.object(key)
    }

    /// Stores bytes behind everybody's back.
    pub fn plant(&self, key: &str, bytes: &[u8]) {
        self.shared.store.plant(key, bytes);
    }

    /// Makes what is stored so much older.
    pub fn age(&self, by: Duration) {
        self.shared.store.age(by);
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.shared.script()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

/// Answers the requests of one connection until it is closed.
fn serve(shared: &Shared, connection: &TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = io::BufReader::new(connection.try_clone()?);
    while let Some(request) = http::read(&mut reader)? {
        let act = shared.script().act(&request);
        let answer = match act {
            None => Some(shared.answer(&request)),
            Some(Act::Answer(status, code)) => Some(Answer::error(status, code)),
            Some(Act::DoAndAnswer(status, code)) => {
                drop(shared.answer(&request));
                Some(Answer::error(status, code))
            }
            Some(Act::HangUp) => return Ok(()),
            Some(Act::DoAndHangUp) => {
                drop(shared.answer(&request));
                return Ok(());
            }
            Some(Act::Overtaken(bytes)) => {
                shared.store.plant(&request.key, bytes);
                Some(Answer::error(500, "InternalError"))
            }
            Some(Act::HalfBody) => {
                let whole = shared.answer(&request);
                return whole.write(connection, &request, true);
            }
            Some(Act::DoAndSilence) => {
                drop(shared.answer(&request));
                None
            }
            Some(Act::Silence) => None,
            Some(Act::Late(after)) => {
                shared.script().late.push((after, request));
                return http::until_closed(&mut reader);
            }
            Some(Act::HangUpAndLate(after)) => {
                shared.script().late.push((after, request));
                return Ok(());
            }
            Some(Act::Slow(before, after)) => {
                pause(before);
                let answer = shared.answer(&request);
                pause(after);
                Some(answer)
            }
        };
        match answer {
            Some(answer) => {
                let mut link = shared.link.lock().unwrap_or_else(PoisonError::into_inner);
                let takes = link.send(answer.body.len() as u64);
                drop(link);
                if let Some(takes) = takes {
                    pause(u32::try_from(takes.as_millis()).unwrap_or(u32::MAX));
                }
                answer.write(connection, &request, false)?;
            }
            // The client has to lose its patience.
            None => return http::until_closed(&mut reader),
        }
        shared.do_late();
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a slow answer is what it is asked for")]
fn pause(millis: u32) {
    std::thread::sleep(Duration::from_millis(millis.into()));
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Answer {
        let answer = self.store.answer(request);
        self.script().answered(request, answer.status);
        answer
    }

    /// One more request was answered: does what was put off until then.
    fn do_late(&self) {
        let due = self.script().due();
        for request in due {
            drop(self.answer(&request));
        }
    }
}
