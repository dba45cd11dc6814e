//! The filters of a mapping step: which rows of its table it takes.
//!
//! Key decision: comparisons of a column with a text or NULL, joined by AND: what mapping files hold. Anything
//! else is an error, because a filter half understood would load wrong rows.
//! Source: CumulusCI documentation, "Manage Data", "Mapping File Keys".
//! Not here: SQL as such (`sql`).

use super::sql::Table;

/// One comparison: column, wanted value (`None` is NULL), and whether it must differ.
#[derive(Debug)]
struct Test {
    column: usize,
    value: Option<String>,
    differs: bool,
}

/// The filters of one step.
#[derive(Debug)]
pub(crate) struct Filter(Vec<Test>);

impl Filter {
    /// Reads the filters of a step over its table.
    pub fn parse(filters: &[String], table: &Table) -> Result<Self, String> {
        let parts = filters.iter().flat_map(|f| f.split(" AND "));
        parts
            .map(|part| test(part.trim(), table).ok_or_else(|| format!("filter not understood: {part}")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a row passes; as in SQL, a comparison with NULL never does.
    pub fn takes(&self, row: &[Option<String>]) -> bool {
        self.0.iter().all(|t| match (&t.value, &row[t.column]) {
            (None, cell) => cell.is_none() != t.differs,
            (Some(_), None) => false,
            (Some(value), Some(cell)) => (value == cell) != t.differs,
        })
    }
}

fn test(text: &str, table: &Table) -> Option<Test> {
    let lower = text.to_ascii_lowercase();
    for (words, differs) in [(" is not null", true), (" is null", false)] {
        if let Some(column) = lower.strip_suffix(words) {
            let column = table.column(column.trim())?;
            return Some(Test {
                column,
                value: None,
                differs,
            });
        }
    }
    for (sign, differs) in [("!=", true), ("<>", true), ("=", false)] {
        if let Some((column, value)) = text.split_once(sign) {
            let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            return Some(Test {
                column: table.column(column.trim())?,
                value: Some(value.replace("''", "'")),
                differs,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_and_null() {
        let table = Table {
            columns: vec!["Label".into(), "n".into()],
            ..Table::default()
        };
        let takes = |filter: &str, row: [Option<&str>; 2]| {
            let row: Vec<Option<String>> = row.iter().map(|v| v.map(str::to_owned)).collect();
            Filter::parse(&[filter.to_owned()], &table).map(|f| f.takes(&row))
        };
        let both = "Label != 'Sent' AND Label != 'it''s'";
        assert_eq!(takes(both, [Some("New"), None]), Ok(true));
        assert_eq!(takes(both, [Some("it's"), None]), Ok(false));
        assert_eq!(takes(both, [None, None]), Ok(false));
        assert_eq!(takes("n IS NOT NULL", [None, None]), Ok(false));
        assert_eq!(takes("n is null", [None, None]), Ok(true));
        assert_eq!(takes("label = 'x'", [Some("x"), None]), Ok(true));
        assert!(takes("n > 1", [None, None]).is_err());
        assert!(takes("gone = 'x'", [None, None]).is_err());
    }
}
