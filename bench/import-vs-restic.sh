#!/usr/bin/env bash
# Imports the same dump into Halite and into restic in one run: first state, then a day with 1 % of the records edited.
# Prints wall time, peak memory and bytes in the store. Installs restic and time with apt-get where they are missing.
#   RECORDS=500000 BYTES=1240 SEED=1 EDIT=1 ADD=0 DAYS=1 TMPDIR=/tmp bench/import-vs-restic.sh
# Not a benchmark of restores, and not of restic at what it is for: files.
set -euo pipefail
cd "$(dirname "$0")/.."

records=${RECORDS:-500000} bytes=${BYTES:-1240} seed=${SEED:-1} edit=${EDIT:-1} add=${ADD:-0} days=${DAYS:-1}
org=00D000000000001EAA
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install() { # COMMAND PACKAGE
  [[ -x $1 ]] || command -v "$1" >/dev/null || { apt-get update -q && apt-get install -qy "$2"; } >"$work/apt.log" 2>&1 ||
    { echo "cannot install $2:" >&2; tail -3 "$work/apt.log" >&2; exit 1; }
}

install restic restic
install /usr/bin/time time
cargo build --quiet --release -p halite -p bench
halite=$PWD/target/release/halite corpus=$PWD/target/release/corpus

export RESTIC_REPOSITORY=$work/restic RESTIC_PASSWORD=measured RESTIC_CACHE_DIR=$work/cache
export HALITE_VAULT=$work/vault HALITE_PASSPHRASE=measured
dump=$work/dump
mkdir "$dump"

generate() { # DAY: the dump of that day, read once so that both find it in the page cache
  "$corpus" --records "$records" --bytes "$bytes" --seed "$seed" --day "$1" \
    --edit-percent "$edit" --add-percent "$add" --out "$dump/Contact.ndjson"
  cat "$dump/Contact.ndjson" >"/dev/null"
}

size() { du -sb "$1" 2>/dev/null | cut -f1 || true; }

row() { printf '%-6s %-8s %9s %10s %12s %12s\n' "$@"; }

measure() { # DAY STORE FOLDER COMMAND...: runs the command and prints its row
  local day=$1 store=$2 folder=$3 before after
  before=$(size "$folder")
  shift 3
  /usr/bin/time -o "$work/time" -f '%e %M' "$@" >"$work/out" 2>&1 ||
    { echo "failed: $*" >&2; tail -5 "$work/out" >&2; exit 1; }
  read -r seconds kilobytes < <(tail -1 "$work/time")
  after=$(size "$folder")
  row "$day" "$store" "$seconds" "$((kilobytes / 1024))" "$(mega $((after - ${before:-0})))" "$(mega "$after")"
}

mega() { awk -v bytes="$1" 'BEGIN { printf "%.2f", bytes / 1e6 }'; }

first_restic() { restic init -q && restic backup -q "$dump/Contact.ndjson"; }
first_halite() { "$halite" init && import_halite 0; }
import_halite() { "$halite" import --org "$org" --as-of "$(date -u -d "2026-01-01 + $1 days" +%FT%TZ)" "$dump"; }
export -f first_restic first_halite import_halite
export dump halite org

generate 0
echo "$("$halite" --version) ($(git rev-parse --short HEAD)); $(restic version); $(nproc) cores; $(uname -m)"
echo "$records records, $(mega "$(stat -c %s "$dump/Contact.ndjson")") MB; each day $edit % edited, $add % added; seed $seed"
row day store seconds "peak MB" "added MB" "store MB"
measure 0 restic "$work/restic" bash -c first_restic
measure 0 halite "$work/vault" bash -c first_halite
for day in $(seq "$days"); do
  generate "$day"
  measure "$day" restic "$work/restic" restic backup -q "$dump/Contact.ndjson"
  measure "$day" halite "$work/vault" bash -c "import_halite $day"
done
