"""Placeholders: what is shown until a picture comes."""

import base64
import pathlib
import struct

import finalmile
from finalmile import MediaKind, PlaceholderRequest, generate_placeholder, generate_thumbnail_set
from support import case, equal, fails_now, file, image, names, true, video


def placeholder_of(name: str, kind: MediaKind = MediaKind.IMAGE) -> PlaceholderRequest:
    return PlaceholderRequest(path=file(name), kind=kind)


@case
async def placeholder_image(folder: pathlib.Path) -> None:
    placeholder = await generate_placeholder(placeholder_of("photo.jpg"))
    equal(len(placeholder.blurhash), 28)
    true(0 < len(placeholder.thumbhash) <= 25, f"{len(placeholder.thumbhash)} bytes")
    equal((placeholder.width_px, placeholder.height_px), (4000, 3000))
    equal(placeholder.partial, False)
    equal(names(folder), [])
    pictures = await generate_thumbnail_set(image("photo.jpg", folder))
    equal((placeholder.blurhash, placeholder.thumbhash), (pictures.blurhash, pictures.thumbhash))


@case
async def placeholder_video(folder: pathlib.Path) -> None:
    placeholder = await generate_placeholder(placeholder_of("scene.mp4", MediaKind.VIDEO))
    equal(len(placeholder.blurhash), 28)
    pictures = await generate_thumbnail_set(video("scene.mp4", folder))
    equal((placeholder.blurhash, placeholder.thumbhash), (pictures.blurhash, pictures.thumbhash))
    source = pictures.source
    equal((placeholder.width_px, placeholder.height_px), (source.width_px, source.height_px))


@case
async def placeholder_painted(_: pathlib.Path) -> None:
    placeholder = await generate_placeholder(placeholder_of("photo.jpg"))
    painted = finalmile.paint_placeholder(placeholder.thumbhash)
    scheme, _, data = painted.partition(",")
    equal(scheme, "data:image/png;base64")
    png = base64.b64decode(data, validate=True)
    equal(png[:8], b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    true(0 < width <= 32 and 0 < height <= 32, f"{width} x {height}")


@case
async def placeholder_bad(_: pathlib.Path) -> None:
    for none in (b"", b"\x01", b"\xff" * 4, bytes(100)):
        fails_now(lambda none=none: finalmile.paint_placeholder(none), "INVALID_ARGUMENT")
