//! Figures, each with what it may be at most, or must be at least.
//!
//! Key decision: a figure that has a limit says whether it holds, and all together decide the exit status.
//! It measures nothing.

use serde_json::{Value, json};

/// Figures by name.
#[derive(Debug)]
pub struct Figures {
    figures: serde_json::Map<String, Value>,
    ok: bool,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            figures: serde_json::Map::new(),
            ok: true,
        }
    }
}

impl Figures {
    /// A figure that must not be above its limit.
    pub fn limit(&mut self, name: &str, value: f64, limit: f64) {
        self.hold(name, value, "limit", limit, value <= limit);
    }

    /// A figure that must not be below its limit.
    pub fn at_least(&mut self, name: &str, value: f64, least: f64) {
        self.hold(name, value, "at_least", least, value >= least);
    }

    fn hold(&mut self, name: &str, value: f64, kind: &str, limit: f64, ok: bool) {
        self.ok &= ok;
        let round = |x: f64| (x * 10_000.0).round() / 10_000.0;
        self.figures.insert(
            name.to_owned(),
            json!({ "value": round(value), kind: round(limit), "ok": ok }),
        );
    }

    /// A figure without a limit.
    pub fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// All of them, and whether every limit holds.
    pub fn end(mut self) -> (Value, bool) {
        self.note("ok", self.ok);
        (Value::Object(self.figures), self.ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_limit_is_enough() {
        let ok = |fill: &dyn Fn(&mut Figures)| {
            let mut figures = Figures::default();
            fill(&mut figures);
            figures.end().1
        };
        assert!(ok(&|f| f.limit("a", 1.0, 1.0)));
        assert!(ok(&|f| f.at_least("a", 1.0, 1.0)));
        assert!(!ok(&|f| f.limit("a", 1.1, 1.0)));
        assert!(!ok(&|f| f.at_least("a", 0.9, 1.0)));
        assert!(!ok(&|f| f.at_least("a", f64::NAN, 1.0)));
        assert!(!ok(&|f| {
            f.limit("a", 2.0, 1.0);
            f.limit("b", 0.0, 1.0);
        }));
    }
}
