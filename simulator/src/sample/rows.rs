//! Rows of the sample org.
//!
//! Key decision: awkward values are planted where a copy is most likely to lose them: quotes, newlines,
//! emoji, text that looks like a number, null or CSV, long text, decimals, dates at the edges.
//! Not here: the objects (`objects`).

use serde_json::{Value, json};

use crate::id::{make, mix};
use crate::org::State;
use crate::write;

const FIRST: [&str; 12] = [
    "Zoë", "José", "Łukasz", "Anna", "Björn", "Chloé", "Dmitri", "Fatima", "Grace", "Hiroshi", "Ingrid",
    "O'Neil",
];
const LAST: [&str; 10] = [
    "Salzmann",
    "Müller",
    "García",
    "Nowak",
    "Åkesson",
    "Dubois",
    "Иванов",
    "田中",
    "Smith-Jones",
    "d'Arcy",
];
const FIRMS: [&str; 8] = [
    "Halit & Co",
    "Saline GmbH",
    "Brine \"Works\"",
    "Søby Salt",
    "Sal Marina",
    "岩塩商事",
    "Crystal 100%",
    "NULL",
];
const AWKWARD: [&str; 9] = [
    "Line one\nLine two\n\n\tindented",
    "She said \"salt\", he said 'pepper'",
    "emoji 🧂⛏️👩‍🔬 and combining e\u{301}",
    "null",
    "007",
    "a,b;c|d\te",
    "#N/A",
    "<b>not bold</b> &amp; \\n \\\\",
    "=SUM(A1:A9)",
];

/// Fills the org; gives the refusals, of which there must be none.
pub(crate) fn fill(state: &mut State) -> Vec<String> {
    let mut rows = Rows {
        state,
        errors: Vec::new(),
    };
    rows.record_types();
    let accounts = rows.accounts();
    let contacts = rows.contacts(&accounts);
    rows.sales(&accounts, &contacts);
    let leads = rows.leads();
    rows.campaigns(&contacts, &leads);
    rows.salt(&accounts, &contacts);
    rows.files(&accounts);
    rows.activities(&accounts, &contacts);
    rows.errors
}

struct Rows<'a> {
    state: &'a mut State,
    errors: Vec<String>,
}

fn pick<'a>(list: &[&'a str], n: u64) -> &'a str {
    list[usize::try_from(mix(3, &n.to_string())).unwrap_or(0) % list.len()]
}

fn day(n: u64) -> String {
    format!("20{:02}-{:02}-{:02}", 18 + n % 9, 1 + n % 12, 1 + n % 28)
}

impl Rows<'_> {
    /// Creates a row in the running transaction; a refusal is a fault of this file and shows in tests.
    fn add(&mut self, object: &str, values: &Value) -> String {
        let user = self.state.ui_user.clone();
        match self
            .state
            .attempt(|s| write::create_loaded(s, object, values, &user))
        {
            Ok(id) => id,
            Err(e) => {
                self.errors.push(format!("{object}: {e}"));
                String::new()
            }
        }
    }

    fn edit(&mut self, id: &str, values: &Value) {
        let user = self.state.ui_user.clone();
        if let Err(e) = self.state.attempt(|s| write::update(s, id, values, &user)) {
            self.errors.push(format!("{id}: {e}"));
        }
    }

    fn record_types(&mut self) {
        for (n, name, object) in [
            (1, "Customer", "Account"),
            (2, "Supplier", "Account"),
            (3, "Complaint", "Case"),
        ] {
            self.state.seed_row(
                "RecordType",
                &make("012", n),
                json!({"Name": name, "DeveloperName": name,
                "SobjectType": object, "IsActive": true}),
            );
        }
    }

    /// Three levels: concerns, their firms, the firms' branches.
    fn accounts(&mut self) -> Vec<String> {
        self.state.begin();
        let mut ids: Vec<String> = Vec::new();
        for n in 0..60u64 {
            let parent = match n {
                0..6 => None,
                6..24 => ids.get(usize::try_from(n % 6).unwrap_or(0)).cloned(),
                _ => ids.get(usize::try_from(6 + n % 18).unwrap_or(6)).cloned(),
            };
            let mut values = json!({
                "Name": format!("{} {n}", pick(&FIRMS, n)), "ParentId": parent,
                "Industry": pick(&["Manufacturing", "Food & Beverage", "Retail"], n),
                "AnnualRevenue": 1_000_000 + n * 12_345, "NumberOfEmployees": n * 7,
                "Website": format!("https://firm{n}.example/?q=salt&n={n}"),
                "BillingStreet": format!("{n} Salzgasse\nHof 2"), "BillingCity": "Hallein",
                "BillingPostalCode": format!("0{}", 5400 + n), "BillingCountry": "Österreich",
                "Customer_Number__c": format!("C-{n:05}"),
                "Interests__c": if n % 2 == 0 { "Road salt;Brine" } else { "Bath salt" },
            });
            if n % 3 == 0 {
                values["Description"] = json!(pick(&AWKWARD, n));
                values["RecordTypeId"] = json!(make("012", 1 + n % 2));
                values["ShippingLatitude"] = json!(47.683_333_1);
                values["ShippingLongitude"] = json!(-13.1);
            }
            if n % 10 == 0 {
                self.state.begin();
            }
            let id = self.add("Account", &values);
            ids.push(id);
        }
        ids
    }

    fn contacts(&mut self, accounts: &[String]) -> Vec<String> {
        self.state.begin();
        let mut ids: Vec<String> = Vec::new();
        for (n, account) in (0u64..120).zip(accounts.iter().cycle()) {
            let boss = (n % 4 != 0).then(|| ids.last().cloned()).flatten();
            let id = self.add(
                "Contact",
                &json!({
                    "FirstName": pick(&FIRST, n), "LastName": pick(&LAST, n + 50),
                    "AccountId": (n % 11 != 0).then_some(account), "ReportsToId": boss,
                    "Email": format!("person{n}@firm.example"), "Phone": format!("+43 6245 {n:04}"),
                    "Birthdate": (n % 5 == 0).then(|| format!("19{:02}-02-28", 40 + n % 50)),
                    "Description": pick(&AWKWARD, n), "DoNotCall": n % 2 == 0,
                    "MailingCity": (n % 3 == 0).then_some("Zürich"),
                    "Salutation": pick(&["Mr.", "Ms.", "Dr."], n),
                }),
            );
            ids.push(id);
        }
        ids
    }

    fn sales(&mut self, accounts: &[String], contacts: &[String]) {
        let stages = [
            "Prospecting",
            "Value Proposition",
            "Closed Won",
            "Closed Lost",
            "Negotiation/Review",
        ];
        let mut cases: Vec<String> = Vec::new();
        for (n, account) in (0u64..80).zip(accounts.iter().cycle()) {
            if n % 20 == 0 {
                self.state.begin();
            }
            let opportunity = self.add("Opportunity", &json!({
                "Name": format!("{} tons for {n}", n * 10), "AccountId": account, "StageName": pick(&stages, n),
                "CloseDate": day(n), "Amount": (n * 1999) as f64 / 8.0, "NextStep": pick(&AWKWARD, n + 3),
            }));
            if let Some(contact) = contacts.get(usize::try_from(n).unwrap_or(0)) {
                self.add(
                    "OpportunityContactRole",
                    &json!({"OpportunityId": opportunity, "ContactId": contact,
                    "Role": "Decision Maker", "IsPrimary": n % 2 == 0}),
                );
                if n % 2 == 0 {
                    let parent = (n % 6 == 0).then(|| cases.last().cloned()).flatten();
                    let id = self.add(
                        "Case",
                        &json!({"Subject": format!("Wet salt №{n}"), "ContactId": contact,
                        "AccountId": account, "ParentId": parent, "Description": pick(&AWKWARD, n + 1),
                        "Status": if n % 8 == 0 { "Closed" } else { "New" }, "Origin": "Email"}),
                    );
                    self.add(
                        "CaseComment",
                        &json!({"ParentId": id, "CommentBody": pick(&AWKWARD, n + 2)}),
                    );
                    cases.push(id);
                }
            }
        }
    }

    fn leads(&mut self) -> Vec<String> {
        self.state.begin();
        (0..40u64)
            .map(|n| {
                self.add("Lead", &json!({
                    "FirstName": pick(&FIRST, n + 7), "LastName": pick(&LAST, n), "Company": pick(&FIRMS, n + 2),
                    "Email": format!("lead{n}@lead.example"), "City": "Wien", "Street": "Ring 1\nTop 3",
                    "AnnualRevenue": n * 1000, "LeadSource": "Web",
                    "OwnerId": (n % 4 == 0).then(|| make("00G", 1)),
                }))
            })
            .collect()
    }

    fn campaigns(&mut self, contacts: &[String], leads: &[String]) {
        self.state.begin();
        let mut parent: Option<String> = None;
        for n in 0..6usize {
            let id = self.add(
                "Campaign",
                &json!({"Name": format!("Salt week {n}"), "ParentId": parent,
                "StartDate": day(n as u64), "BudgetedCost": 1500, "IsActive": n % 2 == 0, "Type": "Email",
                "ExpectedResponse": 12.5}),
            );
            for (label, responded, sort) in [("Sent", false, 1), ("Responded", true, 2)] {
                self.add(
                    "CampaignMemberStatus",
                    &json!({"CampaignId": id, "Label": label,
                    "HasResponded": responded, "IsDefault": !responded, "SortOrder": sort}),
                );
            }
            for k in 0..6 {
                let (contact, lead) = (contacts.get(n * 6 + k), leads.get(n * 6 + k));
                self.add(
                    "CampaignMember",
                    &json!({"CampaignId": id, "ContactId": contact, "Status": "Sent"}),
                );
                self.add(
                    "CampaignMember",
                    &json!({"CampaignId": id, "LeadId": lead, "Status": "Responded"}),
                );
            }
            parent = Some(id);
        }
    }

    /// Mines with shafts, and the cycle: each shipment's crystals name the shipment, which names one of them.
    fn salt(&mut self, accounts: &[String], contacts: &[String]) {
        let chronicle = "Anno 1573 ⛏ the shaft was sunk. ".repeat(300);
        for n in 0..8usize {
            self.state.begin();
            let seq = n as u64;
            let mine = self.add("Mine__c", &json!({
                "Name": format!("Mine {n}"), "Operator__c": accounts.get(n), "Foreman__c": contacts.get(n),
                "Place__Latitude__s": 47.5 + seq as f64 / 7.0, "Place__Longitude__s": 13.0,
                "Chronicle__c": chronicle, "Leaflet__c": "<p>Glück <b>auf</b>!</p>", "Opened__c": day(seq),
                "Shift_Start__c": "06:00:00.000Z", "Last_Inspection__c": format!("2025-12-0{}T23:59:59.000Z", 1 + seq),
                "Purity__c": 97.25, "Value__c": 1_234_567.89, "Site__c": "https://mine.example",
                "Products__c": "Road salt;Table salt", "Open_To_Visitors__c": n % 2 == 0,
            }));
            let mut before: Option<String> = None;
            for k in 0..5u64 {
                before = Some(self.add(
                    "Shaft__c",
                    &json!({"Mine__c": mine, "Depth__c": 100.5 + k as f64,
                    "State__c": "Working", "Connected_To__c": before}),
                ));
            }
            self.state.begin();
            for k in 0..3u64 {
                let waybill = format!("W{n}{k}");
                let shipment = self.add("Shipment__c", &json!({"Name": format!("Shipment {waybill}"),
                    "Mine__c": mine, "Customer__c": accounts.get(n + 10), "Waybill__c": waybill,
                    "Tons__c": 12.125, "Contact_Email__c": "dock@salt.example", "Remarks__c": pick(&AWKWARD, k)}));
                let crystals: Vec<String> = (0..2u64)
                    .map(|c| {
                        self.add(
                            "Crystal__c",
                            &json!({"Shipment__c": shipment, "Grade__c": c + 1,
                        "Carats__c": 0.0625, "Letter__c": "Ä"}),
                        )
                    })
                    .collect();
                self.edit(&shipment, &json!({"Primary_Crystal__c": crystals.first()}));
            }
        }
    }

    /// Files of one version each, of a thousand bytes and some.
    fn files(&mut self, accounts: &[String]) {
        self.state.begin();
        for (n, account) in (1u64..=5).zip(accounts) {
            let (document, version) = (make("069", n), make("068", n));
            let title = format!("Assay report {n} – Prüfbericht");
            let owner = self.state.ui_user.clone();
            let mut bytes = format!("%PDF-1.4 {title}\n").into_bytes();
            bytes.resize(1000 + usize::try_from(n).unwrap_or(0), b'.');
            let checksum = write::files::md5(&bytes);
            let data = self.state.files.keep(bytes.into());
            self.state.seed_row(
                "ContentDocument",
                &document,
                json!({"Title": title, "OwnerId": owner,
                "FileType": "PDF", "FileExtension": "pdf", "ContentSize": 1000 + n, "PublishStatus": "P",
                "LatestPublishedVersionId": version, "IsArchived": false}),
            );
            self.state.seed_row("ContentVersion", &version, json!({"ContentDocumentId": document, "IsLatest": true,
                "VersionNumber": "1", "Title": title, "PathOnClient": format!("report{n}.pdf"), "FileType": "PDF",
                "FileExtension": "pdf", "ContentSize": 1000 + n, "Checksum": checksum, "Origin": "H",
                "ContentLocation": "S", "OwnerId": owner, "VersionData": data}));
            self.state.seed_row(
                "ContentDocumentLink",
                &make("06A", n),
                json!({"LinkedEntityId": account,
                "ContentDocumentId": document, "ShareType": "V", "Visibility": "AllUsers"}),
            );
        }
    }

    fn activities(&mut self, accounts: &[String], contacts: &[String]) {
        self.state.begin();
        for n in 0..20usize {
            let (who, what) = (contacts.get(n), accounts.get(n));
            self.add("Task", &json!({"Subject": "Call", "WhoId": who, "WhatId": what, "ActivityDate": day(n as u64),
                "Status": if n % 3 == 0 { "Completed" } else { "Not Started" }, "Description": pick(&AWKWARD, n as u64)}));
            self.add(
                "Event",
                &json!({"Subject": "Meeting", "WhoId": who, "DurationInMinutes": 30, "Location": "Pit",
                "ActivityDateTime": format!("2026-02-{:02}T09:30:00.000Z", 1 + n)}),
            );
        }
    }
}
