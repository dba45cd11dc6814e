//! What the headers of a call ask of the writes it makes.
//!
//! Key decision: part of the state while the call is answered, and back at rest afterwards, so that changes
//! made behind the API's back (`Org::create`) are never steered by the last client.
//! Source: REST API guide, "Assignment Rule Header", "Duplicate Rule Header".
//! Not here: headers that only shape a reply (`http`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Wishes of a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallOptions {
    /// `Sforce-Auto-Assign` is not FALSE: active assignment rules name the owner.
    pub auto_assign: bool,
    /// `Sforce-Duplicate-Rule-Header: allowSave=true`: alerts of duplicate rules are passed.
    pub allow_duplicates: bool,
}

/// Active assignment rules: the owner that each gives, by object (`Account`, `Case`, `Lead`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AssignmentRules(pub BTreeMap<String, String>);
