#!/usr/bin/env bash
# Every check of finalmile, on a Debian or Ubuntu machine that may have nothing but Rust.
#
# Usage: bash tests/all.sh            all steps, in the order below
#        bash tests/all.sh STEP...    only these
#
# Steps, those that fail fastest first:
#   tools     install what is missing: a C compiler, cmake and nasm, PostgreSQL, Chromium, ffmpeg, npm,
#             qemu, typos (rustfmt and clippy always)
#   fmt       every file is formatted
#   spell     code and prose are spelt right
#   coexist   one SQLite in the tree of an application that also uses sqlx, or diesel
#   clippy    no lint fires, in the library, its tests, examples and benches
#   doc       the documentation builds without a warning
#   test      all tests, documentation examples, live servers and the licences of all dependencies
#   processors  pictures come out the same on processors with and without SIMD, and on ARM's
#   fuzz      the fuzz targets hold over their seeds and thousands of changes of them
#   features  the library compiles without features and with each one alone
#   examples  all examples build, share_media runs twice on one database, a load is proved,
#             replay_limits decides
#   package   what would be published builds by itself
#   bindings  what is generated for Node, React Native's C++, Python, Kotlin and Swift, and run
#   app       the npm package, the app that takes it, and the libraries of phones
#
# Environment:
#   CARGO_TARGET_DIR        where to build; kept as given
#   FINALMILE_SKIP_LIVE=1   leave out the tests that need a PostgreSQL server, a browser, ffmpeg or npm
#
# The exit status is 0 when all passed, 1 when a step failed and 2 for an unknown step.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all_steps=(tools fmt spell coexist clippy doc test processors fuzz features examples package
    bindings app)

# Debug info would double the time and the disk that the builds take.
export CARGO_PROFILE_DEV_DEBUG="${CARGO_PROFILE_DEV_DEBUG:-0}"
if [ -n "${CI:-}" ] || [ ! -t 1 ]; then
    export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
fi

# --- steps ---------------------------------------------------------------------------------------

step_tools() {
    need_c_compiler
    need_cmake
    need_postgres
    need_browser
    need_ffmpeg
    need_npm
    need_qemu
    need_typos
}

step_fmt() {
    cargo fmt --all --check
    cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
}

step_spell() {
    need_typos
    if [ -n "$(typos_command)" ]; then
        "$(typos_command)"
    else
        skip "spell: typos is not installed, and there is no python3 with venv to install it"
    fi
}

step_coexist() {
    bash tests/coexist/run.sh
}

step_clippy() {
    need_cmake
    cargo clippy --workspace --all-targets --all-features -- -D warnings
}

step_doc() {
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace "${without_rivals[@]}" --no-deps --all-features
}

step_test() {
    need_c_compiler
    need_postgres
    need_browser
    need_ffmpeg
    need_npm
    cargo test --workspace "${without_rivals[@]}" --all-features
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ]; then
        skip "test: the live tests, because FINALMILE_SKIP_LIVE=1 is set"
    fi
}

step_processors() {
    local arm=aarch64-unknown-linux-musl
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ] || [ "$(uname -sm)" != "Linux x86_64" ]; then
        skip "processors: they are simulated on Linux on x86_64, and not with FINALMILE_SKIP_LIVE=1"
        return
    fi
    need_qemu
    local test=(cargo test --release -p finalmile-pictures --test processors)
    # The linker comes with Rust, and what is built needs no C compiler.
    if rustup target add "$arm" 2>/dev/null &&
        cargo build --release -p finalmile-pictures --target "$arm" \
            --config "target.$arm.linker='rust-lld'"; then
        # A test runs in its package's folder, from which a relative path leads elsewhere.
        local built
        built="$(realpath "${CARGO_TARGET_DIR:-target}")/$arm/release/finalmile-pictures"
        FINALMILE_ON_ARM="$built" "${test[@]}"
    else
        "${test[@]}"
        skip "processors: ARM's, because rustup cannot install $arm"
    fi
}

step_fuzz() {
    # A package apart, in the folder of the others, so that it is cached with them.
    local apart=(--manifest-path tests/fuzz/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}")
    cargo clippy "${apart[@]}" --all-targets -- -D warnings
    cargo test "${apart[@]}"
    cargo test "${apart[@]}" --features host
}

step_features() {
    local feature compilers
    local only=(cargo clippy --quiet --lib --no-default-features)

    echo "no features"
    "${only[@]}" -- -D warnings
    compilers=$(cargo tree --quiet --no-default-features --edges normal,build --prefix none |
        grep -E '^(cc|cmake|libsqlite3-sys) ' || true)
    if [ -n "$compilers" ]; then
        echo "without features no C compiler must be needed, but these are built:" "$compilers" >&2
        return 1
    fi

    for feature in $(features); do
        echo "only $feature"
        "${only[@]}" --features "$feature" -- -D warnings
    done
}

step_examples() {
    cargo build --examples --all-features
    local share=(cargo run --release --quiet --example share_media --
        --db "$scratch/app.db" --out "$scratch/out")
    "${share[@]}"
    echo "share_media again, on the same database:"
    "${share[@]}" | tee "$scratch/second-run"
    if ! grep -qi 'nothing was charged' "$scratch/second-run"; then
        echo "the second run must say that nothing was charged" >&2
        return 1
    fi
    echo "ledger_load for two seconds, and its proof:"
    local ledger=(cargo run --release --quiet --example ledger_load -- --db "$scratch/load.db")
    "${ledger[@]}" --seconds 2 >"$scratch/acked"
    tail -n 1 "$scratch/acked"
    "${ledger[@]}" --verify <"$scratch/acked"
    local decided expected='{"allowed":false,"remaining":0,"retry_after_us":1000000}'
    decided=$(printf '{"t_us":0,"key":"ada"}\n%.0s' 1 2 |
        cargo run --release --quiet --example replay_limits -- --greedy 1/1s | tail -n 1)
    if [ "$decided" != "$expected" ]; then
        echo "replay_limits said $decided instead of $expected" >&2
        return 1
    fi
}

step_package() {
    # With the build: it shows a file that the library includes but the package lacks.
    cargo package --allow-dirty --quiet
    echo "the package builds"
}

step_bindings() {
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ]; then
        skip "bindings: they need node and a JavaScript engine"
        return
    fi
    need_npm
    need_ffmpeg
    need_binding_tools
    local suite
    for suite in tests/node tests/jsi python kotlin swift; do
        printf -- '-- bindings/%s\n' "$suite"
        "bindings/$suite/run"
    done
}

step_app() {
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ]; then
        skip "app: it needs npm"
        return
    fi
    need_npm
    need_ffmpeg
    need_cmake
    need_binding_tools
    local part
    for part in bindings/react-native/tests/run examples/expo/check bindings/tests/targets; do
        printf -- '-- %s\n' "$part"
        "$part"
    done
}

# --- what they need ------------------------------------------------------------------------------

need_rust() {
    if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
        # shellcheck disable=SC1091
        . "$HOME/.cargo/env"
    fi
    if ! command -v cargo >/dev/null; then
        echo "cargo is missing: install Rust from https://rustup.rs" >&2
        exit 1
    fi
    local tool
    for tool in fmt clippy; do
        if ! cargo "$tool" --version >/dev/null 2>&1; then
            echo "installing cargo $tool with rustup"
            rustup component add "${tool/fmt/rustfmt}"
        fi
    done
}

need_c_compiler() {
    if command -v cc >/dev/null; then
        return
    fi
    # libc6-dev is only recommended by gcc, but nothing links without it.
    install_packages "a C compiler, for SQLite" gcc libc6-dev
}

# libjpeg-turbo is a rival in benches/compare; with nasm it has its vector instructions.
need_cmake() {
    if ! command -v cmake >/dev/null || ! command -v nasm >/dev/null; then
        install_packages "cmake and nasm, for the rivals of benches" cmake nasm make
    fi
}

need_postgres() {
    local folder folders
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ]; then
        return
    fi
    IFS=: read -ra folders <<<"$PATH"
    for folder in "${folders[@]}" /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            return
        fi
    done
    echo "the Debian package also starts a server of its own, which the tests leave alone"
    install_packages "a PostgreSQL server, for the live tests" postgresql
}

need_browser() {
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ]; then
        return
    fi
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null; then
            return
        fi
    done
    install_packages "a browser, to look at the dashboards' page" chromium
}

need_ffmpeg() {
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ] || command -v ffmpeg >/dev/null; then
        return
    fi
    install_packages "ffmpeg, for posters of what is not decoded here" ffmpeg
}

need_npm() {
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ] || command -v npm >/dev/null; then
        return
    fi
    install_packages "npm, for a gateway to fetch from" npm
}

need_qemu() {
    if [ "${FINALMILE_SKIP_LIVE:-}" = 1 ] || [ "$(uname -sm)" != "Linux x86_64" ] ||
        { command -v qemu-x86_64 && command -v qemu-aarch64; } >/dev/null; then
        return
    fi
    install_packages "qemu, to render on processors without SIMD" qemu-user
}

# A JavaScript engine with its headers, a compiler of C++, Java with its way to C, Python with venv.
need_binding_tools() {
    local packages=()
    { command -v g++ && command -v strip && command -v patch; } >/dev/null || packages+=(g++ binutils patch)
    command -v pkg-config >/dev/null || packages+=(pkg-config)
    pkg-config --exists javascriptcoregtk-4.1 2>/dev/null || packages+=(libjavascriptcoregtk-4.1-dev)
    command -v javac >/dev/null || packages+=(openjdk-17-jdk-headless)
    [ -f /usr/share/java/jna.jar ] || packages+=(libjna-java)
    python3 -m ensurepip --version >/dev/null 2>&1 || packages+=(python3 python3-venv)
    if [ ${#packages[@]} -gt 0 ]; then
        install_packages "what the bindings are run with" "${packages[@]}"
    fi
}

need_typos() {
    if [ -n "$(typos_command)" ] || ! command -v python3 >/dev/null; then
        return
    fi
    echo "installing typos, for the spelling, into $venv"
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet typos==1.52.0; }; then
        echo "that failed, so the spelling will be skipped; on Debian: apt-get install python3-venv"
    fi
}

typos_command() {
    command -v typos || { [ ! -x "$venv/bin/typos" ] || echo "$venv/bin/typos"; }
}

install_packages() { # what it is for, packages...
    local purpose=$1 root=()
    shift
    if ! command -v apt-get >/dev/null; then
        echo "missing: $purpose. Install what Debian calls $*" >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        root=(sudo)
        if ! command -v sudo >/dev/null; then
            echo "missing: $purpose. As root: apt-get install --no-install-recommends $*" >&2
            exit 1
        fi
    fi
    echo "installing $purpose: ${root[*]:+sudo }apt-get install --no-install-recommends $*"
    if [ -z "$apt_updated" ]; then
        "${root[@]}" apt-get update -qq
        apt_updated=yes
    fi
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq --yes --no-install-recommends "$@"
}

# The features of the package, without `default`, which all other steps cover, and without those
# that start with an underscore, which are for other features only.
features() {
    local manifest found
    manifest="\"manifest_path\":\"$PWD/Cargo.toml\""
    found=$(cargo metadata --quiet --no-deps --format-version 1 |
        grep -oE '"features":\{[^}]*\},"manifest_path":"[^"]*"' | grep -F "$manifest" |
        grep -oE '"[^"]+":\[' | tr -d '":[')
    grep -vE '^(default$|_)' <<<"$found"
}

# --- running them --------------------------------------------------------------------------------

usage() {
    sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p;}' tests/all.sh
}

skip() {
    skipped+=("$1")
    echo "SKIPPED $1"
}

summary() {
    local status=$? line
    rm -rf "$scratch"
    printf '\n== summary\n'
    if [ ${#passed[@]} -gt 0 ]; then
        line=$(printf ', %s' "${passed[@]}")
        echo "passed: ${line#, }"
    fi
    echo "took: $SECONDS s"
    for line in "${skipped[@]}"; do
        echo "skipped: $line"
    done
    if [ "$status" -ne 0 ]; then
        echo "FAILED: $current; not run: ${pending[*]:-nothing more}"
        exit 1
    fi
}

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    usage
    exit 0
fi
pending=("$@")
if [ $# -eq 0 ]; then
    pending=("${all_steps[@]}")
fi
for step in "${pending[@]}"; do
    if [[ " ${all_steps[*]} " != *" $step "* ]]; then
        echo "unknown step: $step" >&2
        usage >&2
        exit 2
    fi
done

current=rust passed=() skipped=() apt_updated=
venv="${CARGO_TARGET_DIR:-$PWD/target}/tools-venv"
scratch=$(mktemp -d)
trap summary EXIT

# Rivals that benches compare with are built and linted, but are not ours to test or document.
without_rivals=()
if [ -f benches/compare/Cargo.toml ]; then
    rivals=$(sed -n 's/^name *= *"\(.*\)"/\1/p' benches/compare/Cargo.toml | head -n 1)
    without_rivals=(--exclude "$rivals")
fi

need_rust
while [ ${#pending[@]} -gt 0 ]; do
    current=${pending[0]}
    pending=("${pending[@]:1}")
    started=$SECONDS skips=${#skipped[@]}
    printf '\n== %s\n' "$current"
    "step_$current"
    printf '== %s: ok, %s s\n' "$current" "$((SECONDS - started))"
    if [ ${#skipped[@]} -gt "$skips" ]; then
        current+=" (in part)"
    fi
    passed+=("$current")
done
