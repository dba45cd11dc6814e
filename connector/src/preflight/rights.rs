//! Rights by the names that Setup has for them, and the way there.
//!
//! Key decision: permission sets, not profiles: they add to what a user has, and can be taken away again (Salesforce Help,
//! "Permission Sets"). It knows no org.

use super::Missing;

/// A system permission.
pub fn system(right: &str, why: impl Into<String>, needed: bool) -> Missing {
    let place = match right {
        "Set Audit Fields upon Record Creation" | "Update Records with Inactive Owners" => {
            "Setup, User Interface: enable \"Set Audit Fields upon Record Creation\" and \"Update Records with Inactive \
             Owners\" User Permissions; then Setup, Permission Sets, a set of the user's, System Permissions"
        }
        _ => "Setup, Permission Sets, a set of the user's, System Permissions",
    };
    Missing {
        right: right.to_owned(),
        place: place.to_owned(),
        why: why.into(),
        needed,
    }
}

/// A right to an object.
pub fn object(name: &str, right: &str, why: &str) -> Missing {
    Missing {
        right: format!("{right} on {name}"),
        place: format!(
            "Setup, Permission Sets, a set of the user's, Object Settings, {name}, Object Permissions; for an object of a \
             package also the package's licence"
        ),
        why: why.to_owned(),
        needed: true,
    }
}

/// A right to a field.
pub fn field(object: &str, name: &str, right: &str, why: &str) -> Missing {
    Missing {
        right: format!("{right} to {object}.{name}"),
        place: format!(
            "Setup, Permission Sets, a set of the user's, Object Settings, {object}, Field Permissions, {name}"
        ),
        why: why.to_owned(),
        needed: true,
    }
}

/// The API as a whole.
pub fn api(edition: Option<&str>) -> Missing {
    let edition = edition.map_or(String::new(), |edition| format!(" (this org is of {edition})"));
    Missing {
        right: "API Enabled".to_owned(),
        place: format!(
            "Setup, Permission Sets, a set of the user's, System Permissions; if it cannot be chosen there the edition has no \
             API: Enterprise, Performance, Unlimited and Developer Edition have it, Professional Edition as an add-on{edition}"
        ),
        why: "nothing can be read without it".to_owned(),
        needed: true,
    }
}
