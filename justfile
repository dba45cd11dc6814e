# One verb a job; `just` alone lists them.

default:
    @just --list

# Types only, fast
check:
    cargo check --workspace --all-targets

# Every test, as the README says
test:
    cargo test --workspace

# The rules of the house alone
tidy:
    cargo test --package halite --test tests tidy

# Formatting and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# The docs, strictly
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The whole round trip on a simulated org
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Halite beside restic, borg, rustic and SQLite: a table (docs/performance.md)
compare *ARGS:
    cargo run --release -p compare -- {{ARGS}}

# Instructions that each stage takes, against bench/guard.txt (needs valgrind)
guard:
    bench/guard

# Licences, advisories, sources (needs cargo-deny)
deny:
    cargo deny check

# What must pass before a change lands
ci:
    .ci/run

# Random bytes against every decoder and parser, SECONDS each (needs cargo-fuzz; its flags are unstable ones)
fuzz SECONDS="60":
    cd fuzz && for t in page directory record pack plan soql csv keys; do RUSTC_BOOTSTRAP=1 cargo fuzz run $t -- -max_total_time={{SECONDS}}; done
