#!/usr/bin/env bash
# Makes the pictures of this folder again, with Debian 12's ffmpeg 5.1 and heif-enc 1.15 (x265).
#
# Usage: bash tests/data/heic/make.sh
#
# Both show four corners in red, green, blue and yellow, as the clips of ../video do: `card.heic` in one
# piece, `grid.heic` in tiles whose last ones reach beyond the picture, as iPhones write it (`grid.py`).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# card HALF-WIDTH HALF-HEIGHT OUT
card() {
    local graph="color=0xDC1E1E:s=$1x$2[a];color=0x1EB41E:s=$1x$2[b];color=0x1E1EDC:s=$1x$2[c];\
color=0xE6DC28:s=$1x$2[d];[a][b]hstack[ab];[c][d]hstack[cd];[ab][cd]vstack"
    ffmpeg -v error -y -nostdin -f lavfi -i "$graph" -frames:v 1 "$3"
}

card 64 40 "$work/card.png"
heif-enc -q 50 "$work/card.png" -o card.heic >/dev/null

# 160 x 100 in tiles of 64 x 64: what lies beyond is the last row and column once more.
card 80 50 "$work/grid.png"
tiles=()
for top in 0 64; do
    for left in 0 64 128; do
        tile="$work/$top-$left"
        ffmpeg -v error -y -nostdin -i "$work/grid.png" -frames:v 1 \
            -vf "pad=192:128,fillborders=right=32:bottom=28:mode=smear,crop=64:64:$left:$top" "$tile.png"
        heif-enc -q 50 "$tile.png" -o "$tile.heic" >/dev/null
        tiles+=("$tile.heic")
    done
done
python3 grid.py 3 2 160 100 grid.heic "${tiles[@]}"
