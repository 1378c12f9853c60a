#!/usr/bin/env bash
# Makes the pictures of this folder again, with Debian 12's ffmpeg 5.1 and heif-enc 1.15 (x265).
#
# Usage: bash tests/data/heic/make.sh
#
# `card.heic` shows four corners in red, green, blue and yellow, as the clips of ../video do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

png=$(mktemp --suffix=.png)
trap 'rm -f "$png"' EXIT
graph="color=0xDC1E1E:s=64x40[a];color=0x1EB41E:s=64x40[b];color=0x1E1EDC:s=64x40[c];\
color=0xE6DC28:s=64x40[d];[a][b]hstack[ab];[c][d]hstack[cd];[ab][cd]vstack"
ffmpeg -v error -y -nostdin -f lavfi -i "$graph" -frames:v 1 "$png"
heif-enc -q 50 "$png" -o card.heic >/dev/null
