//! The setup as rows: what fires on writes, asked by both APIs.
//!
//! Key decision: everything is set up by `/admin` and read by a plain client, in the words of the API's documentation.
//! Not here: what rules and automation do (`rules`, `behave`).

use halite_simulator::{Org, Permission};
use serde_json::{Value, json};

use crate::admin::Desk;
use crate::support::{Session, code};

fn tooling(s: &Session, soql: &str) -> (u16, Value) {
    s.json(s.request("GET", "/tooling/query").query(&[("q", soql)]))
}

/// The rows of a reply, without `attributes`.
fn rows(reply: (u16, Value)) -> Vec<Value> {
    let (status, mut body) = reply;
    assert_eq!(status, 200, "{body}");
    let mut rows = body["records"].as_array_mut().unwrap().clone();
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("attributes");
    }
    rows
}

fn custom() -> Org {
    let field =
        json!({"name": "Name", "type": "string", "length": 80, "createable": true, "filterable": true});
    let describe = json!({"name": "Invoice__c", "label": "Invoice", "custom": true, "queryable": true,
        "createable": true, "fields": [{"name": "Id", "type": "id"}, field]});
    Org::sample().with_describe(&describe).unwrap()
}

#[test]
fn triggers_are_told_with_their_object_and_events() {
    let d = Desk::new(None);
    let add = |event: &str, deed: Value| {
        let body = json!({"object": "Account", "name": "Guard", "event": event, "deed": deed});
        d.done("POST", "/behaviour/automation", Some(&body));
    };
    add("save", json!({"SetField": ["Fax", "'1'"]}));
    add("undelete", json!({"CreateRow": ["Task", {"Subject": "'back'"}]}));
    let other = json!({"object": "Contact", "name": "Other", "event": "delete", "deed": {"Refuse": "no"}});
    d.done("POST", "/behaviour/automation", Some(&other));
    let usage =
        "UsageBeforeInsert, UsageAfterInsert, UsageBeforeUpdate, UsageBeforeDelete, UsageAfterUndelete";
    let soql = format!(
        "SELECT Name, Status, TableEnumOrId, {usage} FROM ApexTrigger WHERE TableEnumOrId IN ('Account', 'Lead')"
    );
    let wanted = json!([{"Name": "Guard", "Status": "Active", "TableEnumOrId": "Account", "UsageBeforeInsert": true,
        "UsageAfterInsert": false, "UsageBeforeUpdate": true, "UsageBeforeDelete": false, "UsageAfterUndelete": true}]);
    assert_eq!(json!(rows(tooling(&d.0, &soql))), wanted);
    let off = json!({"name": "Other", "active": false});
    let switched = d.done("POST", "/behaviour/active", Some(&off));
    assert_eq!(switched, json!({"switched": 1}));
    let soql = "SELECT Name, UsageBeforeDelete FROM ApexTrigger WHERE Status = 'Inactive'";
    assert_eq!(
        json!(rows(tooling(&d.0, soql))),
        json!([{"Name": "Other", "UsageBeforeDelete": true}])
    );
    let contact = d.0.org.create("Contact", &json!({"LastName": "x"})).unwrap();
    let gone =
        d.0.json(d.0.request("DELETE", &format!("/sobjects/Contact/{contact}")));
    assert_eq!(gone.0, 204, "what is off refuses nothing");
}

#[test]
fn rules_and_flows_are_told_and_what_is_off_does_nothing() {
    let d = Desk::new(None);
    let s = &d.0;
    let rule = json!({"object": "Lead", "formula": "Company = 'x'", "message": "no", "field": "Company"});
    d.done("POST", "/behaviour/rules", Some(&rule));
    let twins = json!({"name": "Twins", "object": "Lead", "fields": ["LastName"], "block": true});
    d.done("POST", "/behaviour/duplicate_rules", Some(&twins));
    let flow =
        json!({"object": "Lead", "name": "Fill", "flow": true, "deed": {"SetField": ["Title", "'t'"]}});
    d.done("POST", "/behaviour/automation", Some(&flow));
    let told = || {
        let of_rules = "SELECT Id, ValidationName, ErrorMessage FROM ValidationRule WHERE Active = true AND EntityDefinitionId = 'Lead'";
        let of_flows = "SELECT ApiName, TriggerType, RecordTriggerType FROM FlowDefinitionView WHERE TriggerObjectOrEventId = 'Lead' AND ActiveVersionId != null";
        let of_twins = "SELECT DeveloperName, IsActive FROM DuplicateRule WHERE SobjectType = 'Lead' AND IsActive = true";
        let mut of_rules = rows(tooling(s, of_rules));
        of_rules
            .iter_mut()
            .for_each(|row| row["Id"] = json!(row["Id"].as_str().unwrap()[..3]));
        json!([of_rules, rows(s.query(of_flows)), rows(s.query(of_twins))])
    };
    let wanted = json!([
        [{"Id": "03d", "ValidationName": "Rule_1", "ErrorMessage": "no"}],
        [{"ApiName": "Fill", "TriggerType": "RecordBeforeSave", "RecordTriggerType": "CreateAndUpdate"}],
        [{"DeveloperName": "Twins", "IsActive": true}],
    ]);
    assert_eq!(told(), wanted);
    let lead = || {
        s.send(
            "POST",
            "/sobjects/Lead",
            &json!({"LastName": "a", "Company": "x"}),
        )
    };
    assert_eq!(code(&lead()).1, "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    for name in ["Rule_1", "Fill", "Twins"] {
        let off = json!({"name": name, "active": false});
        assert_eq!(
            d.done("POST", "/behaviour/active", Some(&off)),
            json!({"switched": 1})
        );
    }
    assert_eq!(told(), json!([[], [], []]));
    let (status, made) = lead();
    assert_eq!((status, lead().0), (201, 201));
    assert_eq!(
        s.org.row(made["id"].as_str().unwrap()).unwrap()["Title"],
        Value::Null
    );
}

#[test]
fn a_workflow_rule_says_in_its_metadata_whether_it_is_at_work() {
    let d = Desk::new(None);
    let rule = json!({"name": "Tell", "object": "Case", "trigger": "onCreateOnly"});
    d.done("POST", "/behaviour/workflow_rules", Some(&rule));
    let found = rows(tooling(
        &d.0,
        "SELECT Id, Name FROM WorkflowRule WHERE TableEnumOrId = 'Case'",
    ));
    assert_eq!(found[0]["Name"], json!("Tell"));
    let url = format!(
        "/services/data/v67.0/tooling/sobjects/WorkflowRule/{}",
        found[0]["Id"].as_str().unwrap()
    );
    let body = json!({"compositeRequest": [{"method": "GET", "url": url, "referenceId": "a"}]});
    let metadata = || {
        let (_, reply) = d.0.send("POST", "/composite", &body);
        let whole = reply["compositeResponse"][0]["body"].clone();
        assert_eq!(whole["TableEnumOrId"], json!("Case"), "{reply}");
        (
            whole["Metadata"]["active"].clone(),
            whole["Metadata"]["triggerType"].clone(),
        )
    };
    assert_eq!(metadata(), (json!(true), json!("onCreateOnly")));
    d.done(
        "POST",
        "/behaviour/active",
        Some(&json!({"name": "Tell", "active": false})),
    );
    assert_eq!(metadata().0, json!(false));
    assert_eq!(
        d.0.get("/tooling/sobjects/WorkflowRule/01QHa000000000ZAAQ").0,
        404
    );
    assert_eq!(d.0.get("/tooling/sobjects/Account/01QHa0000000001").0, 404);
}

#[test]
fn each_object_has_its_door_and_asks_for_a_right() {
    let s = Session::on(custom());
    let refused = |reply: (u16, Value)| {
        assert_eq!(code(&reply), (400, "INVALID_TYPE"));
        let message = reply.1[0]["message"].as_str().unwrap();
        assert!(message.contains("is not supported"), "{message}");
    };
    let trigger = "SELECT Id FROM ApexTrigger";
    refused(tooling(&s, "SELECT Id FROM FlowDefinitionView"));
    refused(tooling(&s, "SELECT Id FROM DuplicateRule"));
    refused(tooling(&s, "SELECT Id FROM Account"));
    refused(tooling(&s, "SELECT Id FROM Nothing"));
    refused(s.query("SELECT Id FROM ValidationRule"));
    refused(s.query(trigger));
    assert_eq!(code(&s.get("/tooling/query")).1, "MALFORMED_QUERY");
    assert_eq!(
        code(&tooling(&s, "SELECT Nothing FROM ApexTrigger")).1,
        "INVALID_FIELD"
    );
    assert_eq!(code(&s.json(s.request("POST", "/tooling/query"))).0, 405);
    assert_eq!(rows(tooling(&s, trigger)).len(), 0);
    s.org
        .permit(&s.org.api_user(), |p| p.revoke(Permission::ViewSetup));
    refused(tooling(&s, trigger));
    refused(s.query("SELECT Id FROM FlowDefinitionView"));
    refused(s.query("SELECT DurableId FROM EntityDefinition"));
}

#[test]
fn a_custom_object_is_named_by_an_id() {
    let s = Session::on(custom());
    s.org.add_rule("Invoice__c", "Name = 'x'", "no", None).unwrap();
    s.org.add_workflow_rule("Tell", "Invoice__c", "onAllChanges");
    let entities = "SELECT QualifiedApiName, DurableId FROM EntityDefinition WHERE QualifiedApiName IN ('Invoice__c', 'Account')";
    for mut found in [rows(s.query(entities)), rows(tooling(&s, entities))] {
        found.sort_by_key(|row| row["QualifiedApiName"].to_string());
        assert_eq!(found[0]["DurableId"], json!("Account"));
        let id = found[1]["DurableId"].as_str().unwrap();
        assert!(id.len() == 15 && id.starts_with("01I"), "{id}");
        let rule = format!("SELECT ValidationName FROM ValidationRule WHERE EntityDefinitionId = '{id}'");
        assert_eq!(rows(tooling(&s, &rule)).len(), 1);
        let workflow = rows(tooling(&s, "SELECT TableEnumOrId FROM WorkflowRule"));
        let table = workflow[0]["TableEnumOrId"].as_str().unwrap();
        assert!(table.len() == 18 && table.starts_with(id), "{table}");
    }
    for filter in [
        "QualifiedApiName = 'Account' OR KeyPrefix = '003'",
        "NOT QualifiedApiName = 'Account'",
        "QualifiedApiName != 'Account'",
    ] {
        let soql = format!("SELECT DurableId FROM EntityDefinition WHERE {filter}");
        assert_eq!(code(&s.query(&soql)), (400, "MALFORMED_QUERY"), "{filter}");
    }
    assert_eq!(code(&s.query("SELECT COUNT() FROM EntityDefinition")).0, 400);
    let (_, listed) = s.get("/sobjects");
    let names = listed["sobjects"].as_array().unwrap().iter().map(|o| &o["name"]);
    assert!(!names.into_iter().any(|name| *name == json!("EntityDefinition")));
}

#[test]
fn pages_go_on_behind_the_door_they_began_at() {
    let s = Session::on(Org::sample());
    s.org.configure(|c| (c.page_size, c.even_pages) = (2, true));
    for n in 0..5 {
        s.org
            .add_rule("Lead", &format!("Company = '{n}'"), "no", None)
            .unwrap();
        s.org
            .add_duplicate_rule(&format!("Twins{n}"), "Lead", &["Company"], true);
    }
    let (rules, pages) = s.rows(
        "/tooling/query",
        "SELECT ValidationName FROM ValidationRule ORDER BY ValidationName",
    );
    assert_eq!((rules.len(), pages), (5, 3));
    assert_eq!(rules[4]["ValidationName"], json!("Rule_5"));
    let (twins, pages) = s.rows("/query", "SELECT DeveloperName FROM DuplicateRule");
    assert_eq!((twins.len(), pages), (5, 3));
    let url = tooling(&s, "SELECT Id FROM ValidationRule").1["nextRecordsUrl"].to_string();
    assert!(url.contains("/tooling/query/0r8"), "{url}");
}

#[test]
fn five_queries_of_both_kinds_are_one_composite_call_and_six_are_none() {
    let s = Session::on(Org::sample());
    let parts = |count: usize| {
        let part = |n: usize| {
            let path = if n.is_multiple_of(2) {
                "tooling/query"
            } else {
                "query"
            };
            let of = if n.is_multiple_of(2) {
                "ApexTrigger"
            } else {
                "DuplicateRule"
            };
            json!({"method": "GET", "url": format!("/services/data/v67.0/{path}?q=SELECT+Id+FROM+{of}"),
                "referenceId": format!("r{n}")})
        };
        json!({"compositeRequest": (0..count).map(part).collect::<Vec<_>>()})
    };
    s.org.reset_calls();
    let (status, reply) = s.send("POST", "/composite", &parts(5));
    assert_eq!(status, 200);
    let all = reply["compositeResponse"].as_array().unwrap();
    assert!(
        all.iter().all(|part| part["httpStatusCode"] == json!(200)),
        "{reply}"
    );
    assert_eq!(s.org.calls().values().sum::<u64>(), 1);
    assert_eq!(s.send("POST", "/composite", &parts(6)).0, 400);
}
