//! The rights that each mode of a restore needs, through the binary: with exactly those it works, with one fewer nothing is
//! written.
//!
//! Key decision: the backup is an administrator's, plan and apply are those of another user with rights on objects alone, so
//! that what the org gives to who sees all helps nobody. Not here: rights on fields, and what preflight says of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use halite_simulator::{Bin, Permission};
use serde_json::{Value, json};

use crate::cli_connections::Place;

/// A right on objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Right {
    Read,
    Create,
    Edit,
    Delete,
}

use Right::{Create, Delete, Edit, Read};

/// What is restored; users and the like are only read.
const TOUCHED: [&str; 2] = ["Account", "Contact"];

/// The kinds of requests that write, as the org counts them.
const WRITES: [&str; 6] = [
    "create",
    "update",
    "upsert",
    "delete",
    "collections",
    "soap.undelete",
];

struct Scene {
    place: Place,
    user: String,
    /// Was edited.
    edited: String,
    /// Lie in the bin: an account, and its contact.
    binned: [String; 2],
    /// Are gone for good.
    gone: [String; 2],
}

/// A backup by an administrator, then a disaster.
fn scene() -> Scene {
    let mut place = Place::new();
    place.connect(&[]);
    let org = place.org.clone();
    let make = |object: &str, values: Value| org.create(object, &values).unwrap();
    let pair = |name: &str| {
        let account = make("Account", json!({ "Name": name, "Phone": "1" }));
        let contact = make("Contact", json!({ "LastName": name, "AccountId": account }));
        [account, contact]
    };
    let edited = make("Account", json!({ "Name": "Salt", "Phone": "1" }));
    let (binned, gone) = (pair("Bin"), pair("Gone"));
    org.clock().advance(Duration::from_secs(3600));
    place.ends(0, &["backup", "acme"]);
    org.clock().advance(Duration::from_secs(3600));
    org.update(&edited, &json!({ "Phone": "2" })).unwrap();
    org.delete(&binned[0]).unwrap();
    org.purge(&[&gone[0]]).unwrap();
    assert_eq!(
        (org.bin(&binned[1]), org.bin(&gone[1])),
        (Bin::InBin, Bin::Purged)
    );
    org.clock().advance(Duration::from_secs(3600));
    let user = org.ui_user();
    place.env.push(("TOKEN", org.access_token_of(&user)));
    Scene {
        place,
        user,
        edited,
        binned,
        gone,
    }
}

impl Scene {
    /// The other user with these rights on what is restored, and read on all else; the connection is theirs.
    fn user_with(&self, rights: &[Right]) {
        let objects = self.place.org.objects();
        self.place.org.permit(&self.user, |p| {
            p.revoke(Permission::ViewAllData);
            p.revoke(Permission::ModifyAllData);
            for name in &objects {
                let has = |right| {
                    if TOUCHED.contains(&name.as_str()) {
                        rights.contains(&right)
                    } else {
                        right == Read
                    }
                };
                let object = p.object(name);
                object.read = has(Read);
                object.create = has(Create);
                object.edit = has(Edit);
                object.delete = has(Delete);
            }
        });
        let url = &self.place.url;
        self.place.ends(
            0,
            &[
                "connect",
                "acme",
                "--environment",
                url,
                "--token-env",
                "TOKEN",
                "--instance-url",
                url,
                "--yes",
            ],
        );
    }

    fn path(&self, name: &str) -> String {
        self.place.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn plan(&self, status: i32, mode: &str, name: &str) -> Result<Value, String> {
        let path = self.path(name);
        let args = [
            "restore",
            "plan",
            "acme",
            "--at",
            "1",
            "--sobject",
            "Account,Contact",
            "--mode",
            mode,
            "-o",
            &path,
        ];
        if status == 0 {
            Ok(self.place.json(0, &args).remove(0))
        } else {
            Err(self.place.ends(status, &args))
        }
    }

    fn rows(&self) -> [Vec<BTreeMap<String, Value>>; 2] {
        TOUCHED.map(|name| {
            let rows = self.place.org.rows(name).into_iter();
            rows.map(|row| row.into_iter().collect()).collect()
        })
    }

    fn writes(&self) -> u64 {
        let calls = self.place.org.calls();
        WRITES.iter().filter_map(|kind| calls.get(*kind)).sum()
    }

    /// Runs what must be refused, without a write, for the lack of this right on that object.
    fn refused(&self, right: Right, run: impl FnOnce() -> String) {
        let before = (self.rows(), self.writes());
        let error = run();
        assert!(
            before == (self.rows(), self.writes()),
            "{right:?}: something was written"
        );
        let sobject = TOUCHED.iter().find(|name| {
            error.contains(&format!("\"{right:?}\" on {name}"))
                && error.contains(&format!(
                    "Setup, Permission Sets, a set of the user's, Object Settings, {name}"
                ))
        });
        assert!(sobject.is_some(), "{right:?}: {error}");
    }
}

/// The rights of a mode work, and none of them can be missed: neither when the plan is made nor when it is applied.
fn needs(mode: &str, rights: &[Right]) {
    let scene = scene();
    scene.user_with(rights);
    scene.plan(0, mode, "plan").unwrap();
    let path = scene.path("plan");
    for &right in rights {
        let fewer: Vec<Right> = rights.iter().copied().filter(|r| *r != right).collect();
        scene.user_with(&fewer);
        scene.refused(right, || scene.place.ends(1, &["restore", "apply", &path]));
        scene.refused(right, || scene.plan(1, mode, "other").unwrap_err());
    }
    scene.user_with(rights);
    let before = scene.writes();
    let applied = scene.place.json(0, &["restore", "apply", &path]).remove(0);
    assert!(before < scene.writes(), "no kind of request counts as a write");
    assert_eq!(applied["verified"]["differing"], json!({}), "{applied}");
    let org = &scene.place.org;
    let phone = if rights.contains(&Edit) { "1" } else { "2" };
    assert_eq!(org.row(&scene.edited).unwrap()["Phone"], phone);
    let ids = &applied["new_ids"];
    for [account, contact] in [&scene.binned, &scene.gone] {
        if !rights.contains(&Create) {
            assert!(org.bin(account) != Bin::Live && ids[account].is_null());
            continue;
        }
        // Without the right to delete nothing is undeleted: even what is in the bin is made anew.
        let (now, child) = (ids[account].as_str().unwrap(), ids[contact].as_str().unwrap());
        assert_eq!(org.row(now).unwrap()["Phone"], "1");
        assert_eq!(org.row(child).unwrap()["AccountId"], now);
    }
}

#[test]
fn everything_needs_read_create_and_edit() {
    needs("all", &[Read, Create, Edit]);
}

#[test]
fn what_exists_needs_read_and_edit() {
    needs("existing", &[Read, Edit]);
}

#[test]
fn what_is_deleted_needs_read_and_create() {
    needs("deleted", &[Read, Create]);
}

#[test]
fn what_the_user_cannot_see_is_told_and_not_planned() {
    let scene = scene();
    scene.place.org.expire(&[&scene.gone[0]]).unwrap();
    scene.user_with(&[Read, Create]);
    let told = scene.plan(0, "deleted", "plan").unwrap();
    let about = told["warnings"].as_array().unwrap().iter();
    let sobjects: Vec<&str> = about
        .filter(|warning| {
            warning["what"]
                .as_str()
                .unwrap()
                .contains("1 records are out of this user's sight")
        })
        .map(|warning| warning["sobject"].as_str().unwrap())
        .collect();
    assert_eq!(sobjects, TOUCHED, "{told}");
    assert!(told["warnings"].to_string().contains("View All Data"));
}

#[test]
fn with_the_right_to_delete_what_is_in_the_bin_keeps_its_id() {
    let scene = scene();
    scene.user_with(&[Read, Create, Edit, Delete]);
    scene.plan(0, "deleted", "plan").unwrap();
    let applied = scene
        .place
        .json(0, &["restore", "apply", &scene.path("plan")])
        .remove(0);
    assert_eq!(
        applied["counts"],
        json!({ "undeleted": 2, "created": 2 }),
        "{applied}"
    );
    let org = &scene.place.org;
    let [account, contact] = &scene.binned;
    assert_eq!(&org.row(contact).unwrap()["AccountId"], account);
    assert_eq!(org.row(&scene.edited).unwrap()["Phone"], "2");
}
