//! The web flow: a person signs in with a browser and lets the app in, and the code comes back to this machine.
//!
//! Key decision: a listener on the loopback address that takes one answer, told by a random state, within a time; the code
//! is worth nothing without the verifier, which never left this process (Salesforce Help, "OAuth 2.0 Web Server Flow";
//! RFC 7636 S256, RFC 8252). It opens no browser: whoever asked shows the address.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use halite_engine::base::clock::Clock;
use halite_engine::base::error::{Error, Kind, Result};
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::environment::Environment;
use super::grant::Grant;
use super::session::{refused, token_reply};
use crate::retry::{Patience, Wire};
use crate::transport::{Body, Call, Secret, Transport};

/// What is asked for: the API, who it is, and to come again.
const SCOPES: &str = "api id refresh_token";
/// The longest request line and headers that are read.
const REQUEST_MAX: usize = 16 << 10;
/// How long one connection may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often is looked whether somebody called.
const GLANCE: Duration = Duration::from_millis(50);

/// A sign-in by a browser that waits for its answer.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
/// use halite_connector::{Environment, WebSignIn};
///
/// # fn main() -> halite_engine::Result<()> {
/// let place = "http://localhost:1717/OauthRedirect";
/// let waiting = WebSignIn::begin(Environment::Production, "3MVG9...", None, place)?;
/// println!("open {}", waiting.address()?);
/// let grant = waiting.finish(&Arc::default(), Duration::from_secs(300))?;
/// # Ok(())
/// # }
/// ```
pub struct WebSignIn {
    environment: Environment,
    client_id: String,
    client_secret: Option<Secret>,
    redirect: Url,
    listener: TcpListener,
    state: Secret,
    verifier: Secret,
    clock: Clock,
}

impl WebSignIn {
    /// Listens for the answer at `redirect`, which must be a callback URL of the app, to the letter.
    ///
    /// # Errors
    /// `Invalid` where it is not plain http on this machine, `Io` where its port is taken.
    pub fn begin(
        environment: Environment,
        client_id: &str,
        client_secret: Option<Secret>,
        redirect: &str,
    ) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "`{redirect}` is no address that this machine can be called at"
            ))
            .hint("write it as http://localhost:1717/OauthRedirect, as it stands in the app")
        };
        let url = Url::parse(redirect).map_err(|_| wrong())?;
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
        let port = url
            .port()
            .filter(|_| url.scheme() == "http" && local && url.query().is_none());
        let port = port.ok_or_else(wrong)?;
        let taken = |e| {
            Error::io(format_args!("port {port} of this machine"), e)
                .hint("end the program that uses it, or give another --redirect that the app knows")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        let clock = Clock::system();
        let (state, verifier) = (clock.random::<24>()?, Zeroizing::new(clock.random::<96>()?));
        Ok(Self {
            environment,
            client_id: client_id.to_owned(),
            client_secret,
            redirect: url,
            listener,
            state: Secret::new(URL_SAFE_NO_PAD.encode(state)),
            verifier: Secret::new(URL_SAFE_NO_PAD.encode(*verifier)),
            clock,
        })
    }

    /// The address to open in a browser.
    ///
    /// # Errors
    /// `Invalid` where the environment has no login host.
    pub fn address(&self) -> Result<String> {
        let mut url = self
            .environment
            .login_host()?
            .join("/services/oauth2/authorize")?;
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", self.redirect.as_str()),
            ("scope", SCOPES),
            ("state", self.state.expose()),
            ("code_challenge", &challenge(self.verifier.expose())),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    /// Waits for the answer, at most `limit`, and turns it into a grant.
    ///
    /// # Errors
    /// `Denied` where the person said no, `Auth` where the org gives nothing to come again with, `Interrupted` if `cancel`
    /// is set, `Io` if nobody answered in time.
    pub fn finish(self, cancel: &Arc<AtomicBool>, limit: Duration) -> Result<Grant> {
        let code = self.code(cancel, limit)?;
        let login = self.environment.login_host()?;
        let transport = Transport::new(Arc::clone(cancel), login.is_local())?;
        let mut wire = Wire::new(transport, Patience::default(), self.clock.clone());
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose())
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", self.redirect.as_str())
            .append_pair("code_verifier", self.verifier.expose());
        if let Some(secret) = &self.client_secret {
            form.append_pair("client_secret", secret.expose());
        }
        let call = Call::post(
            "/services/oauth2/token",
            Body::Form(Zeroizing::new(form.finish())),
        );
        let reply = wire.ask(&login, &call, &token_reply).map_err(refused)?;
        let refresh_token = reply.refresh_token.ok_or_else(|| {
            Error::new(
                Kind::Auth,
                "the app gives no refresh token, so nobody could sign in again",
            )
            .hint("add the scope \"Perform requests at any time (refresh_token, offline_access)\" to the app")
        })?;
        Ok(Grant::Refresh {
            client_id: self.client_id,
            client_secret: self.client_secret,
            refresh_token,
        })
    }

    fn code(&self, cancel: &AtomicBool, limit: Duration) -> Result<Secret> {
        let begun = self.clock.instant();
        while begun.elapsed() < limit {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Some(answer) = self.hear(stream) {
                        return answer;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if !self.clock.wait(GLANCE, cancel) {
                        return Err(Error::new(Kind::Interrupted, "stopped before anybody signed in"));
                    }
                }
                // One who called and went away.
                Err(e) => tracing::debug!(%e, "a call that came to nothing"),
            }
        }
        let seconds = limit.as_secs();
        Err(Error::new(Kind::Io, format!("nobody signed in within {seconds} s")).hint("run it again"))
    }

    /// Answers one call; gives what the org said, if it was that.
    fn hear(&self, mut stream: TcpStream) -> Option<Result<Secret>> {
        let target = request(&mut stream)?;
        let url = self.redirect.join(&target).ok()?;
        let all: Vec<(String, Zeroizing<String>)> = url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())))
            .collect();
        let get = |name: &str| {
            all.iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.as_str())
        };
        if url.path() != self.redirect.path() || get("state") != Some(self.state.expose()) {
            answer(&mut stream, "404 Not Found", "There is nothing here.");
            return None;
        }
        if let Some(code) = get("code") {
            answer(
                &mut stream,
                "200 OK",
                "The org has answered. You can close this window.",
            );
            return Some(Ok(Secret::new(code)));
        }
        answer(
            &mut stream,
            "200 OK",
            "The org did not let the app in. You can close this window.",
        );
        let (error, why) = (
            get("error").unwrap_or("no code"),
            get("error_description").unwrap_or(""),
        );
        let text: String = format!("{error}: {why}")
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        let message = format!("the org did not let the app in: {text}");
        Some(Err(Error::new(Kind::Denied, message)
            .hint("let the app in; an app that is not installed is blocked: Setup, Connected Apps OAuth Usage, Install")))
    }
}

/// The challenge of a verifier (RFC 7636, 4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// The target of a GET; none for anything else.
fn request(stream: &mut TcpStream) -> Option<Zeroizing<String>> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut read = Zeroizing::new(vec![0; REQUEST_MAX]);
    let mut len = 0;
    while !read[..len].windows(4).any(|four| four == b"\r\n\r\n") {
        let more = stream.read(&mut read[len..]).ok().filter(|more| *more > 0)?;
        len += more;
    }
    let line = read[..len].split(|b| *b == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let fine = method == "GET"
        && target.starts_with('/')
        && !target.starts_with("//")
        && version.starts_with("HTTP/1");
    fine.then(|| Zeroizing::new(target.to_owned()))
}

fn answer(stream: &mut TcpStream, status: &str, text: &str) {
    let body = format!("<!DOCTYPE html><title>Halite</title><p>{text}</p>");
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whether the browser hears of it changes nothing.
    let _ = stream.write_all(reply.as_bytes()).and_then(|()| stream.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    /// A sign-in that waits at a free port, and the answers to what is sent there.
    fn told(requests: &[&dyn Fn(&str) -> String], limit: Duration) -> (Result<Secret>, Vec<String>) {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let place = format!("http://localhost:{free}/back");
        let waiting = WebSignIn::begin(Environment::Production, "app", None, &place).unwrap();
        let address = Url::parse(&waiting.address().unwrap()).unwrap();
        let state = address
            .query_pairs()
            .find(|(n, _)| n == "state")
            .unwrap()
            .1
            .into_owned();
        let texts: Vec<String> = requests.iter().map(|request| request(&state)).collect();
        std::thread::scope(|scope| {
            let sent = scope.spawn(move || {
                let send = |text: &String| {
                    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, free)).unwrap();
                    stream.write_all(text.as_bytes()).unwrap();
                    let mut reply = String::new();
                    let _ = stream.read_to_string(&mut reply);
                    reply
                };
                texts.iter().map(send).collect::<Vec<_>>()
            });
            let code = waiting.code(&AtomicBool::new(false), limit);
            drop(waiting);
            (code, sent.join().unwrap())
        })
    }

    #[test]
    fn strangers_are_not_heard_and_the_answer_is() {
        let minute = Duration::from_secs(60);
        let (code, replies) = told(
            &[
                &|_| "GET /back?code=evil&state=guess HTTP/1.1\r\n\r\n".into(),
                &|state| format!("GET /else?code=evil&state={state} HTTP/1.1\r\n\r\n"),
                &|state| format!("GET /back?code=a%2Bb&state={state} HTTP/1.1\r\nHost: x\r\n\r\n"),
            ],
            minute,
        );
        assert_eq!(code.unwrap().expose(), "a+b");
        assert!(replies[0].contains("404") && replies[1].contains("404") && replies[2].contains("200 OK"));
        assert!(!replies.concat().contains("a+b"));
        let (no, _) = told(
            &[&|state| {
                format!(
                    "GET /back?error=access_denied&error_description=end-user%0Adenied&state={state} HTTP/1.1\r\n\r\n"
                )
            }],
            minute,
        );
        let no = no.unwrap_err();
        assert_eq!(no.kind(), Kind::Denied);
        assert!(no.message().contains("access_denied: end-userdenied"), "{no}");
    }

    #[test]
    fn it_ends_when_nobody_comes() {
        let (nobody, _) = told(&[], Duration::ZERO);
        assert!(nobody.unwrap_err().message().contains("within 0 s"));
        for place in [
            "https://localhost:1/x",
            "http://localhost/x",
            "http://example.com:80/x",
            "x",
        ] {
            assert!(
                WebSignIn::begin(Environment::Production, "app", None, place).is_err(),
                "{place}"
            );
        }
    }
}
