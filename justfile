# Recipes for work on finalmile. `just` lists them; `pip install rust-just typos` brings the tools.

# The profile of everyday builds: without debug info they take half the time and a third of the disk.
export CARGO_PROFILE_DEV_DEBUG := env("CARGO_PROFILE_DEV_DEBUG", "0")

_default:
    @just --list --unsorted

# Before every push: format, spelling, lints, documentation and the default tests, quickest first.
check: fmt-check spell clippy doc test

# Format every file in place.
fmt:
    cargo fmt --all

# Fail when a file is not formatted.
fmt-check:
    cargo fmt --all --check

# Spelling of code and prose.
spell:
    typos

# Lints of the default features.
clippy:
    cargo clippy --all-targets -- -D warnings

# Documentation of the default features; a broken link fails.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Tests of the default features, documentation examples included.
test *args:
    cargo test {{ args }}

# Everything, on a machine that may have only Rust: all features, live servers, examples, packaging.
test-all *steps:
    bash tests/all.sh {{ steps }}

# Benchmarks; arguments after the name go to cargo.
bench *args:
    cargo bench {{ args }}
