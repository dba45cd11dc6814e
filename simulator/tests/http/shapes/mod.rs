//! Every recorded reply beside the like reply of the simulated org.
//!
//! Key decision: a file of the recorded data is in the table with the request that gives its like, or in
//! `NOT_OURS` with the reason; one that is in neither, or no longer there, fails.
//! Not here: values, which differ from org to org.

mod cassettes;
mod describes;
mod json;
mod shape;
mod soap;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::recorded;

/// Recorded replies of resources that are no part of the simulated surface.
const NOT_OURS: &[(&str, &str)] = &[
    ("lwc-recipes/createRecord.json", "UI API"),
    ("lwc-recipes/getListUi.json", "UI API"),
    ("lwc-recipes/getObjectInfo.json", "UI API"),
    ("lwc-recipes/getPicklistValues.json", "UI API"),
    ("lwc-recipes/graphqlPaginationResponseFirstPage.json", "GraphQL"),
    ("elasticio/bulk1_insert_update_delete.json", "Bulk API 1"),
    (
        "cumulusci/cassettes/vcr_string_templates/batchInfoList_xml.tpl",
        "Bulk API 1",
    ),
    (
        "cumulusci/cassettes/vcr_string_templates/batchInfo_xml.tpl",
        "Bulk API 1",
    ),
    (
        "cumulusci/cassettes/vcr_string_templates/jobInfo_insert_xml.tpl",
        "Bulk API 1",
    ),
    (
        "cumulusci/cassettes/vcr_string_templates/jobInfo_upsert_xml.tpl",
        "Bulk API 1",
    ),
    ("bulk2/ingest_job_complete.json", "Bulk API 2.0: ingest jobs"),
    (
        "bulk2/ingest_job_upload_complete.json",
        "Bulk API 2.0: ingest jobs",
    ),
    ("js-sf-cli-plugin/all-custom-fields.json", "Tooling API"),
    ("js-sf-cli-plugin/entity-definitions.json", "Tooling API"),
    ("sf-api-connector/soap/describeMetadata.xml", "Metadata API"),
    (
        "sf-api-connector/soap/subqueryContacts.xml",
        "objects of a Java client written out, no reply",
    ),
    (
        "wso2-soap/resetPasswordResponse.xml",
        "users' passwords: no data of the org",
    ),
    (
        "wso2-soap/setPasswordResponse.xml",
        "users' passwords: no data of the org",
    ),
    ("wso2-soap/convertLeadResponse.xml", "lead conversion"),
    (
        "wso2-soap/findDuplicatesByIdsResponse.xml",
        "duplicate jobs over SOAP",
    ),
    ("wso2-soap/searchResponse.xml", "SOSL"),
    ("restforce/search_success_response.json", "SOSL"),
    ("sf-api-connector/search.json", "SOSL"),
    (
        "restforce/recent_success_response.json",
        "recently viewed records",
    ),
    ("restforce/list_view_results_success_response.json", "list views"),
];

/// Replies in the table that wait for their resources.
const AWAITED: &[&str] = &[
    "camel/composite_success.json",
    "restforce/get_deleted_success_response.json",
    "restforce/upsert_multiple_error_response.json",
    "wso2-soap/getDeletedResponse.xml",
    "cumulusci/cassettes/TestUpsert.test_upsert__rest.yaml",
    "cumulusci/cassettes/TestUpsert.test_upsert_complex_fields__bulk.yaml",
    "cumulusci/cassettes/TestUpsert.test_upsert_external_id_field.yaml",
];

/// All replies below a folder, by path from there; licences and notes are none.
fn files(root: &Path, dir: &Path, out: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let known = ["json", "xml", "yaml", "tpl"];
        if path.is_dir() {
            files(root, &path, out);
        } else if path.extension().is_some_and(|e| known.iter().any(|k| e == *k)) {
            out.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}

#[test]
fn every_recorded_reply_is_accounted_for() {
    let Some(root) = recorded("responses") else { return };
    let mut there = BTreeSet::new();
    files(&root, &root, &mut there);
    let rows = json::files()
        .chain(soap::files())
        .chain(cassettes::FILES.iter().copied());
    let mut named: Vec<String> = rows
        .chain(NOT_OURS.iter().map(|(f, _)| *f))
        .map(str::to_owned)
        .collect();
    named.sort();
    assert_eq!(there.into_iter().collect::<Vec<_>>(), named, "each file once");
}
