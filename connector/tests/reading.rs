//! Reading rows: pages, dead cursors, stamps, slices of wide rows, counts that do not agree.
//!
//! Key decision: the server holds a small table and answers by the conditions in the query's text, so that a
//! wrong restart loses or repeats rows visibly. It does not parse SOQL.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::Describe;
use halite_engine::ops::org::{Read, Scope, Source};

use crate::server::{Asked, Server, error, id, json, page, reply};

fn describe(fields: &[(&str, &str)]) -> Describe {
    let field =
        |(name, kind): &(&str, &str)| format!(r#"{{"name":"{name}","type":"{kind}","filterable":true}}"#);
    let fields: Vec<String> = fields.iter().map(field).collect();
    Describe::parse(format!(r#"{{"name":"Account","fields":[{}]}}"#, fields.join(",")).as_bytes()).unwrap()
}

fn stamped() -> Describe {
    describe(&[("Id", "id"), ("Name", "string"), ("SystemModstamp", "datetime")])
}

/// What `read` hands over, as text.
fn rows(server: &Server, describe: &Describe, fields: &[&str], scope: Scope<'_>) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    server.org().read(
        Read {
            describe,
            fields,
            scope,
            from: None,
        },
        &mut |row| {
            rows.push(String::from_utf8(row.to_vec()).unwrap());
            Ok(())
        },
    )?;
    Ok(rows)
}

fn queries(server: &Server) -> Vec<String> {
    let soql = |asked: Asked| asked.path.split_once('?').map(|(_, soql)| soql.to_owned());
    server.asked().into_iter().filter_map(soql).collect()
}

/// A row with a stamp in second `s`.
fn row(n: u32, s: u32) -> String {
    format!(
        r#"{{"Id":"{}","SystemModstamp":"2024-01-01T00:00:{s:02}.000+0000"}}"#,
        id(n)
    )
}

#[test]
fn rows_come_as_the_org_wrote_them() {
    let text = r#"{ "attributes":{"type":"Account"},"Id":"001000000000001AAA", "A" : 400.0,"N":null}"#;
    let server = Server::start(move |asked| match asked.path.contains("/query/0r8") {
        false => page(2, &[text.into()], Some("/services/data/v67.0/query/0r8-1")),
        true => page(2, &[text.replace("400.0", "4e2")], None),
    });
    let got = rows(&server, &stamped(), &["Id", "Name"], Scope::All).unwrap();
    assert_eq!(got, [text.to_owned(), text.replace("400.0", "4e2")]);
    assert_eq!(queries(&server), ["SELECT Id,Name FROM Account ORDER BY Id"]);
    assert_eq!(server.count("/queryAll?"), 1);
}

#[test]
fn a_dead_cursor_goes_on_after_the_last_row() {
    // Five rows in pages of two; each cursor dies when its third page is asked for.
    let server = Server::start(|asked| {
        if asked.path.contains("/query/dies") {
            return error(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
        }
        let from = (1..=5)
            .rev()
            .find(|n| asked.path.contains(&format!("Id > '{}'", id(*n))))
            .map_or(1, |n| n + 1);
        let at = if asked.path.contains("/query/second") {
            3
        } else {
            from
        };
        let next = if at == 1 {
            "/services/data/v67.0/query/second"
        } else {
            "/services/data/v67.0/query/dies"
        };
        let all: Vec<String> = (at..(at + 2).min(6)).map(|n| row(n, 0)).collect();
        let total = if at == 3 && from == 1 {
            5
        } else {
            6 - from as usize
        };
        page(total, &all, (at + 2 < 6).then_some(next))
    });
    let got = rows(&server, &stamped(), &["Id"], Scope::All).unwrap();
    assert_eq!(got, (1..=5).map(|n| row(n, 0)).collect::<Vec<_>>());
    assert_eq!(
        queries(&server)[1],
        format!("SELECT Id FROM Account WHERE Id > '{}' ORDER BY Id", id(4))
    );
}

#[test]
fn a_cursor_that_never_moves_is_given_up() {
    let server = Server::start(|asked| match asked.path.contains("/query/dies") {
        true => error(400, "INVALID_QUERY_LOCATOR", "x"),
        false => page(9, &[], Some("/services/data/v67.0/query/dies")),
    });
    let failed = rows(&server, &stamped(), &["Id"], Scope::All).unwrap_err();
    assert!(failed.to_string().contains("same row"), "{failed}");
}

#[test]
fn since_is_ordered_and_resumed_by_the_stamp() {
    let server = Server::start(|asked| match asked.path.as_str() {
        path if path.contains("/query/dies") => error(400, "INVALID_QUERY_LOCATOR", "x"),
        path if path.contains("Id > ") => page(1, &[row(1, 8)], None),
        _ => page(
            3,
            &[row(4, 7), row(5, 7)],
            Some("/services/data/v67.0/query/dies"),
        ),
    });
    let since: Stamp = "2024-01-01T00:00:05Z".parse().unwrap();
    let got = rows(
        &server,
        &stamped(),
        &["Id", "SystemModstamp"],
        Scope::Since(since),
    )
    .unwrap();
    assert_eq!(got, [row(4, 7), row(5, 7), row(1, 8)]);
    let head = "SELECT Id,SystemModstamp FROM Account WHERE SystemModstamp >= 2024-01-01T00:00:05.000Z";
    let (order, s) = ("ORDER BY SystemModstamp, Id", "SystemModstamp");
    let at = "2024-01-01T00:00:07.000Z";
    let resumed = format!(
        "{head} AND ({s} > {at} OR ({s} = {at} AND Id > '{}')) {order}",
        id(5)
    );
    assert_eq!(queries(&server), [format!("{head} {order}"), resumed]);
    assert!(
        server.asked()[1].head.contains("%3A05.000Z"),
        "the query is encoded"
    );
}

#[test]
fn since_takes_the_best_stamp_there_is() {
    let since = Scope::Since(Stamp::from_millis(0));
    for (fields, by) in [
        (
            &[("Id", "id"), ("CreatedDate", "datetime")][..],
            Some("CreatedDate"),
        ),
        (
            &[
                ("Id", "id"),
                ("CreatedDate", "datetime"),
                ("LastModifiedDate", "datetime"),
            ],
            Some("LastModifiedDate"),
        ),
        (&[("Id", "id")], None),
    ] {
        let server = Server::start(|_| page(0, &[], None));
        rows(&server, &describe(fields), &["Id"], since).unwrap();
        let expected = by.map_or("SELECT Id FROM Account ORDER BY Id".into(), |by| {
            format!("SELECT Id FROM Account WHERE {by} >= 1970-01-01T00:00:00.000Z ORDER BY {by}, Id")
        });
        assert_eq!(queries(&server), [expected]);
    }
}

#[test]
fn rows_that_do_not_add_up_are_an_error() {
    let server = Server::start(|_| page(3, &[row(1, 0), row(2, 0)], None));
    let failed = rows(&server, &stamped(), &["Id"], Scope::All).unwrap_err();
    assert!(
        failed.to_string().contains("counts 3 rows and gave 2"),
        "{failed}"
    );

    let server = Server::start(|_| json(r#"{"totalSize":1,"done":false,"records":[]}"#));
    let failed = rows(&server, &stamped(), &["Id"], Scope::All).unwrap_err();
    assert!(failed.to_string().contains("more and not where"), "{failed}");
}

#[test]
fn an_error_of_the_engine_ends_the_reading() {
    let server = Server::start(|_| page(4, &[row(1, 0), row(2, 0)], Some("/services/data/v67.0/query/x")));
    let mut seen = 0;
    let describe = stamped();
    let read = Read {
        describe: &describe,
        fields: &["Id"],
        scope: Scope::All,
        from: None,
    };
    let ended = server.org().read(read, &mut |_| {
        seen += 1;
        Err(Error::new(Kind::Quota, "vault full"))
    });
    assert_eq!(
        (ended.unwrap_err().kind(), seen, server.count("/query/x")),
        (Kind::Quota, 1, 0)
    );
}

/// The rows whose Ids stand in a request, in the body of a composite call if that is where they stand.
fn named(asked: &Asked) -> Vec<u8> {
    let found: Vec<String> = (0..2000)
        .filter(|n| asked.path.contains(&id(*n)) || asked.body.contains(&id(*n)))
        .map(|n| row(n, 0))
        .collect();
    let rows = format!(
        r#"{{"totalSize":{},"done":true,"records":[{}]}}"#,
        found.len(),
        found.join(",")
    );
    if asked.body.is_empty() {
        return json(rows);
    }
    json(format!(
        r#"{{"compositeResponse":[{{"body":{rows},"httpHeaders":{{}},"httpStatusCode":200,"referenceId":"r0"}}]}}"#
    ))
}

#[test]
fn many_ids_are_asked_for_in_one_query() {
    let all: Vec<RecordId> = (0..2000).map(|n| id(n).parse().unwrap()).collect();
    let server = Server::start(named);
    let got = rows(&server, &stamped(), &["Id"], Scope::Ids(&all)).unwrap();
    assert_eq!(got, (0..2000).map(|n| row(n, 0)).collect::<Vec<_>>());
    let asked = server.asked();
    let bodies: Vec<usize> = asked
        .iter()
        .map(|a| a.body.len())
        .filter(|len| *len > 0)
        .collect();
    assert!(bodies.len() == 1 && bodies[0] < 100_000, "{bodies:?}");
}

#[test]
fn ids_of_a_query_that_is_too_long_are_asked_for_few_at_a_time() {
    let all: Vec<RecordId> = (0..2000).map(|n| id(n).parse().unwrap()).collect();
    let server = Server::start(|asked| {
        if asked.body.is_empty() {
            named(asked)
        } else {
            error(400, "QUERY_TOO_COMPLICATED", "too many")
        }
    });
    let got = rows(&server, &stamped(), &["Id"], Scope::Ids(&all)).unwrap();
    assert_eq!(got, (0..2000).map(|n| row(n, 0)).collect::<Vec<_>>());
    let longest = server.asked().iter().map(|a| a.head.len()).max().unwrap();
    assert!(longest < 12_000, "{longest}");
}

#[test]
fn ids_must_ascend() {
    let server = Server::start(|_| page(2, &[row(2, 0), row(1, 0)], None));
    let failed = server.org().ids("Account", &mut |_| Ok(())).unwrap_err();
    assert!(failed.to_string().contains("out of order"), "{failed}");
    assert_eq!(queries(&server), ["SELECT Id FROM Account ORDER BY Id"]);
    assert_eq!(server.count("/queryAll"), 0, "live rows only");
}

/// Wide rows: the server answers the fields that are selected, each with its own name and the row's edit count.
#[test]
fn wide_rows_are_joined_and_never_torn() {
    let names: Vec<String> = (0..400)
        .map(|n| format!("A_rather_long_custom_field_name_{n:03}__c"))
        .collect();
    let mut fields = vec![("Id", "id"), ("SystemModstamp", "datetime")];
    fields.extend(names.iter().map(|name| (name.as_str(), "string")));
    let describe = describe(&fields);
    let wanted: Vec<&str> = std::iter::once("Id")
        .chain(names.iter().map(String::as_str))
        .collect();
    let mut asked_before = 0;
    let server = Server::start(move |asked| {
        asked_before += 1;
        // Row 2 is edited once, between the first and the second slice; row 3 is purged there.
        let late = asked_before > 1;
        let selected = asked
            .path
            .split_once("SELECT ")
            .unwrap()
            .1
            .split_once(" FROM")
            .unwrap()
            .0
            .to_owned();
        let among = |n: &u32| !asked.path.contains("Id IN") || asked.path.contains(&id(*n));
        let row = |n: u32| {
            let edit = if n == 2 && late { 9 } else { 0 };
            let value = |name: &str| match name {
                "Id" => format!(r#""Id":"{}""#, id(n)),
                "SystemModstamp" => format!(r#""SystemModstamp":"2024-01-01T00:00:{edit:02}.000+0000""#),
                name => format!(r#""{name}":"{name} {edit}""#),
            };
            let values: Vec<String> = selected.split(',').map(value).collect();
            format!(r#"{{"attributes":{{"type":"Account"}},{}}}"#, values.join(","))
        };
        let all: Vec<String> = (1..=4)
            .filter(|n| *n != 3 || !late)
            .filter(among)
            .map(row)
            .collect();
        page(all.len(), &all, None)
    });
    let mut got = rows(&server, &describe, &wanted, Scope::All).unwrap();
    got.sort();
    let expected = |n: u32| {
        let edit = if n == 2 { 9 } else { 0 };
        let values: Vec<String> = names
            .iter()
            .map(|name| format!(r#""{name}":"{name} {edit}""#))
            .collect();
        format!(
            r#"{{"attributes":{{"type":"Account"}},"Id":"{}",{}}}"#,
            id(n),
            values.join(",")
        )
    };
    assert!(
        got.iter().all(|row| !row.contains("SystemModstamp")),
        "not asked for, so not handed over"
    );
    assert_eq!(got, [expected(1), expected(2), expected(4)]);
    assert!(server.asked().iter().all(|a| a.head.len() < 12_000));
    assert!(queries(&server)[1].contains(&format!("Id >= '{}' AND Id <= '{}'", id(1), id(4))));
}

#[test]
fn what_cannot_be_read_says_why() {
    let names = [
        "Account",
        "Foo__e",
        "AccountChangeEvent",
        "Foo__b",
        "ContentDocumentLink",
        "NoteAndAttachment",
    ];
    let listed = names
        .map(|name| format!(r#"{{"name":"{name}","queryable":true}}"#))
        .join(",");
    let body = format!(r#"{{"sobjects":[{listed},{{"name":"Hidden","queryable":false}}]}}"#);
    let server = Server::start(move |_| json(&body));
    let all = server.org().sobjects().unwrap();
    let unreadable: Vec<bool> = all.iter().map(|s| s.unreadable.is_some()).collect();
    assert_eq!(unreadable, [false, true, true, true, true, true, true]);
    for (at, words) in [
        (1, "platform event"),
        (4, "give the user the right"),
        (5, "nothing is missing"),
        (6, "licence"),
    ] {
        let why = all[at].unreadable.as_deref().unwrap();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn a_describe_is_verbatim_and_whole() {
    let text = "{ \"name\" : \"Account\",\n \"fields\":[] }";
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/services/data/v67.0/sobjects/Account/describe" => json(text),
        _ => reply(
            404,
            "application/json",
            r#"[{"errorCode":"NOT_FOUND","message":"no"}]"#,
        ),
    });
    assert_eq!(server.org().describe("Account").unwrap(), text.as_bytes());
    assert_eq!(server.org().describe("Nope").unwrap_err().kind(), Kind::NotFound);
}
