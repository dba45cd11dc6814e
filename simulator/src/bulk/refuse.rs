//! What a query job does not take: objects, clauses and fields.
//!
//! Key decision: clauses are found in the text, outside of literals, before the query is parsed, so that the
//! answer is the Bulk API's own, whatever REST's query would say.
//! Source: Bulk API 2.0 guide, "Understanding Bulk API 2.0 Query", "SOQL Considerations"; Help, "Entity is not
//! supported by the Bulk API".
//! Not here: errors that every query may have (`soql`).

use crate::error::ApiError;
use crate::org::{Permission, State};
use crate::schema::Kind;
use crate::soql::plan::Plan;

/// Objects that REST reads and the Bulk API does not.
const UNSUPPORTED: [&str; 30] = [
    "AcceptedEventRelation",
    "AccountFeed",
    "AssetFeed",
    "Attachment",
    "CaseStatus",
    "CaseTeamMember",
    "CaseTeamRole",
    "CaseTeamTemplate",
    "CaseTeamTemplateMember",
    "CaseTeamTemplateRecord",
    "ContractStatus",
    "DeclinedEventRelation",
    "EventWhoRelation",
    "FieldSecurityClassification",
    "KnowledgeArticle",
    "KnowledgeArticleVersion",
    "KnowledgeArticleVersionHistory",
    "KnowledgeArticleViewStat",
    "KnowledgeArticleVoteStat",
    "OrderStatus",
    "PartnerRole",
    "RecentlyViewed",
    "ServiceAppointmentStatus",
    "ShiftStatus",
    "SolutionStatus",
    "TaskPriority",
    "TaskStatus",
    "TaskWhoRelation",
    "UndecidedEventRelation",
    "WorkOrderStatus",
];

/// Standard objects that long queries are cut into pieces over.
const CHUNKED: [&str; 16] = [
    "Account",
    "AccountContactRelation",
    "Asset",
    "Campaign",
    "CampaignMember",
    "Case",
    "CaseComment",
    "Contact",
    "ContentDocument",
    "ContentVersion",
    "Contract",
    "Event",
    "Lead",
    "Opportunity",
    "Task",
    "User",
];

/// Whether the API cuts queries over an object into pieces by Id.
pub(crate) fn chunked(object: &str) -> bool {
    object.ends_with("__c")
        || object.ends_with("Share")
        || object.ends_with("History")
        || CHUNKED.iter().any(|name| name.eq_ignore_ascii_case(object))
}

/// Refuses an object that the Bulk API does not support.
pub(crate) fn object(state: &State, name: &str) -> Result<(), ApiError> {
    let own = state.settings.bulk.unsupported.iter().map(String::as_str);
    let known = UNSUPPORTED.iter().copied().chain(own);
    let kinds = ["__x", "__e", "ChangeEvent", "__Tag", "StatusValue"];
    if known.into_iter().any(|o| o.eq_ignore_ascii_case(name)) || kinds.iter().any(|k| name.ends_with(k)) {
        return Err(ApiError::new(
            "INVALIDENTITY",
            format!("Entity '{name}' is not supported by the Bulk API."),
        ));
    }
    Ok(())
}

/// Refuses clauses that no query job may have.
pub(crate) fn clauses(soql: &str) -> Result<(), ApiError> {
    let words = words(soql);
    let select_end = words.iter().position(|w| w == "from").unwrap_or(words.len());
    let next = |at: usize, word: &str| words.get(at + 1).is_some_and(|w| w == word);
    for (at, word) in words.iter().enumerate() {
        let refused = match word.as_str() {
            "group" if next(at, "by") => "Grouping (GROUP BY) not supported in Bulk Query",
            "offset" if at > select_end => "OFFSET not supported in Bulk Query",
            "typeof" if at < select_end => "TYPEOF not supported in Bulk Query",
            "fields" if at < select_end && next(at, "(") => "FIELDS function not supported in Bulk Query",
            "count" | "count_distinct" | "sum" | "avg" | "min" | "max"
                if at < select_end && next(at, "(") =>
            {
                "Aggregate functions not supported in Bulk Query"
            }
            "(" if at < select_end && next(at, "select") => {
                "Aggregate Relationships not supported in Bulk Query"
            }
            _ => continue,
        };
        return Err(ApiError::new("API_ERROR", refused));
    }
    Ok(())
}

/// Words in lower case and opening brackets, literals left out.
fn words(soql: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut chars = soql.chars();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || matches!(c, '_' | '.') {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        match c {
            '(' => out.push("(".to_owned()),
            '\'' => {
                while let Some(inside) = chars.next().filter(|i| *i != '\'') {
                    if inside == '\\' {
                        chars.next();
                    }
                }
            }
            _ => {}
        }
    }
    out.push(word);
    out
}

/// Refuses fields that have no place in a CSV, and what the user's rights do not reach.
pub(crate) fn plan(state: &State, plan: &Plan) -> Result<(), ApiError> {
    if plan.plain().is_none() {
        return Err(ApiError::new(
            "API_ERROR",
            "Only fields can be selected in Bulk Query",
        ));
    }
    let kinds: Vec<Kind> = plan.columns().map(|c| c.kind).collect();
    if kinds.iter().any(|k| k.is_compound()) {
        return Err(ApiError::new(
            "API_ERROR",
            "Selecting compound data not supported in Bulk Query",
        ));
    }
    if kinds.contains(&Kind::Base64) {
        return Err(ApiError::new(
            "API_ERROR",
            "Binary field not supported in Bulk Query",
        ));
    }
    let reserved = &state.settings.bulk.view_all_data_for;
    if reserved.contains(&plan.object.name) && !state.may(Permission::ViewAllData) {
        return Err(ApiError::new(
            "API_ERROR",
            format!(
                "Implementation restriction: {} only allows security evaluation for non-admin users when LIMIT is specified and at most one ID filter",
                plan.object.name
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_seen_and_literals_are_not() {
        for bad in [
            "SELECT Name, COUNT(Id) FROM A",
            "select count() from A",
            "SELECT Id, (SELECT Id FROM Contacts) FROM A",
            "SELECT Name FROM A GROUP  BY Name",
            "SELECT Id FROM A OFFSET 5",
            "SELECT FIELDS(ALL) FROM A LIMIT 5",
            "SELECT TYPEOF What WHEN Account THEN Phone END FROM Event",
        ] {
            assert!(clauses(bad).is_err(), "{bad}");
        }
        for good in [
            "SELECT Id FROM A WHERE Name = 'it\\'s group by offset (select'",
            "SELECT Id FROM A WHERE Id IN (SELECT AccountId FROM Contact)",
            "SELECT Count, Offset FROM A",
            "SELECT Id FROM A WHERE Group = 'x' ORDER BY Id",
            "",
            "'",
        ] {
            assert!(clauses(good).is_ok(), "{good}");
        }
    }
}
