//! The server: its thread, its port, and the way of a request through it.
//!
//! Key decision: a thread with a small runtime of its own, so that blocking tests and async ones use it
//! alike; dropping the handle ends it.
//! Not here: what a request means (`route`), how faults are played (`play`).

use std::borrow::Cow;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{Response, StatusCode};
use tokio::sync::oneshot;

use super::admin::{self, Admin, Desk};
use super::reply::Reply;
use super::request::Request;
use super::tls::Tls;
use super::wire::{Door, Knife};
use super::{bulk, gzip, play, route};
use crate::error::ApiError;
use crate::org::{Fault, Org, http_date};

/// Largest request body read, in bytes.
const MAX_BODY: usize = (2 << 30) + (1 << 20);

/// A running server of an org. Dropping it closes the port.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    url: String,
    authority: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves an org on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The port or the thread cannot be had.
    pub fn start(org: Org) -> io::Result<Self> {
        Self::start_on(org, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Serves an org on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address or the thread cannot be had.
    pub fn start_on(org: Org, addr: SocketAddr) -> io::Result<Self> {
        Self::start_with(org, addr, None)
    }

    /// As [`Server::start_on`], with `/admin` served too if `admin` is given and the address is of this
    /// machine alone.
    ///
    /// # Errors
    /// The address or the thread cannot be had.
    pub fn start_with(org: Org, addr: SocketAddr, admin: Option<Admin>) -> io::Result<Self> {
        Self::open(org, addr, admin, None)
    }

    /// Serves an org over TLS on a free port of 127.0.0.1, under an authority of its own.
    ///
    /// # Errors
    /// The port, the thread or the certificates cannot be had.
    pub fn start_tls(org: Org) -> io::Result<Self> {
        Self::start_tls_with(org, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None)
    }

    /// As [`Server::start_with`], over TLS.
    ///
    /// # Errors
    /// The address, the thread or the certificates cannot be had.
    pub fn start_tls_with(org: Org, addr: SocketAddr, admin: Option<Admin>) -> io::Result<Self> {
        Self::open(org, addr, admin, Some(Tls::new()?))
    }

    fn open(org: Org, addr: SocketAddr, admin: Option<Admin>, tls: Option<Tls>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{addr}");
        let (authority, acceptor) = tls.map(|t| (t.authority, t.acceptor)).unzip();
        let desk = admin.filter(|_| addr.ip().is_loopback());
        let seat = Seat {
            org,
            url: url.clone(),
            desk: desk.map(|admin| Arc::new(Desk::new(admin))),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                return;
            };
            let app = Router::new().fallback(handle).with_state(seat);
            let service = app.into_make_service_with_connect_info::<Knife>();
            tokio::select! {
                _ = axum::serve(Door::new(listener, acceptor), service) => {}
                _ = stopped => {}
            }
        };
        let thread = std::thread::Builder::new()
            .name("simulated-org".into())
            .spawn(move || {
                runtime.block_on(serve);
                runtime.shutdown_background();
            })?;
        Ok(Self {
            addr,
            url,
            authority,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Base URL, without a slash at the end: login host and API host in one.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Certificate of the authority, in PEM, of a server that speaks TLS.
    pub fn authority_pem(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Writes that certificate to a file, for clients that take one.
    ///
    /// # Errors
    /// The file cannot be written, or the server speaks plain HTTP.
    pub fn write_authority(&self, path: &Path) -> io::Result<()> {
        let pem = self.authority.as_ref();
        let pem = pem.ok_or_else(|| io::Error::other("this server speaks plain HTTP"))?;
        std::fs::write(path, pem)
    }

    /// Address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a server answers from.
#[derive(Debug, Clone)]
struct Seat {
    org: Org,
    /// The server's own address.
    url: String,
    desk: Option<Arc<Desk>>,
}

async fn handle(
    State(Seat { org, url, desk }): State<Seat>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    request: axum::extract::Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |t| t.as_str()).to_owned();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return send(&org, Reply::text(413, "text/html", "<h1>Payload Too Large</h1>"));
    };
    let mut request = Request::new(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
        parts.headers,
        body,
    )
    .at(&url);
    if let (Some(desk), Some("admin")) = (&desk, request.segments.first().map(String::as_str)) {
        return send(&org, admin::answer(desk, &org, &request));
    }
    let _visit = Visit::enter(&org, &mut request);
    let fault = befalls(&org, &request, &target);
    if let Some(Fault::Delay(time)) = fault {
        tokio::time::sleep(time).await;
    }
    let (reply, held) = match play::instead(fault.as_ref()) {
        Some(reply) => (reply, 0),
        None => answered(&org, &request, &target),
    };
    give_back(&org, held).await;
    if let Some(desk) = desk {
        desk.note(&org, &request.method, &target, &reply, fault.clone());
    }
    let gzip = gzip::accepted(&request);
    let least = org.lock().settings.gzip_from;
    let reply = play::encoded(fault.as_ref(), reply, gzip, least);
    if let Some(tape) = play::tape(fault.as_ref(), &reply, &headers(&org, &reply), gzip) {
        knife.play(tape);
    }
    send(&org, reply)
}

/// A request that is being answered, until it is dropped.
struct Visit {
    org: Org,
    number: u64,
}

impl Visit {
    fn enter(org: &Org, request: &mut Request) -> Self {
        let mut guard = org.lock();
        let state = &mut *guard;
        let (number, crowded) = state.visits.enter(&state.settings.limits);
        request.crowded = crowded;
        Self {
            org: org.clone(),
            number,
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.org.lock().visits.leave(self.number);
    }
}

/// What goes wrong with a request, if anything. A session that expires under it does so here.
fn befalls(org: &Org, request: &Request, target: &str) -> Option<Fault> {
    let state = &mut *org.lock();
    let (chaos, seed) = (&state.settings.chaos, state.settings.seed);
    let fault = state.faults.next(chaos, seed, &request.method, target);
    if fault == Some(Fault::SessionExpires) {
        play::end_session(state, request);
    }
    fault
}

/// Answers a request whatever happens; gives the ticket of the rows that it holds on to, 0 for none. A panic is
/// an error of this program: the client sees what the API says of its own, and what was written is undone.
fn answered(org: &Org, request: &Request, target: &str) -> (Reply, u64) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let (reply, ticket) = looked_at(org, request, target);
        (bulk::finish(org, reply), ticket)
    }));
    caught.unwrap_or_else(|_| {
        org.lock().recover();
        let message = "An unexpected error occurred. Please include this ErrorId if you contact support";
        let e = ApiError::new("UNKNOWN_EXCEPTION", message).status(500);
        (Reply::error(&e), 0)
    })
}

fn looked_at(org: &Org, request: &Request, target: &str) -> (Reply, u64) {
    let mut state = org.lock();
    if state.settings.behaviour.write_time.is_zero() {
        return (route::answer(&mut state, request, target), 0);
    }
    state.behaviour.locks.gather();
    let reply = route::answer(&mut state, request, target);
    (reply, state.behaviour.locks.keep().unwrap_or(0))
}

/// Ends a request's hold on the rows it wrote, after the time that writes take; 0 is no hold.
async fn give_back(org: &Org, ticket: u64) {
    if ticket == 0 {
        return;
    }
    let time = org.lock().settings.behaviour.write_time;
    tokio::time::sleep(time).await;
    org.lock().behaviour.locks.release(ticket);
}

/// Headers of a reply, but for its framing.
fn headers<'a>(org: &Org, reply: &'a Reply) -> Vec<(&'static str, Cow<'a, str>)> {
    let date = ("Date", Cow::from(http_date(org.clock().now())));
    let kind = (!reply.body.is_empty()).then(|| ("Content-Type", Cow::from(reply.content_type.as_ref())));
    let others = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, Cow::from(value.as_str())));
    [date].into_iter().chain(kind).chain(others).collect()
}

fn send(org: &Org, reply: Reply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in headers(org, &reply) {
        response = response.header(name, value.as_ref());
    }
    response.body(Body::from(reply.body)).unwrap_or_else(|_| {
        let mut broken = Response::new(Body::empty());
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
