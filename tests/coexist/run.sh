#!/usr/bin/env bash
# Resolves finalmile beside other users of SQLite, one manifest per folder here. Only one crate of a
# build may link the C library (`links = "sqlite3"`), so a range of rusqlite versions that is too
# narrow shows here first: cargo finds no solution. Nothing is compiled.
#
# Usage: bash tests/coexist/run.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

for manifest in "$here"/*/Cargo.toml; do
    folder=$(dirname "$manifest")
    neighbour=$(basename "$folder")
    rm -f "$folder/Cargo.lock"
    if ! report=$(cargo generate-lockfile --manifest-path "$manifest" 2>&1); then
        printf '%s\n' "$report" >&2
        echo "coexist: no versions suit both finalmile and $neighbour; widen the range of rusqlite" >&2
        exit 1
    fi
    # In a lock file, a version stands on the line after its name.
    versions=$(awk -v name='name = "libsqlite3-sys"' \
        '$0 == name { getline; gsub(/[^0-9.]/, ""); print }' "$folder/Cargo.lock")
    rm -f "$folder/Cargo.lock"
    if [ "$(grep -c . <<<"$versions")" -ne 1 ]; then
        echo "coexist: $neighbour and finalmile need one libsqlite3-sys, but the lock file holds:" \
            "${versions:-none}" >&2
        exit 1
    fi
    echo "coexist: $neighbour shares libsqlite3-sys $versions"
done
