//! What a person should do about an operation that was not done.
//!
//! Key decision: a table from the org's status code, or from the way an operation ended, to one sentence that begins with
//! a verb; what it says follows the documented meaning of the code (SOAP API guide, "StatusCode"). It never guesses from
//! the wording of a message, which differs by language.

use crate::ops::restore::journal::Final;

/// What to do; `None` where nothing is left to be done.
pub fn remedy(end: Option<&Final>) -> Option<&'static str> {
    match end {
        None => Some("Run `halite restore apply` with this plan again: it goes on where it stopped."),
        Some(Final::Refused(code, _)) => Some(by_code(code)),
        Some(Final::Conflict(_)) => Some(
            "Look at what was changed since the plan was made. To set it back all the same, make the next plan with \
             `halite restore again`: it goes by what the record holds now.",
        ),
        Some(Final::Skipped(_)) => Some(
            "Bring the record that it needs back first; its own line says what keeps it. Then apply this plan again.",
        ),
        Some(Final::Unknown(_)) => Some(
            "Look in the org whether it is there, then apply this plan again: it looks before it writes.",
        ),
        Some(_) => None,
    }
}

/// The codes, those of one remedy together.
const CODES: &[(&[&str], &str)] = &[
    (
        &["REQUIRED_FIELD_MISSING"],
        "Give the named field a value in the plan, or make the field optional while the restore runs.",
    ),
    (
        &["FIELD_CUSTOM_VALIDATION_EXCEPTION"],
        "Switch the validation rule of the message off while the restore runs, or change the value in the plan.",
    ),
    (
        &[
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "CANNOT_EXECUTE_FLOW_TRIGGER",
            "APEX_ERROR",
        ],
        "Switch the trigger or flow of the message off while the restore runs, or mend what it complains of.",
    ),
    (
        &[
            "UNABLE_TO_LOCK_ROW",
            "REQUEST_RUNNING_TOO_LONG",
            "TOO_MANY_APEX_REQUESTS",
            "SERVER_UNAVAILABLE",
        ],
        "Wait until other jobs in the org are over, then restore it again: the record was locked or the org busy.",
    ),
    (
        &["INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"],
        "Wait until the org's maintenance is over, then restore it again.",
    ),
    (
        &["STORAGE_LIMIT_EXCEEDED"],
        "Make room in the org, or buy storage; then restore it again.",
    ),
    (
        &["REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED"],
        "Wait until the org's daily allowance of calls is fresh, then restore it again.",
    ),
    (
        &["INACTIVE_OWNER_OR_USER"],
        "Activate the user, give the restoring user the right \"Update Records with Inactive Owners\", or name another owner in the plan.",
    ),
    (
        &[
            "INVALID_CROSS_REFERENCE_KEY",
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        ],
        "Restore the record that the named field points at, give the restoring user access to it, or empty the field in the plan.",
    ),
    (
        &["ENTITY_IS_DELETED"],
        "Bring the record back from the recycle bin first; then make a new plan.",
    ),
    (
        &[
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "INSUFFICIENT_ACCESS",
            "INSUFFICIENT_FIELD_ACCESS",
            "CANNOT_DELETE_OR_UPDATE",
        ],
        "Give the restoring user edit access to the record, its object and the named fields; `halite preflight` names what is missing.",
    ),
    (
        &["INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_FIELD"],
        "Give the restoring user edit access to the named field, or take the field out of the plan's line.",
    ),
    (
        &["FIELD_INTEGRITY_EXCEPTION"],
        "Mend the named value in the plan: it does not fit another field (a state to its country, a code to its text).",
    ),
    (
        &[
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "BAD_CUSTOM_ENTITY_PARENT_DOMAIN",
        ],
        "Add the value to the picklist and the record type again, or give another one in the plan.",
    ),
    (
        &["DUPLICATE_VALUE"],
        "Look at the record that the message names: it may be this one, made again by someone; else change the unique value of one of them.",
    ),
    (
        &["DUPLICATES_DETECTED"],
        "Switch the duplicate rule off while the restore runs, or merge with the record that it found.",
    ),
    (
        &["STRING_TOO_LONG", "NUMBER_OUTSIDE_VALID_RANGE"],
        "Make the field as large again as it was, or shorten the value in the plan.",
    ),
    (
        &[
            "INVALID_EMAIL_ADDRESS",
            "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET",
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
        ],
        "Mend the named value in the plan: the field does not take it any more.",
    ),
    (
        &["STANDARD_PRICE_NOT_DEFINED"],
        "Restore the product's price in the standard price book first, then this one.",
    ),
    (
        &["CANNOT_UPDATE_CONVERTED_LEAD"],
        "Nothing: a converted lead is read-only. The right \"View and Edit Converted Leads\" allows edits by hand.",
    ),
    (
        &["INVALID_PERSON_ACCOUNT_OPERATION"],
        "Restore the person account itself; its contact comes with it.",
    ),
    (
        &["CIRCULAR_DEPENDENCY"],
        "Empty one of the references of the ring in the org, then restore it again.",
    ),
    (
        &["CANNOT_REPARENT_RECORD"],
        "Allow the child to be given another parent (master-detail field, \"Allow reparenting\"), or move it by hand.",
    ),
    (
        &["DELETE_FAILED", "DEPENDENCY_EXISTS"],
        "Delete or unlink what depends on the record first.",
    ),
    (
        &["UNDELETE_FAILED"],
        "Bring its parent back first, or purge it from the recycle bin and make a new plan: it is then created.",
    ),
    (
        &["FILE_EXTENSION_NOT_ALLOWED", "FILE_SIZE_LIMIT_EXCEEDED"],
        "Allow this kind and size of file in the org (Setup, File Upload and Download Security), then restore it again.",
    ),
    (
        &["FILE_NOT_READ"],
        "Run `halite check`: the vault does not have the file's bytes. The record itself can be made without them by hand.",
    ),
    (
        &["MIXED_DML_OPERATION"],
        "Restore setup records and data in two plans, one after the other.",
    ),
    (
        &["ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED"],
        "Mend the record of the same call that was refused, then restore it again.",
    ),
    (
        &["TXN_SECURITY_METERING_ERROR"],
        "Give the restoring user the right \"Exempt from Transaction Security\".",
    ),
    (
        &["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"],
        "Allow the API for the org and the restoring user.",
    ),
    (
        &["UNKNOWN_EXCEPTION"],
        "Restore it again; if it stays, ask Salesforce support with the number of the message.",
    ),
];

fn by_code(code: &str) -> &'static str {
    let found = CODES.iter().find(|(codes, _)| codes.contains(&code));
    found.map_or(
        "Mend what the message says, in the org or in the plan; then `halite restore again` plans it anew.",
        |(_, remedy)| remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_remedy() {
        let all: Vec<&str> = CODES
            .iter()
            .flat_map(|(codes, _)| codes.iter().copied())
            .collect();
        let unique: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), unique.len());
    }

    #[test]
    fn what_is_done_needs_nothing() {
        assert_eq!(remedy(Some(&Final::Edited)), None);
        assert!(remedy(None).is_some());
        let refused = |code: &str| remedy(Some(&Final::Refused(code.into(), String::new())));
        assert_ne!(refused("DUPLICATE_VALUE"), refused("NO_SUCH_CODE"));
    }
}
