//! Criterion over the list of stages: `cargo bench -p bench --bench stages`, with a name behind it for one of them.
//!
//! Key decision: few samples over a few thousand records, since a change is judged by ratios (`bench stages`) and by
//! instruction counts (`bench/guard`); this is for looking closely while tuning. It keeps no figures and has no limits.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use halite_bench::stages::{Input, STAGES, stage_run};

const RECORDS: u64 = 2_000;

#[expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be prepared has nobody to tell"
)]
fn stages(criterion: &mut Criterion) {
    let input = Input::new(RECORDS, 1).expect("records");
    let mut group = criterion.benchmark_group("stages");
    group.sample_size(10);
    for (name, make) in STAGES {
        let mut stage = make(&input).expect(name);
        group.throughput(Throughput::Bytes(stage.bytes));
        group.bench_function(name, |bencher| {
            bencher.iter(|| stage_run(&mut stage).expect(name));
        });
    }
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
