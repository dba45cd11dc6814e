//! Duplicate rules, and what standard objects refuse by themselves.
//!
//! Key decision: the body of a refusal is compared with the keys of a recorded one.
//! Not here: validation rules (`rules`).

use halite_simulator::Bin;
use serde_json::{Value, json};

use crate::support::xml::parse;
use crate::support::{Session, code};

const HEADER: &str = "Sforce-Duplicate-Rule-Header";

#[test]
fn an_alert_is_passed_by_the_header_and_a_block_is_not() {
    let s = Session::sample();
    s.org
        .add_duplicate_rule("Contacts_DR", "Contact", &["LastName", "Email"], false);
    let body = json!({"LastName": "Twin", "Email": "twin@salt.example"});
    let first = s.send("POST", "/sobjects/Contact", &body).1["id"].clone();
    let again = json!({"LastName": "TWIN", "Email": "twin@salt.example"});
    let reply = s.send("POST", "/sobjects/Contact", &again);
    assert_eq!(code(&reply), (400, "DUPLICATES_DETECTED"));
    let found = &reply.1[0]["duplicateResut"];
    assert_eq!(found["allowSave"], json!(true));
    assert_eq!(found["duplicateRuleEntityType"], json!("Contact"));
    assert_eq!(found["matchResults"][0]["matchRecords"][0]["record"]["Id"], first);
    let mut record = again.clone();
    record["attributes"] = json!({"type": "Contact"});
    let (_, results) = s.send("POST", "/composite/sobjects", &json!({"records": [record]}));
    let error = &results[0]["errors"][0];
    assert_eq!(error["statusCode"], json!("DUPLICATES_DETECTED"));
    assert_eq!(error["duplicateResut"]["duplicateRule"], json!("Contacts_DR"));
    assert_eq!(
        s.send("POST", "/sobjects/Contact", &json!({"LastName": "Twin"}))
            .0,
        201,
        "a blank is no match"
    );
    let passed = |path: &str| {
        s.request("POST", path)
            .header(HEADER, "allowSave=true; runAsCurrentUser=true")
            .json(&again)
    };
    assert_eq!(s.json(passed("/sobjects/Contact")).0, 201);
    s.org.add_duplicate_rule("Hard", "Contact", &["Email"], true);
    let (status, reply) = s.json(passed("/sobjects/Contact"));
    assert_eq!(
        (status, &reply[0]["duplicateResut"]["allowSave"]),
        (400, &json!(false))
    );
}

#[test]
fn soap_has_the_rule_in_the_error_and_the_header_too() {
    let s = Session::sample();
    s.org.add_duplicate_rule("R", "Account", &["Name"], false);
    let id = s.org.create("Account", &json!({"Name": "Twin"})).unwrap();
    let body = "<u:create><u:sObjects><type>Account</type><Name>Twin</Name></u:sObjects></u:create>";
    let reply = parse(&s.soap(body).1);
    let errors = reply.find("errors");
    assert_eq!(errors.attributes["type"], "DuplicateError");
    assert_eq!(errors.names(), ["message", "statusCode", "duplicateResult"]);
    assert_eq!(errors.find("record").find("Id").text, id);
    let names = errors.find("matchResults").names();
    assert_eq!(
        names,
        [
            "entityType",
            "matchEngine",
            "matchRecords",
            "rule",
            "size",
            "success"
        ]
    );
    let header = "<u:DuplicateRuleHeader><u:allowSave>true</u:allowSave></u:DuplicateRuleHeader>";
    let passed = parse(&s.soap_at("u", header, body).1);
    assert_eq!(passed.find("success").text, "true");
}

#[test]
fn a_member_is_in_a_campaign_once() {
    let s = Session::sample();
    let member = s
        .org
        .rows("CampaignMember")
        .into_iter()
        .find(|m| !m["ContactId"].is_null())
        .unwrap();
    let body = json!({"CampaignId": member["CampaignId"], "ContactId": member["ContactId"]});
    let reply = s.send("POST", "/sobjects/CampaignMember", &body);
    assert_eq!(code(&reply), (400, "DUPLICATE_VALUE"));
}

#[test]
fn prices_obey_their_books() {
    let s = Session::sample();
    s.org.configure(|c| c.behaviour.price_books = true);
    let make = |object: &str, body: Value| s.send("POST", &format!("/sobjects/{object}"), &body);
    let id = |reply: (u16, Value)| reply.1["id"].clone();
    let product = id(make("Product2", json!({"Name": "Salt", "IsActive": true})));
    let custom = id(make("Pricebook2", json!({"Name": "Friends", "IsActive": true})));
    let standard = s
        .org
        .rows("Pricebook2")
        .into_iter()
        .find(|b| b["IsStandard"] == json!(true))
        .unwrap()["Id"]
        .clone();
    let price =
        |book: &Value| json!({"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 5, "IsActive": true});
    assert_eq!(
        code(&make("PricebookEntry", price(&custom))),
        (400, "STANDARD_PRICE_NOT_DEFINED")
    );
    assert_eq!(make("PricebookEntry", price(&standard)).0, 201);
    assert_eq!(
        code(&make("PricebookEntry", price(&standard))),
        (400, "DUPLICATE_VALUE")
    );
    let entry = id(make("PricebookEntry", price(&custom)));
    let opportunity = id(make(
        "Opportunity",
        json!({"Name": "o", "StageName": "Prospecting", "CloseDate": "2026-01-01"}),
    ));
    let line =
        json!({"OpportunityId": opportunity, "PricebookEntryId": entry, "Quantity": 2, "UnitPrice": 5});
    assert_eq!(
        code(&make("OpportunityLineItem", line.clone())),
        (400, "FIELD_INTEGRITY_EXCEPTION")
    );
    let path = format!("/sobjects/Opportunity/{}", opportunity.as_str().unwrap());
    assert_eq!(s.send("PATCH", &path, &json!({"Pricebook2Id": custom})).0, 204);
    assert_eq!(make("OpportunityLineItem", line).0, 201);
}

#[test]
fn a_contact_brings_its_direct_relation() {
    let s = Session::sample();
    s.org.configure(|c| c.behaviour.direct_relations = true);
    let [a, b] = ["a", "b"].map(|n| s.org.create("Account", &json!({"Name": n})).unwrap());
    let contact = s
        .org
        .create("Contact", &json!({"LastName": "c", "AccountId": a}))
        .unwrap();
    let relations = || -> Vec<Value> {
        let all = s
            .org
            .rows("AccountContactRelation")
            .into_iter()
            .filter(|r| r["ContactId"] == json!(contact));
        all.map(Value::Object).collect()
    };
    let first = relations();
    assert_eq!(
        (first.len(), &first[0]["AccountId"], &first[0]["IsDirect"]),
        (1, &json!(a), &json!(true))
    );
    let id = first[0]["Id"].as_str().unwrap();
    let path = format!("/sobjects/AccountContactRelation/{id}");
    assert_eq!(
        s.json(s.request("DELETE", &path)).1[0]["errorCode"],
        json!("DELETE_FAILED")
    );
    let body = json!({"AccountId": a, "ContactId": contact});
    assert_eq!(
        code(&s.send("POST", "/sobjects/AccountContactRelation", &body)),
        (400, "DUPLICATE_VALUE")
    );
    s.org.update(&contact, &json!({"AccountId": b})).unwrap();
    let now = relations();
    assert_eq!((now.len(), &now[0]["AccountId"]), (1, &json!(b)));
    assert_eq!(s.org.bin(id), Bin::InBin);
}
