//! What was measured: rows of a table, and ratios with what they must be.
//!
//! Key decision: a row is one work of one tool; only ratios between rows of the same run have limits. It measures
//! nothing.

use std::fmt::Write as _;

use halite_bench::figures::Figures;
use serde_json::{Map, Value, json};

use crate::measured::Run;

/// One work of one tool.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The case.
    pub case: &'static str,
    /// What was done.
    pub work: String,
    /// Who did it.
    pub tool: String,
    /// Wall time; of one, where many are done.
    pub seconds: Option<f64>,
    /// User and system time.
    pub cpu: Option<f64>,
    /// Largest resident set.
    pub peak_mb: Option<f64>,
    /// Bytes that were added to the store.
    pub added: Option<u64>,
    /// Bytes of the store.
    pub stored: Option<u64>,
}

impl Row {
    /// Of a work, nothing measured yet.
    pub fn new(case: &'static str, work: impl Into<String>, tool: impl Into<String>) -> Self {
        Self {
            case,
            work: work.into(),
            tool: tool.into(),
            ..Self::default()
        }
    }

    /// With what a command took.
    pub fn run(mut self, run: Run) -> Self {
        (self.seconds, self.cpu, self.peak_mb) = (Some(run.seconds), Some(run.cpu), Some(run.peak_mb));
        self
    }

    /// With a time alone.
    pub fn seconds(mut self, seconds: f64) -> Self {
        self.seconds = Some(seconds);
        self
    }

    /// With the bytes of the store before and now.
    pub fn bytes(mut self, before: u64, now: u64) -> Self {
        (self.added, self.stored) = (Some(now.saturating_sub(before)), Some(now));
        self
    }

    fn json(&self) -> Value {
        let mut map = Map::new();
        let words = [("case", self.case), ("work", &self.work), ("tool", &self.tool)];
        map.extend(words.map(|(name, word)| (name.to_owned(), json!(word))));
        let numbers = [
            ("seconds", self.seconds),
            ("cpu_seconds", self.cpu),
            ("peak_mb", self.peak_mb),
        ];
        for (name, number) in numbers {
            map.extend(number.map(|n| (name.to_owned(), json!(n))));
        }
        for (name, bytes) in [("added_bytes", self.added), ("stored_bytes", self.stored)] {
            map.extend(bytes.map(|n| (name.to_owned(), json!(n))));
        }
        Value::Object(map)
    }

    fn cells(&self) -> [String; 8] {
        let mega = |bytes: Option<u64>| bytes.map_or_else(String::new, |n| format!("{:.2}", n as f64 / 1e6));
        [
            self.case.to_owned(),
            self.work.clone(),
            self.tool.clone(),
            self.seconds.map_or_else(String::new, time),
            self.cpu.map_or_else(String::new, time),
            self.peak_mb.map_or_else(String::new, |mb| format!("{mb:.0}")),
            mega(self.added),
            mega(self.stored),
        ]
    }
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Report {
    about: Map<String, Value>,
    rows: Vec<Row>,
    /// Ratios.
    pub figures: Figures,
}

impl Report {
    /// Something about the machine, the tools or the data.
    pub fn about(&mut self, name: &str, value: impl Into<Value>) {
        self.about.insert(name.to_owned(), value.into());
    }

    /// Takes a row.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The row of a work of a tool.
    pub fn find(&self, case: &str, work: &str, tool: &str) -> Option<&Row> {
        let same = |row: &&Row| row.case == case && row.work == work && row.tool == tool;
        self.rows.iter().find(same)
    }

    /// The largest resident set of any work of Halite, in megabytes.
    pub fn peak(&self) -> Option<f64> {
        let ours = self.rows.iter().filter(|row| row.tool.starts_with("halite"));
        ours.filter_map(|row| row.peak_mb).max_by(f64::total_cmp)
    }

    /// All of it, as one object or as tables; and whether every limit holds.
    pub fn end(self, as_json: bool) -> (String, bool) {
        let (figures, ok) = self.figures.end();
        if as_json {
            let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
            let all = json!({ "about": self.about, "rows": rows, "figures": figures, "ok": ok });
            return (format!("{all:#}"), ok);
        }
        let mut text = String::new();
        for (name, value) in &self.about {
            let _ = writeln!(text, "{name}: {}", plain(value));
        }
        let head = [
            "case", "work", "tool", "time", "CPU", "peak MB", "added MB", "store MB",
        ];
        let rows: Vec<[String; 8]> = self.rows.iter().map(Row::cells).collect();
        text.push('\n');
        table(&mut text, &head.map(str::to_owned), &rows, 3);
        text.push('\n');
        let head = ["figure", "value", "limit", "holds"].map(str::to_owned);
        table(&mut text, &head, &figure_cells(&figures), 1);
        (text, ok)
    }
}

fn figure_cells(figures: &Value) -> Vec<[String; 4]> {
    let all = figures.as_object().into_iter().flatten();
    let all = all.filter(|(name, _)| name.as_str() != "ok");
    let cells = all.map(|(name, value)| {
        let Some(number) = value.get("value") else {
            return [name.clone(), plain(value), String::new(), String::new()];
        };
        let limit = match (value.get("limit"), value.get("at_least")) {
            (Some(most), _) => format!("at most {most}"),
            (None, Some(least)) => format!("at least {least}"),
            (None, None) => String::new(),
        };
        let holds = if value["ok"] == true { "yes" } else { "NO" };
        [name.clone(), plain(number), limit, holds.to_owned()]
    });
    cells.collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A time in the unit that it is best read in.
fn time(seconds: f64) -> String {
    if seconds >= 0.1 {
        format!("{seconds:.2} s")
    } else if seconds >= 0.000_1 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{:.2} us", seconds * 1e6)
    }
}

/// Columns of equal width: the first `left` begin at the left, numbers end at the right.
fn table<const N: usize>(text: &mut String, head: &[String; N], rows: &[[String; N]], left: usize) {
    let lines: Vec<&[String; N]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    for line in &lines {
        let mut row = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = if column < left {
                write!(row, "{cell:<width$}  ")
            } else {
                write!(row, "{cell:>width$}  ")
            };
        }
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.about("cores", 2);
        let run = Run {
            seconds: 1.5,
            cpu: 2.0,
            peak_mb: 30.4,
        };
        report.row(
            Row::new("records", "first", "halite")
                .run(run)
                .bytes(1_000_000, 3_500_000),
        );
        report.row(Row::new("reads", "read", "sqlite").seconds(0.000_012));
        report.figures.limit("small", 0.5, 1.0);
        report.figures.at_least("large", 3.0, 4.0);
        report
    }

    #[test]
    fn a_table_names_what_does_not_hold() {
        let (text, ok) = report().end(false);
        assert!(!ok);
        let line = |word: &str| {
            let line = text.lines().find(|line| line.starts_with(word));
            line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("records"), "records first halite 1.50 s 2.00 s 30 2.50 3.50");
        assert_eq!(line("reads"), "reads read sqlite 12.00 us");
        assert_eq!(line("small"), "small 0.5 at most 1.0 yes");
        assert_eq!(line("large"), "large 3.0 at least 4.0 NO");
    }

    #[test]
    fn the_peak_is_that_of_halite() {
        let mut report = report();
        let run = Run {
            seconds: 1.0,
            cpu: 1.0,
            peak_mb: 99.0,
        };
        report.row(Row::new("records", "first", "restic").run(run));
        assert_eq!(report.peak(), Some(30.4));
        assert_eq!(Report::default().peak(), None);
    }

    #[test]
    fn json_has_the_same() {
        let (text, ok) = report().end(true);
        let all: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((ok, &all["ok"]), (false, &json!(false)));
        assert_eq!(all["rows"][0]["added_bytes"], 2_500_000);
        assert_eq!(all["figures"]["large"]["ok"], false);
    }
}
