#!/usr/bin/env bash
# The most memory that each command takes, over a vault of RECORDS records: the same at any number of them.
# Prints one JSON object: megabytes (resident, with what the allocator keeps) and seconds by command, and the bound.
#   RECORDS=1000000 SEED=1 TMPDIR=/tmp bench/memory.sh
# Not a benchmark of time; the dump and an export lie in TMPDIR, about 2 kB a record.
set -euo pipefail
cd "$(dirname "$0")/.."

records=${RECORDS:-1000000} seed=${SEED:-1} bound=${BOUND_MB:-400}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ -x /usr/bin/time ]] || { apt-get update -q && apt-get install -qy time; } >&2
cargo build --quiet --release -p halite -p bench
halite=$PWD/target/release/halite
export HALITE_VAULT=$work/vault XDG_CACHE_HOME=$work/cache HALITE_PASSPHRASE=measured
org=00D000000000001EAA lines=() worst=0

measure() { # NAME COMMAND...: runs it and notes what it took
  local name=$1 seconds kilobytes
  shift
  /usr/bin/time -o "$work/time" -f '%e %M' "$@" >"$work/out" 2>"$work/err" ||
    { echo "failed: $*" >&2; tail -5 "$work/err" >&2; exit 1; }
  read -r seconds kilobytes < <(tail -1 "$work/time")
  lines+=("\"$name\": {\"mb\": $((kilobytes / 1024)), \"seconds\": $seconds}")
  echo "$name: $((kilobytes / 1024)) MB, $seconds s" >&2
  ((kilobytes / 1024 <= worst)) || worst=$((kilobytes / 1024))
}

import() { # DAY FLAG...
  local day=$1
  shift
  measure "import of day $day" "$halite" import --org $org --as-of "2026-01-0$day" "$@" "$work/dump"
}

mkdir "$work/dump"
dump=$work/dump/Contact.ndjson
target/release/corpus --records "$records" --bytes 1 --seed "$seed" --out "$dump"
id=$(sed -n "$((records / 2)){s/.*\"Id\":\"\\([0-9A-Za-z]*\\)\".*/\\1/p;q}" "$dump")
"$halite" init >/dev/null
import 1
mv "$dump" "$work/whole"
awk 'NR % 100 == 0' "$work/whole" | sed 's/"LastName":"/&x/' >"$dump"
import 2 --delta
awk 'NR % 100 == 50' "$work/whole" | sed 's/"LastName":"/&y/' >"$dump"
import 3 --delta
mv "$work/whole" "$dump"
import 4
rm "$dump"
measure "show" "$halite" show "$id"
measure "history" "$halite" history "$id"
measure "diff of days 1 and 3" "$halite" diff 1 3 --summary
measure "export of day 2" "$halite" export --at 2 --to "$work/export"
rm -rf "$work/export"
measure "compact" "$halite" compact --all --keep-single 0
measure "check of every byte" "$halite" check --read all
measure "repair of nothing" "$halite" repair
measure "retain" "$halite" retain --keep-last 1
measure "compact after retain" "$halite" compact --all --keep-single 0
measure "prune that condemns" "$halite" prune --grace 0s --max-unused 0%
measure "prune that deletes" "$halite" prune --grace 0s --max-unused 0%
measure "stats" "$halite" stats

printf '{\n  "records": %s,\n' "$records"
printf '  %s,\n' "${lines[@]}"
printf '  "worst_mb": %s,\n  "bound_mb": %s,\n  "ok": %s\n}\n' "$worst" "$bound" "$([[ $worst -le $bound ]] && echo true || echo false)"
[[ $worst -le $bound ]]
