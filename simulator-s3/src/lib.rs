//! S3 in memory that answers over HTTP, and fails, lies, or forgets to answer on command.
//!
//! Key decision: written from the documentation of S3's API over `std::net` alone, with one thread a connection, since
//! no framework lets a server hang up, answer twice or do late what it was asked. It shares no types with the engine,
//! has no clock, checks no signatures, and is for tests only: nothing of it is ever linked into the command.

mod http;
mod script;
mod store;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use script::{Act, Asked, Rule};
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
        });
        let server = Arc::clone(&shared);
        std::thread::Builder::new().name("s3".into()).spawn(move || {
            for connection in listener.incoming().flatten() {
                if server.stop.load(Ordering::SeqCst) {
                    return;
                }
                let server = Arc::clone(&server);
                std::thread::spawn(move || drop(serve(&server, &connection)));
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

    /// Forgets all rules.
    pub fn calm(&self) {
        self.lock().rules.clear();
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

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.shared.script.lock().unwrap_or_else(PoisonError::into_inner)
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
        let act = {
            let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
            script.act(&request)
        };
        let answer = match act {
            None => Some(answer(shared, &request)),
            Some(Act::Answer(status, code)) => Some(Answer::error(status, code)),
            Some(Act::DoAndAnswer(status, code)) => {
                drop(answer(shared, &request));
                Some(Answer::error(status, code))
            }
            Some(Act::HangUp) => return Ok(()),
            Some(Act::DoAndHangUp) => {
                drop(answer(shared, &request));
                return Ok(());
            }
            Some(Act::Overtaken(bytes)) => {
                shared.store.plant(&request.key, bytes);
                Some(Answer::error(500, "InternalError"))
            }
            Some(Act::HalfBody) => {
                let whole = answer(shared, &request);
                return whole.write(connection, &request, true);
            }
            Some(Act::DoAndSilence) => {
                drop(answer(shared, &request));
                None
            }
            Some(Act::Silence) => None,
            Some(Act::Late(after)) => {
                let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
                script.late.push((after, request));
                drop(script);
                return http::until_closed(&mut reader);
            }
        };
        match answer {
            Some(answer) => answer.write(connection, &request, false)?,
            // The client has to lose its patience.
            None => return http::until_closed(&mut reader),
        }
        do_late(shared);
    }
    Ok(())
}

fn answer(shared: &Shared, request: &Request) -> Answer {
    shared.store.answer(request)
}

/// One more request was answered: does what was put off until then.
fn do_late(shared: &Shared) {
    let due = {
        let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.due()
    };
    for request in due {
        drop(answer(shared, &request));
    }
}
