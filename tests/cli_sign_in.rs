//! Signing in through the binary: by a browser with PKCE, and by an assertion that a key signs.
//!
//! Key decision: the simulated org judges both by the documentation; the browser is a few lines of HTTP that follow one
//! redirect. Not here: client credentials and tokens, by which every other test signs in.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use halite_engine::base::clock::Clock;
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Consent};

use crate::cli_connections::Place;

/// GETs an address of this machine; gives the reply.
fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// Connects by a browser that does what `browse` does with the address; the status and all that was said.
fn by_browser(place: &Place, more: &[&str], browse: impl FnOnce(&str, &str)) -> (i32, String) {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let back = format!("http://localhost:{port}/OauthRedirect");
    place
        .org
        .configure(|s| s.auth.app.redirect_uris.push(back.clone()));
    let args = [
        "connect",
        "acme",
        "--environment",
        &place.url,
        "--client-id",
        CLIENT_ID,
        "--web",
        "--redirect",
        &back,
    ];
    let mut child = place
        .command(&[&args[..], more].concat())
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap().unwrap();
        if line.contains("/services/oauth2/authorize?") {
            break line;
        }
        said.push_str(&line);
    };
    browse(&address, &back);
    lines.for_each(|line| said.push_str(&line.unwrap()));
    let output = child.wait_with_output().unwrap();
    said.push_str(&String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), said)
}

fn location(reply: &str) -> String {
    let line = reply
        .lines()
        .find(|line| line.to_lowercase().starts_with("location: "));
    line.unwrap_or_else(|| panic!("no redirect in {reply}"))[10..].to_owned()
}

#[test]
fn by_a_browser_and_then_without_one() {
    let place = Place::new();
    place.org.configure(|s| {
        s.auth.consent = Consent::Allow;
        s.auth.app.require_pkce = true;
        s.auth.app.rotate_refresh_tokens = true;
    });
    let mut code = String::new();
    let (status, said) = by_browser(&place, &["--only", "Account"], |address, back| {
        assert!(
            address.contains("code_challenge_method=S256") && address.contains("state="),
            "{address}"
        );
        // Somebody else calls before: he is not heard.
        assert!(get(&format!("{back}?code=evil&state=guessed")).starts_with("HTTP/1.1 404"));
        let to = location(&get(address));
        code = to
            .split("code=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap()
            .to_owned();
        assert!(get(&to).contains("You can close this window"));
    });
    assert_eq!(status, 0, "{said}");
    assert!(
        !said.contains(&code) && !said.contains(CLIENT_SECRET),
        "a secret was said"
    );
    for _ in 0..2 {
        assert!(place.ends(0, &["backup", "acme"]).contains("snapshot "));
    }
    assert!(
        place
            .ends(0, &["disconnect", "acme"])
            .contains("took the token back")
    );
}

#[test]
fn a_person_who_says_no_and_an_app_that_gives_nothing_to_come_again_with() {
    let place = Place::new();
    place.org.configure(|s| s.auth.consent = Consent::Deny);
    let (status, said) = by_browser(&place, &[], |address, _| {
        get(&location(&get(address)));
    });
    assert_eq!(status, 1);
    assert!(
        said.contains("access_denied") && said.contains("Install"),
        "{said}"
    );
    assert!(place.ends(0, &["connections"]).contains("no connections"));
    let (status, said) = by_browser(&place, &["--wait", "0s"], |_, _| {});
    assert_eq!(status, 1);
    assert!(said.contains("nobody signed in within 0 s"), "{said}");
}

#[test]
fn by_a_key() {
    let place = Place::new();
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pem = |label: &str, der: &[u8]| {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    };
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let file = place.dir.path().join("key.pem");
    let text = pem("PRIVATE KEY", private.as_ref());
    fs::write(&file, &text).unwrap();
    place.org.configure(|s| {
        s.auth.app.public_key = Some(pem("PUBLIC KEY", public.as_ref()));
    });
    // An assertion is judged by the org's clock.
    place
        .org
        .clock()
        .set(Clock::system().now().to_string().parse().unwrap());
    let file = file.to_str().unwrap();
    let with = |user| {
        [
            "connect",
            "acme",
            "--environment",
            &place.url,
            "--client-id",
            CLIENT_ID,
            "--jwt-key-file",
            file,
            "--username",
            user,
        ]
    };
    let error = place.ends(1, &with("ada@salt.example"));
    assert!(
        error.contains("approved this consumer") && error.contains("Connected Apps OAuth Usage"),
        "{error}"
    );
    place.org.approve("ada@salt.example");
    place.ends(0, &with("ada@salt.example"));
    fs::remove_file(file).unwrap();
    place.org.expire_sessions();
    assert!(
        place
            .ends(0, &["backup", "acme", "--only", "Account"])
            .contains("snapshot 1")
    );
    assert!(
        place
            .ends(0, &["disconnect", "acme"])
            .contains("no token to take back")
    );
    fs::write(
        file,
        "-----BEGIN PRIVATE KEY-----\naHVzaA==\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    let error = place.ends(1, &with("ada@salt.example"));
    assert!(error.contains("not RSA") && !error.contains("aHVzaA"), "{error}");
}
