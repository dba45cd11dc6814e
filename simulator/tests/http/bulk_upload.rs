//! Uploads of ingest jobs: formats, flaws, sizes, and orders that no job can be made of.
//!
//! Key decision: a flaw of the content makes the job fail, in the words that people reported; one of the order
//! is refused at once.
//! Not here: what the rows do (`bulk_ingest`).

use serde_json::{Value, json};

use crate::support::ingest::{closed, column, info, made, put, rows, run, text, turn};
use crate::support::{Session, code};

fn insert() -> Value {
    json!({"operation": "insert", "object": "Account"})
}

/// Name and Phone of the one account that an upload makes.
#[track_caller]
fn one(s: &Session, order: &Value, csv: impl Into<Vec<u8>>) -> (Value, Value) {
    let info = run(s, order, csv);
    assert_eq!(
        (&info["state"], &info["numberRecordsFailed"]),
        (&json!("JobComplete"), &json!(0)),
        "{info}"
    );
    let text = text(s, &info, "successfulResults");
    let id = text.split('"').find(|t| t.starts_with("001")).unwrap();
    let row = s.org.row(id).unwrap();
    (row["Name"].clone(), row["Phone"].clone())
}

#[test]
fn delimiters_and_line_ends() {
    let s = Session::sample();
    for (name, sign) in [
        ("COMMA", ","),
        ("BACKQUOTE", "`"),
        ("CARET", "^"),
        ("PIPE", "|"),
        ("SEMICOLON", ";"),
        ("TAB", "\t"),
    ] {
        for (ending, end) in [("LF", "\n"), ("CRLF", "\r\n")] {
            let mut order = insert();
            order["columnDelimiter"] = json!(name);
            order["lineEnding"] = json!(ending);
            let csv = format!("Name{sign}Phone{end}\"a{sign} \"\"b\"\"\"{sign}\"1\"{end}{end}{sign}{end}");
            let (got, phone) = one(&s, &order, csv);
            assert_eq!(
                (got, phone),
                (json!(format!("a{sign} \"b\"")), json!("1")),
                "{name} {ending}"
            );
        }
    }
}

#[test]
fn values_as_they_come() {
    let s = Session::sample();
    // Line ends within quotes, no line end at the end, names in any case.
    let csv = "nAmE,PHONE\n\"two\nlines\",\"é \u{1f9c2}\"";
    assert_eq!(
        one(&s, &insert(), csv),
        (json!("two\nlines"), json!("é \u{1f9c2}"))
    );
    // What is no UTF-8 is replaced in the org; the results give it back as it was.
    assert_eq!(
        one(&s, &insert(), b"Name\n\xff!\n".to_vec()).0,
        json!("\u{fffd}!")
    );
    // Results are written in the job's format.
    let order =
        json!({"operation": "insert", "object": "Account", "columnDelimiter": "PIPE", "lineEnding": "CRLF"});
    let info = run(&s, &order, "Phone|AccountNumber\r\n\"1\"\"|\"|x\r\n");
    assert_eq!(
        text(&s, &info, "failedResults"),
        "\"sf__Id\"|\"sf__Error\"|\"Phone\"|\"AccountNumber\"\r\n\"\"|\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\"|\"1\"\"|\"|\"x\"\r\n"
    );
    // No rows are no failure.
    let none = run(&s, &insert(), "Name\n");
    assert_eq!(
        (&none["state"], &none["numberRecordsProcessed"]),
        (&json!("JobComplete"), &json!(0))
    );
    // True and false as XML schema writes them.
    let mines = run(
        &s,
        &json!({"operation": "insert", "object": "Mine__c"}),
        "Name,Open_To_Visitors__c\na,1\nb,FALSE\nc,maybe\n",
    );
    let failed = rows(&s, &mines, "failedResults");
    assert_eq!(column(&failed, "Name"), ["c"]);
    assert!(failed[0][1].1.starts_with("INVALID_TYPE_ON_FIELD_IN_RECORD:"));
}

#[test]
fn flaws_make_a_job_fail() {
    let s = Session::sample();
    let before = s.org.rows("Account").len();
    let parse = |what: &str| format!("InvalidBatch : Failed to parse CSV. {what}");
    let quote = parse("Found unescaped quote. A value with quote should be within a quote");
    let ending = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF";
    let wide = format!("Name{}\nx\n", ",".repeat(5000));
    let long = format!("Name\nfine\n{}\n", "x".repeat(131_073));
    let fat = format!("Name,Phone,Fax,Site\n{0},{0},{0},{0}\n", "é".repeat(101_000));
    for (csv, message) in [
        ("", "InvalidBatch : Records not found".to_owned()),
        ("\n\n", "InvalidBatch : Records not found".to_owned()),
        (
            "Name,Nom\na,b\n",
            "InvalidBatch : Field name not found : Nom".to_owned(),
        ),
        (
            "Name;Phone\na;b\n",
            "InvalidBatch : Field name not found : Name;Phone".to_owned(),
        ),
        (
            "Name,\na,b\n",
            "InvalidBatch : Field name not found : ".to_owned(),
        ),
        (
            "Owner.Nothing\na\n",
            "InvalidBatch : Field name not found : Owner.Nothing".to_owned(),
        ),
        (
            "Case:Owner.Id\na\n",
            "InvalidBatch : Field name not found : Case:Owner.Id".to_owned(),
        ),
        (
            "Name,name\na,b\n",
            "InvalidBatch : Field name is there twice : name".to_owned(),
        ),
        (
            "\u{feff}Name\na\n",
            "InvalidBatch : Field name not found : \u{feff}Name".to_owned(),
        ),
        ("\u{feff}\"Name\"\na\n", quote.clone()),
        ("Name\na \"b\"\n", quote),
        (
            "Name\n\"a\" b\n",
            parse("Not expecting more text after end quote"),
        ),
        (
            "Name\nfine\n\"a\nb\n",
            parse("EOF reached before closing an opened quote"),
        ),
        (
            "Name,Phone\na,b\nc\n",
            parse("A row has 1 columns, the header has 2"),
        ),
        ("Name\r\na\r\n", ending.to_owned()),
        ("Name\nfine\nb\r\n", ending.to_owned()),
        (&wide, parse("Exceeded max number of columns per record : 5000")),
        (&long, parse("Exceeded max field size: 131073")),
        (
            &fat,
            parse(
                "Exceeded max length for one record: 404000. Max length for one record should be less than or equal to 400000",
            ),
        ),
    ] {
        let info = run(&s, &insert(), csv);
        assert_eq!(
            (
                &info["state"],
                &info["errorMessage"],
                &info["numberRecordsProcessed"]
            ),
            (&json!("Failed"), &json!(message), &json!(0))
        );
    }
    let mut order = insert();
    order["lineEnding"] = json!("CRLF");
    for csv in ["Name\na\n", "Name\r\na\n", "Name\r\na\r\n\n"] {
        let message = run(&s, &order, csv)["errorMessage"].clone();
        assert_eq!(message, json!(ending.replace(" LF", " CRLF")));
    }
    // Nothing of such a job is saved, and the rows before the flaw are to be had.
    assert_eq!(s.org.rows("Account").len(), before);
    let half = run(&s, &insert(), "Name\nfine\n\"a\n");
    assert_eq!(text(&s, &half, "unprocessedrecords"), "\"Name\"\n\"fine\"\n");
    let files = json!({"operation": "insert", "object": "ContentVersion"});
    let file = run(&s, &files, "Title,PathOnClient,VersionData\na,a.txt,YQ==\n");
    assert_eq!(
        file["errorMessage"],
        json!("FeatureNotEnabled : Binary field not supported")
    );
    s.org.configure(|c| c.bulk.skips_bom = true);
    assert_eq!(
        one(&s, &insert(), "\u{feff}\"Name\"\n\u{feff}a\n").0,
        json!("\u{feff}a")
    );
}

#[test]
fn orders_that_are_refused() {
    let s = Session::sample();
    for (key, value, refusal) in [
        ("operation", "", "API_ERROR"),
        ("operation", "undelete", "API_ERROR"),
        ("operation", "query", "API_ERROR"),
        ("contentType", "JSON", "API_ERROR"),
        ("columnDelimiter", ",", "API_ERROR"),
        ("lineEnding", "CR", "API_ERROR"),
        ("object", "", "INVALIDJOB"),
        ("object", "Attachment", "INVALIDENTITY"),
    ] {
        let mut order = insert();
        order[key] = json!(value);
        assert_eq!(
            code(&s.send("POST", "/jobs/ingest", &order)),
            (400, refusal),
            "{key}"
        );
    }
    let reply = s.send(
        "POST",
        "/jobs/ingest",
        &json!({"operation": "insert", "object": "Account", "contentType": "JSON"}),
    );
    assert_eq!(
        reply.1[0]["message"],
        json!("Invalid value: 'JSON' supplied for property: 'contentType'")
    );
    let plain = s
        .request("POST", "/jobs/ingest")
        .header("Content-Type", "text/plain");
    assert_eq!(code(&s.json(plain.body("{}"))), (415, "UNSUPPORTED_MEDIA_TYPE"));
    s.org.configure(|c| c.bulk.enabled = false);
    assert_eq!(
        code(&s.send("POST", "/jobs/ingest", &insert())),
        (400, "FEATURENOTENABLED")
    );
}

#[test]
fn uploads_that_are_refused() {
    let s = Session::sample();
    s.org.configure(|c| c.bulk.upload_bytes = 400);
    let id = made(&s, &insert());
    let path = format!("/jobs/ingest/{id}/batches");
    let json = s.request("PUT", &path).json(&json!([{"Name": "x"}]));
    assert_eq!(code(&s.json(json)), (415, "UNSUPPORTED_MEDIA_TYPE"));
    // 301 bytes are 404 in base64.
    assert_eq!(
        code(&put(&s, &id, "x".repeat(301))),
        (413, "REQUEST_ENTITY_TOO_LARGE")
    );
    assert_eq!(put(&s, &id, format!("Name\n{}\n", "x".repeat(250))).0, 201);
    let old = |method: &str, path: &str| {
        let url = s.url(&format!("/services/data/v60.0{path}"));
        s.client
            .request(method.parse().unwrap(), url)
            .bearer_auth(&s.token)
    };
    let put_old = old("PUT", &path)
        .header("Content-Type", "text/csv")
        .body("Name\nx\n");
    assert_eq!(s.json(put_old).0, 409);
    let close_old = old("PATCH", &format!("/jobs/ingest/{id}")).json(&json!({"state": "UploadComplete"}));
    assert_eq!(code(&s.json(close_old)), (409, "INVALIDVERSION"));
    assert_eq!(code(&turn(&s, &id, "JobComplete")), (400, "API_ERROR"));
    // A second upload is taken, and the job cannot be closed any more.
    assert_eq!(put(&s, &id, "Name\nx\n").0, 201);
    let reply = turn(&s, &id, "UploadComplete");
    assert_eq!(code(&reply), (400, "INVALIDJOB"));
    assert!(
        reply.1[0]["message"]
            .as_str()
            .unwrap()
            .contains(&format!("<{}>", &id[..15]))
    );
    assert_eq!(turn(&s, &id, "Aborted").0, 200);
    let list = old("GET", &format!("/jobs/ingest/{id}/failedResults"));
    assert_eq!(s.json(list).0, 409);
    assert_eq!(s.get(&format!("/jobs/ingest/{id}/otherResults")).0, 404);
    let id = closed(&s, &insert(), "Name\nx\n");
    assert_eq!(code(&put(&s, &id, "Name\ny\n")), (400, "INVALIDJOBSTATE"));
    assert_eq!(code(&turn(&s, &id, "UploadComplete")), (400, "INVALIDJOBSTATE"));
    // A job of the other kind is none.
    assert_eq!(s.get(&format!("/jobs/query/{id}")).0, 404);
    assert_eq!(put(&s, "750000000000000AAA", "Name\n").0, 404);
}

#[test]
fn made_and_uploaded_in_one_request() {
    let s = Session::sample();
    let send = |parts: &[(&str, &str)]| {
        let body: String = parts
            .iter()
            .map(|(name, text)| {
                format!("--BOUNDARY\r\nContent-Type: text/x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n{text}\r\n")
            })
            .collect();
        let request = s.request("POST", "/jobs/ingest");
        let kind = "multipart/form-data; boundary=\"BOUNDARY\"";
        s.json(
            request
                .header("Content-Type", kind)
                .body(format!("{body}--BOUNDARY--\r\n")),
        )
    };
    let job = insert().to_string();
    let (status, made) = send(&[("job", &job), ("content", "Name\nIn one\n")]);
    assert_eq!((status, &made["state"]), (200, &json!("UploadComplete")));
    let id = made["id"].as_str().unwrap();
    (0..3).for_each(|_| drop(info(&s, id)));
    assert_eq!(info(&s, id)["numberRecordsProcessed"], json!(1));
    let long = format!("Name\n{}\n", "é".repeat(99_995));
    assert_eq!(
        code(&send(&[("job", &job), ("content", &long)])),
        (400, "INVALIDJOB")
    );
    for parts in [
        &[("job", job.as_str())][..],
        &[("content", "Name\n")],
        &[("job", "{"), ("content", "Name\n")],
    ] {
        assert_eq!(send(parts).0, 400);
    }
}

#[test]
fn a_long_upload() {
    let s = Session::sample();
    s.org.configure(|c| c.bulk.polls = 0);
    // A hundred thousand Ids that name nothing, told back with their errors.
    let csv = format!("Id\n{}", "001Ha00000zzzzzAAA\n".repeat(100_000));
    let before = s.org.clock().now();
    let info = run(&s, &json!({"operation": "delete", "object": "Account"}), csv);
    assert_eq!(
        (&info["state"], &info["numberRecordsFailed"]),
        (&json!("JobComplete"), &json!(100_000))
    );
    // Each batch of 10,000 moves the clock by a step.
    assert_eq!(s.org.clock().now().duration_since(before).as_secs(), 10);
    assert_eq!(text(&s, &info, "failedResults").lines().count(), 100_001);
}
