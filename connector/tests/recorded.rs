//! Replies recorded from real orgs by others, replayed through the public face.
//!
//! Key decision: each file is sent as it lies in the test data, and skipped loudly where that data is absent.
//! Nothing of it is copied into the project.

use std::path::PathBuf;

use halite_engine::base::error::Kind;
use halite_engine::format::describe::Describe;
use halite_engine::ops::org::{Outcome, Read, Scope, Source, Target};

use crate::server::{Server, reply};

/// A recorded reply, or none where the data is not there.
fn recorded(name: &str) -> Option<String> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let root = std::env::var_os("HALITE_SHARED_DATA").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let path = root.join("responses").join(name);
    let text = std::fs::read_to_string(&path);
    if text.is_err() {
        eprintln!(
            "SKIPPED: {} is not there; set HALITE_SHARED_DATA to the folder of test data",
            path.display()
        );
    }
    text.ok()
}

/// An org that answers everything but versions with this file.
fn replay(name: &str, status: u16) -> Option<Server> {
    let body = recorded(name)?;
    let kind = if name.ends_with(".xml") {
        "text/xml"
    } else {
        "application/json"
    };
    Some(Server::start(move |_| reply(status, kind, &body)))
}

fn rows(server: &Server) -> Result<Vec<String>, halite_engine::Error> {
    let describe = Describe::parse(br#"{"name":"X","fields":[{"name":"Id","type":"id"}]}"#).unwrap();
    let mut rows = Vec::new();
    server.org().read(
        Read {
            describe: &describe,
            fields: &["Id"],
            scope: Scope::All,
            from: None,
        },
        &mut |row| {
            rows.push(String::from_utf8(row.to_vec()).unwrap());
            Ok(())
        },
    )?;
    Ok(rows)
}

#[test]
fn pages_of_rows() {
    for (name, count) in [
        ("restforce/query_success_response.json", 1),
        ("restforce/query_empty_response.json", 0),
        ("restforce-db/query_rows.json", 1),
        ("restforce-db/query_zero.json", 0),
        ("sf-api-connector/query.json", 1),
        ("sf-api-connector/queryWithSubquery.json", 1),
    ] {
        let Some(server) = replay(name, 200) else { continue };
        let got = rows(&server).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(got.len(), count, "{name}");
        let whole = recorded(name).unwrap();
        assert!(
            got.iter().all(|row| whole.contains(row)),
            "{name}: a row is not verbatim"
        );
    }
}

#[test]
fn errors() {
    for (name, status, kind) in [
        ("restforce/query_error_response.json", 400, Kind::Invalid),
        ("restforce/expired_session_response.json", 401, Kind::Auth),
        (
            "restforce/sobject_describe_error_response.json",
            404,
            Kind::NotFound,
        ),
        ("restforce-db/delete_404.json", 404, Kind::NotFound),
    ] {
        let Some(server) = replay(name, status) else {
            continue;
        };
        assert_eq!(rows(&server).unwrap_err().kind(), kind, "{name}");
    }
}

#[test]
fn lists_of_sobjects_and_limits() {
    for name in [
        "camel/describeGlobal-4.json",
        "cumulusci/describeGlobal.json",
        "sf-api-connector/describeGlobal.json",
    ] {
        let Some(server) = replay(name, 200) else { continue };
        let all = server.org().sobjects().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(
            all.len() >= 4 && all.iter().any(|s| s.unreadable.is_none()),
            "{name}"
        );
    }
    for name in ["camel/limits.json", "swiftly/limits.json"] {
        let Some(server) = replay(name, 200) else { continue };
        let all = server
            .org()
            .allowances()
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(
            all.iter()
                .any(|a| a.name == "DailyApiRequests" && a.max >= a.remaining),
            "{name}"
        );
    }
}

#[test]
fn soap() {
    if let Some(server) = replay("wso2-soap/undeleteResponse.xml", 200) {
        let id = "0016F00002S4Wj0QAF".parse().unwrap();
        assert_eq!(server.org().undelete(&[id]).unwrap(), [Outcome::Done(id)]);
    }
    if let Some(server) = replay("wso2-soap/getServerTimestampResponse.xml", 200) {
        assert_eq!(
            server.org().now().unwrap().to_string(),
            "2020-07-03T09:14:41.321Z"
        );
    }
}

#[test]
fn the_root_tells_who_is_signed_in() {
    let Some(root) = recorded("restforce-db/services_root.json") else {
        return;
    };
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/services/data/v67.0/" => reply(200, "application/json", &root),
        _ => reply(403, "text/plain", "Bad_OAuth_Token"),
    });
    let identity = server.org().identity().unwrap();
    assert_eq!(identity.org.to_string(), "00D1a000000H3O9EAK");
    assert_eq!(identity.user.to_string(), "0051a000000UGT8AAO");
}
