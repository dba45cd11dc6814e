//! Files up and down.
//!
//! Key decision: what goes up as JSON or multipart comes down byte for byte, and its checksum is checked
//! against one worked out by hand.
//! Not here: which files a user may see.

use halite_simulator::Bin;
use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Session, code};

const HELLO: &str = "aGVsbG8gd29ybGQK";

fn down(s: &Session, path: &str) -> (u16, String, Vec<u8>) {
    let reply = s.request("GET", path).send().unwrap();
    let kind = reply
        .headers()
        .get("content-type")
        .map_or("", |v| v.to_str().unwrap())
        .to_owned();
    (reply.status().as_u16(), kind, reply.bytes().unwrap().to_vec())
}

fn version(s: &Session, values: &Value) -> Value {
    let (status, made) = s.send("POST", "/sobjects/ContentVersion", values);
    assert_eq!(status, 201, "{made}");
    s.get(&format!(
        "/sobjects/ContentVersion/{}",
        made["id"].as_str().unwrap()
    ))
    .1
}

fn links(s: &Session, document: &Value) -> Vec<(Value, Value, Value)> {
    let rows = s.org.rows("ContentDocumentLink");
    let own = rows.iter().filter(|r| r["ContentDocumentId"] == *document);
    own.map(|r| {
        (
            r["LinkedEntityId"].clone(),
            r["ShareType"].clone(),
            r["Visibility"].clone(),
        )
    })
    .collect()
}

#[test]
fn a_new_file() {
    let s = Session::sample();
    let account = s.org.rows("Account")[0]["Id"].clone();
    let row = version(
        &s,
        &json!({"PathOnClient": "C:\\in\\note.txt", "VersionData": HELLO, "FirstPublishLocationId": account}),
    );
    assert_eq!(row["Checksum"], json!("6f5902ac237024bdd0c176cb93063dc4"));
    for (field, value) in [
        ("ContentSize", json!(12)),
        ("FileExtension", json!("txt")),
        ("FileType", json!("TEXT")),
        ("VersionNumber", json!("1")),
        ("IsLatest", json!(true)),
        ("ContentLocation", json!("S")),
        ("Title", json!("note.txt")),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    let path = row["VersionData"].as_str().unwrap();
    let (status, kind, bytes) = down(&s, path);
    assert_eq!(
        (status, kind.as_str(), bytes.as_slice()),
        (200, "application/octet-stream", b"hello world\n".as_slice())
    );
    let document = s.org.row(row["ContentDocumentId"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&document["LatestPublishedVersionId"], &document["ContentSize"]),
        (&row["Id"], &json!(12))
    );
    let all = json!("AllUsers");
    assert_eq!(
        links(&s, &row["ContentDocumentId"]),
        [
            (json!(s.org.api_user()), json!("I"), all.clone()),
            (account.clone(), json!("V"), all),
        ]
    );
    let again =
        json!({"ContentDocumentId": row["ContentDocumentId"], "LinkedEntityId": account, "ShareType": "V"});
    assert_eq!(
        code(&s.send("POST", "/sobjects/ContentDocumentLink", &again)),
        (400, "DUPLICATE_VALUE")
    );
    let contact = s.org.rows("Contact")[0]["Id"].clone();
    let other =
        json!({"ContentDocumentId": row["ContentDocumentId"], "LinkedEntityId": contact, "ShareType": "V"});
    assert_eq!(s.send("POST", "/sobjects/ContentDocumentLink", &other).0, 201);
}

#[test]
fn the_next_version_and_the_end_of_a_document() {
    let s = Session::sample();
    let first = version(
        &s,
        &json!({"Title": "one", "PathOnClient": "a.pdf", "VersionData": HELLO}),
    );
    let document = first["ContentDocumentId"].clone();
    let second = version(
        &s,
        &json!({"PathOnClient": "b.csv", "VersionData": "YQ==", "ContentDocumentId": document, "Title": "two"}),
    );
    let old = s.org.row(first["Id"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&old["IsLatest"], &second["IsLatest"], &second["VersionNumber"]),
        (&json!(false), &json!(true), &json!("2"))
    );
    let id = document.as_str().unwrap();
    let row = s.org.row(id).unwrap();
    assert_eq!(
        (&row["Title"], &row["FileType"], &row["LatestPublishedVersionId"]),
        (&json!("two"), &json!("CSV"), &second["Id"])
    );
    assert_eq!(links(&s, &document).len(), 1);
    assert_eq!(
        s.send(
            "PATCH",
            &format!("/sobjects/ContentDocument/{id}"),
            &json!({"Title": "three"})
        )
        .0,
        204
    );
    assert_eq!(
        s.org.row(second["Id"].as_str().unwrap()).unwrap()["Title"],
        json!("three")
    );
    let path = format!("/sobjects/ContentVersion/{}", first["Id"].as_str().unwrap());
    assert_eq!(
        code(&s.json(s.request("DELETE", &path))),
        (400, "INVALID_TYPE_FOR_OPERATION")
    );
    assert_eq!(
        s.json(s.request("DELETE", &format!("/sobjects/ContentDocument/{id}")))
            .0,
        204
    );
    assert_eq!(s.org.bin(first["Id"].as_str().unwrap()), Bin::InBin);
    assert!(links(&s, &document).is_empty());
    assert_eq!(
        code(&s.get(&format!("{path}/VersionData"))),
        (404, "ENTITY_IS_DELETED")
    );
    s.org.undelete(id).unwrap();
    assert_eq!(down(&s, &format!("{path}/VersionData")).2, b"hello world\n");
}

#[test]
fn multipart_bodies() {
    let s = Session::sample();
    let bytes: Vec<u8> = (0..=255u8).cycle().take(10_000).chain(*b"\r\n--").collect();
    let form = |part: &str, json: Value, field: &str| {
        Form::new()
            .part(
                part.to_owned(),
                Part::text(json.to_string()).mime_str("application/json").unwrap(),
            )
            .part(
                field.to_owned(),
                Part::bytes(bytes.clone())
                    .file_name("a.bin")
                    .mime_str("application/octet-stream")
                    .unwrap(),
            )
    };
    let send = |method: &str, path: &str, form: Form| s.json(s.request(method, path).multipart(form));
    let (status, made) = send(
        "POST",
        "/sobjects/ContentVersion",
        form(
            "entity_content",
            json!({"Title": "t", "PathOnClient": "a.bin"}),
            "VersionData",
        ),
    );
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        down(&s, &format!("/sobjects/ContentVersion/{id}/VersionData")).2,
        bytes
    );
    let folder = s
        .send(
            "POST",
            "/sobjects/Folder",
            &json!({"Name": "f", "DeveloperName": "f", "AccessType": "Public", "Type": "Document"}),
        )
        .1["id"]
        .clone();
    let values = json!({"Name": "d", "FolderId": folder, "Type": "bin", "ContentType": "image/png"});
    let (status, made) = send(
        "POST",
        "/sobjects/Document",
        form("entity_document", values, "Body"),
    );
    assert_eq!(status, 201, "{made}");
    let path = format!("/sobjects/Document/{}", made["id"].as_str().unwrap());
    assert_eq!(s.get(&path).1["BodyLength"], json!(bytes.len()));
    let small = Form::new()
        .part(
            "whatever",
            Part::text("{\"Name\": \"e\"}")
                .mime_str("application/json")
                .unwrap(),
        )
        .part("Body", Part::bytes(b"small".to_vec()).file_name("e"));
    assert_eq!(send("PATCH", &path, small), (204, Value::Null));
    assert_eq!(
        down(&s, &format!("{path}/Body")),
        (200, "image/png".to_owned(), b"small".to_vec())
    );
    let wrong = json!({"Name": "d", "FolderId": s.org.rows("Account")[0]["Id"]});
    let refused = send(
        "POST",
        "/sobjects/Document",
        form("entity_document", wrong, "Body"),
    );
    assert_eq!(code(&refused), (400, "MALFORMED_ID"));
    let account = s.org.rows("Account")[0]["Id"].clone();
    let record = |part: &str| json!({"attributes": {"type": "Attachment", "binaryPartName": part, "binaryPartNameAlias": "Body"}, "Name": part, "ParentId": account});
    let body = json!({"allOrNone": false, "records": [record("one"), record("two"), record("lost")]});
    let form = Form::new()
        .part(
            "collection",
            Part::text(body.to_string()).mime_str("application/json").unwrap(),
        )
        .part("one", Part::bytes(b"1".to_vec()).file_name("1"))
        .part("two", Part::bytes(b"22".to_vec()).file_name("2"));
    let (status, results) = send("POST", "/composite/sobjects", form);
    assert_eq!(
        (status, &results[2]["success"]),
        (200, &json!(false)),
        "{results}"
    );
    let path = format!("/sobjects/Attachment/{}/Body", results[1]["id"].as_str().unwrap());
    assert_eq!(down(&s, &path).2, b"22");
}

#[test]
fn limits_and_refusals() {
    let s = Session::sample();
    let account = s.org.rows("Account")[0]["Id"].clone();
    let attachment = |body: &str| json!({"Name": "a", "ParentId": account, "Body": body});
    assert_eq!(
        code(&s.send("POST", "/sobjects/Attachment", &attachment("***"))),
        (400, "INVALID_TYPE_ON_FIELD_IN_RECORD")
    );
    assert_eq!(
        code(&s.send(
            "POST",
            "/sobjects/Attachment",
            &json!({"Name": "a", "ParentId": account})
        )),
        (400, "REQUIRED_FIELD_MISSING")
    );
    for lacking in [json!({"PathOnClient": "a"}), json!({"VersionData": HELLO})] {
        assert_eq!(
            code(&s.send("POST", "/sobjects/ContentVersion", &lacking)),
            (400, "REQUIRED_FIELD_MISSING")
        );
    }
    s.org.configure(|c| c.files.in_json = 11);
    assert_eq!(
        code(&s.send("POST", "/sobjects/Attachment", &attachment(HELLO))),
        (400, "FILE_SIZE_LIMIT_EXCEEDED")
    );
    s.org.configure(|c| {
        c.files.version = 12;
        c.files.other = 11;
        c.files.json_body = 400;
    });
    let form = |values: Value, field: &str| {
        let json = Part::text(values.to_string())
            .mime_str("application/json")
            .unwrap();
        Form::new().part("entity", json).part(
            field.to_owned(),
            Part::bytes(b"hello world\n".to_vec()).file_name("a"),
        )
    };
    let up =
        |object: &str, form: Form| s.json(s.request("POST", &format!("/sobjects/{object}")).multipart(form));
    assert_eq!(
        up(
            "ContentVersion",
            form(json!({"PathOnClient": "a"}), "VersionData")
        )
        .0,
        201
    );
    let refused = up(
        "Attachment",
        form(json!({"Name": "a", "ParentId": account}), "Body"),
    );
    assert_eq!(code(&refused), (400, "FILE_SIZE_LIMIT_EXCEEDED"));
    assert_eq!(
        s.send("POST", "/sobjects/Account", &json!({"Name": "x".repeat(400)}))
            .0,
        413
    );
    let broken = s
        .request("POST", "/sobjects/Attachment")
        .header("Content-Type", "multipart/form-data; boundary=b")
        .body("--b\r\nno");
    assert_eq!(code(&s.json(broken)).0, 400);
    let link = version(
        &s,
        &json!({"ContentLocation": "L", "ContentUrl": "https://salt.example", "Title": "l"}),
    );
    assert_eq!(
        (&link["FileType"], &link["VersionData"]),
        (&json!("LINK"), &Value::Null)
    );
    let path = format!(
        "/sobjects/ContentVersion/{}/VersionData",
        link["Id"].as_str().unwrap()
    );
    assert_eq!(code(&s.get(&path)), (404, "NOT_FOUND"));
}

#[test]
fn ranges_by_setting() {
    let s = Session::sample();
    let row = version(&s, &json!({"PathOnClient": "a", "VersionData": HELLO}));
    let path = format!(
        "/sobjects/ContentVersion/{}/VersionData",
        row["Id"].as_str().unwrap()
    );
    let part = |range: &str| {
        let reply = s.request("GET", &path).header("Range", range).send().unwrap();
        (reply.status().as_u16(), reply.text().unwrap())
    };
    assert_eq!(part("bytes=6-10"), (200, "hello world\n".to_owned()));
    s.org.configure(|c| c.files.ranges = true);
    assert_eq!(part("bytes=6-10"), (206, "world".to_owned()));
    assert_eq!(part("bytes=99-"), (416, String::new()));
}

#[test]
fn the_samples_files_are_there() {
    let s = Session::sample();
    for row in s.org.rows("ContentVersion") {
        let (status, _, bytes) = down(&s, row["VersionData"].as_str().unwrap());
        assert_eq!((status, json!(bytes.len())), (200, row["ContentSize"].clone()));
    }
}
