//! TLS: a client that trusts the server's authority and nothing else, at every name the server goes by.
//!
//! Key decision: the client checks certificates for real; only the way from a name to the address is given.
//! Not here: what is said over the connection.

use halite_simulator::{Fault, Org, Server};
use reqwest::Certificate;
use reqwest::blocking::Client;
use serde_json::{Value, json};

fn client(server: &Server, name: &str) -> Client {
    let authority = Certificate::from_pem(server.authority_pem().unwrap().as_bytes()).unwrap();
    Client::builder()
        .tls_certs_only([authority])
        .resolve(name, server.addr())
        .build()
        .unwrap()
}

#[test]
fn every_name_has_a_certificate() {
    let server = Server::start_tls(Org::sample()).unwrap();
    assert!(server.url().starts_with("https://127.0.0.1:"));
    for name in [
        "login.salesforce.com",
        "test.salesforce.com",
        "salt.my.salesforce.com",
        "salt--dev.sandbox.my.salesforce.com",
    ] {
        let reply = client(&server, name)
            .get(format!("https://{name}/services/data"))
            .send();
        assert_eq!(reply.unwrap().status(), 200, "{name}");
    }
    let direct = client(&server, "unused")
        .get(format!("{}/services/data", server.url()))
        .send();
    assert_eq!(direct.unwrap().status(), 200);
    let port = server.addr().port();
    let local = format!("https://localhost:{port}/services/data");
    assert_eq!(client(&server, "unused").get(local).send().unwrap().status(), 200);
    let other = client(&server, "salt.example")
        .get("https://salt.example/services/data")
        .send();
    assert!(other.is_err(), "the certificate is not good for every name");
}

#[test]
fn urls_in_replies_are_of_tls() {
    let server = Server::start_tls(Org::sample()).unwrap();
    let name = "salt.my.salesforce.com";
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", halite_simulator::CLIENT_ID),
        ("client_secret", halite_simulator::CLIENT_SECRET),
    ];
    let post = client(&server, name).post(format!("https://{name}/services/oauth2/token"));
    let reply: Value = post.form(&form).send().unwrap().json().unwrap();
    assert_eq!(reply["instance_url"], json!("https://salt.my.salesforce.com"));
}

#[test]
fn strangers_are_not_trusted_and_plain_http_is_not_spoken() {
    let server = Server::start_tls(Org::empty()).unwrap();
    let other = Server::start_tls(Org::empty()).unwrap();
    let url = format!("{}/services/data", server.url());
    assert!(client(&other, "unused").get(&url).send().is_err());
    let plain = url.replace("https", "http");
    assert!(Client::new().get(plain).send().is_err());
    assert_eq!(client(&server, "unused").get(&url).send().unwrap().status(), 200);
}

#[test]
fn connections_break_as_they_do_without() {
    let org = Org::sample();
    let server = Server::start_tls(org.clone()).unwrap();
    let client = client(&server, "unused");
    let url = format!("{}/services/data", server.url());
    org.fault("/data", 1, Fault::Drop);
    assert!(client.get(&url).send().is_err());
    org.fault("/data", 1, Fault::HalfBody);
    let half = client.get(&url).send().unwrap();
    assert_eq!(half.status(), 200);
    assert!(half.bytes().is_err());
    assert_eq!(client.get(&url).send().unwrap().status(), 200);
}

#[test]
fn the_authority_goes_into_a_file() {
    let server = Server::start_tls(Org::empty()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("authority.pem");
    server.write_authority(&path).unwrap();
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        server.authority_pem().unwrap()
    );
    let plain = Server::start(Org::empty()).unwrap();
    assert!(plain.authority_pem().is_none());
    assert!(plain.write_authority(dir.path()).is_err());
}
