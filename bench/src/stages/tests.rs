//! Each stage does what its name says: it takes in all of the records, and gives what the engine gives for them.
//!
//! Key decision: the same number comes in a second run, or a benchmark would measure something else than the guard.
//! No time is looked at here.

use std::sync::Arc;

use halite_engine::format::record::{Canon, Mode, Rows, content_hash};

use super::rows::{as_csv, objects};
use super::{Input, STAGES, Stage, stage, stage_run};

const RECORDS: u64 = 700;
/// As on the last day.
const EDITED: u64 = 7;
const VERSIONS: u64 = RECORDS + 6 * EDITED;

fn input() -> Arc<Input> {
    Input::new(RECORDS, 1).unwrap()
}

fn made(name: &str, input: &Arc<Input>) -> (Stage, u64) {
    let mut stage = stage(name, input).unwrap();
    let gave = stage_run(&mut stage).unwrap();
    (stage, gave)
}

#[test]
fn every_stage_takes_something_in_and_does_the_same_again() {
    let input = input();
    for (name, _) in STAGES {
        let (mut stage, first) = made(name, &input);
        assert!(stage.bytes > 0 && first > 0, "{name}");
        assert_eq!(stage_run(&mut stage).unwrap(), first, "{name}");
        let (_, anew) = made(name, &self::input());
        assert_eq!(anew, first, "{name}: prepared anew");
    }
    assert!(stage("none", &input).is_err());
}

#[test]
fn the_guard_has_a_figure_for_each_stage() {
    let guarded = include_str!("../../guard.txt");
    let names = guarded
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next());
    assert!(names.eq(STAGES.iter().map(|(name, _)| *name)));
}

#[test]
fn what_is_hashed_is_what_the_rows_are_hashed_of() {
    let input = input();
    let (objects, ends) = objects(&input).unwrap();
    let mut start = 0;
    for (row, end) in input.rows().unwrap().rows.iter().zip(&ends) {
        assert_eq!(
            content_hash(input.keys.record_key(), &objects[start..*end]),
            row.hash
        );
        start = *end;
    }
    assert_eq!((start, ends.len()), (objects.len(), RECORDS as usize));
}

#[test]
fn the_csv_is_of_the_same_records() {
    let input = input();
    let page = as_csv(&input).unwrap();
    let mut reader = csv::Reader::from_reader(&page[..]);
    let mut canon = Canon::new(Arc::clone(&input.schema), input.keys.record_key(), Mode::Refuse);
    let names = reader.headers().unwrap().clone();
    canon.columns(&names.iter().collect::<Vec<_>>()).unwrap();
    let mut rows = Rows::default();
    for record in reader.byte_records() {
        canon.csv(&record.unwrap(), &mut rows).unwrap();
    }
    let hashes = |rows: &Rows| rows.rows.iter().map(|row| row.hash).collect::<Vec<_>>();
    assert_eq!(hashes(&rows), hashes(&input.rows().unwrap()));
}

#[test]
fn pages_hold_every_row_once() {
    let input = input();
    let rows = input.rows().unwrap();
    let pages = input.pages(&rows);
    assert!(pages.len() > 1);
    let held: Vec<usize> = pages.iter().flat_map(|page| page.rows.clone()).collect();
    assert!(held.into_iter().eq(0..rows.rows.len()));
}

#[test]
fn vaults_hold_a_first_state_and_what_was_edited() {
    let input = input();
    let gave = |name: &str| made(name, &input).1;
    assert_eq!(gave("diff"), EDITED);
    assert_eq!(gave("export"), RECORDS);
    assert_eq!(gave("merge"), VERSIONS);
    assert_eq!(gave("index"), 4_096);
}
