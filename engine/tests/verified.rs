//! Files that a restore made anew, compared with those that were sent.
//!
//! Key decision: the plan and its outcomes are written by hand, so that what is compared is known to the byte. Fields and
//! references are compared through the command, in `tests/cli_restore.rs`.

use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::restore::journal::Final;
use halite_engine::ops::restore::moved::Outcomes;
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::restore::verify::{Verified, verify};
use halite_engine::vault::Vault;

use crate::files::{Org, id, noise, org_id, take, vault};

/// A plan that made row 2 of `sobject` out of row 1.
fn plan(at: &str, sobject: &str, prefix: &str, field: &str) -> (Plan, Outcomes) {
    let (org, old) = (org_id(), id(prefix, 1));
    let text = format!(
        "{{\"header\":{{\"format\":\"halite restore plan\",\"version\":2,\"org\":\"{org}\",\"at\":\"{at}\",\"at_time\":\"t\",\
         \"now\":\"n\",\"mode\":\"all\",\"created\":\"c\"}}}}\n\
         {{\"operation\":{{\"number\":1,\"level\":0,\"action\":\"create\",\"sobject\":\"{sobject}\",\"id\":\"{old}\",\
         \"body\":{{\"field\":\"{field}\",\"bytes\":5}},\"reason\":\"r\"}}}}\n"
    );
    let mut outcomes = Outcomes::default();
    outcomes.ends.insert(1, Final::Created(id(prefix, 2)));
    (Plan::read(text.as_bytes()).unwrap(), outcomes)
}

fn compared(vault: &Vault, sobject: &str, prefix: &str, field: &str) -> Verified {
    let snapshots = vault.snapshots(org_id()).unwrap();
    let (plan, outcomes) = plan(&snapshots[0].name.to_string(), sobject, prefix, field);
    verify(vault, snapshots.last().unwrap(), &plan, &outcomes).unwrap()
}

#[test]
fn bodies_are_compared_with_those_that_were_sent() {
    let (_, vault) = vault();
    let mut org = Org::new();
    org.version(1, 1, noise(1, 3000));
    org.attachment(1, noise(2, 3000));
    take(&vault, &mut org);
    org.version(2, 2, noise(1, 3000));
    org.attachment(2, noise(3, 3000));
    take(&vault, &mut org);
    let same = compared(&vault, "ContentVersion", "068", "VersionData");
    assert_eq!((same.bodies, same.differing.len()), (1, 0), "{same:?}");
    // The length alone is the same.
    let other = compared(&vault, "Attachment", "00P", "Body");
    assert_eq!(other.bodies, 1);
    let [difference] = &other.differing[&1][..] else {
        panic!("{other:?}")
    };
    assert!(
        difference.field == "Body" && difference.wanted != difference.found,
        "{difference:?}"
    );
}

#[test]
fn bodies_that_were_not_fetched_are_compared_by_what_the_row_says() {
    let (_, vault) = vault();
    let mut org = Org::new();
    org.version(1, 1, noise(1, 3000));
    org.attachment(1, noise(2, 3000));
    take(&vault, &mut org);
    let look = |org: &mut Org| {
        let options = BackupOptions {
            files: false,
            ..BackupOptions::default()
        };
        backup(&vault, org, &options, &mut |_| ()).unwrap();
    };
    org.version(2, 2, noise(4, 3000));
    org.attachment(2, noise(2, 2999));
    look(&mut org);
    for (sobject, prefix, field) in [
        ("ContentVersion", "068", "VersionData"),
        ("Attachment", "00P", "Body"),
    ] {
        let other = compared(&vault, sobject, prefix, field);
        assert_eq!(other.differing[&1][0].field, field, "{other:?}");
    }
}
