//! Which sObjects can be read, which only by the rows they belong to, and which not at all and why.
//!
//! Key decision: tables by name, from the Object Reference, each entry with what would change it, since the describe
//! says nothing of all this. Kinds that are made of other rows are left out, so that nothing is kept twice: history,
//! share and junction rows are read, feed views are not. Nothing is read here.

/// How rows of an sObject that answers only with a filter can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The sObject.
    pub sobject: &'static str,
    /// The field that the filter is on.
    pub field: &'static str,
    /// Whose rows it names; none: each kind that the field may point at is named instead.
    pub parent: Option<&'static str>,
    /// How many of them in one query.
    pub at_once: usize,
}

/// Object Reference, each object's page; 200 Ids of a list are what others ask for at a time.
const NEEDS: [Need; 8] = [
    need("ContentDocumentLink", "ContentDocumentId", "ContentDocument", 200),
    need("ContentFolderItem", "ParentContentFolderId", "ContentFolder", 1),
    need("ContentFolderMember", "ParentContentFolderId", "ContentFolder", 1),
    need("ContentFolderLink", "ContentFolderId", "ContentFolder", 1),
    need(
        "CollaborationGroupRecord",
        "CollaborationGroupId",
        "CollaborationGroup",
        1,
    ),
    need("Announcement", "ParentId", "CollaborationGroup", 1),
    need("IdeaComment", "CommunityId", "Community", 1),
    Need {
        sobject: "Vote",
        field: "ParentId",
        parent: None,
        at_once: 1,
    },
];

const fn need(sobject: &'static str, field: &'static str, parent: &'static str, at_once: usize) -> Need {
    Need {
        sobject,
        field,
        parent: Some(parent),
        at_once,
    }
}

impl Need {
    /// What an sObject needs.
    pub fn of(sobject: &str) -> Option<&'static Self> {
        NEEDS.iter().find(|need| need.sobject == sobject)
    }
}

/// Why rows of an sObject cannot be read and what would change that; `seen` says whether the user sees another one.
pub fn unreadable(name: &str, queryable: bool, seen: &dyn Fn(&str) -> bool) -> Option<String> {
    let kind = BY_SUFFIX
        .iter()
        .find(|(suffix, _)| name.ends_with(suffix))
        .map(|(_, why)| (*why).to_owned());
    let listed = |list: &[&str], why: &str| list.contains(&name).then(|| why.to_owned());
    kind.or_else(|| listed(VIEWS, VIEW))
        .or_else(|| listed(SETUP, OF_SETUP))
        .or_else(|| listed(FILTERED, ONLY_FILTERED))
        .or_else(|| (!queryable).then(|| NOT_QUERYABLE.to_owned()))
        .or_else(|| {
            let need = Need::of(name)?;
            let parent = need.parent.filter(|parent| !seen(parent))?;
            Some(format!(
                "The org answers queries on it only by {}, of {parent}, which this user does not see: give the user the \
                 right to that.",
                need.field
            ))
        })
}

const VIEW: &str = "It is a view of rows of other sObjects, which are read with those: nothing is missing.";
const OF_SETUP: &str = "It shows the org's setup, a filter at a time, and holds no rows of its own: a backup of metadata \
                        would have what it is made from.";
const ONLY_FILTERED: &str = "The org answers queries on it only with a filter that no other rows give: nothing that can \
                             be set in the org changes that.";
const NOT_QUERYABLE: &str = "The org does not let this user query it: that changes with the right to it or the licence of \
                             its package, if it is an sObject with rows at all.";

/// Kinds of sObject that a suffix tells (Object Reference, "Custom Objects", "Change Event Objects").
const BY_SUFFIX: &[(&str, &str)] = &[
    (
        "ChangeEvent",
        "It is a stream of change events, which the org does not keep as rows: the rows that changed are read.",
    ),
    (
        "EventStream",
        "It is a stream of events, which the org does not keep as rows: nothing changes that.",
    ),
    (
        "__e",
        "It is a platform event, which the org does not keep as rows: nothing changes that.",
    ),
    (
        "__b",
        "It is a big object, whose rows can only be asked for by its index: export them by a program of its own.",
    ),
    (
        "__x",
        "It is an external object, whose rows live in another system: back that up.",
    ),
    (
        "__xo",
        "It is a Salesforce-to-Salesforce proxy, whose rows live in another org: back that up.",
    ),
    (
        "Feed",
        "It is a view of FeedItem and FeedComment, which are read: nothing is missing.",
    ),
];

/// Views of other rows (Object Reference, each object's "Special Access Rules").
const VIEWS: &[&str] = &[
    "ActivityHistory",
    "ActivityMetric",
    "ActivityMetricRollup",
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

/// Answer "a filter on a reified column is required", and are made of metadata (same source).
const SETUP: &[&str] = &[
    "ApexTypeImplementor",
    "AppTabMember",
    "ColorDefinition",
    "DataStatistics",
    "EntityParticle",
    "FieldDefinition",
    "FlexQueueItem",
    "FlowTestView",
    "FlowVariableView",
    "FlowVersionView",
    "IconDefinition",
    "OwnerChangeOptionInfo",
    "PicklistValueInfo",
    "PlatformAction",
    "RelatedListColumnDefinition",
    "RelatedListDefinition",
    "RelationshipDomain",
    "RelationshipInfo",
    "SearchLayout",
    "SiteDetail",
    "UserEntityAccess",
    "UserFieldAccess",
    "UserRecordAccess",
];

/// Answer "Implementation restriction" without a filter that cannot be made up (same source).
const FILTERED: &[&str] = &[
    "DatacloudAddress",
    "DatacloudDandBCompany",
    "FieldHistoryArchive",
    "NetworkUserHistoryRecent",
    "RecordActionHistory",
    "RecordRecommendation",
];
