//! Objects that cannot be queried, or only under a filter.
//!
//! Key decision: two tables by name, whatever the org's schema: a describe that was recorded in a real org
//! brings these objects along, and a client must meet the same refusals here.
//! Source: Object Reference, the objects' "Special Access Rules" and "Supported Calls".
//! Not here: what a user may not see (`names`).

use super::super::ast::{Op, Path};
use super::super::lexer::located;
use super::{Column, Members, Test};
use crate::error::ApiError;
use crate::org::{Permission, State};
use crate::schema::ObjectDef;

/// Objects without query.
const NOT_QUERYABLE: [&str; 22] = [
    "ActivityHistory",
    "AggregateResult",
    "AttachedContentDocument",
    "AttachedContentNote",
    "CombinedAttachment",
    "ContentBody",
    "DataType",
    "EmailStatus",
    "FeedLike",
    "FeedSignal",
    "FeedTrackedChange",
    "FolderedContentDocument",
    "ListViewChartInstance",
    "LookedUpFromActivity",
    "Name",
    "NoteAndAttachment",
    "OpenActivity",
    "OutgoingEmail",
    "OutgoingEmailRelation",
    "OwnedContentDocument",
    "ProcessInstanceHistory",
    "QuoteTemplateRichTextData",
];

/// Kinds of objects without query, by the end of their names.
const NOT_QUERYABLE_KINDS: [&str; 3] = ["EventStream", "ChangeEvent", "__e"];

/// Fields that lead to a file.
const LINK: [&str; 3] = ["Id", "ContentDocumentId", "LinkedEntityId"];

/// Objects that are queried by one of some fields only. Those with a `reified` column say so in words of
/// their own.
const FILTERED: [(&str, &[&str], bool); 25] = [
    (
        "ContentDocumentLink",
        &["Id", "ContentDocumentId", "LinkedEntityId"],
        false,
    ),
    ("ContentFolderItem", &["Id", "ParentContentFolderId"], false),
    (
        "ContentFolderMember",
        &["Id", "ParentContentFolderId", "ChildRecordId"],
        false,
    ),
    (
        "ContentFolderLink",
        &["Id", "ContentFolderId", "ParentEntityId"],
        false,
    ),
    (
        "CollaborationGroupRecord",
        &["Id", "CollaborationGroupId", "RecordId"],
        false,
    ),
    ("IdeaComment", &["Id", "CommunityId", "IdeaId"], false),
    ("Vote", &["Id", "ParentId"], false),
    ("Announcement", &["Id", "ParentId"], false),
    ("AppTabMember", &["AppDefinitionId", "DurableId"], true),
    ("ColorDefinition", &["TabDefinitionId", "DurableId"], true),
    ("IconDefinition", &["TabDefinitionId", "DurableId"], true),
    ("DataStatistics", &["StatType"], true),
    ("EntityParticle", &["EntityDefinitionId", "DurableId"], true),
    ("FieldDefinition", &["EntityDefinitionId", "DurableId"], true),
    ("FlexQueueItem", &["JobType"], true),
    (
        "OwnerChangeOptionInfo",
        &["EntityDefinitionId", "DurableId"],
        true,
    ),
    ("PicklistValueInfo", &["EntityParticleId", "DurableId"], true),
    ("PlatformAction", &["ActionListContext"], true),
    (
        "RelationshipDomain",
        &["ParentSobjectId", "ChildSobjectId", "DurableId"],
        true,
    ),
    (
        "RelationshipInfo",
        &["ParentSobjectId", "ChildSobjectId", "DurableId"],
        true,
    ),
    ("SearchLayout", &["EntityDefinitionId", "DurableId"], true),
    ("SiteDetail", &["DurableId"], true),
    ("UserEntityAccess", &["UserId", "DurableId"], true),
    ("UserFieldAccess", &["UserId", "DurableId"], true),
    ("UserRecordAccess", &["RecordId", "UserId"], true),
];

/// Refuses an object that has no query.
pub(super) fn queryable(text: &str, from: &Path, name: &str) -> Result<(), ApiError> {
    let named = NOT_QUERYABLE.iter().any(|n| n.eq_ignore_ascii_case(name));
    if named || NOT_QUERYABLE_KINDS.iter().any(|end| name.ends_with(end)) {
        return Err(no_query(text, from, name));
    }
    Ok(())
}

/// The refusal of an object that has no query.
pub(super) fn no_query(text: &str, from: &Path, name: &str) -> ApiError {
    let message = format!("entity type {name} does not support query");
    ApiError::new("INVALID_TYPE_FOR_OPERATION", located(text, from.at, &message))
}

/// Refuses a query without the filter that its object asks for.
pub(super) fn filtered(
    state: &State,
    object: &ObjectDef,
    filter: Option<&Test<Column>>,
) -> Result<(), ApiError> {
    let name = object.name.as_str();
    let Some((_, fields, reified)) = FILTERED.iter().find(|(n, ..)| *n == name) else {
        return Ok(());
    };
    let free = name == "ContentDocumentLink" && state.may(Permission::QueryAllFiles);
    if free || filter.is_some_and(|f| keyed(f, fields)) {
        return Ok(());
    }
    let message = match name {
        "ContentDocumentLink" => "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.".to_owned(),
        "IdeaComment" => "Implementation restriction. When querying the Idea Comment object, you must filter using the following syntax: CommunityId = [single ID], Id = [single ID], IdeaId = [single ID], or Id IN [list of IDs].".to_owned(),
        "Vote" => "Implementation restriction. When querying the Vote object, you must filter using the following syntax: ParentId = [single ID], Parent.Type = [single Type], Id = [single ID], or Id IN [list of IDs].".to_owned(),
        _ if *reified => format!("{name}: a filter on a reified column is required [{}]", fields.join(",")),
        _ => {
            let (last, others) = fields.split_last().unwrap_or((&"Id", &[]));
            let others = others.join(", ");
            format!("Implementation restriction: {name} requires a filter by a single {others} or {last} using the equals operator")
        }
    };
    Err(ApiError::new("MALFORMED_QUERY", message))
}

/// Whether a condition names the rows it wants, or what they belong to.
pub(in crate::soql) fn names_rows(test: &Test<Column>) -> bool {
    keyed(test, &LINK)
}

/// Whether one of the fields is asked for by value, among conditions that must all hold.
fn keyed(test: &Test<Column>, fields: &[&str]) -> bool {
    let is_key = |c: &Column| {
        let typed = fields.contains(&"ParentId")
            && c.hops.len() == 1
            && c.hops[0].way == "Parent"
            && c.field == "Type";
        typed || c.hops.is_empty() && fields.contains(&c.field.as_str())
    };
    match test {
        Test::All(all) => all.iter().any(|t| keyed(t, fields)),
        Test::Compare {
            of, op: Op::Eq, to, ..
        } => is_key(of) && !to.is_null(),
        Test::In {
            of,
            negated: false,
            set,
            ..
        } => is_key(of) && matches!(set, Members::Values(_)),
        _ => false,
    }
}
