//! A saved org goes on as if it had never stopped, and a broken file is refused line by line.
//!
//! Key decision: two orgs out of one file, the one that wrote it and the one that read it, are asked the same
//! questions and given the same work; every answer must be equal, headers that count calls included.
//! Not here: `/admin/save` (`admin`).

use std::fs;

use halite_simulator::{Bin, Org};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Session, recorded};

/// Gives an org a past: an edit, an odd number, rows in every state of deletion, small pages.
fn lived(org: Org) -> Org {
    org.configure(|s| s.page_size = 9);
    let made = |name: &str| org.create("Account", &json!({"Name": name})).unwrap();
    let (bin, purged, edited) = (made("bin"), made("purged"), made("edited"));
    org.update(&edited, &json!({"AnnualRevenue": 0.300_000_000_000_000_04}))
        .unwrap();
    org.delete(&bin).unwrap();
    org.purge(&[&purged]).unwrap();
    let left = org
        .rows("Account")
        .iter()
        .filter(|r| org.delete(r["Id"].as_str().unwrap()).is_ok())
        .count();
    assert!(left > 0);
    org
}

fn saved(org: &Org) -> (TempDir, Org) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("org.jsonl");
    org.save(&file).unwrap();
    let back = Org::load_saved(&file).unwrap();
    (dir, back)
}

/// All that an org says and does when asked: describes, pages, truth, then writes and their new Ids.
fn transcript(s: &Session) -> Vec<(u16, Value)> {
    let mut out = vec![s.get("/sobjects"), s.get("/limits")];
    for object in s.org.objects() {
        out.push(s.get(&format!("/sobjects/{object}/describe")));
        let query = format!("SELECT FIELDS(STANDARD) FROM {object} ORDER BY Id LIMIT 200");
        let first = s.query(&query);
        let more = first.1["nextRecordsUrl"].as_str().map(str::to_owned);
        out.push(first);
        out.extend(more.map(|url| s.get(&url)));
        let every = s.org.every_row(&object, "", usize::MAX);
        let every = every
            .into_iter()
            .map(|(bin, row)| json!([format!("{bin:?}"), row]));
        out.push((0, every.collect()));
    }
    for row in s.org.rows("ContentVersion") {
        let file = s.request("GET", row["VersionData"].as_str().unwrap()).send();
        out.push((0, json!(file.unwrap().text().unwrap())));
    }
    let window = "start=2026-01-05T00:00:00Z&end=2026-01-06T00:00:00Z";
    out.push(s.get(&format!("/sobjects/Account/deleted/?{window}")));
    out.push(s.send("POST", "/sobjects/Account", &json!({"Name": "after"})));
    out.push(s.send("POST", "/sobjects/Account", &json!({})));
    let bin = s
        .org
        .deleted("Account")
        .into_iter()
        .find(|id| s.org.bin(id) == Bin::InBin);
    let (status, reply) = s.soap(&format!(
        "<u:undelete><u:ids>{}</u:ids></u:undelete>",
        bin.unwrap()
    ));
    out.push((status, json!(reply)));
    out.push((0, json!(s.org.rows("Contact"))));
    out.push((
        0,
        json!([
            s.org.access_token(),
            s.org.refresh_token(),
            s.org.clock().now().to_string()
        ]),
    ));
    out
}

fn goes_on(org: Org) {
    let token = org.access_token();
    let (_dir, back) = saved(&org);
    let told = |org: Org| {
        let mut session = Session::on(org);
        session.token.clone_from(&token);
        let address = session.server.url();
        let lines = transcript(&session).into_iter();
        lines
            .map(|(status, reply)| format!("{status} {reply}").replace(&address, ""))
            .collect::<Vec<_>>()
    };
    let (a, b) = (told(org), told(back));
    assert!(a.len() > 50 && a.len() == b.len());
    for (a, b) in a.iter().zip(&b) {
        let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        let near = |text: &str| {
            text.chars()
                .skip(same.saturating_sub(80))
                .take(160)
                .collect::<String>()
        };
        assert!(a == b, "before: {}\nafter: {}", near(a), near(b));
    }
}

#[test]
fn an_org_goes_on() {
    goes_on(lived(Org::sample()));
}

#[test]
fn an_org_of_a_project_goes_on() {
    let Some(dir) = recorded("sample-orgs/dreamhouse-lwc") else {
        return;
    };
    goes_on(lived(Org::load(&dir).unwrap().0));
}

#[test]
fn broken_files_are_refused_with_their_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("org.jsonl");
    lived(Org::sample()).save(&file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let says = |text: &str| {
        fs::write(&file, text).unwrap();
        Org::load_saved(&file).unwrap_err().to_string()
    };
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines.join("\n")
    };
    assert!(says("").contains("line 0: the file breaks off"));
    assert!(says("{}").contains("line 1:"));
    assert!(says(&with(0, "{\"saved_org\":2}")).contains("line 1: the format is version 2"));
    assert!(says(&with(1, "{\"org\":{}}")).contains("line 2: missing field"));
    assert!(says(&lines[..lines.len() - 1].join("\n")).contains("breaks off"));
    assert!(says(&with(lines.len() - 1, "{\"end\":1}")).contains("rows of 1 are there"));
    assert!(says(&with(4, lines[3])).contains("line 5: "));
    assert!(says(&with(4, "{\"row\":[\"Nothing\",{\"values\":{}}]}")).contains("no object of the org"));
    assert!(
        says(&with(4, "{\"row\":[\"Account\",{\"values\":{\"Id\":\"001\"}}]}")).contains("no Id of Account")
    );
    let many = lines[1].replace("\"deletes\":", "\"deletes\":18446744073709551");
    assert!(says(&with(1, &many)).contains("line 2: "));
    let mut bytes = text.clone().into_bytes();
    bytes[20] = 0xff;
    fs::write(&file, bytes).unwrap();
    assert!(
        Org::load_saved(&file)
            .unwrap_err()
            .to_string()
            .contains("line 2: ")
    );
    assert!(
        Org::load_saved(&dir.path().join("none"))
            .unwrap_err()
            .to_string()
            .contains("cannot read")
    );
}

/// Every line cut short, and every line with one byte changed, is an error or another org, never a panic.
#[test]
fn no_line_makes_it_panic() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("org.jsonl");
    Org::empty().save(&file).unwrap();
    let text = fs::read(&file).unwrap();
    for at in (0..text.len()).step_by(text.len() / 60 + 1) {
        fs::write(&file, &text[..at]).unwrap();
        assert!(Org::load_saved(&file).is_err());
        let mut bytes = text.clone();
        bytes[at] = bytes[at].wrapping_add(1);
        fs::write(&file, bytes).unwrap();
        let _ = Org::load_saved(&file).map(|org| Session::on(org).get("/sobjects"));
    }
}
