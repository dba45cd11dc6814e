//! What really came over the wire: the status of the last answer, or why there was none.
//!
//! Key decision: seen below `object_store`, since its errors do not tell a 409 from a 412, nor a store from the
//! machine's own service that gives out credentials. It changes nothing, and reads neither headers nor bodies.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

/// Where machines ask for the credentials of their role.
const GIVE_CREDENTIALS: [&str; 4] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "metadata.google.internal",
];

/// How the last request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The head of an answer came.
    Status(u16),
    /// None came.
    Silence(HttpErrorKind),
    /// It was a request for credentials, which this machine does not answer.
    NoCredentials,
}

tokio::task_local! {
    static LAST: Cell<Option<Seen>>;
}

/// Runs `work`, and says how its last request ended; none if there was none.
pub(super) async fn watched<T>(work: impl Future<Output = T>) -> (T, Option<Seen>) {
    LAST.scope(Cell::new(None), async {
        let outcome = work.await;
        (outcome, LAST.with(Cell::get))
    })
    .await
}

/// The usual client, watched.
#[derive(Debug)]
pub(super) struct Watching;

impl HttpConnector for Watching {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Watched(client)))
    }
}

struct Watched(HttpClient);

/// Requests have credentials in them: nothing of it is shown.
impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl HttpService for Watched {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        let for_credentials = request
            .uri()
            .host()
            .is_some_and(|host| GIVE_CREDENTIALS.contains(&host));
        Box::pin(async move {
            let answer = self.0.execute(request).await;
            let seen = match &answer {
                Ok(answer) if answer.status().is_success() => Seen::Status(answer.status().as_u16()),
                _ if for_credentials => Seen::NoCredentials,
                Ok(answer) => Seen::Status(answer.status().as_u16()),
                Err(e) => Seen::Silence(e.kind()),
            };
            let _ = LAST.try_with(|last| last.set(Some(seen)));
            answer
        })
    }
}
