//! Old Ids that still stand in texts: what a record was called before it was made anew.
//!
//! Key decision: an Id counts where it stands by itself, in its 15 or 18 characters, also after `%2F` or `=` in an
//! address; a text is scanned by jumping fifteen characters, so that prose costs next to nothing. It changes nothing:
//! whether a text is to be changed is for people to say.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::blob::holds_bodies;
use crate::format::describe::{Describe, FieldKind};
use crate::ops::restore::moved::Moved;
use crate::ops::state::State;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// An old Id in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The sObject of the record that has the text.
    pub sobject: String,
    /// The record.
    pub id: String,
    /// The field.
    pub field: String,
    /// The old Id that stands there.
    pub old: String,
    /// The Id that the record it named has now.
    pub new: String,
}

/// Takes what was found.
pub type EachStanding<'a> = dyn FnMut(&Standing) -> Result<()> + 'a;

/// Gives every place in the texts of live records of `snapshot` where the old Id of a record that was made anew still
/// stands, each once a field. Memory is that of the Ids.
///
/// # Errors
/// What reading the vault gives, or `each`.
pub fn standing(
    vault: &Vault,
    snapshot: &SnapshotInfo,
    moved: &Moved,
    each: &mut EachStanding<'_>,
) -> Result<()> {
    let ids: HashMap<[u8; 15], RecordId> = moved.all().map(|(old, new)| (*old.as_bytes(), new)).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let state = State::at(vault, snapshot);
    for sobject in state.sobjects()? {
        if holds_bodies(&sobject) {
            continue;
        }
        let describe = state.describe(&sobject).ok();
        state.each(&sobject, &mut |record| {
            vault.go_on()?;
            let mut hit = false;
            windows(record.json.as_bytes(), &ids, |_| hit = true);
            if !hit {
                return Ok(());
            }
            for (field, old, new) in in_record(&record.json, describe.as_ref(), &ids) {
                each(&Standing {
                    sobject: sobject.clone(),
                    id: record.id.to_string(),
                    field,
                    old: old.to_string(),
                    new: new.to_string(),
                })?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

type Ids = HashMap<[u8; 15], RecordId>;

/// Gives where in `text` one of the Ids begins, whatever stands around it.
fn windows(text: &[u8], ids: &Ids, mut found: impl FnMut(usize)) {
    let mut at = 0;
    while let Some(window) = text.get(at..at + 15) {
        if let Some(last) = window.iter().rposition(|b| !b.is_ascii_alphanumeric()) {
            at += last + 1;
            continue;
        }
        if <&[u8; 15]>::try_from(window).is_ok_and(|id| ids.contains_key(id)) {
            found(at);
        }
        at += 1;
    }
}

/// The Ids that stand by themselves in a text, each once.
fn in_text(text: &str, ids: &Ids) -> BTreeMap<RecordId, RecordId> {
    let bytes = text.as_bytes();
    let mut all = BTreeMap::new();
    windows(bytes, ids, |at| {
        let alone = |at: usize| bytes.get(at).is_none_or(|b| !b.is_ascii_alphanumeric());
        let begins = at == 0 || alone(at - 1) || escaped(&bytes[..at]);
        let old = RecordId::parse(&bytes[at..at + 15]);
        let whole = bytes.get(at..at + 18).and_then(RecordId::parse);
        let ends = alone(at + 15) || (whole.is_some() && alone(at + 18));
        if let Some(old) = old.filter(|_| begins && ends)
            && let Some(new) = ids.get(old.as_bytes())
        {
            all.insert(old, *new);
        }
    });
    all
}

/// Whether a text ends with a character as addresses write it: `%2F`.
fn escaped(before: &[u8]) -> bool {
    matches!(before, [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

/// The texts of a record in which an old Id stands: field, old and new Id.
fn in_record(json: &str, describe: Option<&Describe>, ids: &Ids) -> Vec<(String, RecordId, RecordId)> {
    let values: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let mut all = Vec::new();
    for (name, value) in values {
        let field = describe.and_then(|d| d.field(&name));
        // A formula says what it says by itself; a reference is no text.
        let text = field.is_none_or(|f| f.kind == FieldKind::Text && !f.calculated);
        let Some(text) = Some(value.get()).filter(|v| text && name != "Id" && v.starts_with('"')) else {
            continue;
        };
        let Ok(text) = serde_json::from_str::<String>(text) else {
            continue;
        };
        let found = in_text(&text, ids);
        all.extend(found.into_iter().map(|(old, new)| (name.clone(), old, new)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0012300000bVTq1";

    fn found(text: &str) -> bool {
        let id = |text: &str| text.parse::<RecordId>().unwrap();
        let ids = Ids::from([(*id(OLD).as_bytes(), id("0012300000bVTq2"))]);
        let json = serde_json::json!({ "Id": "0012300000bVTq9AAG", "Note__c": text }).to_string();
        !in_record(&json, None, &ids).is_empty()
    }

    #[test]
    fn an_id_is_found_where_it_stands_by_itself() {
        for text in [
            "0012300000bVTq1",
            "0012300000bVTq1AAG",
            "see 0012300000bVTq1AAG.",
            "line\n0012300000bVTq1\tend",
            "https://acme.my.salesforce.com/0012300000bVTq1?x=1",
            "https://acme.lightning.force.com/lightning/r/Account/0012300000bVTq1AAG/view",
            "startURL=%2F0012300000bVTq1AAG%2Fe",
            r#"<img src="/servlet/rtaImage?eid=0012300000bVTq1&amp;feoid=00N000000000001">"#,
            "Grüße_0012300000bVTq1_ü",
            "001230000000000 0012300000bVTq1",
        ] {
            assert!(found(text), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_not_found() {
        for text in [
            "",
            "0012300000bVTq",
            "0012300000bvtq1",
            "x0012300000bVTq1",
            "0012300000bVTq1x",
            "0012300000bVTq1AAB",
            "0012300000bVTq1AAGx",
            "F0012300000bVTq1",
        ] {
            assert!(!found(text), "{text}");
        }
    }

    #[test]
    fn formulas_and_references_are_no_texts() {
        let describe = br#"{"name":"X","fields":[{"name":"Id","type":"id"},
            {"name":"Link__c","type":"string","calculated":true},{"name":"To__c","type":"reference","referenceTo":["Y"]},
            {"name":"Note__c","type":"textarea"}]}"#;
        let describe = Describe::parse(describe).unwrap();
        let old: RecordId = OLD.parse().unwrap();
        let ids = Ids::from([(*old.as_bytes(), old)]);
        let json = format!(r#"{{"Id":"{OLD}","Link__c":"{OLD}","Note__c":"{OLD}","To__c":"{OLD}"}}"#);
        let fields: Vec<String> = in_record(&json, Some(&describe), &ids)
            .into_iter()
            .map(|f| f.0)
            .collect();
        assert_eq!(fields, ["Note__c"]);
    }
}
