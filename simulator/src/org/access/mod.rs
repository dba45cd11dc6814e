//! What each user of the org may do: system permissions, objects, fields; and how objects are shared.
//!
//! Key decision: a user has one set of effective rights, whatever profiles and permission sets a real org
//! would have spread it over. What is said of an object or a field wins over View All Data, as a missing
//! package licence does; what nothing is said of may be read and written.
//! Source: Object Reference, "PermissionSet", "ObjectPermissions", "FieldPermissions"; Knowledge articles
//! 000176484 and 000227663 for audit fields and inactive owners.
//! Not here: asking (`sight`), the rows in which rights can be read (`papers`).

mod papers;
mod sight;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::state::State;

pub(crate) use papers::{enrol, permission, write_down};
pub(crate) use sight::Act;

/// A system permission, by the name of its field without `Permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Permission {
    /// Without it every call answers 403 `API_DISABLED_FOR_ORG`.
    ApiEnabled,
    /// Rows of others in private objects are seen.
    ViewAllData,
    /// Rows of others are changed, deleted, and found in the recycle bin.
    ModifyAllData,
    /// Files of others are seen; needs View All Data.
    QueryAllFiles,
    /// "Set Audit Fields upon Record Creation".
    CreateAuditFields,
    /// "Update Records with Inactive Owners".
    UpdateWithInactiveOwner,
    /// Bulk jobs may skip the recycle bin.
    BulkApiHardDelete,
    /// Values of encrypted fields are shown plain.
    ViewEncryptedData,
    /// "View Setup and Configuration": rights of objects and fields can be queried.
    ViewSetup,
    /// Objects and fields may be changed.
    CustomizeApplication,
    /// Code may be written.
    AuthorApex,
}

impl Permission {
    /// Every permission, its name, and whether users have it unless told otherwise.
    const ALL: [(Permission, &'static str, bool); 11] = [
        (Permission::ApiEnabled, "ApiEnabled", true),
        (Permission::ViewAllData, "ViewAllData", true),
        (Permission::ModifyAllData, "ModifyAllData", true),
        (Permission::QueryAllFiles, "QueryAllFiles", true),
        (Permission::CreateAuditFields, "CreateAuditFields", false),
        (
            Permission::UpdateWithInactiveOwner,
            "UpdateWithInactiveOwner",
            false,
        ),
        (Permission::BulkApiHardDelete, "BulkApiHardDelete", false),
        (Permission::ViewEncryptedData, "ViewEncryptedData", true),
        (Permission::ViewSetup, "ViewSetup", true),
        (Permission::CustomizeApplication, "CustomizeApplication", true),
        (Permission::AuthorApex, "AuthorApex", true),
    ];

    /// Every permission and the name of its field.
    pub(crate) fn fields() -> impl Iterator<Item = (Permission, String)> {
        Self::ALL
            .iter()
            .map(|(p, name, _)| (*p, format!("Permissions{name}")))
    }

    /// The permission whose field this is (`PermissionsViewAllData`).
    pub(crate) fn of_field(field: &str) -> Option<Permission> {
        let name = field.strip_prefix("Permissions")?;
        Self::ALL
            .iter()
            .find(|(_, n, _)| n.eq_ignore_ascii_case(name))
            .map(|p| p.0)
    }
}

/// What a user may do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "six rights that are given one by one"
)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectRights {
    /// Without it the object does not exist for the user.
    pub read: bool,
    /// New rows.
    pub create: bool,
    /// Changes.
    pub edit: bool,
    /// Deletes, and bringing back.
    pub delete: bool,
    /// Rows of others are seen, without View All Data.
    pub view_all: bool,
    /// Rows of others are changed and deleted, without Modify All Data.
    pub modify_all: bool,
}

impl Default for ObjectRights {
    fn default() -> Self {
        Self {
            read: true,
            create: true,
            edit: true,
            delete: true,
            view_all: false,
            modify_all: false,
        }
    }
}

/// What a user may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldRights {
    /// Without it the field does not exist for the user.
    pub read: bool,
    /// Without it the field is read-only for the user.
    pub edit: bool,
}

impl Default for FieldRights {
    fn default() -> Self {
        Self {
            read: true,
            edit: true,
        }
    }
}

/// The effective rights of one user. Change them with [`crate::Org::permit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    system: BTreeSet<Permission>,
    /// By name in lower case.
    objects: BTreeMap<String, ObjectRights>,
    /// By names in lower case, object first.
    fields: BTreeMap<String, BTreeMap<String, FieldRights>>,
    /// Ids of record types that are not available.
    #[serde(default)]
    withheld: BTreeSet<String>,
}

impl Default for Permissions {
    fn default() -> Self {
        let given = Permission::ALL.iter().filter(|p| p.2).map(|p| p.0);
        Self {
            system: given.collect(),
            objects: BTreeMap::new(),
            fields: BTreeMap::new(),
            withheld: BTreeSet::new(),
        }
    }
}

impl Permissions {
    /// Gives a system permission.
    pub fn grant(&mut self, permission: Permission) {
        self.system.insert(permission);
    }

    /// Takes a system permission away.
    pub fn revoke(&mut self, permission: Permission) {
        self.system.remove(&permission);
    }

    /// Whether the user has a system permission.
    pub fn has(&self, permission: Permission) -> bool {
        self.system.contains(&permission)
    }

    /// The rights on an object, to be changed; all but View All and Modify All unless told otherwise.
    pub fn object(&mut self, name: &str) -> &mut ObjectRights {
        self.objects.entry(name.to_ascii_lowercase()).or_default()
    }

    /// Makes a record type available or not; all are unless told otherwise.
    pub fn record_type(&mut self, id: &str, available: bool) {
        let id = crate::id::normalise(id).unwrap_or_else(|| id.to_owned());
        if available {
            self.withheld.remove(&id);
        } else {
            self.withheld.insert(id);
        }
    }

    /// The rights on a field, to be changed; both unless told otherwise. Fields to which field-level
    /// security does not apply (Id, system fields, required ones) stay as they are.
    pub fn field(&mut self, object: &str, name: &str) -> &mut FieldRights {
        self.fields
            .entry(object.to_ascii_lowercase())
            .or_default()
            .entry(name.to_ascii_lowercase())
            .or_default()
    }
}

/// Who sees and changes the rows of an object, besides their owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sharing {
    /// Everybody sees and changes.
    #[default]
    Public,
    /// Everybody sees.
    ReadOnly,
    /// Nobody.
    Private,
}

/// Settings of access.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessSettings {
    /// The edition has the API. Without it every call answers 403 `API_DISABLED_FOR_ORG`.
    pub api: bool,
    /// Salesforce has switched the API off for now: 403 `API_CURRENTLY_DISABLED`.
    pub api_suspended: bool,
    /// The org preference that makes "Set Audit Fields upon Record Creation" and "Update Records with
    /// Inactive Owners" count.
    pub audit_preference: bool,
    /// Organization-wide defaults that are not public, by API name of the object.
    pub sharing: BTreeMap<String, Sharing>,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            api: true,
            api_suspended: false,
            audit_preference: true,
            sharing: BTreeMap::new(),
        }
    }
}

/// The rights of all users of an org.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Access {
    /// By Id of the user; who is not in it has the default rights.
    users: BTreeMap<String, Permissions>,
    usual: Permissions,
    /// The org itself is at work (automation, loading): rights do not count.
    #[serde(skip)]
    system: bool,
}

impl Access {
    /// The rights of a user, to be changed.
    pub fn of_mut(&mut self, user: &str) -> &mut Permissions {
        self.users.entry(user.to_owned()).or_default()
    }

    /// The rights of a user.
    pub fn of(&self, user: &str) -> &Permissions {
        self.users.get(user).unwrap_or(&self.usual)
    }
}
