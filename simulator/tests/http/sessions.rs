//! What tokens are good for and for how long: REST, the identity service, revocation, SOAP sign-in.
//!
//! Key decision: time is the org's clock, moved by the test; every refusal is compared with its text.
//! Not here: how tokens are got by OAuth (`oauth`, `grants`).

use std::time::Duration;

use halite_simulator::{Auth, CLIENT_ID, CLIENT_SECRET, PASSWORD};
use serde_json::{Value, json};

use crate::oauth::token;
use crate::support::{Session, code};

/// The sample org with the timeout of a new one.
fn sample() -> Session {
    let s = Session::sample();
    s.org
        .configure(|c| c.auth.session_timeout = Auth::default().session_timeout);
    s
}

fn minutes(s: &Session, n: u64) {
    s.org.clock().advance(Duration::from_secs(60 * n));
}

#[test]
fn a_session_slides_when_used_after_half_of_its_timeout() {
    let s = sample();
    minutes(&s, 59);
    assert_eq!(s.get("/limits").0, 200);
    minutes(&s, 61);
    let dead = s.get("/limits");
    assert_eq!(
        code(&dead),
        (401, "INVALID_SESSION_ID"),
        "used before half: it did not slide"
    );

    let s = sample();
    minutes(&s, 60);
    assert_eq!(s.get("/limits").0, 200);
    minutes(&s, 119);
    assert_eq!(s.get("/limits").0, 200, "used after half: it slid");
    s.org
        .configure(|c| c.auth.session_timeout = Duration::from_secs(15 * 60));
    minutes(&s, 15);
    assert_eq!(code(&s.get("/limits")), (401, "INVALID_SESSION_ID"));
}

#[test]
fn sessions_belong_to_users() {
    let mut s = Session::sample();
    s.token = s.org.access_token_of("ada@salt.example");
    let (status, made) = s.send("POST", "/sobjects/Account", &json!({"Name": "Ada's"}));
    assert_eq!(status, 201, "{made}");
    let row = s.org.row(made["id"].as_str().unwrap()).unwrap();
    assert_eq!(row["CreatedById"], json!(s.org.ui_user()));
    let ada = s.org.ui_user();
    s.org.update(&ada, &json!({"IsActive": false})).unwrap();
    assert_eq!(code(&s.get("/limits")), (401, "INVALID_SESSION_ID"));
    s.token = s.org.access_token_of("nobody");
    assert_eq!(code(&s.get("/limits")), (401, "INVALID_SESSION_ID"));
}

#[test]
fn headers_of_rest_calls() {
    let s = Session::sample();
    let with = |header: Option<&str>| {
        let get = s.client.get(s.url("/limits"));
        let get = header
            .into_iter()
            .fold(get, |get, h| get.header("authorization", h));
        get.send().unwrap()
    };
    for good in [
        format!("Bearer {}", s.token),
        format!("OAuth {}", s.token),
        format!("bearer  {}", s.token),
    ] {
        assert_eq!(with(Some(&good)).status(), 200, "{good}");
    }
    let invalid = json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]);
    for bad in [None, Some("Bearer nonsense")] {
        let reply = with(bad);
        assert_eq!(reply.status(), 401);
        assert_eq!(reply.headers()["www-authenticate"], "Token");
        assert_eq!(reply.json::<Value>().unwrap(), invalid);
    }
    let malformed = json!([{"message": "INVALID_HEADER_TYPE", "errorCode": "INVALID_AUTH_HEADER"}]);
    for bad in ["Bearer", "Basic YTpi", &s.token] {
        let reply = with(Some(bad));
        assert_eq!(
            (reply.status().as_u16(), reply.json::<Value>().unwrap()),
            (401, malformed.clone()),
            "{bad}"
        );
    }
    assert_eq!(
        s.client.get(s.url("/services/data")).send().unwrap().status(),
        200
    );
}

#[test]
fn login_hosts_answer_no_rest() {
    let s = Session::sample();
    let at = |path: &str| s.json(s.request("GET", path).header("host", "test.salesforce.com"));
    assert_eq!(code(&at("/limits")), (404, "NOT_FOUND"));
    assert_eq!(at("/services/data").0, 200);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("refresh_token", &s.org.refresh_token()),
    ];
    let post = |host: &str| {
        let post = s.client.post(s.url("/services/oauth2/token"));
        s.json(post.header("host", host).form(&form))
    };
    let (_, reply) = post("test.salesforce.com");
    assert_eq!(
        reply["instance_url"],
        json!(s.server.url()),
        "the server's own address"
    );
    assert!(
        reply["id"]
            .as_str()
            .unwrap()
            .starts_with("http://test.salesforce.com/id/00D")
    );
    assert_eq!(
        post("login.salesforce.com").1["error_description"],
        json!("authentication failure")
    );
    s.org.configure(|c| c.sandbox = false);
    assert_eq!(post("login.salesforce.com").0, 200);
}

#[test]
fn revoking_a_refresh_token_ends_what_came_of_it() {
    let mut s = Session::sample();
    let refresh = s.org.refresh_token();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("refresh_token", &refresh),
    ];
    let other = s.token.clone();
    s.token = token(&s, &form).1["access_token"].as_str().unwrap().to_owned();
    let revoke = |what: &str| {
        s.json(
            s.client
                .post(s.url("/services/oauth2/revoke"))
                .form(&[("token", what)]),
        )
    };
    assert_eq!(s.get("/limits").0, 200);
    assert_eq!(revoke(&refresh), (200, Value::Null));
    assert_eq!(code(&s.get("/limits")), (401, "INVALID_SESSION_ID"));
    assert_eq!(token(&s, &form).1["error"], json!("invalid_grant"));
    assert_eq!(revoke(&refresh).1["error"], json!("invalid_token"));
    assert_eq!(revoke("what").1["error"], json!("unsupported_token_type"));
    let by_get = |what: &str| {
        s.json(
            s.client
                .get(s.url("/services/oauth2/revoke"))
                .query(&[("token", what)]),
        )
    };
    assert_eq!(by_get(&other).0, 200);
    assert_eq!(by_get(&other).0, 400);
}

#[test]
fn who_a_token_belongs_to() {
    let s = Session::sample();
    let (org, user) = (s.org.org_id(), s.org.api_user());
    let url = |org: &str, user: &str| format!("{}/id/{org}/{user}", s.server.url());
    let (status, me) = s.json(s.client.get(url(&org[..15], &user[..15])).bearer_auth(&s.token));
    assert_eq!(status, 200);
    assert_eq!(me["username"], json!("halite@salt.example"));
    assert_eq!(me["id"], json!(url(&org, &user)));
    assert_eq!(
        me["last_modified_date"].as_str().unwrap().len(),
        "2022-02-15T23:21:10Z".len()
    );
    assert!(me["last_modified_date"].as_str().unwrap().ends_with('Z'));
    let urls = &me["urls"];
    let base = s.server.url();
    assert_eq!(
        urls["enterprise"],
        json!(format!("{base}/services/Soap/c/{{version}}/{}", &org[..15]))
    );
    assert_eq!(urls["rest"], json!(format!("{base}/services/data/v{{version}}/")));
    assert_eq!(urls["custom_domain"], json!(base));
    let by_query = s
        .client
        .get(url(&org, &user))
        .query(&[("oauth_token", s.token.as_str()), ("format", "json")]);
    assert_eq!(s.json(by_query).1, me);
    let (_, info) = s.get("/services/oauth2/userinfo");
    assert_eq!(info["sub"], me["id"]);
    assert_eq!(info["preferred_username"], json!("halite@salt.example"));
    assert_eq!(info["zoneinfo"], json!("Europe/Vienna"));
}

#[test]
fn refusals_of_the_identity_service_are_words() {
    let s = Session::sample();
    let (org, user) = (s.org.org_id(), s.org.api_user());
    let gone = s
        .org
        .rows("User")
        .into_iter()
        .find(|u| u["IsActive"] == json!(false))
        .unwrap();
    let get = |path: String, token: &str| {
        let get = s.client.get(format!("{}{path}", s.server.url()));
        let get = if token.is_empty() {
            get
        } else {
            get.bearer_auth(token)
        };
        let reply = get.send().unwrap();
        (reply.status().as_u16(), reply.text().unwrap())
    };
    for (path, token, status, word) in [
        (format!("/id/{org}/{user}"), "", 403, "Missing_OAuth_Token"),
        (format!("/id/{org}/{user}"), "wrong", 403, "Bad_OAuth_Token"),
        (
            "/services/oauth2/userinfo".to_owned(),
            "",
            403,
            "Missing_OAuth_Token",
        ),
        (
            "/services/oauth2/userinfo".to_owned(),
            "wrong",
            403,
            "Bad_OAuth_Token",
        ),
        (format!("/id/00D000000000001/{user}"), &s.token, 403, "Wrong_Org"),
        (format!("/id/{org}/005000000000001"), &s.token, 404, "Bad_Id"),
        (format!("/id/{org}/{org}"), &s.token, 404, "Bad_Id"),
        (
            format!("/id/{org}/{}", gone["Id"].as_str().unwrap()),
            &s.token,
            404,
            "Inactive",
        ),
    ] {
        assert_eq!(get(path.clone(), token), (status, word.to_owned()), "{path}");
    }
}

#[test]
fn introspection() {
    let s = sample();
    let ask = |secret: &str, token: &str| {
        let form = [
            ("client_id", CLIENT_ID),
            ("client_secret", secret),
            ("token", token),
        ];
        s.json(s.client.post(s.url("/services/oauth2/introspect")).form(&form))
    };
    let now = s.org.clock().now().as_second();
    let (_, access) = ask(CLIENT_SECRET, &s.token);
    assert_eq!(access["active"], json!(true));
    assert_eq!(access["username"], json!("halite@salt.example"));
    assert_eq!(access["token_type"], json!("access_token"));
    assert_eq!(
        (&access["iat"], &access["exp"]),
        (&json!(now), &json!(now + 7200))
    );
    assert_eq!(
        ask(CLIENT_SECRET, &s.org.refresh_token()).1["token_type"],
        json!("refresh_token")
    );
    assert_eq!(ask(CLIENT_SECRET, "wrong"), (200, json!({"active": false})));
    assert_eq!(ask("wrong", &s.token).1["error"], json!("invalid_client"));
}

/// A SOAP `login` at a version and a host.
fn login(s: &Session, version: &str, host: Option<&str>, user: &str, password: &str) -> (u16, String) {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?><env:Envelope xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\"><env:Body><n1:login xmlns:n1=\"urn:partner.soap.sforce.com\"><n1:username>{user}</n1:username><n1:password>{password}</n1:password></n1:login></env:Body></env:Envelope>"
    );
    let post = s.client.post(s.url(&format!("/services/Soap/u/{version}")));
    let post = host
        .into_iter()
        .fold(post, |post, host| post.header("host", host));
    let post = post
        .header("SOAPAction", "login")
        .header("Content-Type", "text/xml")
        .body(body);
    let reply = post.send().unwrap();
    (reply.status().as_u16(), reply.text().unwrap())
}

fn element(text: &str, name: &str) -> String {
    let (_, rest) = text
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name}: {text}"));
    rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
}

#[test]
fn soap_login_where_an_org_still_has_it() {
    let mut s = sample();
    let (status, off) = login(&s, "64.0", None, "ada@salt.example", PASSWORD);
    assert_eq!(status, 500);
    assert_eq!(element(&off, "faultcode"), "sf:INVALID_OPERATION");
    assert!(
        off.contains("SOAP API login() is disabled by default in this org."),
        "{off}"
    );
    s.org.configure(|c| c.auth.soap_login = true);
    let (_, gone) = login(&s, "65.0", None, "ada@salt.example", PASSWORD);
    assert_eq!(element(&gone, "faultcode"), "sf:UNSUPPORTED_API_VERSION");

    let (status, text) = login(
        &s,
        "64.0",
        Some("test.salesforce.com"),
        "ada@salt.example",
        PASSWORD,
    );
    assert_eq!(status, 200, "{text}");
    let org = s.org.org_id();
    assert_eq!(
        element(&text, "serverUrl"),
        format!("{}/services/Soap/u/64.0/{}", s.server.url(), &org[..15])
    );
    let order = [
        "metadataServerUrl",
        "passwordExpired",
        "sandbox",
        "serverUrl",
        "sessionId",
        "userId",
        "userInfo",
        "accessibilityMode",
        "organizationId",
        "profileId",
        "sessionSecondsValid",
        "userEmail",
        "userUiSkin",
    ];
    let at: Vec<usize> = order
        .iter()
        .map(|name| text.find(&format!("<{name}>")).unwrap())
        .collect();
    assert!(at.is_sorted(), "{text}");
    assert_eq!(element(&text, "userId"), s.org.ui_user());
    assert_eq!(element(&text, "sessionSecondsValid"), "7200");
    s.token = element(&text, "sessionId");
    assert_eq!(s.get("/limits").0, 200);
    assert_eq!(s.soap("<u:logout/>").0, 200);
    assert_eq!(code(&s.get("/limits")), (401, "INVALID_SESSION_ID"));
}

#[test]
fn faults_of_soap_login() {
    let s = Session::sample();
    s.org.configure(|c| c.auth.soap_login = true);
    let fault = |host: Option<&str>, user: &str, password: &str| {
        let (status, text) = login(&s, "64.0", host, user, password);
        assert_eq!(status, 500, "{text}");
        element(&text, "sf:exceptionCode")
    };
    assert_eq!(fault(None, "ada@salt.example", "wrong"), "INVALID_LOGIN");
    assert_eq!(fault(None, "nobody", PASSWORD), "INVALID_LOGIN");
    assert_eq!(fault(None, "gaway@salt.example", PASSWORD), "INVALID_LOGIN");
    assert_eq!(
        fault(Some("login.salesforce.com"), "ada@salt.example", PASSWORD),
        "INVALID_LOGIN"
    );
    s.org
        .configure(|c| c.auth.security_token = Some("TOKEN".to_owned()));
    assert_eq!(
        fault(None, "ada@salt.example", PASSWORD),
        "LOGIN_MUST_USE_SECURITY_TOKEN"
    );
    assert_eq!(
        login(&s, "64.0", None, "ada@salt.example", &format!("{PASSWORD}TOKEN")).0,
        200
    );
    s.org.configure(|c| c.auth.locked = true);
    assert_eq!(
        fault(None, "ada@salt.example", &format!("{PASSWORD}TOKEN")),
        "ORG_LOCKED"
    );
}

#[test]
fn a_login_host_is_no_destination_for_other_calls() {
    let s = Session::sample();
    let post = s
        .client
        .post(s.url("/services/Soap/u/64.0"))
        .header("host", "test.salesforce.com");
    let body = "<E><Body><getServerTimestamp/></Body></E>";
    let reply = post
        .header("SOAPAction", "\"\"")
        .header("Content-Type", "text/xml")
        .body(body)
        .send()
        .unwrap();
    assert_eq!(reply.status(), 500);
    assert!(reply.text().unwrap().contains("Destination URL not reset"));
}
