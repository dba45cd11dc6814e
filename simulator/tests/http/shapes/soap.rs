//! Recorded SOAP replies, each with the call that gives its like.
//!
//! Key decision: bodies are compared element by element in order; the recorded header counts only where it is
//! recorded, since half of the recordings were cut to their body.
//! Not here: what the WSDL says of the order (`soap_calls`).

use std::fs;

use serde_json::json;

use super::shape::Rule::{self, More, Same};
use super::shape::element_differences;
use crate::support::xml::{Node, parse};
use crate::support::{Session, recorded};

type Row = (&'static str, Rule, fn(&Session) -> Node);

fn call(s: &Session, body: &str) -> Node {
    parse(&s.soap(body).1)
}

fn opportunity(s: &Session) -> String {
    let values = json!({"Name": "o", "StageName": "Prospecting", "CloseDate": "2026-01-01"});
    s.org.create("Opportunity", &values).unwrap()
}

fn account(s: &Session) -> String {
    s.org.create("Account", &json!({"Name": "a"})).unwrap()
}

fn save(s: &Session, call_name: &str, object: &str, fields: &str) -> Node {
    let body =
        format!("<u:{call_name}><u:sObjects><type>{object}</type>{fields}</u:sObjects></u:{call_name}>");
    call(s, &body)
}

fn delete(s: &Session, id: &str) -> Node {
    call(s, &format!("<u:delete><u:ids>{id}</u:ids></u:delete>"))
}

fn merge(s: &Session, losers: usize) -> Node {
    let master = account(s);
    let losers: String = (0..losers)
        .map(|_| format!("<u:recordToMergeIds>{}</u:recordToMergeIds>", account(s)))
        .collect();
    call(
        s,
        &format!(
            "<u:merge><u:request><u:masterRecord><type>Account</type><Id>{master}</Id></u:masterRecord>{losers}</u:request></u:merge>"
        ),
    )
}

fn query(s: &Session, name: &str, soql: &str) -> Node {
    call(
        s,
        &format!("<u:{name}><u:queryString>{soql}</u:queryString></u:{name}>"),
    )
}

fn more(s: &Session) -> Node {
    s.org.configure(|c| (c.page_size, c.even_pages) = (1, true));
    let first = query(s, "query", OPPORTUNITIES);
    s.org.configure(|c| (c.page_size, c.even_pages) = (2000, true));
    let locator = &first.find("queryLocator").text;
    call(
        s,
        &format!("<u:queryMore><u:queryLocator>{locator}</u:queryLocator></u:queryMore>"),
    )
}

fn retrieve(s: &Session, object: &str, fields: &str, id: &str) -> Node {
    call(
        s,
        &format!(
            "<u:retrieve><u:fieldList>{fields}</u:fieldList><u:sObjectType>{object}</u:sObjectType><u:ids>{id}</u:ids></u:retrieve>"
        ),
    )
}

fn undelete(s: &Session) -> Node {
    let id = account(s);
    delete(s, &id);
    call(s, &format!("<u:undelete><u:ids>{id}</u:ids></u:undelete>"))
}

fn deleted(s: &Session) -> Node {
    delete(s, &account(s));
    call(
        s,
        "<u:getDeleted><u:sObjectType>Account</u:sObjectType><u:startDate>2026-01-05T07:00:00Z</u:startDate><u:endDate>2026-01-05T20:00:00Z</u:endDate></u:getDeleted>",
    )
}

fn upsert(s: &Session) -> Node {
    let record = "<u:sObjects><type>Account</type><Name>n</Name><Customer_Number__c>U-1</Customer_Number__c></u:sObjects>";
    call(
        s,
        &format!(
            "<u:upsert><u:externalIDFieldName>Customer_Number__c</u:externalIDFieldName>{record}{record}</u:upsert>"
        ),
    )
}

const OPPORTUNITIES: &str = "SELECT Id, Name, StageName FROM Opportunity";
const WRONG_ACCOUNT: &str = "<Name>x</Name><StageName>Prospecting</StageName><CloseDate>2026-01-01</CloseDate><AccountId>001Ha000zzzzzzz</AccountId>";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("soapforce/create_response.xml", Same, |s| save(s, "create", "Account", "<Name>x</Name>")),
    ("soapforce/create_response_failure.xml", More, |s| save(s, "create", "Opportunity", WRONG_ACCOUNT)),
    ("soapforce/delete_response.xml", Same, |s| { let id = opportunity(s); delete(s, &id) }),
    ("soapforce/delete_response_failure.xml", More, |s| delete(s, "006i000004DAKd")),
    ("soapforce/describe_global_response.xml", More, |s| call(s, "<u:describeGlobal/>")),
    ("soapforce/merge_response.xml", Same, |s| merge(s, 2)),
    ("soapforce/query_all_response.xml", Same, |s| query(s, "queryAll", OPPORTUNITIES)),
    ("soapforce/query_more_response.xml", Same, more),
    ("soapforce/query_response.xml", Same, |s| query(s, "query", OPPORTUNITIES)),
    ("soapforce/retrieve_response.xml", Same, |s| { let id = opportunity(s); retrieve(s, "Opportunity", "Id, Name, Description, StageName", &id) }),
    ("soapforce/update_response_failure.xml", More, |s| save(s, "update", "Opportunity", &format!("<Id>{}</Id><AccountId>001Ha000zzzzzzz</AccountId>", opportunity(s)))),
    ("soapforce/upsert_response.xml", Same, upsert),
    ("wso2-soap/createResponse.xml", Same, |s| save(s, "create", "Account", "<Name>x</Name>")),
    ("wso2-soap/deleteResponse.xml", Same, |s| { let id = account(s); delete(s, &id) }),
    ("wso2-soap/describeGlobalResponse.xml", More, |s| call(s, "<u:describeGlobal/>")),
    ("wso2-soap/describeSObjectsResponse.xml", More, |s| call(s, "<u:describeSObjects><u:sObjectType>Account</u:sObjectType><u:sObjectType>Contact</u:sObjectType></u:describeSObjects>")),
    ("wso2-soap/getDeletedResponse.xml", Same, deleted),
    ("wso2-soap/getServerTimestampResponse.xml", Same, |s| call(s, "<u:getServerTimestamp/>")),
    ("wso2-soap/getUserInfoResponse.xml", More, |s| call(s, "<u:getUserInfo/>")),
    ("wso2-soap/mergeResponse.xml", Same, |s| merge(s, 1)),
    ("wso2-soap/queryResponse.xml", Same, |s| query(s, "query", "SELECT Id, Name FROM Account")),
    ("wso2-soap/retrieveResponse.xml", Same, |s| { let id = account(s); retrieve(s, "Account", "Id, Name", &id) }),
    ("wso2-soap/undeleteResponse.xml", Same, undelete),
    ("wso2-soap/updateResponse.xml", Same, |s| save(s, "update", "Account", &format!("<Id>{}</Id><Site>x</Site>", account(s)))),
];

/// Objects of a Java client written out: the elements inside are those of the reply that it read. The element
/// that holds them there, and that of our reply.
#[rustfmt::skip]
const INSIDE: &[(&str, &str, &str, &str)] = &[
    ("sf-api-connector/soap/describeGlobalResult.xml", "stubResult", "<u:describeGlobal/>", "sobjects"),
    ("sf-api-connector/soap/describeSObjectChildRelationships.xml", "com.palominolabs.crm.sf.soap.ChildRelationship",
        "<u:describeSObject><u:sObjectType>Contact</u:sObjectType></u:describeSObject>", "childRelationships"),
    ("sf-api-connector/industryPicklistEntries.xml", "com.palominolabs.crm.sf.rest.PicklistEntry",
        "<u:describeSObject><u:sObjectType>Account</u:sObjectType></u:describeSObject>", "picklistValues"),
];

pub fn files() -> impl Iterator<Item = &'static str> {
    ROWS.iter()
        .map(|(file, ..)| *file)
        .chain(INSIDE.iter().map(|(file, ..)| *file))
}

fn load(file: &str) -> Node {
    let text = fs::read_to_string(recorded(&format!("responses/{file}")).unwrap()).unwrap();
    parse(&text)
}

#[test]
fn soap_replies_have_the_recorded_elements() {
    if recorded("responses").is_none() {
        return;
    }
    let s = Session::sample();
    let mut wrong = Vec::new();
    for (file, rule, ask) in ROWS.iter().filter(|(f, ..)| !super::AWAITED.contains(f)) {
        let (real, ours) = (load(file), ask(&s));
        let mut found = element_differences(*rule, real.find("Body"), ours.find("Body"));
        if let Some(header) = real.seek("Header") {
            found.extend(element_differences(
                More,
                header,
                ours.seek("Header").unwrap_or(&Node::default()),
            ));
        }
        if !found.is_empty() {
            wrong.push(format!("{file}: {found:#?}"));
        }
    }
    for (file, inside, body, ours) in INSIDE {
        let (real, reply) = (load(file), call(&s, body));
        // `validFor` is null in our picklists, which do not depend on one another.
        let names = |node: &Node| -> Vec<String> {
            node.names()
                .into_iter()
                .filter(|n| *n != "validFor")
                .map(str::to_owned)
                .collect()
        };
        let (real, ours) = (names(real.find(inside)), names(reply.find(ours)));
        let common: Vec<&String> = ours.iter().filter(|n| real.contains(n)).collect();
        if !common.iter().copied().eq(real.iter()) {
            wrong.push(format!("{file}: recorded {real:?}, ours {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
