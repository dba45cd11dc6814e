//! What every org has from birth: its Organization row, users, profiles, the standard price book.
//!
//! Key decision: three users (the one behind the API, a person in the UI, one inactive), because owners and
//! editors must differ for a test to see them mixed up.
//! Not here: business rows (`sample`, `load`).

use serde_json::{Value, json};

use super::access;
use super::state::State;
use crate::id::make;
use crate::schema::standard;

/// An org without business rows.
pub(crate) fn state() -> State {
    let mut state = State::new(standard::schema());
    populate(&mut state);
    state
}

/// Adds the rows that an org is born with.
pub(crate) fn populate(state: &mut State) {
    let org = state.org_id.clone();
    let sandbox = state.settings.sandbox;
    state.seed_row(
        "Organization",
        &org,
        json!({"Name": "Salt Works", "OrganizationType": "Developer Edition", "IsSandbox": sandbox,
            "InstanceName": "SIM1", "IsReadOnly": false, "TimeZoneSidKey": "Europe/Vienna",
            "LanguageLocaleKey": "en_US", "DefaultLocaleSidKey": "en_GB", "City": "Hallein"}),
    );
    for (n, name) in [(1, "System Administrator"), (2, "Standard User")] {
        state.seed_row(
            "Profile",
            &make("00e", n),
            json!({"Name": name, "UserType": "Standard"}),
        );
    }
    let users = [
        (1, "Integration", "Halite", "halite", true),
        (2, "Ada", "Lovelace", "ada", true),
        (3, "Gone", "Away", "gaway", false),
    ];
    for (n, first, last, alias, active) in users {
        state.seed_row("User", &make("005", n), user(n, first, last, alias, active));
    }
    state.seed_row(
        "Group",
        &make("00G", 1),
        json!({"Name": "Support Queue",
        "DeveloperName": "Support_Queue", "Type": "Queue", "DoesSendEmailToMembers": false,
        "DoesIncludeBosses": false}),
    );
    state.seed_row(
        "Pricebook2",
        &make("01s", 1),
        json!({"Name": "Standard Price Book",
        "IsActive": true, "IsStandard": true}),
    );
    for (n, ..) in users {
        access::enrol(state, &make("005", n));
    }
    state.seed_row("UserPermissionAccess", &make("0up", 1), json!({}));
}

fn user(n: u64, first: &str, last: &str, alias: &str, active: bool) -> Value {
    json!({"Username": format!("{alias}@salt.example"), "FirstName": first, "LastName": last,
        "Name": format!("{first} {last}"), "Email": format!("{alias}@salt.example"), "Alias": alias,
        "IsActive": active, "TimeZoneSidKey": "Europe/Vienna", "LocaleSidKey": "en_GB",
        "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "UserType": "Standard",
        "ProfileId": make("00e", if n == 1 { 1 } else { 2 })})
}
