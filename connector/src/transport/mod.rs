//! Bytes over HTTP: one request, one reply, or the reason why there is none.
//!
//! Key decision: everything that can be wrong with a reply as bytes is found here (cut off, too large, empty,
//! HTML, a redirect), so that whoever parses one can rely on a whole body. Redirects are never followed: a token
//! goes to the host it was given for and nowhere else. It does not repeat anything, and it knows no API.

mod ahead;
mod host;
mod secret;
mod stream;
mod upload;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use halite_engine::base::error::{Error, Kind, Result};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, Method, Request};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot::Sender;
use zeroize::Zeroizing;

pub use ahead::Started;
pub use host::{Host, path_only};
pub use secret::Secret;
pub use stream::{EachPiece, Whole};
pub use upload::Give;

use crate::error::Fault;

/// Largest body that is taken, after decompression: 128 MiB, far above a page of 2,000 rows.
const BODY_MAX: usize = 128 << 20;
/// A success without a body.
const NO_CONTENT: u16 = 204;
/// To connect.
const CONNECT: Duration = Duration::from_secs(30);
/// Between two pieces of a reply; the API itself gives up a call after 10 minutes.
const SILENCE: Duration = Duration::from_secs(660);
/// How soon a cancellation is seen.
const GLANCE: Duration = Duration::from_millis(100);

/// What is sent along.
#[derive(Debug, Clone, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    None,
    /// JSON text.
    Json(String),
    /// `application/x-www-form-urlencoded`; wiped when dropped.
    Form(Zeroizing<String>),
    /// XML with the session id between two texts.
    Soap {
        /// Up to the session id.
        before: &'static str,
        /// From there on.
        after: String,
    },
}

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    /// GET, POST, PATCH, DELETE.
    pub method: Method,
    /// Path and query on the host.
    pub path: String,
    /// What is sent along.
    pub body: Body,
    /// Further headers.
    pub headers: &'static [(&'static str, &'static str)],
}

impl Call {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: Body::None,
            headers: &[],
        }
    }

    /// A call without a body.
    pub fn bare(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            ..Self::get(path)
        }
    }

    /// A POST.
    pub fn post(path: impl Into<String>, body: Body) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            body,
            headers: &[],
        }
    }

    /// Method and path without query, for messages.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, path_only(&self.path))
    }
}

/// A whole reply with a success status.
#[derive(Debug)]
pub struct Reply {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, whole and decompressed.
    pub body: Vec<u8>,
}

/// What happens to a request under way when the caller asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// It is given up: it changes nothing.
    GiveUp,
    /// Its reply is awaited: a write, whose outcome must be known.
    Await,
}

/// The HTTP client with a runtime of its own and the caller's wish to stop.
pub struct Transport {
    runtime: Option<Runtime>,
    client: Client,
    /// For bodies that are given as they go: silence is waited for there, since a client takes sending for silence.
    patient: Client,
    silence: Duration,
    cancel: Arc<AtomicBool>,
}

impl Transport {
    /// A client that stops when `cancel` is set.
    pub fn new(cancel: Arc<AtomicBool>, local: bool) -> Result<Self> {
        Self::with_silence(cancel, local, SILENCE)
    }

    fn with_silence(cancel: Arc<AtomicBool>, local: bool, silence: Duration) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("halite-http")
            .enable_all()
            .build()
            .map_err(|e| Error::io("starting the HTTP runtime", e))?;
        let built = |client: ClientBuilder| {
            let client = client.build();
            client.map_err(|e| Error::new(Kind::Io, "the HTTP client could not be set up").caused_by(e))
        };
        Ok(Self {
            runtime: Some(runtime),
            client: built(client(local).read_timeout(silence))?,
            patient: built(client(local))?,
            silence,
            cancel,
        })
    }

    /// Sends `call` and takes the whole reply.
    pub fn send(
        &self,
        host: &Host,
        call: &Call,
        bearer: Option<&Secret>,
        on_stop: OnStop,
    ) -> Result<Reply, Fault> {
        self.check()?;
        let request = self.request(host, call, bearer)?;
        let exchange = exchange(&self.client, request, None);
        self.block_on(async {
            if on_stop == OnStop::GiveUp {
                tokio::select! { reply = exchange => reply, () = self.cancelled() => Err(interrupted().into()) }
            } else {
                exchange.await
            }
        })
    }

    /// Waits, unless the caller asks to stop.
    pub fn wait(&self, time: Duration) -> Result<()> {
        self.block_on(async {
            tokio::select! { () = tokio::time::sleep(time) => {} () = self.cancelled() => {} }
        });
        self.check()
    }

    /// Fails if the caller asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            Err(interrupted())
        } else {
            Ok(())
        }
    }

    async fn cancelled(&self) {
        while !self.cancel.load(Ordering::Relaxed) {
            tokio::time::sleep(GLANCE).await;
        }
    }

    fn request(&self, host: &Host, call: &Call, bearer: Option<&Secret>) -> Result<Request> {
        let mut request = self.client.request(call.method.clone(), host.join(&call.path)?);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let token = bearer.map_or("", Secret::expose);
        request = match &call.body {
            Body::None if call.headers.iter().any(|(name, _)| ACCEPT == *name) => request,
            Body::None => request.header(ACCEPT, "application/json"),
            Body::Json(text) => json(request).body(text.clone()),
            Body::Form(text) if call.headers.iter().any(|(name, _)| ACCEPT == *name) => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(text.as_str().to_owned()),
            Body::Form(text) => request
                .header(ACCEPT, "application/json")
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(text.as_str().to_owned()),
            Body::Soap { before, after } => request
                .header(ACCEPT, "text/xml")
                .header(CONTENT_TYPE, "text/xml; charset=UTF-8")
                .header("SOAPAction", "\"\"")
                .body([*before, &quick_xml::escape::escape(token), after].concat()),
        };
        if !token.is_empty() && !matches!(call.body, Body::Soap { .. }) {
            let bearer = Zeroizing::new(format!("Bearer {token}"));
            let mut value = HeaderValue::from_str(&bearer)
                .map_err(|_| Error::new(Kind::Auth, "the access token holds characters that no token has"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request
            .build()
            .map_err(|e| Error::invalid(format!("{}: {}", call.name(), reason(e))))
    }

    /// Blocks on `future`, on a thread of its own where this one already drives a runtime.
    fn block_on<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let handle = self.handle();
        if Handle::try_current().is_err() {
            return handle.block_on(future);
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| handle.block_on(future));
            waiting
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    #[expect(clippy::expect_used, reason = "the runtime is taken by drop alone")]
    fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("a runtime until dropped").handle()
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        // A plain drop would panic within somebody else's runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn client(local: bool) -> ClientBuilder {
    let client = Client::builder()
        .user_agent(concat!("halite/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .pool_idle_timeout(Duration::from_secs(30))
        .gzip(true)
        .tcp_nodelay(true)
        .referer(false);
    if local { client.no_proxy() } else { client }
}

fn json(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json; charset=UTF-8")
}

fn interrupted() -> Error {
    Error::new(
        Kind::Interrupted,
        "stopped as asked, before the next request to the org",
    )
}

/// One request and its reply; `head` hears of the headers of a success before the body has come.
async fn exchange(
    client: &Client,
    request: Request,
    head: Option<Sender<HeaderMap>>,
) -> Result<Reply, Fault> {
    let accept = request.headers().get(ACCEPT);
    let (wants_xml, takes_all) = (
        accept.is_some_and(|v| v == "text/xml"),
        accept.is_some_and(|v| v == "*/*"),
    );
    let mut reply = client.execute(request).await.map_err(|e| {
        let sent = !e.is_connect();
        Fault::broken(format!("no reply: {}", reason(e)), sent)
    })?;
    let (status, headers) = (reply.status().as_u16(), std::mem::take(reply.headers_mut()));
    if let Some(head) = head.filter(|_| status < 300) {
        // Nobody listens any more: no matter.
        let _ = head.send(headers.clone());
    }
    let body = take_body(&mut reply).await?;
    if (300..400).contains(&status) {
        return Err(redirected(&headers).into());
    }
    if status >= 400 {
        return Err(Fault::answer(status, &body));
    }
    if status != NO_CONTENT
        && !takes_all
        && let Some(why) = unusable(&headers, &body, wants_xml)
    {
        return Err(Fault::broken(format!("{status} with {why}"), true));
    }
    Ok(Reply { headers, body })
}

async fn take_body(reply: &mut reqwest::Response) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    loop {
        let piece = reply.chunk().await;
        let piece = piece.map_err(|e| {
            Fault::broken(
                format!("the reply broke off after {} bytes: {}", body.len(), reason(e)),
                true,
            )
        })?;
        let Some(piece) = piece else {
            // It may wait for its turn, and had grown by doubling.
            body.shrink_to_fit();
            return Ok(body);
        };
        if body.len() + piece.len() > BODY_MAX {
            return Err(Fault::too_large(BODY_MAX >> 20));
        }
        body.extend_from_slice(&piece);
    }
}

fn redirected(headers: &HeaderMap) -> Error {
    let to = headers
        .get(LOCATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| url::Url::parse(v).ok());
    let to = to
        .as_ref()
        .and_then(url::Url::host_str)
        .unwrap_or("another address");
    Error::invalid(format!("the org sends its callers to {to}"))
        .hint("connect to the org's own My Domain address")
}

/// What makes a success reply unusable.
fn unusable(headers: &HeaderMap, body: &[u8], wants_xml: bool) -> Option<&'static str> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    match body.trim_ascii().first() {
        None => Some("an empty body"),
        _ if kind.starts_with("text/html") => Some("an HTML page instead of data"),
        Some(b'<') if !wants_xml => Some("an HTML page instead of data"),
        Some(c) if wants_xml && *c != b'<' => Some("a body that is not XML"),
        _ => None,
    }
}

/// The innermost reason without the address, whose query holds Ids.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}
