//! Validation rules of a project.
//!
//! Key decision: an active rule is in force before the project's data are loaded, as it would be for the
//! import of a real org; one that is not understood is a line of the report and never enforced.
//! Source: Metadata API guide, "ValidationRule".
//! Not here: what a rule does (`write::rules`).

use std::path::{Path, PathBuf};

use super::{LoadError, LoadReport, files};
use crate::org::State;
use crate::write::rules;
use crate::xml;

const RULE: &str = ".validationRule-meta.xml";

/// Takes every active rule into force.
pub(crate) fn read(state: &mut State, all: &[PathBuf], report: &mut LoadReport) -> Result<(), LoadError> {
    for path in all.iter().filter(|p| files::named(p, RULE)) {
        let meta = match xml::parse(&files::text(path)?) {
            Ok(meta) => meta,
            Err(e) => {
                report.skip(path, format_args!("not XML: {e}"));
                continue;
            }
        };
        let object = path.ancestors().nth(2).and_then(Path::file_name);
        let (Some(object), Some(formula)) = (object, meta.get("errorConditionFormula")) else {
            report.skip(path, "belongs to no object, or has no formula");
            continue;
        };
        if !meta.flag("active") {
            continue;
        }
        let object = object.to_string_lossy();
        let name = format!("{object}.{}", meta.get("fullName").unwrap_or_default());
        let shown = (
            meta.get("errorMessage").unwrap_or_default(),
            meta.get("errorDisplayField"),
        );
        if let Err(why) = rules::add(state, &name, &object, formula, shown) {
            report.skip(path, format_args!("validation rule not enforced: {why}"));
        }
    }
    Ok(())
}
