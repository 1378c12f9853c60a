#!/usr/bin/env bash
# Runs one fuzz target under libFuzzer: coverage shows it which bytes take a new way.
#
# Usage: bash tests/fuzz/run.sh TARGET [RUNS] [libFuzzer's options...]
#
# TARGET is webhook_header, webhook_payload, cid, dagpb, car, jpeg, thumbnail or poster. RUNS is how
# many inputs are tried, by default 10,000,000.
# Needs stable Rust and a C++ compiler (Debian: g++), and no sanitizer: the library has no `unsafe`.
#
# What it finds stays in tests/fuzz/corpus/TARGET, from where the next run goes on; an input that
# breaks a promise is written to tests/fuzz/artifacts/TARGET. The exit status is then not 0.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

target=${1:-}
if [ ! -f "$here/targets/$target.rs" ]; then
    sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p;}' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
if ! command -v c++ >/dev/null; then
    echo "missing: a C++ compiler, for libFuzzer. On Debian: apt-get install g++" >&2
    exit 1
fi
runs=${2:-10000000}
shift $(($# < 2 ? $# : 2))

# Longer inputs are slower, and show nothing that these do not. Comparisons are traced where magic
# numbers are long; a decoder's are many and short, and would take four fifths of the time.
compares=
case $target in
    cid | dagpb | car) longest=320 ;;
    jpeg) longest=1400 compares=no ;;
    thumbnail) longest=1400 compares=no ;;
    poster) longest=2400 compares=no ;;
    *) longest=2048 ;;
esac

# What cargo-fuzz passes, less the sanitizer, which is all that would need a nightly compiler.
flags=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    --cfg fuzzing
    -Cdebug-assertions
    -Ccodegen-units=1
    -Copt-level=3
)
if [ -z "$compares" ]; then
    flags+=(-Cllvm-args=-sanitizer-coverage-trace-compares)
fi
# With a target named, build scripts and macros are built without the flags.
host=$(rustc -vV | sed -n 's/^host: //p')
folder=${CARGO_TARGET_DIR:-$here/target}
RUSTFLAGS="${flags[*]}" cargo build --release --manifest-path "$here/Cargo.toml" \
    --target "$host" --target-dir "$folder" --features libfuzzer --bin "$target"

mkdir -p "$here/corpus/$target" "$here/artifacts/$target"
exec "$folder/$host/release/$target" "$here/corpus/$target" "$here/seeds/$target" \
    -artifact_prefix="$here/artifacts/$target/" -dict="$here/words.dict" \
    -rss_limit_mb=512 -timeout=10 -print_final_stats=1 -runs="$runs" -max_len="$longest" "$@"
