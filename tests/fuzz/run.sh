#!/usr/bin/env bash
# Runs one fuzz target under libFuzzer: coverage shows it which bytes take a new way.
#
# Usage: bash tests/fuzz/run.sh TARGET [RUNS] [libFuzzer's options...]
#
# TARGET is webhook_header, webhook_payload, cid, thumbnail or jpeg. RUNS is how many inputs are tried,
# by default 10,000,000; of thumbnail, whose runs are slow, it is how many seconds, by default 900.
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
amount=${2:-}
shift $(($# < 2 ? $# : 2))

case $target in
    # Longer inputs are slower, and show nothing that these do not.
    cid) bounds=(-runs="${amount:-10000000}" -max_len=320) ;;
    # Code tables are built for every input, which takes longer than the few blocks behind them.
    jpeg) bounds=(-runs="${amount:-10000000}" -max_len=1400) ;;
    thumbnail) bounds=(-max_total_time="${amount:-900}" -max_len=4096) ;;
    *) bounds=(-runs="${amount:-10000000}" -max_len=2048) ;;
esac

# What cargo-fuzz passes, less the sanitizer, which is all that would need a nightly compiler.
flags=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    --cfg fuzzing
    -Cdebug-assertions
    -Ccodegen-units=1
    -Copt-level=3
)
# With a target named, build scripts and macros are built without the flags.
host=$(rustc -vV | sed -n 's/^host: //p')
folder=${CARGO_TARGET_DIR:-$here/target}
RUSTFLAGS="${flags[*]}" cargo build --release --manifest-path "$here/Cargo.toml" \
    --target "$host" --target-dir "$folder" --features libfuzzer --bin "$target"

mkdir -p "$here/corpus/$target" "$here/artifacts/$target"
exec "$folder/$host/release/$target" "$here/corpus/$target" "$here/seeds/$target" \
    -artifact_prefix="$here/artifacts/$target/" -dict="$here/words.dict" \
    -rss_limit_mb=512 -timeout=10 -print_final_stats=1 "${bounds[@]}" "$@"
