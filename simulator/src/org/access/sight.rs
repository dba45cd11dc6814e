//! What the running user sees and may change: objects, fields, rows.
//!
//! Key decision: the hooks that queries, describes and writes ask, and nothing else asks about rights. Each
//! is cheap for a user who may see everything, since queries ask it for each row.
//! Source: Salesforce Help, "Organization-Wide Sharing Defaults", "Query All Files"; Object Reference,
//! "ContentDocument", "ContentDocumentLink".
//! Not here: role hierarchies, sharing rules, teams: a private row is its owner's alone.

use std::sync::Arc;

use serde_json::Value;

use super::{FieldRights, ObjectRights, Permission, Permissions, Sharing};
use crate::error::ApiError;
use crate::org::state::{Life, Row, State};
use crate::schema::object::Rights;
use crate::schema::{Field, ObjectDef};

/// What is about to be done with an object or a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Create,
    Edit,
    Delete,
}

/// Objects in which rights are written down.
pub(super) const SETUP: [&str; 2] = ["ObjectPermissions", "FieldPermissions"];

/// On insert only, and not on every object.
const AUDITED: [&str; 21] = [
    "Account",
    "Attachment",
    "CampaignMember",
    "Case",
    "CaseComment",
    "Contact",
    "ContentNote",
    "ContentVersion",
    "Contract",
    "EmailMessage",
    "Event",
    "FeedComment",
    "FeedItem",
    "Idea",
    "IdeaComment",
    "Lead",
    "Opportunity",
    "Quote",
    "Task",
    "Vote",
    "WorkOrder",
];

impl State {
    fn rights(&self) -> &Permissions {
        self.access.of(&self.running)
    }

    /// Whether the running user may use the API at all.
    pub fn admit(&self) -> Result<(), ApiError> {
        let access = &self.settings.access;
        let (code, message) = if access.api_suspended {
            (
                "API_CURRENTLY_DISABLED",
                "Because of a system problem, API functionality is temporarily unavailable.",
            )
        } else if !access.api || !self.rights().has(Permission::ApiEnabled) {
            (
                "API_DISABLED_FOR_ORG",
                "The REST API is not enabled for this Organization.",
            )
        } else {
            return Ok(());
        };
        Err(ApiError::new(code, message).status(403))
    }

    /// Runs something as the org itself: rights do not count.
    pub fn as_system<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.access.system, true);
        let result = work(self);
        self.access.system = before;
        result
    }

    /// Whether the running user has a system permission; some of them need others.
    pub fn may(&self, permission: Permission) -> bool {
        let rights = self.rights();
        let needs = match permission {
            Permission::QueryAllFiles => rights.has(Permission::ViewAllData),
            Permission::CreateAuditFields => {
                self.settings.access.audit_preference && rights.has(Permission::ModifyAllData)
            }
            Permission::UpdateWithInactiveOwner => self.settings.access.audit_preference,
            Permission::ViewAllData => {
                return self.access.system
                    || rights.has(Permission::ViewAllData)
                    || rights.has(Permission::ModifyAllData);
            }
            Permission::ModifyAllData => return self.access.system || rights.has(Permission::ModifyAllData),
            _ => true,
        };
        needs && rights.has(permission)
    }

    pub(super) fn on_object(&self, object: &ObjectDef) -> ObjectRights {
        if self.access.system || self.rights().objects.is_empty() {
            return ObjectRights::default();
        }
        let known = self.rights().objects.get(&object.name.to_ascii_lowercase());
        known.copied().unwrap_or_default()
    }

    /// Whether the object exists for the running user.
    pub fn sees_object(&self, object: &ObjectDef) -> bool {
        self.on_object(object).read
            && (!SETUP.contains(&object.name.as_str()) || self.may(Permission::ViewSetup))
    }

    /// The object of that name, if it exists for the running user.
    pub fn visible(&self, name: &str) -> Option<&Arc<ObjectDef>> {
        self.schema.object(name).filter(|o| self.sees_object(o))
    }

    /// What the running user may do with the rows of an object, as a describe tells.
    pub fn effective(&self, object: &ObjectDef) -> Rights {
        let given = self.on_object(object);
        let mut rights = object.rights.clone();
        rights.createable &= given.create;
        rights.updateable &= given.edit;
        rights.deletable &= given.delete;
        rights.undeletable &= given.delete;
        rights
    }

    /// Whether the running user may give a record this record type.
    pub fn offers(&self, record_type: &str) -> bool {
        self.access.system || !self.rights().withheld.contains(record_type)
    }

    fn on_field(&self, object: &ObjectDef, field: &Field) -> FieldRights {
        if self.access.system || self.rights().fields.is_empty() {
            return FieldRights::default();
        }
        let Some(fields) = self.rights().fields.get(&object.name.to_ascii_lowercase()) else {
            return FieldRights::default();
        };
        let of = |name: &str| fields.get(&name.to_ascii_lowercase()).copied();
        // An address is one for field-level security; its parts follow it.
        let whole = field.compound.as_deref().and_then(of);
        let own = of(&field.name).filter(|_| field.permissionable() || field.kind.is_compound());
        whole.or(own).unwrap_or_default()
    }

    /// Whether the field exists for the running user.
    pub fn sees_field(&self, object: &ObjectDef, field: &Field) -> bool {
        self.on_field(object, field).read
    }

    /// Whether the running user may write the field where it can be written at all.
    pub fn writes_field(&self, object: &ObjectDef, field: &Field) -> bool {
        let rights = self.on_field(object, field);
        rights.read && rights.edit
    }

    /// Whether the running user may set the audit fields of a new row of this object.
    pub fn sets_audit(&self, object: &ObjectDef) -> bool {
        (object.custom || AUDITED.contains(&object.name.as_str())) && self.may(Permission::CreateAuditFields)
    }

    /// Whether the running user sees a row that is asked for by its Id.
    pub fn sees_row(&self, object: &ObjectDef, id: &str, row: &Row) -> bool {
        self.reaches(object, id, row, true)
    }

    /// Whether the running user finds a row without naming it: files that only a record leads to are not.
    pub fn finds_row(&self, object: &ObjectDef, id: &str, row: &Row) -> bool {
        self.reaches(object, id, row, false)
    }

    fn reaches(&self, object: &ObjectDef, id: &str, row: &Row, named: bool) -> bool {
        match object.name.as_str() {
            "ContentDocument" => self.reaches_file(id, row, named),
            "ContentVersion" => {
                let file = row.text("ContentDocumentId");
                let document = self.row(file);
                self.owns(row) || document.is_none_or(|d| self.reaches_file(file, d, named))
            }
            "ContentDocumentLink" => {
                self.may(Permission::QueryAllFiles) || self.sees_id(row.text("LinkedEntityId"))
            }
            _ => self.reaches_plain(object, row),
        }
    }

    fn reaches_plain(&self, object: &ObjectDef, row: &Row) -> bool {
        if row.life != Life::Live && !self.may(Permission::ModifyAllData) {
            return self.on_object(object).modify_all || self.owns(row);
        }
        if self.may(Permission::ViewAllData) {
            return true;
        }
        let given = self.on_object(object);
        given.view_all || given.modify_all || self.shared(object, row) != Sharing::Private
    }

    /// How a row is shared with the running user; what has a master is shared as the master is.
    fn shared(&self, object: &ObjectDef, row: &Row) -> Sharing {
        let sharing = &self.settings.access.sharing;
        if sharing.is_empty() || self.owns(row) {
            return Sharing::Public;
        }
        if let Some(known) = sharing.get(&object.name) {
            return *known;
        }
        let master = object.fields.iter().find(|f| f.order == Some(0));
        let above = master.map(|f| row.text(&f.name)).filter(|id| !id.is_empty());
        match above.and_then(|id| Some((self.schema.by_id(id)?, self.row(id)?))) {
            Some((object, row)) => self.shared(object, row),
            None => Sharing::Public,
        }
    }

    fn owns(&self, row: &Row) -> bool {
        row.text("OwnerId") == self.running
    }

    /// Whether the running user sees the row of an Id.
    pub fn sees_id(&self, id: &str) -> bool {
        match (self.schema.by_id(id), self.row(id)) {
            (Some(object), Some(row)) => self.sees_object(object) && self.sees_row(object, id, row),
            _ => false,
        }
    }

    /// Files are their owner's, whatever View All Data says, and who they are shared with.
    fn reaches_file(&self, file: &str, row: &Row, named: bool) -> bool {
        if self.access.system || self.may(Permission::QueryAllFiles) || self.owns(row) {
            return true;
        }
        self.index.holders(file).any(|id| {
            let link = self.live(id).filter(|l| l.text("ContentDocumentId") == file);
            let to = link.map_or("", |l| l.text("LinkedEntityId"));
            !to.is_empty() && (to == self.running || to == self.org_id || named && self.sees_id(to))
        })
    }

    /// Refuses what the running user has no right to do with an object, or with this row of it.
    pub fn allow(&self, act: Act, object: &ObjectDef, row: Option<(&str, &Row)>) -> Result<(), ApiError> {
        let given = self.on_object(object);
        let right = match act {
            Act::Create => given.create,
            Act::Edit => given.edit,
            Act::Delete => given.delete,
        };
        if act == Act::Create && !right {
            return Err(ApiError::new(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                format!("entity type cannot be inserted: {}", object.label),
            ));
        }
        if let Some((id, row)) = row
            && !self.sees_row(object, id, row)
        {
            return Err(ApiError::bad_reference());
        }
        let free = given.modify_all || self.may(Permission::ModifyAllData);
        let open = free || row.is_none_or(|(_, row)| self.changes(act, object, row));
        if right && open {
            return Ok(());
        }
        let message = "insufficient access rights on object id";
        Err(ApiError::new("INSUFFICIENT_ACCESS_OR_READONLY", message).status(403))
    }

    /// Without Modify All, a delete is the owner's where rows have one.
    fn changes(&self, act: Act, object: &ObjectDef, row: &Row) -> bool {
        let owned = act != Act::Delete || !row.values.contains_key("OwnerId") || self.owns(row);
        owned && self.shared(object, row) == Sharing::Public
    }

    /// A value as the running user sees it: encrypted text is masked but for who may view it.
    pub fn unmasked(&self, field: &Field, value: Value) -> Value {
        match value {
            Value::String(text)
                if field.kind == crate::schema::Kind::Encrypted
                    && !self.may(Permission::ViewEncryptedData) =>
            {
                Value::String(masked(&text))
            }
            other => other,
        }
    }
}

/// All but the last four characters.
fn masked(text: &str) -> String {
    let length = text.chars().count();
    text.chars()
        .enumerate()
        .map(|(at, c)| if at + 4 < length { '*' } else { c })
        .collect()
}
