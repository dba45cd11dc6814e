//! The calls of the partner and the enterprise interface, held against the WSDL.
//!
//! Key decision: one test makes every call once and checks each reply's elements, order included, against the
//! sequences of the recorded WSDL; the others show what the calls do.
//! Not here: undelete's companions and faults (`soap`).

use std::fs;

use halite_simulator::Bin;
use serde_json::json;

use crate::support::xml::{Node, Wsdl, parse};
use crate::support::{Session, recorded};

/// The elements of a call's response.
#[track_caller]
fn call(s: &Session, body: &str) -> Node {
    call_at(s, "u", "", body)
}

#[track_caller]
fn call_at(s: &Session, interface: &str, headers: &str, body: &str) -> Node {
    let (status, text) = s.soap_at(interface, headers, body);
    assert_eq!(status, 200, "{text}");
    parse(&text).find("Body").children[0].clone()
}

fn account(s: &Session, name: &str) -> String {
    s.org.create("Account", &json!({"Name": name})).unwrap()
}

#[test]
fn every_reply_keeps_the_order_of_the_wsdl() {
    let Some(path) = recorded("wsdl/partner.wsdl.xml") else {
        return;
    };
    let wsdl = Wsdl::parse(&fs::read_to_string(path).unwrap());
    let s = Session::sample();
    let ids = [account(&s, "a"), account(&s, "b"), account(&s, "c")];
    let record = |fields: &str| format!("<u:sObjects><type>Account</type>{fields}</u:sObjects>");
    let calls = [
        ("SaveResult", format!("<u:create>{}{}</u:create>", record("<Name>x</Name>"), record(""))),
        ("SaveResult", format!("<u:update>{}</u:update>", record(&format!("<Id>{}</Id><Site>x</Site>", ids[0])))),
        ("UpsertResult", format!("<u:upsert><u:externalIDFieldName>Customer_Number__c</u:externalIDFieldName>{}{}</u:upsert>",
            record("<Customer_Number__c>S-1</Customer_Number__c><Name>n</Name>"), record("<Name>n</Name>"))),
        ("MergeResult", format!("<u:merge><u:request><masterRecord><type>Account</type><Id>{}</Id></masterRecord><recordToMergeIds>{}</recordToMergeIds></u:request></u:merge>", ids[0], ids[1])),
        ("MergeResult", format!("<u:merge><u:request><masterRecord><type>Account</type><Id>{}</Id></masterRecord><recordToMergeIds>{}</recordToMergeIds></u:request></u:merge>", ids[0], ids[1])),
        ("DeleteResult", format!("<u:delete><u:ids>{}</u:ids><u:ids>bad</u:ids></u:delete>", ids[2])),
        ("UndeleteResult", format!("<u:undelete><u:ids>{0}</u:ids><u:ids>{0}</u:ids></u:undelete>", ids[2])),
        ("EmptyRecycleBinResult", format!("<u:emptyRecycleBin><u:ids>{}</u:ids><u:ids>{}</u:ids></u:emptyRecycleBin>", ids[1], ids[2])),
        ("QueryResult", "<u:query><u:queryString>SELECT Id, Name, CreatedDate, Owner.Name, BillingAddress FROM Account</u:queryString></u:query>".to_owned()),
        ("sObject", format!("<u:retrieve><u:fieldList>Id, Name</u:fieldList><u:sObjectType>Account</u:sObjectType><u:ids>{}</u:ids></u:retrieve>", ids[0])),
        ("DescribeGlobalResult", "<u:describeGlobal/>".to_owned()),
        ("DescribeSObjectResult", "<u:describeSObject><u:sObjectType>Mine__c</u:sObjectType></u:describeSObject>".to_owned()),
        ("DescribeSObjectResult", "<u:describeSObjects><u:sObjectType>Account</u:sObjectType><u:sObjectType>Task</u:sObjectType></u:describeSObjects>".to_owned()),
        ("GetServerTimestampResult", "<u:getServerTimestamp/>".to_owned()),
        ("GetUserInfoResult", "<u:getUserInfo/>".to_owned()),
    ];
    for (kind, body) in calls {
        let reply = call(&s, &body);
        assert!(!reply.children.is_empty(), "{body}");
        for result in &reply.children {
            assert_eq!(result.name, "result");
            assert_eq!(wsdl.faults(kind, result), Vec::<String>::new(), "{body}");
        }
    }
}

#[test]
fn the_order_check_can_fail() {
    let Some(path) = recorded("wsdl/partner.wsdl.xml") else {
        return;
    };
    let wsdl = Wsdl::parse(&fs::read_to_string(path).unwrap());
    let good = parse(
        "<r><errors><message>m</message><statusCode>S</statusCode></errors><id nil='true'/><success>false</success></r>",
    );
    assert_eq!(wsdl.faults("SaveResult", &good.children[0]), Vec::<String>::new());
    for bad in [
        "<r><success>true</success><id>1</id></r>",
        "<r><id>1</id></r>",
        "<r><id>1</id><success nil='true'/></r>",
        "<r><id>1</id><id>2</id><success>true</success></r>",
        "<r><errors><statusCode>S</statusCode><message>m</message></errors><id>1</id><success>true</success></r>",
    ] {
        assert_ne!(
            wsdl.faults("SaveResult", &parse(bad).children[0]),
            Vec::<String>::new(),
            "{bad}"
        );
    }
}

#[test]
fn records_are_written_and_read() {
    let s = Session::sample();
    let made = call(
        &s,
        "<u:create><u:sObjects><u:type>Account</u:type><Name>Salt &amp; Co</Name><AnnualRevenue>14</AnnualRevenue><Site/></u:sObjects>\
         <u:sObjects><u:type>Contact</u:type><LastName>x</LastName><Account><type>Account</type><Customer_Number__c>C-00001</Customer_Number__c></Account></u:sObjects></u:create>",
    );
    let ids: Vec<String> = made.all("result").map(|r| r.find("id").text.clone()).collect();
    let row = s.org.row(&ids[0]).unwrap();
    assert_eq!(
        (&row["Name"], &row["AnnualRevenue"], &row["Site"]),
        (&json!("Salt & Co"), &json!(14.0), &json!(null))
    );
    let parent = s.org.row(&ids[1]).unwrap()["AccountId"].clone();
    assert_eq!(
        s.org.row(parent.as_str().unwrap()).unwrap()["Customer_Number__c"],
        json!("C-00001")
    );
    let body = format!(
        "<u:update><u:sObjects><u:type>Account</u:type><u:fieldsToNull>AnnualRevenue</u:fieldsToNull><u:Id>{}</u:Id><Name></Name></u:sObjects></u:update>",
        ids[0]
    );
    assert_eq!(call(&s, &body).find("success").text, "true");
    let row = s.org.row(&ids[0]).unwrap();
    assert_eq!(
        (&row["Name"], &row["AnnualRevenue"]),
        (&json!("Salt & Co"), &json!(null))
    );
    let body = format!(
        "<u:retrieve><u:fieldList>Name,AnnualRevenue,CreatedDate</u:fieldList><u:sObjectType>Account</u:sObjectType><u:ids>{}</u:ids><u:ids>0012300000bVTq1AAG</u:ids></u:retrieve>",
        ids[0]
    );
    let reply = call(&s, &body);
    assert_eq!(
        reply.children[0].names(),
        ["type", "Id", "Name", "AnnualRevenue", "CreatedDate"]
    );
    assert!(reply.find("CreatedDate").text.ends_with(".000Z"));
    assert_eq!(reply.children[1].attributes["nil"], "true");
}

#[test]
fn the_enterprise_interface_names_types_by_attribute() {
    let s = Session::sample();
    let reply = call_at(
        &s,
        "c",
        "",
        "<create xmlns='urn:enterprise.soap.sforce.com'><sObjects xsi:type='Account'><Name>e</Name></sObjects></create>",
    );
    let id = reply.find("id").text.clone();
    let query =
        format!("<query><queryString>SELECT Name FROM Account WHERE Id = '{id}'</queryString></query>");
    let (_, text) = s.soap_at("c", "", &query);
    assert!(
        text.contains("xmlns=\"urn:enterprise.soap.sforce.com\""),
        "{text}"
    );
    assert!(
        text.contains("<records xsi:type=\"sf:Account\"><sf:Name>e</sf:Name></records>"),
        "{text}"
    );
}

#[test]
fn pages_follow_a_locator() {
    let s = Session::sample();
    let query = "<u:query><u:queryString>SELECT Id FROM Contact</u:queryString></u:query>";
    s.org.configure(|c| c.page_size = 50);
    let mut page = call(&s, query);
    let mut seen = 0;
    loop {
        seen += page.find("result").all("records").count();
        if page.find("done").text == "true" {
            break;
        }
        let locator = page.find("queryLocator").text.clone();
        page = call(
            &s,
            &format!("<u:queryMore><u:queryLocator>{locator}</u:queryLocator></u:queryMore>"),
        );
    }
    assert_eq!(seen, s.org.rows("Contact").len());
    let (status, text) = s.soap("<u:queryMore><u:queryLocator>0r8-1</u:queryLocator></u:queryMore>");
    assert_eq!(status, 500);
    assert!(
        text.contains("<sf:InvalidQueryLocatorFault xsi:type=\"sf:InvalidQueryLocatorFault\">"),
        "{text}"
    );
    let (_, text) = s.soap("<u:query><u:queryString>SELECT Nope FROM Contact</u:queryString></u:query>");
    assert!(
        text.contains("<faultcode>sf:INVALID_FIELD</faultcode>") && text.contains("<sf:row>"),
        "{text}"
    );
}

#[test]
fn all_or_none_undoes_all() {
    let s = Session::sample();
    let before = s.org.rows("Account").len();
    let header = "<u:AllOrNoneHeader><u:allOrNone>true</u:allOrNone></u:AllOrNoneHeader>";
    let body = "<u:create><u:sObjects><type>Account</type><Name>x</Name></u:sObjects><u:sObjects><type>Account</type></u:sObjects></u:create>";
    let reply = call_at(&s, "u", header, body);
    let codes: Vec<&str> = reply
        .all("result")
        .map(|r| r.find("statusCode").text.as_str())
        .collect();
    assert_eq!(
        codes,
        ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    );
    assert_eq!(s.org.rows("Account").len(), before);
}

#[test]
fn the_bin_is_emptied_row_by_row() {
    let s = Session::sample();
    let parent = account(&s, "p");
    let child = s
        .org
        .create("Contact", &json!({"LastName": "c", "AccountId": parent}))
        .unwrap();
    s.org.delete(&parent).unwrap();
    let body = format!(
        "<u:emptyRecycleBin><u:ids>{child}</u:ids><u:ids>{parent}</u:ids><u:ids>{parent}</u:ids></u:emptyRecycleBin>"
    );
    let reply = call(&s, &body);
    let success: Vec<&str> = reply
        .all("result")
        .map(|r| r.find("success").text.as_str())
        .collect();
    assert_eq!(success, ["false", "true", "false"]);
    assert_eq!(reply.find("statusCode").text, "INVALID_ID_FIELD");
    assert_eq!(
        (s.org.bin(&parent), s.org.bin(&child)),
        (Bin::Purged, Bin::Purged)
    );
    let many = "<u:ids>001</u:ids>".repeat(201);
    let (status, text) = s.soap(&format!("<u:emptyRecycleBin>{many}</u:emptyRecycleBin>"));
    assert_eq!(status, 500);
    assert!(text.contains("sf:EXCEEDED_ID_LIMIT"), "{text}");
}

#[test]
fn a_merge_moves_children_and_an_undelete_leaves_them() {
    let s = Session::sample();
    let (winner, loser) = (account(&s, "winner"), account(&s, "loser"));
    let child = s
        .org
        .create("Contact", &json!({"LastName": "c", "AccountId": loser}))
        .unwrap();
    let before = s.org.row(&child).unwrap()["SystemModstamp"].clone();
    let body = format!(
        "<u:merge><u:request><u:masterRecord><type>Account</type><Id>{winner}</Id><Site>east</Site></u:masterRecord><u:recordToMergeIds>{loser}</u:recordToMergeIds></u:request></u:merge>"
    );
    let reply = call(&s, &body);
    let result = reply.find("result");
    assert_eq!(
        result.names(),
        ["id", "mergedRecordIds", "success", "updatedRelatedIds"]
    );
    assert_eq!(
        (
            &result.find("mergedRecordIds").text,
            &result.find("updatedRelatedIds").text
        ),
        (&loser, &child)
    );
    let gone = s.org.row(&loser).unwrap();
    assert_eq!(
        (&gone["IsDeleted"], &gone["MasterRecordId"]),
        (&json!(true), &json!(winner))
    );
    let moved = s.org.row(&child).unwrap();
    assert_eq!(moved["AccountId"], json!(winner));
    assert!(moved["SystemModstamp"].as_str() > before.as_str());
    assert_eq!(s.org.row(&winner).unwrap()["Site"], json!("east"));
    call(&s, &format!("<u:undelete><u:ids>{loser}</u:ids></u:undelete>"));
    assert_eq!(s.org.bin(&loser), Bin::Live);
    assert_eq!(s.org.row(&child).unwrap()["AccountId"], json!(winner));
    let mine = s.org.rows("Mine__c")[0]["Id"].as_str().unwrap().to_owned();
    let refused = body.replace(&winner, &mine);
    assert_eq!(
        call(&s, &refused).find("statusCode").text,
        "INVALID_TYPE_FOR_OPERATION"
    );
    let twice = body.replace(&loser, &winner);
    assert_eq!(call(&s, &twice).find("statusCode").text, "MERGE_FAILED");
}

#[test]
fn a_session_ends_with_logout() {
    let s = Session::sample();
    let info = call(&s, "<u:getUserInfo/>");
    assert_eq!(info.find("userId").text, s.org.api_user());
    assert_eq!(info.find("organizationId").text, s.org.org_id());
    call(&s, "<u:logout/>");
    let (status, text) = s.soap("<u:getUserInfo/>");
    assert_eq!(status, 500);
    assert!(
        text.contains("<faultstring>INVALID_SESSION_ID: Invalid Session ID"),
        "{text}"
    );
    assert!(text.contains("<sf:exceptionMessage>Invalid Session ID"), "{text}");
}
