//! What a user without a right sees and may do.
//!
//! Key decision: rights are taken from the user of a session that is open, since that is what happens to a
//! backup that runs for hours.
//! Not here: tokens (`auth`).

use halite_simulator::{Permission, Permissions, Sharing};
use serde_json::{Value, json};

use crate::support::{Session, code};

impl Session {
    fn permit(&self, change: impl FnOnce(&mut Permissions)) {
        self.org.permit(&self.org.api_user(), change);
    }

    fn total(&self, soql: &str) -> Value {
        self.query(soql).1["totalSize"].clone()
    }

    fn share(&self, object: &str, sharing: Sharing) {
        self.org.configure(|c| {
            c.access.sharing.insert(object.to_owned(), sharing);
        });
    }
}

fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array().unwrap().iter().find(|o| o["name"] == name)
}

fn id_of(s: &Session, object: &str) -> String {
    s.org.rows(object)[0]["Id"].as_str().unwrap().to_owned()
}

#[test]
fn an_object_without_read_does_not_exist() {
    let s = Session::sample();
    let id = id_of(&s, "Contact");
    s.permit(|p| p.object("contact").read = false);
    assert!(named(&s.get("/sobjects").1["sobjects"], "Contact").is_none());
    assert_eq!(code(&s.get("/sobjects/Contact/describe")), (404, "NOT_FOUND"));
    assert_eq!(code(&s.query("SELECT Id FROM Contact")), (400, "INVALID_TYPE"));
    assert_eq!(
        code(&s.get(&format!("/sobjects/Contact/{id}"))),
        (404, "NOT_FOUND")
    );
    let children = s.get("/sobjects/Account/describe").1["childRelationships"].clone();
    assert!(
        children
            .as_array()
            .unwrap()
            .iter()
            .all(|c| c["childSObject"] != "Contact")
    );
    assert!(s.get("/limits/recordCount?sObjects=Contact").1["sObjects"] == json!([]));
    let made = s.send("POST", "/sobjects/Contact", &json!({"LastName": "x"}));
    assert_eq!(code(&made), (404, "NOT_FOUND"));
    s.permit(|p| p.object("Contact").read = true);
    assert_eq!(s.get(&format!("/sobjects/Contact/{id}")).0, 200);
}

#[test]
fn a_field_without_read_does_not_exist() {
    let s = Session::sample();
    let id = id_of(&s, "Account");
    s.permit(|p| {
        p.field("Account", "Phone").read = false;
        p.field("Account", "BillingAddress").read = false;
        p.field("Account", "Id").read = false;
    });
    let fields = s.get("/sobjects/Account/describe").1["fields"].clone();
    for gone in ["Phone", "BillingAddress", "BillingCity"] {
        assert!(named(&fields, gone).is_none(), "{gone}");
        let reply = s.query(&format!("SELECT {gone} FROM Account"));
        assert_eq!(code(&reply), (400, "INVALID_FIELD"), "{gone}");
        assert!(
            reply.1[0]["message"]
                .as_str()
                .unwrap()
                .contains(&format!("No such column '{gone}' on entity 'Account'"))
        );
    }
    assert!(named(&fields, "Id").is_some() && named(&fields, "Website").is_some());
    let row = s.get(&format!("/sobjects/Account/{id}")).1;
    assert!(row.get("Phone").is_none() && row.get("Website").is_some());
    assert_eq!(
        code(&s.query("SELECT Id FROM Account WHERE Phone = '1'")).1,
        "INVALID_FIELD"
    );
    assert_eq!(
        code(&s.query("SELECT Account.Phone FROM Contact")).1,
        "INVALID_FIELD"
    );
    let reply = s.send(
        "PATCH",
        &format!("/sobjects/Account/{id}"),
        &json!({"Phone": "1"}),
    );
    assert_eq!(code(&reply), (400, "INVALID_FIELD"));
}

#[test]
fn without_edit_objects_and_fields_are_read_only() {
    let s = Session::sample();
    let (account, contact) = (id_of(&s, "Account"), id_of(&s, "Contact"));
    s.permit(|p| {
        p.field("Account", "Phone").edit = false;
        let rights = p.object("Contact");
        (rights.create, rights.edit, rights.delete) = (false, false, false);
    });
    let describe = s.get("/sobjects/Account/describe").1;
    let phone = named(&describe["fields"], "Phone").unwrap();
    assert_eq!(
        (&phone["createable"], &phone["updateable"]),
        (&json!(false), &json!(false))
    );
    let reply = s.send(
        "PATCH",
        &format!("/sobjects/Account/{account}"),
        &json!({"Phone": "1"}),
    );
    assert_eq!(code(&reply), (400, "INVALID_FIELD_FOR_INSERT_UPDATE"));
    assert_eq!(reply.1[0]["fields"], json!(["Phone"]));

    let listed = s.get("/sobjects").1;
    let flags = named(&listed["sobjects"], "Contact").unwrap();
    for flag in ["createable", "updateable", "deletable", "undeletable"] {
        assert_eq!(flags[flag], json!(false), "{flag}");
    }
    let path = format!("/sobjects/Contact/{contact}");
    let body = json!({"LastName": "x"});
    assert_eq!(
        code(&s.send("POST", "/sobjects/Contact", &body)),
        (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
    );
    assert_eq!(
        code(&s.send("PATCH", &path, &body)),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    );
    assert_eq!(
        code(&s.send("DELETE", &path, &json!({}))),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    );
    assert_eq!(s.get(&path).0, 200);
}

#[test]
fn private_rows_are_their_owners() {
    let s = Session::sample();
    let of_another = s.org.create("Account", &json!({"Name": "Ada's"})).unwrap();
    let all = s.total("SELECT Id FROM Account").as_u64().unwrap();
    s.share("Account", Sharing::Private);
    assert_eq!(s.total("SELECT Id FROM Account"), json!(all));
    s.permit(|p| {
        p.revoke(Permission::ViewAllData);
        p.revoke(Permission::ModifyAllData);
    });
    let mine = s.total("SELECT Id FROM Account").as_u64().unwrap();
    let owned = s.org.rows("Account");
    let owned = owned.iter().filter(|r| r["OwnerId"] == s.org.api_user()).count();
    assert_eq!(mine, owned as u64);
    assert!(mine < all);
    let path = format!("/sobjects/Account/{of_another}");
    assert_eq!(code(&s.get(&path)), (404, "NOT_FOUND"));
    let body = json!({"LastName": "x", "AccountId": of_another});
    assert_eq!(
        code(&s.send("POST", "/sobjects/Contact", &body)).1,
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
    );
    let list = json!({"records": [{"attributes": {"type": "Account"}, "Id": of_another, "Phone": "1"}]});
    let reply = s.send("PATCH", "/composite/sobjects", &list).1;
    assert_eq!(reply[0]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    s.permit(|p| p.object("Account").view_all = true);
    assert_eq!(s.total("SELECT Id FROM Account"), json!(all));
}

#[test]
fn read_only_rows_are_changed_by_their_owner_alone() {
    let s = Session::sample();
    let of_another = s.org.create("Account", &json!({"Name": "Ada's"})).unwrap();
    let own = s.send("POST", "/sobjects/Account", &json!({"Name": "mine"})).1["id"].clone();
    s.share("Account", Sharing::ReadOnly);
    s.permit(|p| p.revoke(Permission::ModifyAllData));
    let path = |id: &str| format!("/sobjects/Account/{id}");
    let body = json!({"Phone": "1"});
    assert_eq!(s.get(&path(&of_another)).0, 200);
    assert_eq!(
        code(&s.send("PATCH", &path(&of_another), &body)),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    );
    assert_eq!(s.send("PATCH", &path(own.as_str().unwrap()), &body).0, 204);
}

#[test]
fn rows_deleted_by_others_need_modify_all_data() {
    let s = Session::sample();
    let of_another = s.org.create("Account", &json!({"Name": "Ada's"})).unwrap();
    s.org.delete(&of_another).unwrap();
    let soql = format!("SELECT Id FROM Account WHERE Id = '{of_another}'");
    assert_eq!(s.rows("/queryAll", &soql).0.len(), 1);
    s.permit(|p| p.revoke(Permission::ModifyAllData));
    assert_eq!(s.rows("/queryAll", &soql).0.len(), 0);
    let undelete = format!("<u:undelete><u:ids>{of_another}</u:ids></u:undelete>");
    assert!(s.soap(&undelete).1.contains("INVALID_CROSS_REFERENCE_KEY"));
}

#[test]
fn files_of_others_are_missed_without_query_all_files() {
    let s = Session::sample();
    let all = s.total("SELECT Id FROM ContentDocument");
    let ids: Vec<String> = s
        .org
        .rows("ContentDocument")
        .iter()
        .map(|r| format!("'{}'", r["Id"].as_str().unwrap()))
        .collect();
    for id in s.org.rows("ContentDocument") {
        let ada = json!({"OwnerId": s.org.ui_user()});
        s.org.update(id["Id"].as_str().unwrap(), &ada).unwrap();
    }
    assert_eq!(s.total("SELECT Id FROM ContentDocument"), all);
    s.permit(|p| p.revoke(Permission::QueryAllFiles));
    assert_eq!(s.total("SELECT Id FROM ContentDocument"), json!(0));
    // By their Ids they are seen as far as a record leads to them.
    let named = format!("SELECT Id FROM ContentDocument WHERE Id IN ({})", ids.join(","));
    assert_eq!(s.total(&named), all);
}

#[test]
fn no_api_no_answers() {
    let s = Session::sample();
    s.permit(|p| p.revoke(Permission::ApiEnabled));
    assert_eq!(code(&s.get("/limits")), (403, "API_DISABLED_FOR_ORG"));
    assert!(
        s.soap("<u:getServerTimestamp/>")
            .1
            .contains("API_DISABLED_FOR_ORG")
    );
    s.permit(|p| p.grant(Permission::ApiEnabled));
    assert_eq!(s.get("/limits").0, 200);
    s.org.configure(|c| c.access.api = false);
    assert_eq!(code(&s.get("/sobjects")), (403, "API_DISABLED_FOR_ORG"));
    s.org.configure(|c| c.access.api_suspended = true);
    assert_eq!(code(&s.get("/sobjects")), (403, "API_CURRENTLY_DISABLED"));
}

#[test]
fn inactive_owners_need_their_permission() {
    let s = Session::sample();
    let gone = s.query("SELECT Id FROM User WHERE IsActive = false").1["records"][0]["Id"].clone();
    let body = json!({"Name": "x", "OwnerId": gone});
    assert_eq!(
        code(&s.send("POST", "/sobjects/Account", &body)),
        (400, "INACTIVE_OWNER_OR_USER")
    );
    s.permit(|p| p.grant(Permission::UpdateWithInactiveOwner));
    assert_eq!(s.send("POST", "/sobjects/Account", &body).0, 201);
    s.org.configure(|c| c.access.audit_preference = false);
    assert_eq!(
        code(&s.send("POST", "/sobjects/Account", &body)).1,
        "INACTIVE_OWNER_OR_USER"
    );
}

#[test]
fn rights_can_be_queried() {
    let s = Session::sample();
    let me = s.org.api_user();
    s.permit(|p| {
        p.grant(Permission::BulkApiHardDelete);
        p.object("Lead").read = false;
        p.object("Case").delete = false;
        p.field("Account", "Phone").edit = false;
        p.field("Account", "Fax").read = false;
    });
    let own = s.query("SELECT PermissionsBulkApiHardDelete, PermissionsViewAllData, PermissionsCreateAuditFields FROM UserPermissionAccess").1;
    assert_eq!(own["totalSize"], json!(1));
    let own = &own["records"][0];
    assert_eq!(own["PermissionsBulkApiHardDelete"], json!(true));
    assert_eq!(own["PermissionsViewAllData"], json!(true));
    assert_eq!(own["PermissionsCreateAuditFields"], json!(false));
    let why = format!(
        "SELECT PermissionSetId, PermissionSet.Name, PermissionSet.IsOwnedByProfile FROM PermissionSetAssignment WHERE AssigneeId = '{me}' AND PermissionSet.PermissionsBulkApiHardDelete = true"
    );
    let why = s.query(&why).1;
    assert_eq!(why["totalSize"], json!(1), "{why}");
    let set = why["records"][0]["PermissionSetId"].as_str().unwrap();
    let profile =
        format!("SELECT Profile.Name, Profile.PermissionsModifyAllData FROM User WHERE Id = '{me}'");
    assert_eq!(
        s.query(&profile).1["records"][0]["Profile"]["PermissionsModifyAllData"],
        json!(true)
    );
    let rights = |object: &str| {
        s.query(&format!("SELECT PermissionsRead, PermissionsDelete FROM ObjectPermissions WHERE ParentId = '{set}' AND SobjectType = '{object}'")).1["records"].clone()
    };
    assert_eq!(rights("Lead"), json!([]));
    assert_eq!(rights("Case")[0]["PermissionsDelete"], json!(false));
    assert_eq!(rights("Account")[0]["PermissionsDelete"], json!(true));
    let fields = s.query(&format!("SELECT Field, PermissionsEdit FROM FieldPermissions WHERE ParentId = '{set}' AND Field IN ('Account.Phone', 'Account.Fax')")).1;
    assert_eq!(fields["totalSize"], json!(1), "{fields}");
    assert_eq!(fields["records"][0]["PermissionsEdit"], json!(false));
    s.permit(|p| p.revoke(Permission::ViewSetup));
    assert_eq!(
        code(&s.query("SELECT Id FROM ObjectPermissions")).1,
        "INVALID_TYPE"
    );
}
