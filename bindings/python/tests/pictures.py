"""Sets of pictures."""

import asyncio
import os
import pathlib
import time

import finalmile
from finalmile import ProgressListener, ThumbnailFit, generate_thumbnail_set
from support import case, equal, image, jpeg_size, names, true, video


@case
async def image_set(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(image("photo.jpg", folder))
    sizes = {"thumbnail": (300, 300), "preview": (600, 450)}
    for name, size in sizes.items():
        picture = getattr(pictures, name)
        equal((picture.width_px, picture.height_px), size)
        equal(jpeg_size(picture.path), size)
        equal(picture.size_bytes, os.path.getsize(picture.path))
        equal(picture.media_type, "image/jpeg")
    equal(len(names(folder)), 2)


@case
async def image_set_names(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(image("photo.jpg", folder))
    for picture in (pictures.thumbnail, pictures.preview):
        equal(picture.path, str(folder / f"{picture.cid}.jpg"))
        equal(await finalmile.cid_of_file(picture.path), picture.cid)


@case
async def image_set_again(folder: pathlib.Path) -> None:
    first = await generate_thumbnail_set(image("photo.jpg", folder))
    there = names(folder)
    equal(await generate_thumbnail_set(image("photo.jpg", folder)), first)
    equal(names(folder), there)


@case
async def image_set_contain(folder: pathlib.Path) -> None:
    request = image("photo.jpg", folder, fit=ThumbnailFit.CONTAIN)
    thumbnail = (await generate_thumbnail_set(request)).thumbnail
    equal((thumbnail.width_px, thumbnail.height_px), (300, 225))
    equal(jpeg_size(thumbnail.path), (300, 225))


@case
async def image_set_sizes(folder: pathlib.Path) -> None:
    request = image("photo.jpg", folder, thumbnail_side_px=100, preview_side_px=200)
    pictures = await generate_thumbnail_set(request)
    equal(jpeg_size(pictures.thumbnail.path), (100, 100))
    equal(jpeg_size(pictures.preview.path), (200, 150))


@case
async def image_set_small(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(image("small.jpg", folder))
    equal(pictures.preview, None)
    width, height = jpeg_size(pictures.thumbnail.path)
    true(width <= 200 and height <= 150, f"it was enlarged to {width} x {height}")


@case
async def image_set_png(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(image("alpha.png", folder))
    equal(pictures.source.media_type, "image/png")
    equal(pictures.thumbnail.media_type, "image/jpeg")
    equal(jpeg_size(pictures.thumbnail.path), (300, 300))


@case
async def image_set_webp(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(image("picture.webp", folder))
    equal(pictures.source.media_type, "image/webp")
    equal(jpeg_size(pictures.preview.path), (600, 450))


@case
async def image_set_gif(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(image("moving.gif", folder))
    source = pictures.source
    equal((source.media_type, source.width_px, source.height_px), ("image/gif", 320, 240))
    equal(jpeg_size(pictures.thumbnail.path), (240, 240))


@case
async def image_set_upright(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(image("upright.jpg", folder))
    equal((pictures.source.width_px, pictures.source.height_px), (900, 1200))
    equal(jpeg_size(pictures.preview.path), (450, 600))
    turned = await generate_thumbnail_set(image("turned.jpg", folder))
    # The same picture, turned in its pixels, looks the same from afar: colours of three corners.
    equal(pictures.blurhash[:2], turned.blurhash[:2])
    near = sum(abs(a - b) < 12 for a, b in zip(pictures.thumbhash, turned.thumbhash))
    true(near >= len(turned.thumbhash) - 4, f"{pictures.thumbhash} and {turned.thumbhash}")


@case
async def image_set_source(folder: pathlib.Path) -> None:
    source = (await generate_thumbnail_set(image("photo.jpg", folder))).source
    equal(source.media_type, "image/jpeg")
    equal((source.width_px, source.height_px, source.duration_ms), (4000, 3000, None))


@case
async def image_set_partial(folder: pathlib.Path) -> None:
    cut = await generate_thumbnail_set(image("cut.jpg", folder))
    equal(cut.partial, True)
    equal(jpeg_size(cut.preview.path), (600, 450))
    equal((await generate_thumbnail_set(image("photo.jpg", folder))).partial, False)


@case
async def image_set_quality(folder: pathlib.Path) -> None:
    good = await generate_thumbnail_set(image("photo.jpg", folder, quality=90))
    poor = await generate_thumbnail_set(image("photo.jpg", folder, quality=30))
    true(poor.thumbnail.size_bytes < good.thumbnail.size_bytes, "the poor thumbnail is larger")
    true(poor.preview.size_bytes < good.preview.size_bytes, "the poor preview is larger")


class Heard(ProgressListener):
    """Writes down what it is told, and when."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.times: list[float] = []

    def told(self, share: float) -> None:
        self.shares.append(share)
        self.times.append(time.monotonic())


@case
async def image_set_progress(folder: pathlib.Path) -> None:
    heard = [Heard() for _ in range(4)]
    await asyncio.gather(
        *(generate_thumbnail_set(image("photo.jpg", folder), progress=each) for each in heard)
    )
    for each in heard:
        true(each.shares, "nothing was heard")
        equal(each.shares, sorted(each.shares))
        true(0 <= each.shares[0] and each.shares[-1] <= 1, f"shares of {each.shares}")
        for begun in each.times:
            within = sum(begun <= at < begun + 1 for at in each.times)
            true(within <= 11, f"{within} in a second")


@case
async def image_set_ten(folder: pathlib.Path) -> None:
    calls = (generate_thumbnail_set(image("photo.jpg", folder / str(i))) for i in range(10))
    sets = await asyncio.gather(*calls)
    equal(len({pictures.thumbnail.cid for pictures in sets}), 1)
    equal(len(names(folder)), 20)


@case
async def image_set_twins(folder: pathlib.Path) -> None:
    calls = (generate_thumbnail_set(image("photo.jpg", folder)) for _ in range(2))
    one, other = await asyncio.gather(*calls)
    equal(one, other)
    equal(jpeg_size(one.thumbnail.path), (300, 300))
    equal(len(names(folder)), 2)


@case
async def video_set(folder: pathlib.Path) -> None:
    pictures = await generate_thumbnail_set(video("scene.mp4", folder))
    for picture in (pictures.thumbnail, pictures.preview):
        equal(jpeg_size(picture.path), (picture.width_px, picture.height_px))


@case
async def video_set_moment(folder: pathlib.Path) -> None:
    early = await generate_thumbnail_set(video("moments.mp4", folder, at_ms=0))
    late = await generate_thumbnail_set(video("moments.mp4", folder, at_ms=2_500))
    true(early.thumbnail.cid != late.thumbnail.cid, "both moments look the same")


@case
async def video_set_source(folder: pathlib.Path) -> None:
    source = (await generate_thumbnail_set(video("scene.mp4", folder))).source
    true(source.media_type.startswith("video/"), source.media_type)
    equal((source.width_px, source.height_px, source.duration_ms), (352, 198, 400))
