//! A sound request for every endpoint.
//!
//! Key decision: one list for all tests that go over the whole surface, so that an endpoint that is left out
//! of it is missed by the test that holds the documentation to the routes.
//! Not here: what the replies say.

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org};
use serde_json::{Value, json};

/// A request that the org answers well.
#[derive(Debug, Clone)]
pub struct Sound {
    pub method: &'static str,
    /// The endpoint, as the documentation names it.
    pub endpoint: &'static str,
    /// Path and query.
    pub target: String,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Sound {
    pub fn headers(&self, token: &str) -> Vec<String> {
        let mut lines = vec![
            format!("Authorization: Bearer {token}"),
            "SOAPAction: \"\"".to_owned(),
        ];
        if !self.content_type.is_empty() {
            lines.push(format!("Content-Type: {}", self.content_type));
        }
        lines
    }
}

const JSON: &str = "application/json";
const ROOT: &str = "/services/data/v67.0";

fn plain(method: &'static str, endpoint: &'static str, target: String) -> Sound {
    Sound {
        method,
        endpoint,
        target,
        content_type: "",
        body: Vec::new(),
    }
}

fn with(method: &'static str, endpoint: &'static str, target: String, body: &Value) -> Sound {
    Sound {
        content_type: JSON,
        body: body.to_string().into_bytes(),
        ..plain(method, endpoint, target)
    }
}

fn of_type(content_type: &'static str, body: String, sound: Sound) -> Sound {
    Sound {
        content_type,
        body: body.into_bytes(),
        ..sound
    }
}

/// All of them, of an org that may be changed by it.
pub fn every(org: &Org) -> Vec<Sound> {
    let first = |object: &str| org.rows(object)[0]["Id"].as_str().unwrap().to_owned();
    let account = first("Account");
    org.add_workflow_rule("Tell", "Account", "onCreateOnly");
    [
        signing_in(org),
        reading(&account),
        writing(org, &account),
        several(&account),
        bulk(),
        ingest(),
        soap(org, &account),
    ]
    .concat()
}

fn signing_in(org: &Org) -> Vec<Sound> {
    let refresh = org.refresh_token();
    let (done, over) = (org.refresh_token(), org.refresh_token());
    let mut uri = String::new();
    org.configure(|s| uri.clone_from(&s.auth.app.redirect_uris[0]));
    let secret = format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
    let form = |path: &'static str, body: String| {
        of_type(
            "application/x-www-form-urlencoded",
            body,
            plain("POST", path, path.to_owned()),
        )
    };
    let user = format!("/id/{}/{}", org.org_id(), org.api_user());
    vec![
        plain(
            "GET",
            "/services/oauth2/authorize",
            format!("/services/oauth2/authorize?response_type=code&client_id={CLIENT_ID}&redirect_uri={uri}"),
        ),
        form(
            "/services/oauth2/authorize",
            format!("response_type=code&client_id={CLIENT_ID}&redirect_uri={uri}&decision=deny"),
        ),
        form(
            "/services/oauth2/token",
            format!("grant_type=refresh_token&refresh_token={refresh}&{secret}"),
        ),
        form("/services/oauth2/revoke", format!("token={done}")),
        plain(
            "GET",
            "/services/oauth2/revoke",
            format!("/services/oauth2/revoke?token={over}"),
        ),
        form("/services/oauth2/introspect", format!("token={refresh}&{secret}")),
        plain(
            "GET",
            "/services/oauth2/userinfo",
            "/services/oauth2/userinfo".to_owned(),
        ),
        form("/services/oauth2/userinfo", String::new()),
        plain("GET", "/id/{org}/{user}", user),
        plain("GET", "/services/data", "/services/data".to_owned()),
    ]
}

fn reading(account: &str) -> Vec<Sound> {
    let get = |endpoint: &'static str, rest: &str| plain("GET", endpoint, format!("{ROOT}{rest}"));
    let window = "?start=2026-01-05T07:00:00Z&end=2026-01-05T08:00:00Z";
    vec![
        get("/", ""),
        get("/limits", "/limits"),
        get(
            "/limits/recordCount",
            "/limits/recordCount?sObjects=Account,Contact",
        ),
        get(
            "/query",
            "/query?q=SELECT+Id,Name,Owner.Name+FROM+Account+WHERE+Name+!=+'x'+ORDER+BY+Name",
        ),
        get("/queryAll", "/queryAll?q=SELECT+COUNT()+FROM+Contact"),
        get("/query/{locator}", "/query/0r8xx0000000001AAA-2000"),
        get(
            "/tooling/query",
            "/tooling/query?q=SELECT+Id,Name+FROM+ApexTrigger",
        ),
        get(
            "/tooling/query/{locator}",
            "/tooling/query/0r8xx0000000001AAA-2000",
        ),
        get(
            "/tooling/sobjects/{object}/{id}",
            "/tooling/sobjects/WorkflowRule/01QHa0000000001",
        ),
        get("/queryAll/{locator}", "/queryAll/0r8xx0000000001AAA-2000"),
        get("/sobjects", "/sobjects"),
        get("/sobjects/{object}", "/sobjects/Account"),
        get("/sobjects/{object}/describe", "/sobjects/Contact/describe"),
        get(
            "/sobjects/{object}/updated",
            &format!("/sobjects/Account/updated/{window}"),
        ),
        get(
            "/sobjects/{object}/deleted",
            &format!("/sobjects/Account/deleted/{window}"),
        ),
        get(
            "/sobjects/{object}/{id}",
            &format!("/sobjects/Account/{account}?fields=Id,Name"),
        ),
        get(
            "/sobjects/{object}/{key}/{value}",
            "/sobjects/User/Username/ada@salt.example",
        ),
    ]
}

fn writing(org: &Org, account: &str) -> Vec<Sound> {
    let doomed = |name: &str| org.create("Account", &json!({"Name": name})).unwrap();
    let (one, two) = (doomed("one"), doomed("two"));
    let at = |rest: String| format!("{ROOT}/sobjects/{rest}");
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entity_document\"\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\nContent-Disposition: form-data; name=\"Body\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nsalt\r\n--b--\r\n",
        json!({"Name": "a.txt", "ParentId": account})
    );
    vec![
        with(
            "POST",
            "/sobjects/{object}",
            at("Account".into()),
            &json!({"Name": "new", "NumberOfEmployees": 3, "AnnualRevenue": 1.5}),
        ),
        of_type(
            "multipart/form-data; boundary=b",
            multipart,
            plain("POST", "/sobjects/{object}", at("Attachment".into())),
        ),
        with(
            "POST",
            "/sobjects/{object}/Id",
            at("Account/Id".into()),
            &json!({"Name": "new"}),
        ),
        with(
            "PATCH",
            "/sobjects/{object}/Id",
            at("Account/Id".into()),
            &json!({"Name": "new"}),
        ),
        with(
            "PATCH",
            "/sobjects/{object}/{id}",
            at(format!("Account/{account}")),
            &json!({"Description": "edited", "Site": null}),
        ),
        plain("DELETE", "/sobjects/{object}/{id}", at(format!("Account/{one}"))),
        with(
            "PATCH",
            "/sobjects/{object}/{key}/{value}",
            at(format!("Account/Id/{account}")),
            &json!({"Description": "again"}),
        ),
        plain(
            "DELETE",
            "/sobjects/{object}/{key}/{value}",
            at(format!("Account/Id/{two}")),
        ),
    ]
}

fn several(account: &str) -> Vec<Sound> {
    let at = |rest: &str| format!("{ROOT}/composite{rest}");
    let record = json!({"attributes": {"type": "Account"}, "Name": "several"});
    let edited = json!({"attributes": {"type": "Account"}, "Id": account, "Description": "several"});
    let sub =
        json!({"method": "GET", "url": format!("{ROOT}/sobjects/Account/{account}"), "referenceId": "a"});
    let next = json!({"method": "POST", "url": format!("{ROOT}/sobjects/Contact"), "referenceId": "b", "body": {"LastName": "@{a.Name}", "AccountId": "@{a.Id}"}});
    let tree = json!({"attributes": {"type": "Account", "referenceId": "r1"}, "Name": "tree", "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "r2"}, "LastName": "leaf"}]}});
    vec![
        plain("GET", "/composite", at("")),
        with(
            "POST",
            "/composite",
            at(""),
            &json!({"allOrNone": true, "compositeRequest": [sub, next]}),
        ),
        with(
            "POST",
            "/composite/batch",
            at("/batch"),
            &json!({"haltOnError": true, "batchRequests": [{"method": "GET", "url": "v67.0/limits"}]}),
        ),
        with(
            "POST",
            "/composite/tree/{object}",
            at("/tree/Account"),
            &json!({"records": [tree]}),
        ),
        with(
            "POST",
            "/composite/sobjects",
            at("/sobjects"),
            &json!({"allOrNone": false, "records": [record]}),
        ),
        with(
            "PATCH",
            "/composite/sobjects",
            at("/sobjects"),
            &json!({"records": [edited]}),
        ),
        plain(
            "DELETE",
            "/composite/sobjects",
            at(&format!("/sobjects?ids={account}&allOrNone=true")),
        ),
        plain(
            "GET",
            "/composite/sobjects/{object}",
            at(&format!("/sobjects/Account?ids={account}&fields=Id,Name")),
        ),
        with(
            "POST",
            "/composite/sobjects/{object}",
            at("/sobjects/Account"),
            &json!({"ids": [account], "fields": ["Id", "Name"]}),
        ),
        with(
            "PATCH",
            "/composite/sobjects/{object}/{key}",
            at("/sobjects/Account/Id"),
            &json!({"records": [edited]}),
        ),
    ]
}

fn bulk() -> Vec<Sound> {
    let at = |rest: &str| format!("{ROOT}/jobs/query{rest}");
    let id = "/750xx0000000001AAA";
    vec![
        with(
            "POST",
            "/jobs/query",
            at(""),
            &json!({"operation": "queryAll", "query": "SELECT Id, Name FROM Account", "columnDelimiter": "TAB", "lineEnding": "CRLF"}),
        ),
        plain("GET", "/jobs/query", at("?jobType=V2Query")),
        plain("GET", "/jobs/query/{id}", at(id)),
        plain(
            "GET",
            "/jobs/query/{id}/results",
            at(&format!("{id}/results?maxRecords=5&locator=MTA")),
        ),
        plain(
            "GET",
            "/jobs/query/{id}/resultPages",
            at(&format!("{id}/resultPages")),
        ),
        with("PATCH", "/jobs/query/{id}", at(id), &json!({"state": "Aborted"})),
        plain("DELETE", "/jobs/query/{id}", at(id)),
    ]
}

fn ingest() -> Vec<Sound> {
    let at = |rest: &str| format!("{ROOT}/jobs/ingest{rest}");
    let id = "/750xx0000000002AAA";
    vec![
        with(
            "POST",
            "/jobs/ingest",
            at(""),
            &json!({"operation": "upsert", "object": "Account", "externalIdFieldName": "Customer_Number__c", "contentType": "CSV", "columnDelimiter": "PIPE", "lineEnding": "CRLF"}),
        ),
        of_type(
            "text/csv; charset=UTF-8",
            "\"Name\",Phone\n\"a \"\"b\"\"\",1\n".to_owned(),
            plain("PUT", "/jobs/ingest/{id}/batches", at(&format!("{id}/batches"))),
        ),
        with("PATCH", "/jobs/ingest/{id}", at(id), &json!({"state": "Aborted"})),
        plain("GET", "/jobs/ingest", at("?jobType=V2Ingest")),
        plain("GET", "/jobs/ingest/{id}", at(id)),
        plain(
            "GET",
            "/jobs/ingest/{id}/{list}",
            at(&format!("{id}/successfulResults")),
        ),
        plain("DELETE", "/jobs/ingest/{id}", at(id)),
    ]
}

fn soap(org: &Org, account: &str) -> Vec<Sound> {
    let token = org.access_token();
    let call = |letter: &str, endpoint: &'static str, body: &str| {
        let text = format!(
            "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><e:Header><SessionHeader><sessionId>{token}</sessionId></SessionHeader></e:Header><e:Body>{body}</e:Body></e:Envelope>"
        );
        of_type(
            "text/xml; charset=UTF-8",
            text,
            plain("POST", endpoint, format!("/services/Soap/{letter}/67.0")),
        )
    };
    let partner = |body: &str| call("u", "/services/Soap/u/{version}", body);
    vec![
        partner("<query><queryString>SELECT Id, Name FROM Account</queryString></query>"),
        partner("<create><sObjects><type>Account</type><Name>soap &amp; water</Name></sObjects></create>"),
        partner(&format!("<undelete><ids>{account}</ids></undelete>")),
        partner(&format!(
            "<retrieve><fieldList>Id</fieldList><sObjectType>Account</sObjectType><ids>{account}</ids></retrieve>"
        )),
        partner("<describeSObject><sObjectType>Account</sObjectType></describeSObject>"),
        call(
            "c",
            "/services/Soap/c/{version}",
            &format!(
                "<update><sObjects xsi:type=\"Account\"><Id>{account}</Id><fieldsToNull>Site</fieldsToNull></sObjects></update>"
            ),
        ),
    ]
}
