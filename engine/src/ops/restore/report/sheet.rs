//! Tables as CSV (RFC 4180) that a spreadsheet opens without running anything.
//!
//! Key decision: every value is quoted, lines end in CR LF, and a value that a spreadsheet would take for a formula gets an
//! apostrophe before it (OWASP, "CSV Injection"), so that values of the org stay values. It is for people and simple
//! programs: `report.json` has the same without apostrophes.

use std::io::Write;

use crate::base::error::Result;
use crate::ops::restore::report::part::Part;

/// A table that is being written.
pub(super) struct Sheet(Part);

impl Sheet {
    /// With these columns.
    pub fn new(mut part: Part, columns: &[&str]) -> Result<Self> {
        line(&mut part, columns)?;
        Ok(Self(part))
    }

    /// One line more.
    pub fn row(&mut self, values: &[&str]) -> Result<()> {
        line(&mut self.0, values)
    }

    /// The file, whole.
    pub fn end(self) -> Part {
        self.0
    }
}

fn line(part: &mut Part, values: &[&str]) -> Result<()> {
    let cells: Vec<String> = values.iter().map(|value| cell(value)).collect();
    let text = cells.join(",") + "\r\n";
    let written = part.write_all(text.as_bytes());
    written.map_err(|e| part.failed(e))
}

fn cell(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let quoted = value.replace('"', "\"\"").replace('\0', "\u{fffd}");
    format!("\"{}{quoted}\"", if formula { "'" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn values_stay_values() {
        assert_eq!(cell("a \"b\", c\nd"), "\"a \"\"b\"\", c\nd\"");
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(cell("-1+1"), "\"'-1+1\"");
        assert_eq!(cell("@SUM(A1)"), "\"'@SUM(A1)\"");
        assert_eq!(cell("\t=1"), "\"'\t=1\"");
        assert_eq!(cell(""), "\"\"");
        assert_eq!(cell("1-2"), "\"1-2\"");
    }
}
