//! Bulk API 2.0 query jobs, from making one to the last page of its results.
//!
//! Key decision: what jobs find is compared with what REST's query finds, value by value.
//! Not here: ingest jobs (`bulk_ingest`).

use std::time::Duration;

use halite_simulator::{BulkFault, Org, Permission};
use serde_json::{Value, json};

use crate::support::{Session, code};

/// A page of results: rows by column, number of records, locator.
struct Page {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
    count: usize,
    locator: String,
    text: String,
}

fn create(s: &Session, soql: &str) -> (u16, Value) {
    s.send(
        "POST",
        "/jobs/query",
        &json!({"operation": "query", "query": soql}),
    )
}

fn made(s: &Session, body: &Value) -> String {
    let reply = s.send("POST", "/jobs/query", body);
    assert_eq!(reply.0, 200, "{reply:?}");
    reply.1["id"].as_str().unwrap().to_owned()
}

fn job(s: &Session, soql: &str) -> String {
    made(
        s,
        &json!({"operation": "query", "query": soql, "contentType": "CSV"}),
    )
}

fn state(s: &Session, id: &str) -> String {
    let reply = s.get(&format!("/jobs/query/{id}"));
    reply.1["state"]
        .as_str()
        .unwrap_or_else(|| panic!("{reply:?}"))
        .to_owned()
}

fn done(s: &Session, soql: &str) -> String {
    let id = job(s, soql);
    while state(s, &id) != "JobComplete" {}
    id
}

fn page(s: &Session, path: &str, delimiter: u8) -> Page {
    let response = s.request("GET", path).send().unwrap();
    assert_eq!(response.status(), 200, "{path}: {:?}", response.text());
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/csv");
    let (count, locator) = (
        header("sforce-numberofrecords").parse().unwrap(),
        header("sforce-locator"),
    );
    let text = response.text().unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let names = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = reader
        .records()
        .map(|r| r.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(rows.len(), count);
    Page {
        names,
        rows,
        count,
        locator,
        text,
    }
}

fn results(s: &Session, id: &str, max: usize) -> Vec<Page> {
    let mut pages = vec![page(
        s,
        &format!("/jobs/query/{id}/results?maxRecords={max}"),
        b',',
    )];
    while pages[pages.len() - 1].locator != "null" {
        let locator = &pages[pages.len() - 1].locator;
        let path = format!("/jobs/query/{id}/results?locator={locator}&maxRecords={max}");
        pages.push(page(s, &path, b','));
    }
    pages
}

fn first_column(pages: &[Page]) -> Vec<String> {
    let mut out: Vec<String> = pages
        .iter()
        .flat_map(|p| p.rows.iter().map(|r| r[0].clone()))
        .collect();
    out.sort();
    out
}

#[test]
fn the_life_of_a_job() {
    let s = Session::sample();
    let (status, made) = create(&s, "SELECT Id FROM Account");
    assert_eq!(status, 200);
    for (key, value) in [
        ("operation", json!("query")),
        ("object", json!("Account")),
        ("createdById", json!(s.org.api_user())),
        ("state", json!("UploadComplete")),
        ("concurrencyMode", json!("Parallel")),
        ("contentType", json!("CSV")),
        ("apiVersion", json!(67.0)),
        ("lineEnding", json!("LF")),
        ("columnDelimiter", json!("COMMA")),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("750") && id.len() == 18);
    assert_eq!(
        code(&s.get(&format!("/jobs/query/{id}/results"))),
        (400, "INVALIDJOBSTATE")
    );
    let states: Vec<String> = (0..4).map(|_| state(&s, id)).collect();
    assert_eq!(
        states,
        ["UploadComplete", "InProgress", "JobComplete", "JobComplete"]
    );
    // The 15 characters name it as well.
    let (_, info) = s.get(&format!("/jobs/query/{}", &id[..15]));
    assert_eq!(info["jobType"], json!("V2Query"));
    assert_eq!(info["numberRecordsProcessed"], json!(s.org.rows("Account").len()));
    assert_eq!(info["retries"], json!(0));
    assert!(info["totalProcessingTime"].as_u64().unwrap() > 0);
    assert!(info.get("errorMessage").is_none());
    let abort = s.send(
        "PATCH",
        &format!("/jobs/query/{id}"),
        &json!({"state": "Aborted"}),
    );
    assert_eq!(code(&abort), (400, "INVALIDJOBSTATE"));
    assert_eq!(
        abort.1[0]["message"],
        json!("Aborting already Completed Job not allowed")
    );
    assert_eq!(s.json(s.request("DELETE", &format!("/jobs/query/{id}"))).0, 204);
    assert_eq!(code(&s.get(&format!("/jobs/query/{id}"))), (404, "NOT_FOUND"));
}

#[test]
fn info_has_what_recorded_jobs_have() {
    let Some(path) = crate::support::recorded("responses/bulk2/query_job_created.json") else {
        return;
    };
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (_, made) = create(&Session::sample(), "SELECT Id FROM Account");
    let kinds = |v: &Value| -> Vec<(String, std::mem::Discriminant<Value>)> {
        v.as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| (k.clone(), std::mem::discriminant(v)))
            .collect()
    };
    assert_eq!(kinds(&made), kinds(&recorded));
    assert!(made["apiVersion"].is_f64() && recorded["apiVersion"].is_f64());
}

#[test]
fn pages_and_locators() {
    let s = Session::sample();
    let id = done(&s, "SELECT Id FROM Contact");
    let all: Vec<String> = s
        .org
        .rows("Contact")
        .iter()
        .map(|r| r["Id"].as_str().unwrap().to_owned())
        .collect();
    let pages = results(&s, &id, 20);
    assert!(pages.len() > 3);
    assert!(pages.iter().all(|p| p.count <= 20 && p.names == ["Id"]));
    assert_eq!(first_column(&pages), all);
    // The same again, in other pages, as long as the job is there.
    assert_eq!(first_column(&results(&s, &id, 1_000_000)), all);
    let again = page(
        &s,
        &format!(
            "/jobs/query/{id}/results?locator={}&maxRecords=20",
            pages[0].locator
        ),
        b',',
    );
    assert_eq!(again.text, pages[1].text);
    for bad in ["locator=zzz!", "locator=OTk5OTk5", "maxRecords=0", "maxRecords=x"] {
        assert_eq!(s.get(&format!("/jobs/query/{id}/results?{bad}")).0, 400, "{bad}");
    }
    let other = s
        .client
        .get(s.url(&format!("/services/data/v60.0/jobs/query/{id}/results")));
    assert_eq!(s.json(other.bearer_auth(&s.token)).0, 409);
}

#[test]
fn pages_to_fetch_side_by_side() {
    let s = Session::sample();
    s.org.configure(|c| c.bulk.page_rows = 10);
    let id = done(&s, "SELECT Id FROM Contact");
    let mut seen = Vec::new();
    let mut next = format!("/jobs/query/{id}/resultPages");
    let mut answers = 0;
    loop {
        let (status, body) = s.get(&next);
        assert_eq!(status, 200);
        answers += 1;
        let links = body["resultPages"].as_array().unwrap();
        assert!((1..=5).contains(&links.len()));
        for link in links {
            seen.push(page(&s, link["resultUrl"].as_str().unwrap(), b','));
        }
        if body["done"] == json!(true) {
            break;
        }
        next = body["nextRecordsUrl"].as_str().unwrap().to_owned();
    }
    assert!(answers > 1);
    assert_eq!(first_column(&seen), first_column(&results(&s, &id, 50)));
    let old = s
        .client
        .get(s.url(&format!("/services/data/v57.0/jobs/query/{id}/resultPages")));
    assert_eq!(s.json(old.bearer_auth(&s.token)).0, 404);
}

/// A value as REST sends it, in the words of the CSV.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace("+0000", "Z"),
        other => other.to_string(),
    }
}

#[test]
fn values_are_those_of_rest() {
    let s = Session::sample();
    s.org.configure(|c| c.bulk.exponents = false);
    for object in ["Account", "Mine__c", "Shaft__c", "Task", "Opportunity", "User"] {
        let (_, describe) = s.get(&format!("/sobjects/{object}/describe"));
        let fields: Vec<&str> = describe["fields"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| !["address", "location", "base64"].contains(&f["type"].as_str().unwrap()))
            .map(|f| f["name"].as_str().unwrap())
            .collect();
        let soql = format!("SELECT {} FROM {object} ORDER BY Id", fields.join(","));
        let (rows, _) = s.rows("/query", &soql);
        let pages = results(&s, &done(&s, &soql), 100_000);
        assert_eq!(pages[0].names, fields);
        assert_eq!(pages[0].rows.len(), rows.len());
        for (line, row) in pages[0].rows.iter().zip(&rows) {
            for (value, field) in line.iter().zip(&fields) {
                assert_eq!(*value, shown(&row[*field]), "{object}.{field}");
            }
        }
    }
}

#[test]
fn lines_as_they_are_written() {
    let org = Org::empty();
    org.create(
        "Account",
        &json!({"Name": "a \"b\", c", "Description": "one\ntwo", "AnnualRevenue": 350_000_000}),
    )
    .unwrap();
    let s = Session::on(org);
    let id = done(
        &s,
        "SELECT Name, Description, AnnualRevenue, Phone, Owner.Name, IsDeleted, CreatedDate FROM Account",
    );
    assert_eq!(
        results(&s, &id, 10)[0].text,
        "\"Name\",\"Description\",\"AnnualRevenue\",\"Phone\",\"Owner.Name\",\"IsDeleted\",\"CreatedDate\"\n\"a \"\"b\"\", c\",\"one\ntwo\",\"3.5E8\",\"\",\"Ada Lovelace\",\"false\",\"2026-01-05T08:00:01.000Z\"\n"
    );
    for (name, sign) in [
        ("BACKQUOTE", b'`'),
        ("CARET", b'^'),
        ("PIPE", b'|'),
        ("SEMICOLON", b';'),
        ("TAB", b'\t'),
    ] {
        let body = json!({"operation": "query", "query": "SELECT Id, Name FROM Account",
            "columnDelimiter": name, "lineEnding": "CRLF"});
        let id = made(&s, &body);
        while state(&s, &id) != "JobComplete" {}
        let page = page(&s, &format!("/jobs/query/{id}/results"), sign);
        assert_eq!((page.names.len(), page.rows[0].len()), (2, 2), "{name}");
        assert!(page.text.ends_with("\"\r\n"));
    }
}

#[test]
fn no_rows_and_shuffled_columns() {
    let s = Session::sample();
    let none = done(&s, "SELECT Id, Name FROM Account WHERE Name = 'nobody'");
    let pages = results(&s, &none, 10);
    assert_eq!(
        (pages[0].text.as_str(), pages[0].locator.as_str()),
        ("\"Id\",\"Name\"\n", "null")
    );
    s.org.configure(|c| c.bulk.empty_text = true);
    let text = s
        .request("GET", &format!("/jobs/query/{none}/results"))
        .send()
        .unwrap()
        .text();
    assert_eq!(text.unwrap(), "No records found for this query");
    s.org.configure(|c| c.bulk.shuffled_columns = true);
    let soql = "SELECT Id, Name, Phone, Industry, Owner.Name, CreatedDate FROM Account";
    let mut names = results(&s, &done(&s, soql), 10).remove(0).names;
    assert_ne!(names[0], "Id");
    names.sort();
    assert_eq!(
        names,
        ["CreatedDate", "Id", "Industry", "Name", "Owner.Name", "Phone"]
    );
}

#[test]
fn what_a_job_sees() {
    let s = Session::sample();
    let account = s.org.rows("Account")[0]["Id"].as_str().unwrap().to_owned();
    let soql = format!("SELECT Name FROM Account WHERE Id = '{account}' OR Name = 'late'");
    let change = |name: &str| s.org.update(&account, &json!({"Name": name})).unwrap();
    let late = || s.org.create("Account", &json!({"Name": "late"})).unwrap();
    for (frozen, sees) in [(true, "before"), (false, "after")] {
        s.org.configure(|c| c.bulk.frozen = frozen);
        let id = job(&s, &soql);
        change("before");
        assert_eq!([state(&s, &id), state(&s, &id)], ["UploadComplete", "InProgress"]);
        change("after");
        let extra = late();
        assert_eq!(state(&s, &id), "JobComplete");
        assert_eq!(first_column(&results(&s, &id, 10)), [sees]);
        s.org.delete(&extra).unwrap();
    }
    // A row that is gone altogether leaves its page, and the count says so.
    let gone = late();
    let id = done(&s, &soql);
    s.org.expire(&[&gone]).unwrap();
    assert_eq!(first_column(&results(&s, &id, 10)), ["after"]);
}

#[test]
fn deleted_rows_are_for_query_all() {
    let s = Session::sample();
    let id = s.org.rows("Task")[0]["Id"].as_str().unwrap().to_owned();
    s.org.delete(&id).unwrap();
    let soql = format!("SELECT Id, IsDeleted FROM Task WHERE Id = '{id}'");
    assert_eq!(results(&s, &done(&s, &soql), 10)[0].count, 0);
    let all = made(&s, &json!({"operation": "queryAll", "query": soql}));
    while state(&s, &all) != "JobComplete" {}
    assert_eq!(results(&s, &all, 10)[0].rows, [[id.as_str(), "true"]]);
}

#[test]
fn what_no_job_takes() {
    let s = Session::sample();
    s.org.configure(|c| c.bulk.unsupported = vec!["Lead".to_owned()]);
    for (soql, wanted) in [
        ("SELECT COUNT() FROM Account", "API_ERROR"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Name", "API_ERROR"),
        ("SELECT Id FROM Account OFFSET 5", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 200", "API_ERROR"),
        (
            "SELECT TYPEOF What WHEN Account THEN Phone END FROM Task",
            "API_ERROR",
        ),
        ("SELECT BillingAddress FROM Account", "API_ERROR"),
        ("SELECT VersionData FROM ContentVersion", "API_ERROR"),
        ("SELECT Id FROM Attachment", "INVALIDENTITY"),
        ("SELECT Id FROM TaskStatus", "INVALIDENTITY"),
        ("SELECT Id FROM Lead", "INVALIDENTITY"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Nothing FROM Account", "INVALID_FIELD"),
        ("SELECT FROM", "MALFORMED_QUERY"),
        ("", "API_ERROR"),
    ] {
        assert_eq!(code(&create(&s, soql)), (400, wanted), "{soql}");
    }
    let supported = create(&s, "SELECT Id FROM Attachment");
    assert_eq!(
        supported.1[0]["message"],
        json!("Entity 'Attachment' is not supported by the Bulk API.")
    );
    for (key, value) in [
        ("operation", "insert"),
        ("contentType", "XML"),
        ("columnDelimiter", ","),
        ("lineEnding", "CR"),
    ] {
        let mut body = json!({"operation": "query", "query": "SELECT Id FROM Account"});
        body[key] = json!(value);
        assert_eq!(s.send("POST", "/jobs/query", &body).0, 400, "{key}");
    }
    s.org
        .configure(|c| c.bulk.view_all_data_for = vec!["Account".to_owned()]);
    assert_eq!(create(&s, "SELECT Id FROM Account").0, 200);
    let user = s.org.api_user();
    s.org.permit(&user, |p| {
        p.revoke(Permission::ViewAllData);
        p.revoke(Permission::ModifyAllData);
    });
    assert_eq!(code(&create(&s, "SELECT Id FROM Account")), (400, "API_ERROR"));
    s.org.configure(|c| c.bulk.enabled = false);
    assert_eq!(
        code(&create(&s, "SELECT Id FROM Account")),
        (400, "FEATURENOTENABLED")
    );
}

#[test]
fn jobs_that_fail_and_jobs_that_are_aborted() {
    let s = Session::sample();
    let end = |fault: BulkFault| {
        s.org.fault_job("Account", fault);
        let id = job(&s, "SELECT Id FROM Account");
        (0..2).for_each(|_| drop(state(&s, &id)));
        let info = s.get(&format!("/jobs/query/{id}")).1;
        assert_eq!(
            code(&s.get(&format!("/jobs/query/{id}/results"))),
            (400, "INVALIDJOBSTATE")
        );
        info
    };
    let failed = end(BulkFault::Fail {
        message: Some("boom".to_owned()),
        after: 0,
    });
    assert_eq!(
        (&failed["state"], &failed["errorMessage"]),
        (&json!("Failed"), &json!("boom"))
    );
    assert!(
        end(BulkFault::Fail {
            message: None,
            after: 0
        })
        .get("errorMessage")
        .is_none()
    );
    assert_eq!(end(BulkFault::Abort { after: 0 })["state"], json!("Aborted"));
    let retried = end(BulkFault::Retries);
    assert!(
        retried["errorMessage"]
            .as_str()
            .unwrap()
            .contains("etried more than 15 times")
    );
    assert_eq!(retried["retries"], json!(15));
    // The client's own abort, and no delete before the end.
    let id = job(&s, "SELECT Id FROM Account");
    let path = format!("/jobs/query/{id}");
    assert_eq!(s.json(s.request("DELETE", &path)).0, 400);
    let (status, info) = s.send("PATCH", &path, &json!({"state": "Aborted"}));
    assert_eq!((status, &info["state"]), (200, &json!("Aborted")));
    assert_eq!(
        code(&s.send("PATCH", &path, &json!({"state": "UploadComplete"}))),
        (400, "INVALIDJOBSTATE")
    );
    assert_eq!(s.json(s.request("DELETE", &path)).0, 204);
}

#[test]
fn how_long_a_job_takes() {
    let s = Session::sample();
    s.org.configure(|c| {
        c.bulk.polls = 0;
        c.bulk.time = Duration::from_secs(60);
    });
    let id = job(&s, "SELECT Id FROM Account");
    assert_ne!(state(&s, &id), "JobComplete");
    s.org.clock().advance(Duration::from_secs(61));
    assert_eq!(
        page(&s, &format!("/jobs/query/{id}/results"), b',').locator,
        "null"
    );
    s.org.fault_job("", BulkFault::Polls(5));
    let slow = job(&s, "SELECT Id FROM Account");
    s.org.clock().advance(Duration::from_secs(61));
    let polls = (0..9).take_while(|_| state(&s, &slow) != "JobComplete").count();
    assert_eq!(polls, 5);
}

#[test]
fn lists_limits_and_the_end_of_a_job() {
    let s = Session::sample();
    s.org.configure(|c| c.bulk.daily_query_jobs = 3);
    let ids: Vec<String> = (0..3).map(|_| done(&s, "SELECT Id FROM Account")).collect();
    let refused = create(&s, "SELECT Id FROM Account");
    assert_eq!(code(&refused), (400, "LIMIT_EXCEEDED"));
    assert_eq!(
        refused.1[0]["message"],
        json!("Max bulk v2 query jobs (3) per 24 hrs has been reached")
    );
    let (_, limits) = s.get("/limits");
    assert_eq!(limits["DailyBulkV2QueryJobs"], json!({"Max": 3, "Remaining": 0}));
    let (_, list) = s.get("/jobs/query");
    let listed: Vec<&str> = list["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        (listed, &list["done"]),
        (ids.iter().map(String::as_str).collect(), &json!(true))
    );
    assert_eq!(s.get("/jobs/query?jobType=Classic").1["records"], json!([]));
    s.org.clock().advance(Duration::from_secs(24 * 3600));
    assert_eq!(create(&s, "SELECT Id FROM Account").0, 200);
    assert_eq!(s.get(&format!("/jobs/query/{}", ids[0])).0, 200);
    s.org.clock().advance(Duration::from_secs(6 * 24 * 3600));
    assert_eq!(s.get(&format!("/jobs/query/{}", ids[0])).0, 404);
}
