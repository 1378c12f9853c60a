"""Puts tiles together to a picture as iPhones write it: a grid of hidden HEVC pictures, with EXIF.

    python3 grid.py COLUMNS ROWS WIDTH HEIGHT OUT TILE.heic...

Each tile is a HEIC file with one picture; all must have one size. Width and height are those of what
is shown, from the top left. Source: ISO/IEC 23008-12, section 6.6.2.3 (grid); ISO/IEC 14496-12, 8.11.
"""

import struct
import sys
from pathlib import Path


def boxes(data: bytes):
    at = 0
    while at + 8 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        yield data[at + 4 : at + 8], data[at + 8 : at + length]
        at += length


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, body: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags) + body)


def properties(tile: bytes) -> dict:
    meta = dict(boxes(tile))[b"meta"]
    iprp = dict(boxes(meta[4:]))[b"iprp"]
    return dict(boxes(dict(boxes(iprp))[b"ipco"]))


def main() -> None:
    columns, rows, width, height = map(int, sys.argv[1:5])
    tiles = [Path(name).read_bytes() for name in sys.argv[6:]]
    assert len(tiles) == columns * rows
    known = [properties(tile) for tile in tiles]
    assert all(one[b"hvcC"] == known[0][b"hvcC"] for one in known), "tiles of one kind"
    media = [dict(boxes(tile))[b"mdat"] for tile in tiles]
    count = len(tiles)
    grid, exif = count + 1, count + 2

    shown = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    # Orientation 6, which the container's own turn would repeat; here it must be ignored.
    tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    media += [shown, b"\0\0\0\x06Exif\0\0" + tiff]

    kinds = [b"hvc1"] * count + [b"grid", b"Exif"]
    entries = b"".join(
        full(b"infe", struct.pack(">HH", item, 0) + kind + b"\0", 2, int(kind != b"grid"))
        for item, kind in enumerate(kinds, 1)
    )
    iinf = full(b"iinf", struct.pack(">H", len(kinds)) + entries)
    dimg = struct.pack(">HH", grid, count) + struct.pack(f">{count}H", *range(1, grid))
    cdsc = struct.pack(">HHH", exif, 1, grid)
    iref = full(b"iref", box(b"dimg", dimg) + box(b"cdsc", cdsc))
    ipco = box(b"hvcC", known[0][b"hvcC"]) + box(b"ispe", known[0][b"ispe"])
    ipco += full(b"ispe", struct.pack(">II", width, height))
    ipco += full(b"pixi", bytes([3, 8, 8, 8]))
    used = [(item, [0x81, 2]) for item in range(1, grid)] + [(grid, [3, 4])]
    ipma = b"".join(struct.pack(">HB", item, len(list_)) + bytes(list_) for item, list_ in used)
    iprp = box(b"iprp", box(b"ipco", ipco) + full(b"ipma", struct.pack(">I", len(used)) + ipma))

    def meta(start: int) -> bytes:
        iloc = struct.pack(">HH", 0x4400, len(media))
        for item, piece in enumerate(media, 1):
            iloc += struct.pack(">HHHII", item, 0, 1, start, len(piece))
            start += len(piece)
        handler = full(b"hdlr", b"\0\0\0\0pict" + b"\0" * 13)
        primary = full(b"pitm", struct.pack(">H", grid))
        return full(b"meta", handler + primary + iinf + iref + iprp + full(b"iloc", iloc))

    head = box(b"ftyp", b"heic\0\0\0\0mif1MiHEmiafMiHBheic")
    start = len(head) + len(meta(0)) + 8
    Path(sys.argv[5]).write_bytes(head + meta(start) + box(b"mdat", b"".join(media)))


main()
