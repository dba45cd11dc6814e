//! `report.html`: one page that an administrator reads, whole in itself.
//!
//! Key decision: no script, nothing from elsewhere (a content security policy says so to the browser), and every value of
//! the org is escaped and kept in a cell of its own, since anybody may have written it. Long lists are cut and say where
//! the rest is. It decides nothing: it shows lines.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use crate::ops::restore::plan::{Header, Impossible};
use crate::ops::restore::report::{Line, Summary};
use crate::ops::restore::texts::Standing;

/// Rows of a list that are shown.
const SHOWN: usize = 500;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1c2330}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%;margin:.6rem 0}\
th,td{border:1px solid #d4d9e2;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere;\
unicode-bidi:isolate}td{white-space:pre-wrap}th{background:#f2f4f8}td.n{text-align:right}.good{color:#17692f}\
.bad{color:#a3230f}.do{background:#fff7dd;border-left:4px solid #d8a200;padding:.4rem .8rem}.more{color:#5a6474}";

/// A list of which the beginning is kept.
#[derive(Default)]
struct Few<T> {
    all: usize,
    shown: Vec<T>,
}

impl<T> Few<T> {
    fn add(&mut self, make: impl FnOnce() -> T) {
        self.all += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(make());
        }
    }
}

/// What the page shows.
#[derive(Default)]
pub(super) struct Page {
    /// What was not done, by remedy and then what it shares.
    not_done: BTreeMap<(&'static str, String, &'static str, String), Few<[String; 3]>>,
    left_out: Few<[String; 5]>,
    differing: Few<[String; 6]>,
    ids: Few<[String; 3]>,
    texts: Few<[String; 5]>,
    impossible: Few<[String; 3]>,
}

impl Page {
    /// One operation.
    pub fn line(&mut self, line: Line) {
        let name = line.name.unwrap_or_default();
        let id = line.new_id.unwrap_or(line.old_id);
        if let Some(remedy) = line.remedy {
            let key = (
                remedy,
                line.sobject.clone(),
                line.outcome,
                line.code.unwrap_or_default(),
            );
            let cause = line.cause.unwrap_or_default();
            let group = self.not_done.entry(key).or_default();
            group.add(|| [id.clone(), name.clone(), cause]);
        }
        if !line.left_out.is_empty() {
            let why = line.left_out_cause.unwrap_or_default();
            let fields = line.left_out.join(", ");
            self.left_out
                .add(|| [line.sobject.clone(), id.clone(), name.clone(), fields, why]);
        }
        for d in line.differing {
            self.differing.add(|| {
                [
                    line.sobject.clone(),
                    id.clone(),
                    name.clone(),
                    d.field,
                    d.wanted,
                    d.found,
                ]
            });
        }
    }

    /// A record that was made.
    pub fn id(&mut self, old: &str, new: &str, sobject: &str) {
        self.ids
            .add(|| [sobject.to_owned(), old.to_owned(), new.to_owned()]);
    }

    /// An old Id in a text.
    pub fn text(&mut self, found: &Standing) {
        let Standing {
            sobject,
            id,
            field,
            old,
            new,
        } = found;
        self.texts
            .add(|| [sobject, id, field, old, new].map(Clone::clone));
    }

    /// A record that cannot be brought back.
    pub fn impossible(&mut self, record: &Impossible) {
        let Impossible { sobject, id, reason } = record;
        self.impossible
            .add(|| [sobject.clone(), id.to_string(), reason.clone()]);
    }

    /// Writes the page.
    pub fn write(
        self,
        plan: &Header,
        summary: &Summary,
        written: &str,
        to: &mut impl Write,
    ) -> io::Result<()> {
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        writeln!(
            to,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\
             <meta name=\"referrer\" content=\"no-referrer\"><title>Restore of {org}</title>\
             <style>{STYLE}</style></head><body><h1>Restore of org {org} to {at}</h1>",
            org = Text(&plan.org),
            at = Text(&plan.at_time),
        )?;
        head(plan, summary, written, to)?;
        by_sobject(summary, to)?;
        self.not_done(to)?;
        let columns = ["sObject", "Id", "Why"];
        list(
            to,
            "Cannot be brought back",
            &columns,
            &self.impossible,
            "report.json",
        )?;
        let columns = ["sObject", "Id", "Name", "Fields", "Why"];
        list(
            to,
            "Fields that were left out",
            &columns,
            &self.left_out,
            "outcomes.csv",
        )?;
        let columns = ["sObject", "Id", "Name", "Field", "The plan set", "The org holds"];
        list(
            to,
            "Fields that differ afterwards",
            &columns,
            &self.differing,
            "outcomes.csv",
        )?;
        let columns = ["sObject", "Old Id", "New Id"];
        list(to, "Records with a new Id", &columns, &self.ids, "ids.csv")?;
        if !self.texts.shown.is_empty() {
            writeln!(
                to,
                "<h2>Old Ids that still stand in texts</h2><p class=\"do\">These texts and addresses name a record by the \
                 Id that it had before. Replace it by the new one where it is used.</p>"
            )?;
            let columns = ["sObject", "Id", "Field", "Old Id", "New Id"];
            table(to, &columns, &self.texts, "texts.csv")?;
        }
        to.write_all(b"</body></html>\n")
    }

    fn not_done(&self, to: &mut impl Write) -> io::Result<()> {
        if self.not_done.is_empty() {
            return to.write_all(b"<h2>What was not done</h2><p class=\"good\">Everything was done.</p>\n");
        }
        to.write_all(b"<h2>What was not done, and what to do</h2>\n")?;
        let mut last = "";
        for ((remedy, sobject, outcome, code), group) in &self.not_done {
            if *remedy != last {
                writeln!(to, "<p class=\"do\">{}</p>", Text(remedy))?;
                last = remedy;
            }
            let code = if code.is_empty() {
                String::new()
            } else {
                format!(" ({code})")
            };
            writeln!(
                to,
                "<h3>{}: {} {}{}</h3>",
                Text(sobject),
                group.all,
                Text(outcome),
                Text(&code)
            )?;
            table(to, &["Id", "Name", "Cause"], group, "outcomes.csv")?;
        }
        Ok(())
    }
}

fn head(plan: &Header, summary: &Summary, written: &str, to: &mut impl Write) -> io::Result<()> {
    let mut rows: Vec<(&str, String)> = vec![
        ("Plan made", plan.created.clone()),
        ("Report written", written.to_owned()),
        ("Brought back", format!("snapshot {}, {}", plan.at, plan.at_time)),
        ("Snapshot before the restore", plan.now.clone()),
    ];
    if let Some(other) = &plan.to {
        rows.push(("Written to org", other.clone()));
    }
    if !plan.choice.is_empty() {
        rows.push(("Chosen", plan.choice.clone()));
    }
    rows.push(("Operations", summary.operations.to_string()));
    rows.extend(summary.outcomes.iter().map(|(name, n)| (*name, n.to_string())));
    rows.push(("Newer records, kept", summary.newer.to_string()));
    let [records, fields, bodies] = summary.compared;
    rows.push((
        "Compared afterwards",
        match &summary.compared_with {
            Some(snapshot) => format!(
                "{records} records, {fields} fields and {bodies} files with snapshot {snapshot}: {} records differ",
                summary.differing
            ),
            None => "no: no snapshot was taken since".to_owned(),
        },
    ));
    rows.extend(
        summary
            .unseen
            .iter()
            .map(|(name, why)| ("Not compared", format!("{name}: {why}"))),
    );
    rows.push((
        "Old Ids in texts",
        match summary.old_ids_in_texts {
            Some(n) => n.to_string(),
            None => "not searched: no snapshot was taken since".to_owned(),
        },
    ));
    to.write_all(b"<h2>Summary</h2><table>\n")?;
    for (name, value) in rows {
        writeln!(to, "<tr><th>{}</th><td>{}</td></tr>", Text(name), Text(&value))?;
    }
    to.write_all(b"</table>\n")
}

fn by_sobject(summary: &Summary, to: &mut impl Write) -> io::Result<()> {
    to.write_all(b"<h2>By sObject</h2><table><tr><th>sObject</th>")?;
    for name in summary.outcomes.keys() {
        write!(to, "<th>{}</th>", Text(name))?;
    }
    to.write_all(b"</tr>\n")?;
    for (sobject, counts) in &summary.sobjects {
        write!(to, "<tr><td>{}</td>", Text(sobject))?;
        for name in summary.outcomes.keys() {
            write!(
                to,
                "<td class=\"n\">{}</td>",
                counts.get(name).copied().unwrap_or_default()
            )?;
        }
        to.write_all(b"</tr>\n")?;
    }
    to.write_all(b"</table>\n")
}

/// A list under a heading, if it holds anything.
fn list<const N: usize>(
    to: &mut impl Write,
    heading: &str,
    columns: &[&str; N],
    rows: &Few<[String; N]>,
    rest: &str,
) -> io::Result<()> {
    if rows.shown.is_empty() {
        return Ok(());
    }
    writeln!(to, "<h2>{}</h2>", Text(heading))?;
    table(to, columns, rows, rest)
}

fn table<const N: usize>(
    to: &mut impl Write,
    columns: &[&str; N],
    rows: &Few<[String; N]>,
    rest: &str,
) -> io::Result<()> {
    to.write_all(b"<table><tr>")?;
    for column in columns {
        write!(to, "<th>{}</th>", Text(column))?;
    }
    to.write_all(b"</tr>\n")?;
    for row in &rows.shown {
        to.write_all(b"<tr>")?;
        for value in row {
            write!(to, "<td>{}</td>", Text(value))?;
        }
        to.write_all(b"</tr>\n")?;
    }
    to.write_all(b"</table>\n")?;
    match rows.all - rows.shown.len() {
        0 => Ok(()),
        more => writeln!(to, "<p class=\"more\">and {more} more: {}</p>", Text(rest)),
    }
}

/// A text of the org as it may stand in the page.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => to.write_str("&amp;")?,
                '<' => to.write_str("&lt;")?,
                '>' => to.write_str("&gt;")?,
                '"' => to.write_str("&quot;")?,
                '\'' => to.write_str("&#39;")?,
                '\n' | '\t' => fmt::Write::write_char(to, c)?,
                c if c.is_control() => to.write_str("\u{fffd}")?,
                c => fmt::Write::write_char(to, c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn nothing_of_a_value_is_markup() {
        let shown = Text("<script>alert('1')</script>&\"\u{0}\u{1b}[0m\nok").to_string();
        assert_eq!(
            shown,
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\u{fffd}\u{fffd}[0m\nok"
        );
    }
}
