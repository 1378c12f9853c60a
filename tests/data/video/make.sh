#!/usr/bin/env bash
# Makes the clips of this folder again, with Debian 12's ffmpeg 5.1 (x264, x265, libvpx).
#
# Usage: bash tests/data/video/make.sh
#
# Every clip shows the card: four corners in red, green, blue and yellow, or a scene of gradients.
# They are a few KB each. `scene.png` is the first frame of `scene.mp4` as ffmpeg decodes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

quiet=(ffmpeg -v error -y -nostdin)
exact=(-fflags +bitexact -flags:v +bitexact -map_metadata -1)
x264=(-c:v libx264 -threads 1 -preset medium -crf 30)

# card SIZE SECONDS: four corners, five frames a second.
card() {
    local half=$(($1 / 2)) low=$(($2 / 2))
    echo "color=0xDC1E1E:s=${half}x$low:r=5:d=$3[a];color=0x1EB41E:s=${half}x$low:r=5:d=$3[b];\
color=0x1E1EDC:s=${half}x$low:r=5:d=$3[c];color=0xE6DC28:s=${half}x$low:r=5:d=$3[d];\
[a][b]hstack[ab];[c][d]hstack[cd];[ab][cd]vstack"
}
# make NAME SIZE SECONDS PIXELS OPTIONS...
make() {
    local name=$1 width=$2 height=$3 seconds=$4 pixels=$5
    shift 5
    "${quiet[@]}" -f lavfi -i "$(card "$width" "$height" "$seconds")" "${exact[@]}" \
        -vf "scale=out_color_matrix=bt709:out_range=tv,format=$pixels" -colorspace bt709 "$@" "$name"
}

make last.mp4 360 200 2 yuv420p "${x264[@]}" -g 5
make first.mp4 360 200 2 yuv420p "${x264[@]}" -g 5 -movflags +faststart
make quicktime.mov 360 200 2 yuv420p "${x264[@]}" -g 5
make baseline.mp4 360 200 1 yuv420p "${x264[@]}" -profile:v baseline
make all-key.mp4 360 200 1 yuv420p "${x264[@]}" -g 1
make fragments.mp4 360 200 2 yuv420p "${x264[@]}" -g 5 -movflags +frag_keyframe+empty_moov
make dash.mp4 360 200 2 yuv420p "${x264[@]}" -g 5 -f mp4 \
    -movflags +frag_keyframe+empty_moov+default_base_moof+dash
make interlaced.mp4 352 224 1 yuv420p "${x264[@]}" -flags +ildct+ilme -x264opts tff=1
make deep.mp4 360 200 1 yuv420p10le "${x264[@]}"
make tall-colour.mp4 360 200 1 yuv422p "${x264[@]}"
make gray.mp4 360 200 1 gray "${x264[@]}"
make full-range.mp4 360 200 1 yuvj420p "${x264[@]}" -color_range pc \
    -vf "scale=out_color_matrix=bt709:out_range=pc,format=yuvj420p"
make every-colour.mp4 360 200 1 yuv444p "${x264[@]}"
make hevc.mp4 360 200 1 yuv420p -c:v libx265 -x265-params log-level=none:info=0 -tag:v hvc1
make vp9.mp4 360 200 1 yuv420p -c:v libvpx-vp9 -crf 40 -b:v 0
make vp9.webm 360 200 1 yuv420p -c:v libvpx-vp9 -crf 40 -b:v 0
make hevc.mkv 360 200 1 yuv420p -c:v libx265 -x265-params log-level=none:info=0

# Black for 1.2 seconds of 3, with a key frame a second.
"${quiet[@]}" -f lavfi -i "color=black:s=360x200:r=5:d=1.2[z];$(card 360 200 1.8)[y];[z][y]concat" \
    "${exact[@]}" -pix_fmt yuv420p "${x264[@]}" -g 5 -sc_threshold 0 black.mp4
# The same, black throughout.
"${quiet[@]}" -f lavfi -i "color=black:s=360x200:r=5:d=2" "${exact[@]}" -pix_fmt yuv420p \
    "${x264[@]}" -g 5 all-black.mp4
# Sound in the first track, pictures in the second.
"${quiet[@]}" -f lavfi -i "sine=f=440:r=8000:d=1" -f lavfi -i "$(card 360 200 1)" "${exact[@]}" \
    -map 0 -map 1 -c:a aac -b:a 8k -pix_fmt yuv420p "${x264[@]}" sound.mp4
# Sound only, under the brands of a video.
"${quiet[@]}" -f lavfi -i "sine=f=440:r=8000:d=0.5" "${exact[@]}" -c:a aac -b:a 8k no-video.mp4
# Trimmed without recoding: an edit list hides the black beginning.
"${quiet[@]}" -ss 2 -i black.mp4 "${exact[@]}" -c copy trimmed.mp4
# A scene with a reference frame, lossy enough to show wrong prediction and deblocking.
"${quiet[@]}" -f lavfi -i "testsrc2=s=352x198:r=5:d=0.4" "${exact[@]}" \
    -vf "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p" -colorspace bt709 \
    "${x264[@]}" scene.mp4
"${quiet[@]}" -i scene.mp4 -frames:v 1 -vf "scale=in_color_matrix=bt709,format=rgb24" \
    "${exact[@]}" scene.png

# What the fuzz target `poster` starts from: the same ways of writing a far smaller card.
cd ../../fuzz/seeds/poster
make last.mp4 48 32 0.4 yuv420p "${x264[@]}" -g 1
make first.mp4 48 32 0.4 yuv420p "${x264[@]}" -movflags +faststart
make quicktime.mov 48 32 0.4 yuv420p "${x264[@]}"
make baseline.mp4 48 32 0.2 yuv420p "${x264[@]}" -profile:v baseline
make fragments.mp4 48 32 0.4 yuv420p "${x264[@]}" -g 1 -movflags +frag_keyframe+empty_moov
make dash.mp4 48 32 0.4 yuv420p "${x264[@]}" -g 1 -f mp4 \
    -movflags +frag_keyframe+empty_moov+default_base_moof+dash
make interlaced.mp4 64 32 0.2 yuv420p "${x264[@]}" -flags +ildct+ilme -x264opts tff=1
make deep.mp4 48 32 0.2 yuv420p10le "${x264[@]}"
make tall-colour.mp4 48 32 0.2 yuv422p "${x264[@]}"
make gray.mp4 48 32 0.2 gray "${x264[@]}"
make hevc.mp4 48 32 0.2 yuv420p -c:v libx265 -x265-params log-level=none:info=0 -tag:v hvc1
make vp9.webm 48 32 0.2 yuv420p -c:v libvpx-vp9 -crf 40 -b:v 0
make hevc.mkv 48 32 0.2 yuv420p -c:v libx265 -x265-params log-level=none:info=0
"${quiet[@]}" -f lavfi -i "testsrc2=s=64x48:r=5:d=0.4" "${exact[@]}" -pix_fmt yuv420p \
    "${x264[@]}" -crf 40 scene.mp4
"${quiet[@]}" -f lavfi -i "testsrc2=s=64x48:r=5:d=0.2" "${exact[@]}" -pix_fmt yuv420p \
    "${x264[@]}" -crf 40 -coder vlc scene-cavlc.mp4
