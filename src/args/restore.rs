//! What is typed of restores: what is planned, carried out, told and tried.
//!
//! Key decision: one struct for each command that takes flags; how flags fit together is said here as far as clap can say
//! it, and by the engine where it depends on what the vault holds. Nothing is resolved here.

use std::path::PathBuf;

use clap::{Args as Flags, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Restore {
    /// Write what would bring a state back: a file to read and edit
    Plan(Box<RestorePlan>),
    /// Show what a plan would do
    Show(RestoreShow),
    /// Do what a plan says; one outcome for each record
    Apply(RestoreApply),
    /// Write the plan that takes back what another did
    Undo(RestoreUndo),
    /// Write what became of a plan that was applied, as tables and a page
    Report(RestoreReport),
    /// Write the plan for what did not succeed
    Again(RestoreAgain),
}

#[derive(Debug, Flags)]
pub struct RestorePlan {
    /// The connection's name
    pub name: String,
    /// The time, or snapshot, to go back to; where a span begins, if it is not named
    #[arg(
        long,
        value_name = "TIME",
        required_unless_present_any = ["deleted_between", "changed_between"]
    )]
    pub at: Option<String>,
    /// Only these sObjects
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub sobject: Option<Vec<String>>,
    /// Only these records
    #[arg(long, value_delimiter = ',', value_name = "ID,ID")]
    pub id: Option<Vec<String>>,
    /// Only records whose values at that time meet a condition, for instance 'Amount > 100 AND Name LIKE "A%"'
    #[arg(long = "where", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// Only records that a snapshot after A and up to B saw go; times, or numbers or names of snapshots
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "to")]
    pub deleted_between: Option<Vec<String>>,
    /// The same of records that it saw go, come or get other values
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "to")]
    pub changed_between: Option<Vec<String>>,
    /// Only records that this user, a Username or an Id, changed or deleted last
    #[arg(long, value_name = "USER", conflicts_with = "to")]
    pub by: Option<String>,
    /// Besides, what the chosen records point at and what is gone, and so on
    #[arg(long)]
    pub with_parents: bool,
    /// Besides, what pointed at the chosen records and differs now, to a depth of N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub with_children: Option<u32>,
    /// Edit only these fields; what is gone comes back whole
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub fields: Option<Vec<String>>,
    /// What may be done: everything, edits of records that are there, or bringing back those that are gone
    #[arg(long, value_enum, default_value = "all")]
    pub mode: RestoreMode,
    /// Make the records in the org of this connection instead
    #[arg(long, value_name = "NAME")]
    pub to: Option<String>,
    /// Of another org: this row of it stands for that one of the old org
    #[arg(long, value_name = "FROM=TO", requires = "to")]
    pub map: Vec<String>,
    /// Into another org: make values unreadable by the rules in this file, lines of `SOBJECT.FIELD HOW`
    #[arg(long, value_name = "FILE", requires = "to")]
    pub mask: Option<PathBuf>,
    /// A text field, an external Id, in which what is created keeps the Id that it had
    #[arg(long, value_name = "FIELD")]
    pub marker: Option<String>,
    /// Write over what changes until the plan is applied
    #[arg(long)]
    pub overwrite: bool,
    /// End with status 3 if applying the plan should take more API calls than these
    #[arg(long, value_name = "N")]
    pub calls_at_most: Option<u64>,
    /// The file to write
    #[arg(short, long, value_name = "PLAN")]
    pub output: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RestoreMode {
    All,
    Existing,
    Deleted,
}

impl From<RestoreMode> for halite_engine::ops::restore::plan::Mode {
    fn from(mode: RestoreMode) -> Self {
        match mode {
            RestoreMode::All => Self::All,
            RestoreMode::Existing => Self::Existing,
            RestoreMode::Deleted => Self::Deleted,
        }
    }
}

#[derive(Debug, Flags)]
pub struct RestoreShow {
    /// The plan's file
    pub plan: PathBuf,
}

#[derive(Debug, Flags)]
pub struct RestoreUndo {
    /// The plan that was applied; its journal lies beside it
    pub plan: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "PLAN")]
    pub output: PathBuf,
}

#[derive(Debug, Flags)]
pub struct RestoreApply {
    /// The plan's file
    pub plan: PathBuf,
    /// Also write a report into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Stop before more API calls than these are made, without the comparison afterwards; the same command goes on later
    #[arg(long, value_name = "N")]
    pub calls_at_most: Option<u64>,
}

#[derive(Debug, Flags)]
pub struct RestoreReport {
    /// The plan that was applied; its journal lies beside it
    pub plan: PathBuf,
    /// The folder to write into; an older report there is replaced
    #[arg(long, value_name = "DIR")]
    pub report: PathBuf,
}

#[derive(Debug, Flags)]
pub struct RestoreAgain {
    /// The plan that was applied; its journal lies beside it
    pub plan: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "PLAN")]
    pub output: PathBuf,
}

#[derive(Debug, Flags)]
pub struct Rehearse {
    /// The time, or snapshot, to go back to
    #[arg(
        long,
        value_name = "TIME",
        required_unless_present = "plan",
        conflicts_with = "plan"
    )]
    pub at: Option<String>,
    /// Only these sObjects
    #[arg(long, value_delimiter = ',', value_name = "A,B", conflicts_with = "plan")]
    pub sobject: Option<Vec<String>>,
    /// What may be done: everything, edits of records that are there, or bringing back those that are gone
    #[arg(long, value_enum, default_value = "all", conflicts_with = "plan")]
    pub mode: RestoreMode,
    /// A plan that was made, instead
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// Also write a report into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}
