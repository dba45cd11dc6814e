//! Values for rows of every kind, and the sObject that the sample lacks: a detail of two masters.
//!
//! Key decision: a row's words are drawn once and used by whichever field takes them; references are drawn among the rows
//! that there are. Nothing is written here.

use serde_json::{Value, json};

use super::world::World;
use crate::dice::Dice;

const TEXTS: [&str; 6] = [
    "Saline & Söhne",
    "two\nlines\tand \"quotes\"",
    "007",
    "null",
    "岩塩 🧂",
    "a,b;c\\",
];
const STAGES: [&str; 4] = ["Prospecting", "Value Proposition", "Closed Won", "Closed Lost"];
const STATES: [&str; 3] = ["Sunk", "Working", "Flooded"];

/// What a row is made of.
struct Words {
    serial: u64,
    text: Option<&'static str>,
    name: String,
    unique: String,
    day: String,
    flag: bool,
}

impl Words {
    fn draw(dice: &mut Dice, serial: u64) -> Self {
        let plain = TEXTS[serial as usize % TEXTS.len()].replace(['\n', '\t'], " ");
        let (decade, month, day) = (10 + dice.below(80), 1 + dice.below(9), dice.below(10));
        Self {
            serial,
            text: TEXTS.get(dice.below(TEXTS.len() as u64 + 1) as usize).copied(),
            name: format!("{plain} {serial}"),
            unique: format!("U{serial}"),
            day: format!("20{decade:02}-0{month}-1{day}"),
            flag: dice.chance(1, 2),
        }
    }
}

fn number(dice: &mut Dice, scale: f64) -> f64 {
    dice.below(90_000) as f64 / scale
}

impl World {
    fn link(&mut self, object: &str) -> Option<String> {
        if self.dice.chance(1, 4) {
            None
        } else {
            self.pick(object)
        }
    }

    /// One of several kinds, as an activity may be about.
    fn about(&mut self, objects: &[&str]) -> Option<String> {
        let object = *self.dice.pick(objects)?;
        self.link(object)
    }

    /// Values for a row of an object.
    pub fn values(&mut self, object: &str) -> Value {
        self.serial += 1;
        let words = Words::draw(&mut self.dice, self.serial);
        if object.ends_with("__c") {
            return self.salt(object, words);
        }
        if object == "Attachment" || object.starts_with("Content") {
            return self.file(object, words);
        }
        let Words {
            serial,
            text,
            name,
            unique,
            day,
            flag,
        } = words;
        match object {
            "Account" if self.persons && flag => {
                json!({"LastName": name, "FirstName": text, "Description": text,
                "PersonEmail": format!("p{serial}@salt.example"), "Customer_Number__c": unique})
            }
            "Account" => json!({"Name": name, "ParentId": self.link(object), "Description": text,
                "AnnualRevenue": self.dice.below(90_000), "Customer_Number__c": unique, "BillingCity": text,
                "Interests__c": flag.then_some("Brine;Bath salt"), "Site": text}),
            "Contact" => json!({"LastName": name, "FirstName": text, "AccountId": self.link("Account"),
                "ReportsToId": self.link(object), "Birthdate": day, "DoNotCall": flag, "Title": text,
                "Email": format!("p{serial}@salt.example")}),
            "Lead" => {
                json!({"LastName": name, "Company": format!("Firm {serial}"), "City": text, "Street": text})
            }
            "Campaign" => {
                json!({"Name": name, "ParentId": self.link(object), "IsActive": flag, "StartDate": day})
            }
            "Opportunity" => {
                json!({"Name": name, "AccountId": self.link("Account"), "CampaignId": self.link("Campaign"),
                "StageName": STAGES[self.dice.below(4) as usize], "CloseDate": day,
                "Amount": number(&mut self.dice, 8.0), "NextStep": text})
            }
            "OpportunityContactRole" => json!({"OpportunityId": self.pick("Opportunity"),
                "ContactId": self.pick("Contact"), "IsPrimary": flag, "Role": flag.then_some("Evaluator")}),
            "CampaignMember" => {
                let (contact, lead) = match flag {
                    true => (self.pick("Contact"), None),
                    false => (None, self.pick("Lead")),
                };
                json!({"CampaignId": self.pick("Campaign"), "ContactId": contact, "LeadId": lead, "Status": "Sent"})
            }
            "Case" => {
                json!({"Subject": name, "ContactId": self.link("Contact"), "AccountId": self.link("Account"),
                "ParentId": self.link(object), "Description": text, "Status": if flag { "Closed" } else { "New" }})
            }
            "CaseComment" => json!({"ParentId": self.pick("Case"), "CommentBody": name, "IsPublished": flag}),
            "Task" => json!({"Subject": name, "WhoId": self.about(&["Contact", "Lead"]),
                "WhatId": self.about(&["Account", "Opportunity", "Case", "Campaign"]), "Description": text,
                "ActivityDate": day, "Status": if flag { "Completed" } else { "Not Started" }}),
            _ => json!({"Subject": name, "WhoId": self.about(&["Contact", "Lead"]),
                "WhatId": self.about(&["Account", "Opportunity", "Case"]), "Location": text,
                "DurationInMinutes": 30, "ActivityDateTime": format!("{day}T09:30:00.000Z")}),
        }
    }

    /// Digits are a body too, once they are taken for base64.
    fn file(&mut self, object: &str, words: Words) -> Value {
        let Words {
            serial,
            text,
            name,
            flag,
            ..
        } = words;
        let body = format!("{serial:012}");
        match object {
            "ContentVersion" if flag => json!({"Title": name, "PathOnClient": "a.txt", "VersionData": body,
                "Description": text, "FirstPublishLocationId": self.link("Account")}),
            "ContentVersion" => json!({"Title": name, "PathOnClient": "b.pdf", "VersionData": body,
                "ReasonForChange": text, "ContentDocumentId": self.pick("ContentDocument")}),
            "ContentDocument" => json!({"Title": name, "Description": text}),
            "ContentDocumentLink" => {
                json!({"ContentDocumentId": self.pick("ContentDocument"), "ShareType": "V",
                "Visibility": "AllUsers", "LinkedEntityId": self.about(&["Account", "Contact", "Opportunity", "Case"])})
            }
            _ => json!({"ParentId": self.about(&["Account", "Contact", "Opportunity", "Case"]), "Name": name,
                "Body": body, "Description": text}),
        }
    }

    fn salt(&mut self, object: &str, words: Words) -> Value {
        let Words {
            text,
            name,
            unique,
            day,
            ..
        } = words;
        match object {
            "Mine__c" => {
                json!({"Name": name, "Operator__c": self.link("Account"), "Foreman__c": self.link("Contact"),
                "Purity__c": number(&mut self.dice, 1000.0), "Value__c": number(&mut self.dice, 100.0), "Opened__c": day,
                "Last_Inspection__c": format!("{day}T23:59:59.000Z"), "Chronicle__c": text,
                "Place__Latitude__s": number(&mut self.dice, 1024.0), "Place__Longitude__s": number(&mut self.dice, 1024.0)})
            }
            "Shaft__c" => json!({"Mine__c": self.pick("Mine__c"), "Depth__c": number(&mut self.dice, 100.0),
                "State__c": STATES[self.dice.below(3) as usize],
                "Connected_To__c": self.link(object)}),
            "Shipment__c" => {
                json!({"Name": name, "Mine__c": self.pick("Mine__c"), "Tons__c": number(&mut self.dice, 1000.0),
                "Primary_Crystal__c": self.link("Crystal__c"), "Customer__c": self.link("Account"),
                "Waybill__c": unique, "Remarks__c": text})
            }
            "Crystal__c" => json!({"Name": name, "Shipment__c": self.link("Shipment__c"),
                "Carats__c": number(&mut self.dice, 10_000.0), "Grade__c": self.dice.below(9), "Letter__c": "Ä"}),
            _ => json!({"Name": name, "Mine__c": self.pick("Mine__c"), "Tenant__c": self.pick("Account"),
                "Terms__c": text}),
        }
    }
}

/// A detail of two masters.
pub fn lease() -> Value {
    let field = |name: &str, kind: &str| {
        json!({"name": name, "label": name, "type": kind, "filterable": true, "sortable": true, "nillable": true,
            "createable": true, "updateable": true, "length": 80, "custom": name.ends_with("__c")})
    };
    let system = |name: &str, kind: &str| {
        json!({"name": name, "label": name, "type": kind, "filterable": true, "sortable": true, "nillable": false,
            "createable": false, "updateable": false, "length": 18, "defaultedOnCreate": true})
    };
    let by = |name: &str| {
        let mut field = system(name, "reference");
        field["referenceTo"] = json!(["User"]);
        field["relationshipName"] = json!(name.trim_end_matches("Id"));
        field
    };
    let master = |name: &str, to: &str, order: u8| {
        json!({"name": name, "label": name, "type": "reference", "filterable": true, "sortable": true,
            "nillable": false, "createable": true, "updateable": true, "length": 18, "referenceTo": [to],
            "relationshipName": name.replace("__c", "__r"), "cascadeDelete": true, "relationshipOrder": order,
            "custom": true})
    };
    let mut name = field("Name", "string");
    name["nameField"] = json!(true);
    json!({"name": "Lease__c", "label": "Lease", "labelPlural": "Leases", "keyPrefix": "a77", "custom": true,
        "queryable": true, "retrieveable": true, "replicateable": true, "createable": true, "updateable": true,
        "deletable": true, "undeletable": true, "searchable": true, "layoutable": true, "triggerable": true,
        "fields": [system("Id", "id"), system("IsDeleted", "boolean"), name, system("CreatedDate", "datetime"),
            by("CreatedById"), system("LastModifiedDate", "datetime"), by("LastModifiedById"),
            system("SystemModstamp", "datetime"), master("Mine__c", "Mine__c", 0),
            master("Tenant__c", "Account", 1), field("Terms__c", "string")]})
}
