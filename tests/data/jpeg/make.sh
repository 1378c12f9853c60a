#!/usr/bin/env bash
# Makes the small JPEG files beside it: every sampling, coded in every way that the decoder knows.
#
# Usage: bash tests/data/jpeg/make.sh
#
# Needs cjpeg and jpegtran of libjpeg-turbo (Debian: libjpeg-turbo-progs) and python3. The picture
# is drawn here: soft waves, a hard edge and a little noise, 83 x 61 pixels, so that no side is a
# whole number of blocks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

python3 - "$work" <<'PY'
import math, random, sys

random.seed(7)
wide, high = 83, 61
colour, grey = bytearray(), bytearray()
for y in range(high):
    for x in range(wide):
        wave = math.sin(x / 7) * math.cos(y / 9) * 60
        edge = 90 if (x - 50) ** 2 + (y - 30) ** 2 < 300 else 0
        noise = random.randrange(-20, 21)
        pixel = [128 + wave + noise, 90 + edge + y + noise, 200 - x + edge + noise]
        pixel = [max(0, min(255, int(value))) for value in pixel]
        colour += bytes(pixel)
        grey.append(sum(pixel) // 3)
for name, kind, data in ("colour", 6, colour), ("grey", 5, grey):
    with open(f"{sys.argv[1]}/{name}.pnm", "wb") as file:
        file.write(b"P%d %d %d 255\n" % (kind, wide, high) + bytes(data))
PY

# One scan for each plane; brightness last, and the others together.
printf '0;\n1;\n2;\n' >"$work/apart"
printf '1 2;\n0;\n' >"$work/mixed"
# The usual progression with another order, bands that meet at 4 and 5, and three refinements.
cat >"$work/bands" <<'SCANS'
0 1 2: 0-0, 0, 2;
0: 1-4, 0, 3;
0: 5-63, 0, 3;
2: 1-63, 0, 0;
1: 1-20, 0, 1;
0 1 2: 0-0, 2, 1;
1: 21-63, 0, 1;
0: 1-63, 3, 2;
0: 1-10, 2, 1;
0: 11-63, 2, 1;
1: 1-63, 1, 0;
0 1 2: 0-0, 1, 0;
0: 1-63, 1, 0;
SCANS
# Nothing is refined, and high frequencies come first.
cat >"$work/plain" <<'SCANS'
0: 0-0, 0, 0;
1 2: 0-0, 0, 0;
0: 25-63, 0, 0;
0: 1-24, 0, 0;
1: 1-63, 0, 0;
2: 1-63, 0, 0;
SCANS

make() { # name quality sampling options
    local name=$1 quality=$2 sampling=$3
    shift 3
    cjpeg -quality "$quality" -sample "$sampling" "$@" -outfile "$name.jpg" "$work/colour.pnm"
}
for sampling in 1x1 2x1 1x2 2x2 4x1 1x4 4x2 3x1 1x1,2x2,1x1 2x2,1x2,2x1; do
    make "$sampling-base" 80 "$sampling" -baseline
    make "$sampling-prog" 80 "$sampling" -progressive
done
for sampling in 1x1 2x2 2x1; do
    make "$sampling-opti" 95 "$sampling" -optimize
    make "$sampling-rst1" 60 "$sampling" -restart 1B
    make "$sampling-rst5" 85 "$sampling" -restart 5B
    make "$sampling-apart" 80 "$sampling" -scans "$work/apart"
    make "$sampling-mixed" 80 "$sampling" -scans "$work/mixed" -restart 3B
    make "$sampling-bands" 90 "$sampling" -scans "$work/bands"
    make "$sampling-plain" 70 "$sampling" -scans "$work/plain"
    make "$sampling-prst" 85 "$sampling" -progressive -restart 2B
done
make fine 100 1x1 -baseline
make fine-prog 100 2x2 -progressive
make coarse 5 2x2 -baseline
make coarse-prog 5 2x2 -progressive
make rgb 85 1x1 -rgb
cjpeg -quality 85 -outfile grey.jpg "$work/grey.pnm"
cjpeg -quality 85 -sample 2x2 -outfile grey-2x2.jpg "$work/grey.pnm"
cjpeg -quality 85 -progressive -outfile grey-prog.jpg "$work/grey.pnm"
cjpeg -quality 85 -arithmetic -outfile unsupported-arithmetic.jpg "$work/grey.pnm"
jpegtran -copy none -crop 1x1+0+0 -outfile dot.jpg 2x2-base.jpg

# Shares that do not divide each other, which cjpeg cannot make: three grey files become the planes.
python3 - "$work" <<'PY'
import subprocess, sys

wide, high, shares = 83, 61, [(3, 2), (2, 1), (1, 2)]
grey = open(f"{sys.argv[1]}/grey.pnm", "rb").read().split(b"\n", 1)[1]
scans, head = [], b""
for index, (across, down) in enumerate(shares):
    w, h = -(-wide * across // 3), -(-high * down // 2)
    rows = b"".join(grey[y * wide : y * wide + w] for y in range(h))
    pnm = b"P5 %d %d 255\n" % (w, h) + rows
    jpeg = subprocess.run(["cjpeg", "-quality", "80"], input=pnm, stdout=-1, check=True).stdout
    frame, scan = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
    tables = jpeg[2:frame] + jpeg[frame + 13 : scan]
    head = head or tables
    scans.append(b"\xff\xda\0\x08\1" + bytes([index + 1]) + b"\0\0\x3f\0" + jpeg[scan + 10 : -2])
planes = b"".join(bytes([i + 1, a << 4 | d, 0]) for i, (a, d) in enumerate(shares))
frame = b"\xff\xc0\0\x11\x08" + high.to_bytes(2, "big") + wide.to_bytes(2, "big") + b"\3" + planes
open("fractions.jpg", "wb").write(b"\xff\xd8" + head + frame + b"".join(scans) + b"\xff\xd9")
PY
