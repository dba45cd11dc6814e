//! Bulk API 2.0 ingest jobs, from making one to what became of its rows.
//!
//! Key decision: what a job did is looked up in the org, not only in its results.
//! Not here: what an upload may look like (`bulk_upload`).

use std::time::Duration;

use halite_simulator::{Bin, BulkFault, Deed, Org, Permission};
use serde_json::{Value, json};

use crate::support::ingest::{closed, column, info, made, put, rows, run, text, turn};
use crate::support::{Session, code};

fn order(operation: &str, object: &str) -> Value {
    json!({"operation": operation, "object": object, "contentType": "CSV"})
}

fn upsert(object: &str, key: &str) -> Value {
    json!({"operation": "upsert", "object": object, "externalIdFieldName": key})
}

/// `n` accounts `Row 0`, `Row 1`, ..
fn accounts(n: usize) -> String {
    let lines = (0..n).map(|i| format!("Row {i}\n"));
    format!("Name\n{}", lines.collect::<String>())
}

fn named(s: &Session, name: &str) -> Vec<Value> {
    let all = s.org.rows("Account").into_iter().map(Value::Object);
    all.filter(|r| r["Name"] == json!(name)).collect()
}

#[test]
fn the_life_of_a_job() {
    let s = Session::sample();
    let before = s.org.rows("Account").len();
    let (status, made) = s.send("POST", "/jobs/ingest", &order("insert", "account"));
    assert_eq!(status, 200);
    let id = made["id"].as_str().unwrap();
    for (key, value) in [
        ("operation", json!("insert")),
        ("object", json!("Account")),
        ("createdById", json!(s.org.api_user())),
        ("state", json!("Open")),
        ("contentType", json!("CSV")),
        ("apiVersion", json!(67.0)),
        (
            "contentUrl",
            json!(format!("services/data/v67.0/jobs/ingest/{id}/batches")),
        ),
        ("lineEnding", json!("LF")),
        ("columnDelimiter", json!("COMMA")),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    let open = info(&s, id);
    assert_eq!(
        (&open["state"], &open["jobType"]),
        (&json!("Open"), &json!("V2Ingest"))
    );
    assert_eq!(put(&s, id, accounts(450)), (201, Value::Null));
    for list in ["successfulResults", "failedResults/", "unprocessedrecords"] {
        assert_eq!(
            code(&s.get(&format!("/jobs/ingest/{id}/{list}"))),
            (400, "INVALIDJOBSTATE")
        );
    }
    let (status, shut) = turn(&s, id, "UploadComplete");
    assert_eq!((status, &shut["state"]), (200, &json!("UploadComplete")));
    assert!(shut.get("contentUrl").is_none() && shut.get("lineEnding").is_none());
    // Rows are saved while the job runs, chunk by chunk.
    let seen: Vec<(String, u64, usize)> = (0..3)
        .map(|_| {
            let info = info(&s, id);
            let state = info["state"].as_str().unwrap().to_owned();
            let rows = s.org.rows("Account").len() - before;
            (state, info["numberRecordsProcessed"].as_u64().unwrap(), rows)
        })
        .collect();
    let wanted = [("UploadComplete", 0), ("InProgress", 400), ("JobComplete", 450)];
    for ((state, processed, rows), (name, n)) in seen.iter().zip(wanted) {
        assert_eq!(
            (state.as_str(), *processed, *rows),
            (name, n, usize::try_from(n).unwrap())
        );
    }
    let end = info(&s, id);
    assert_eq!(end["numberRecordsFailed"], json!(0));
    for time in ["totalProcessingTime", "apiActiveProcessingTime"] {
        assert!(end[time].as_u64().unwrap() > 0);
    }
    assert_eq!(end["apexProcessingTime"], json!(0));
    assert!(end.get("contentUrl").is_none() && end.get("errorMessage").is_none());
    // A row's Id leads to the row that its values made.
    let good = rows(&s, &end, "successfulResults");
    assert_eq!(good.len(), 450);
    for row in &good {
        assert_eq!((row[0].0.as_str(), row[1].0.as_str()), ("sf__Id", "sf__Created"));
        assert_eq!(s.org.row(&row[0].1).unwrap()["Name"], json!(row[2].1));
        assert_eq!(row[1].1, "true");
    }
    let order: Vec<&String> = good.iter().map(|r| &r[0].1).collect();
    assert!(!order.is_sorted());
    assert_eq!(
        text(&s, &end, "failedResults"),
        "\"sf__Id\",\"sf__Error\",\"Name\"\n"
    );
    assert_eq!(text(&s, &end, "unprocessedRecords/"), "\"Name\"\n");
    assert_eq!(s.json(s.request("DELETE", &format!("/jobs/ingest/{id}"))).0, 204);
    assert_eq!(code(&s.get(&format!("/jobs/ingest/{id}"))), (404, "NOT_FOUND"));
}

#[test]
fn infos_have_what_recorded_ones_have() {
    let s = Session::sample();
    let id = made(&s, &order("insert", "Account"));
    put(&s, &id, "Name\nx\n");
    let shut = turn(&s, &id, "UploadComplete").1;
    (0..3).for_each(|_| drop(info(&s, &id)));
    for (file, ours) in [
        ("ingest_job_upload_complete", &shut),
        ("ingest_job_complete", &info(&s, &id)),
    ] {
        let Some(path) = crate::support::recorded(&format!("responses/bulk2/{file}.json")) else {
            return;
        };
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let kinds = |v: &Value| -> Vec<(String, std::mem::Discriminant<Value>)> {
            let pairs = v.as_object().unwrap().iter();
            let mut kinds: Vec<_> = pairs
                .map(|(k, v)| (k.clone(), std::mem::discriminant(v)))
                .collect();
            kinds.sort_by(|a, b| a.0.cmp(&b.0));
            kinds
        };
        assert_eq!(kinds(ours), kinds(&recorded), "{file}");
    }
}

#[test]
fn rows_fail_one_by_one() {
    let s = Session::sample();
    let csv = "LastName,Email,Birthdate,AccountId\nGood,a@b.example,2001-02-03,\n,c@d.example,,\nBad,no address,,\nLate,,someday,\nLost,,,001Ha00000zzzzz\n";
    let info = run(&s, &order("insert", "Contact"), csv);
    assert_eq!(
        (
            &info["state"],
            &info["numberRecordsProcessed"],
            &info["numberRecordsFailed"]
        ),
        (&json!("JobComplete"), &json!(5), &json!(4))
    );
    let errors = column(&rows(&s, &info, "failedResults"), "sf__Error");
    let wanted = [
        "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:AccountId --",
        "INVALID_EMAIL_ADDRESS:Email: invalid email address: no address:Email --",
        "INVALID_TYPE_ON_FIELD_IN_RECORD:Birthdate: value not of required type: someday:Birthdate --",
        "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
    ];
    assert_eq!(errors, wanted);
    let good = rows(&s, &info, "successfulResults");
    assert_eq!(column(&good, "LastName"), ["Good"]);
    assert_eq!(
        s.org.row(&good[0][0].1).unwrap()["Birthdate"],
        json!("2001-02-03")
    );
}

#[test]
fn empty_is_not_given_and_a_sign_is_null() {
    let s = Session::sample();
    let values = json!({"Name": "Old", "Phone": "1", "Industry": "Energy", "Description": "old"});
    let id = s.org.create("Account", &values).unwrap();
    let csv = format!(
        "Id,Phone,Industry,Description\n{},,#N/A,\"n/a, null\"\n",
        &id[..15]
    );
    let info = run(&s, &order("update", "Account"), csv);
    assert_eq!(info["numberRecordsFailed"], json!(0));
    let row = s.org.row(&id).unwrap();
    for (field, value) in [
        ("Name", json!("Old")),
        ("Phone", json!("1")),
        ("Industry", Value::Null),
        ("Description", json!("n/a, null")),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    let good = rows(&s, &info, "successfulResults");
    assert_eq!(
        (good[0][0].1.as_str(), good[0][1].1.as_str()),
        (id.as_str(), "false")
    );
    assert_eq!(good[0][2].1, id[..15], "the values are those of the upload");
    let csv = "Id,Name\n,x\n003Ha0000000145,y\n";
    let failed = rows(&s, &run(&s, &order("update", "Account"), csv), "failedResults");
    let errors = column(&failed, "sf__Error");
    assert!(errors[0].starts_with("MALFORMED_ID:") && errors[1].starts_with("MISSING_ARGUMENT:"));
}

#[test]
fn upserts_make_and_change() {
    let s = Session::sample();
    let old = s
        .org
        .create("Account", &json!({"Name": "Old", "Customer_Number__c": "N1"}))
        .unwrap();
    let csv = "customer_number__c,Name\nn1,Changed\nN2,Made\n,Nameless\n";
    let info = run(&s, &upsert("Account", "customer_number__c"), csv);
    assert_eq!(info["externalIdFieldName"], json!("Customer_Number__c"));
    assert_eq!(s.org.row(&old).unwrap()["Name"], json!("Changed"));
    assert_eq!(named(&s, "Made")[0]["Customer_Number__c"], json!("N2"));
    let good = rows(&s, &info, "successfulResults");
    assert_eq!(column(&good, "sf__Created"), ["false", "true"]);
    let failed = rows(&s, &info, "failedResults");
    assert_eq!(
        failed[0][1].1,
        "MISSING_ARGUMENT:Customer_Number__c not specified:Customer_Number__c --"
    );
    for (order, message) in [
        (
            order("upsert", "Account"),
            "InvalidJob : External ID was blank for Account. An External ID must be specified for upsert.",
        ),
        (
            upsert("Account", "Phone"),
            "InvalidJob : Field name provided, Phone does not match an External ID for Account",
        ),
    ] {
        let reply = s.send("POST", "/jobs/ingest", &order);
        assert_eq!(
            (code(&reply), &reply.1[0]["message"]),
            ((400, "INVALIDJOB"), &json!(message))
        );
    }
}

#[test]
fn parents_by_their_keys() {
    let s = Session::sample();
    let account = s
        .org
        .create("Account", &json!({"Name": "P", "Customer_Number__c": "K7"}))
        .unwrap();
    let lead = s
        .org
        .create(
            "Lead",
            &json!({"LastName": "L", "Company": "C", "Email": "lead@salt.example"}),
        )
        .unwrap();
    let user = s.org.row(&s.org.ui_user()).unwrap()["Username"].clone();
    let user = user.as_str().unwrap();
    let csv = format!("LastName,Account.Customer_Number__c,Owner.Username\nChild,K7,{user}\nOrphan,K8,\n");
    let info = run(&s, &order("insert", "Contact"), csv);
    let good = rows(&s, &info, "successfulResults");
    let child = s.org.row(&good[0][0].1).unwrap();
    assert_eq!(
        (&child["AccountId"], &child["OwnerId"]),
        (&json!(account), &json!(s.org.ui_user()))
    );
    let failed = rows(&s, &info, "failedResults");
    assert_eq!(
        failed[0][1].1,
        "INVALID_FIELD:Foreign key external ID: k8 not found for field Customer_Number__c in entity Account:--"
    );
    let csv = format!("Id,Account.Customer_Number__c\n{},#N/A\n", good[0][0].1);
    run(&s, &order("update", "Contact"), csv);
    assert_eq!(s.org.row(&good[0][0].1).unwrap()["AccountId"], Value::Null);
    // The object before the colon picks one of several.
    let csv = format!("Subject,Lead:Who.Id\nCall,{lead}\n");
    let task = rows(&s, &run(&s, &order("insert", "Task"), csv), "successfulResults");
    assert_eq!(s.org.row(&task[0][0].1).unwrap()["WhoId"], json!(lead));
}

#[test]
fn deletes_and_hard_deletes() {
    let s = Session::sample();
    let ids: Vec<String> = (0..2)
        .map(|n| {
            s.org
                .create("Account", &json!({"Name": format!("Gone {n}")}))
                .unwrap()
        })
        .collect();
    let first = run(
        &s,
        &order("delete", "Account"),
        format!("Id\n{}\n{}\n", ids[0], ids[0]),
    );
    assert_eq!(s.org.bin(&ids[0]), Bin::InBin);
    let failed = rows(&s, &first, "failedResults");
    assert_eq!(
        (failed[0][0].1.as_str(), failed[0][1].1.as_str()),
        (ids[0].as_str(), "ENTITY_IS_DELETED:entity is deleted:--")
    );
    let refused = s.send("POST", "/jobs/ingest", &order("hardDelete", "Account"));
    assert_eq!(code(&refused), (400, "FEATURENOTENABLED"));
    assert!(
        refused.1[0]["message"]
            .as_str()
            .unwrap()
            .contains("special user profile permission")
    );
    s.org
        .permit(&s.org.api_user(), |p| p.grant(Permission::BulkApiHardDelete));
    let hard = run(&s, &order("hardDelete", "Account"), format!("Id\n{}\n", ids[1]));
    assert_eq!(hard["numberRecordsFailed"], json!(0));
    assert_eq!(s.org.bin(&ids[1]), Bin::Purged);
    let wide = run(
        &s,
        &order("delete", "Account"),
        format!("Id,Name\n{},x\n", ids[1]),
    );
    assert_eq!(
        (&wide["state"], &wide["errorMessage"]),
        (
            &json!("Failed"),
            &json!("InvalidBatch : The 'delete' batch must contain only ids")
        )
    );
}

#[test]
fn assignment_rules_are_named_or_do_not_run() {
    let s = Session::sample();
    let queue = s.org.rows("Group")[0]["Id"].as_str().unwrap().to_owned();
    s.org
        .configure(|c| drop(c.assignment.0.insert("Case".into(), queue.clone())));
    let owner = |rule: Option<&str>| {
        let mut order = order("insert", "Case");
        if let Some(rule) = rule {
            order["assignmentRuleId"] = json!(rule);
        }
        let info = run(&s, &order, "Subject\nx\n");
        let good = rows(&s, &info, "successfulResults");
        s.org.row(&good[0][0].1).unwrap()["OwnerId"].clone()
    };
    assert_eq!(owner(None), json!(s.org.api_user()));
    assert_eq!(owner(Some("01QHa0000000001")), json!(queue));
    for (object, rule) in [("Account", "01QHa0000000001"), ("Case", "001Ha0000000001")] {
        let mut order = order("insert", object);
        order["assignmentRuleId"] = json!(rule);
        assert_eq!(code(&s.send("POST", "/jobs/ingest", &order)), (400, "INVALIDJOB"));
    }
}

#[test]
fn the_rules_of_writing_hold() {
    let s = Session::sample();
    s.org.add_duplicate_rule("Names", "Account", &["Name"], false);
    let deed = Deed::SetField("Phone".into(), "\"555\"".into());
    s.org.on_save("Account", "Phones", None, deed).unwrap();
    let parent = s.org.create("Mine__c", &json!({"Name": "Locked"})).unwrap();
    // The headers of whoever looks do not steer the job.
    let id = closed(&s, &order("insert", "Account"), "Name\nTwin\nTwin\n");
    for _ in 0..3 {
        let request = s.request("GET", &format!("/jobs/ingest/{id}"));
        s.json(request.header("Sforce-Duplicate-Rule-Header", "allowSave=true"));
    }
    let end = info(&s, &id);
    let failed = rows(&s, &end, "failedResults");
    assert!(failed[0][1].1.starts_with("DUPLICATES_DETECTED:"), "{failed:?}");
    assert_eq!(named(&s, "Twin")[0]["Phone"], json!("555"));
    assert!(end["apexProcessingTime"].as_u64().unwrap() > 0);
    s.org.lock_row(&parent);
    let csv = format!("Mine__c\n{parent}\n");
    let locked = rows(&s, &run(&s, &order("insert", "Shaft__c"), csv), "failedResults");
    assert!(locked[0][1].1.starts_with("UNABLE_TO_LOCK_ROW:"));
    // A field that the user does not see is none; rights on the object count row by row.
    let user = s.org.api_user();
    s.org.permit(&user, |p| {
        p.field("Lead", "Phone").read = false;
        p.object("Case").create = false;
    });
    let unseen = run(&s, &order("insert", "Lead"), "LastName,Company,Phone\na,b,1\n");
    assert_eq!(
        unseen["errorMessage"],
        json!("InvalidBatch : Field name not found : Phone")
    );
    let barred = run(&s, &order("insert", "Case"), "Subject\nx\n");
    assert_eq!(barred["numberRecordsFailed"], json!(1));
    let locked = s.send("POST", "/jobs/ingest", &order("insert", "Nothing"));
    assert_eq!(code(&locked), (400, "INVALIDJOB"));
}

#[test]
fn jobs_that_end_half_way() {
    let s = Session::sample();
    let end = |fault: BulkFault| {
        s.org.fault_job("Account", fault);
        run(&s, &order("insert", "Account"), accounts(450))
    };
    let failed = end(BulkFault::Fail {
        message: Some("boom".into()),
        after: 1,
    });
    assert_eq!(
        (
            &failed["state"],
            &failed["errorMessage"],
            &failed["numberRecordsProcessed"]
        ),
        (&json!("Failed"), &json!("boom"), &json!(200))
    );
    // Every row is in one of the lists, once.
    let mut all = column(&rows(&s, &failed, "successfulResults"), "Name");
    let left = rows(&s, &failed, "unprocessedrecords");
    assert_eq!((all.len(), left.len(), left[0].len()), (200, 250, 1));
    all.extend(column(&left, "Name"));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 450);
    let aborted = end(BulkFault::Abort { after: 2 });
    assert_eq!(
        (&aborted["state"], &aborted["numberRecordsProcessed"]),
        (&json!("Aborted"), &json!(400))
    );
    let retried = end(BulkFault::Retries);
    assert_eq!(
        (&retried["state"], &retried["retries"]),
        (&json!("Failed"), &json!(10))
    );
    let lost = end(BulkFault::LoseResults);
    assert_eq!(
        (&lost["state"], &lost["numberRecordsProcessed"]),
        (&json!("JobComplete"), &json!(450))
    );
    assert!(rows(&s, &lost, "successfulResults").len() < 450);
    assert!(rows(&s, &lost, "unprocessedrecords").is_empty());
}

#[test]
fn aborting() {
    let s = Session::sample();
    // Before it began, half-way, and after its end.
    let early = closed(&s, &order("insert", "Account"), accounts(3));
    let (status, brief) = turn(&s, &early, "Aborted");
    assert_eq!((status, &brief["state"]), (200, &json!("Aborted")));
    assert_eq!(rows(&s, &brief, "unprocessedrecords").len(), 3);
    let half = closed(&s, &order("insert", "Account"), accounts(450));
    (0..2).for_each(|_| drop(info(&s, &half)));
    let brief = turn(&s, &half, "Aborted").1;
    assert_eq!(rows(&s, &brief, "successfulResults").len(), 400);
    assert_eq!(rows(&s, &brief, "unprocessedrecords").len(), 50);
    assert_eq!(named(&s, "Row 449").len(), 0);
    for state in ["Aborted", "UploadComplete"] {
        assert_eq!(code(&turn(&s, &half, state)), (400, "INVALIDJOBSTATE"));
    }
    let open = made(&s, &order("insert", "Account"));
    assert_eq!(
        s.json(s.request("DELETE", &format!("/jobs/ingest/{open}"))).0,
        400
    );
    assert_eq!(turn(&s, &open, "Aborted").0, 200);
    assert_eq!(code(&put(&s, &open, "Name\nx\n")), (400, "INVALIDJOBSTATE"));
    assert_eq!(
        s.json(s.request("DELETE", &format!("/jobs/ingest/{open}"))).0,
        204
    );
}

#[test]
fn whose_job_it_is() {
    let s = Session::sample();
    let id = made(&s, &order("insert", "Account"));
    put(&s, &id, "Name\nx\n");
    let other = s.org.access_token_of(&s.org.ui_user());
    let ask = |method: &str, path: &str| {
        let request = s.client.request(method.parse().unwrap(), s.url(path));
        request.bearer_auth(&other)
    };
    let path = format!("/jobs/ingest/{id}");
    assert_eq!(s.json(ask("GET", &path)).0, 404);
    s.org.configure(|c| c.bulk.others_jobs = true);
    assert_eq!(s.json(ask("GET", &path)).0, 200);
    let close = ask("PATCH", &path).json(&json!({"state": "UploadComplete"}));
    assert_eq!(code(&s.json(close)), (403, "INSUFFICIENT_ACCESS"));
    // The rows are the creator's, whoever looks.
    turn(&s, &id, "UploadComplete");
    (0..3).for_each(|_| drop(s.json(ask("GET", &path))));
    assert_eq!(named(&s, "x")[0]["CreatedById"], json!(s.org.api_user()));
}

#[test]
fn limits_lists_and_the_end_of_a_job() {
    let s = Session::sample();
    s.org.configure(|c| {
        c.bulk.polls = 0;
        c.bulk.daily_batches = 3;
        c.bulk.daily_records = 10_010;
    });
    let insert = order("insert", "Account");
    let first = run(
        &s,
        &order("delete", "Account"),
        format!("Id\n{}", "x\n".repeat(10_001)),
    );
    assert_eq!(
        (&first["numberRecordsProcessed"], &first["numberRecordsFailed"]),
        (&json!(10_001), &json!(10_001))
    );
    let left = |name: &str| s.get("/limits").1[name]["Remaining"].as_u64().unwrap();
    assert_eq!(left("DailyBulkApiBatches"), 1);
    let over = run(&s, &insert, accounts(10));
    assert_eq!(over["state"], json!("Failed"));
    assert!(
        over["errorMessage"]
            .as_str()
            .unwrap()
            .starts_with("ExceededQuota : Max bulk v2 ingest records")
    );
    assert_eq!(run(&s, &insert, accounts(9))["state"], json!("JobComplete"));
    let over = run(&s, &insert, accounts(1));
    assert_eq!(
        over["errorMessage"],
        json!("ExceededQuota : ApiBatchItems Limit exceeded.")
    );
    let listed = s.get("/jobs/ingest").1;
    let states: Vec<&str> = listed["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["JobComplete", "Failed", "JobComplete", "Failed"]);
    assert_eq!(s.get("/jobs/query").1["records"], json!([]));
    s.org.clock().advance(Duration::from_secs(24 * 3600));
    assert_eq!(run(&s, &insert, accounts(9))["state"], json!("JobComplete"));
    let path = format!("/jobs/ingest/{}", first["id"].as_str().unwrap());
    assert_eq!(s.get(&path).0, 200);
    s.org.clock().advance(Duration::from_secs(6 * 24 * 3600));
    assert_eq!(s.get(&path).0, 404);
    assert!(s.org.calls()["bulk"] > 20);
    let path = std::env::temp_dir().join(format!("halite-bulk-{}.org", std::process::id()));
    s.org.save(&path).unwrap();
    let again = Session::on(Org::load_saved(&path).unwrap());
    std::fs::remove_file(path).unwrap();
    assert_eq!(again.get("/jobs/ingest").1["records"], json!([]));
    assert_eq!(again.org.rows("Account").len(), s.org.rows("Account").len());
}
