"""Files that are no pictures."""

import asyncio
import fcntl
import pathlib
import shutil
import subprocess
import sys

from finalmile import FinalmileError, MediaKind, ThumbnailRequest, generate_thumbnail_set
from support import case, equal, fails, file, image, jpeg_size, names, shaped, video


async def is_no_picture(request: ThumbnailRequest, *codes: str) -> FinalmileError:
    """It fails, and leaves nothing in its folder."""
    failure = await fails(generate_thumbnail_set(request), *codes)
    equal(names(pathlib.Path(request.out_dir)), [])
    return failure


@case
async def bad_directory(folder: pathlib.Path) -> None:
    await is_no_picture(image("folder", folder))


@case
async def bad_missing(folder: pathlib.Path) -> None:
    out, missing = str(folder / "out"), str(folder / "missing.jpg")
    request = ThumbnailRequest(path=missing, kind=MediaKind.IMAGE, out_dir=out)
    failure = await is_no_picture(request, "FILE_UNREADABLE")
    equal(failure.retryable, False)


@case
async def bad_unreadable(folder: pathlib.Path) -> None:
    await is_no_picture(image("loop", folder), "FILE_UNREADABLE")


@case
async def bad_locked(folder: pathlib.Path) -> None:
    locked = folder / "locked.jpg"
    shutil.copy(file("other.jpg"), locked)
    holds = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); "
    holds += "print('locked', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(locked)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        try:
            equal(other.stdout.readline(), b"locked\n")
            with open(locked, "rb") as file_of_ours:
                try:
                    fcntl.lockf(file_of_ours, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    raise AssertionError("it is not locked")
                except OSError:
                    pass
            out = str(folder / "out")
            request = ThumbnailRequest(path=str(locked), kind=MediaKind.IMAGE, out_dir=out)
            try:
                pictures = await generate_thumbnail_set(request)
                equal(jpeg_size(pictures.thumbnail.path), (300, 300))
            except FinalmileError as failure:
                shaped(failure)
        finally:
            other.stdin.close()


@case
async def bad_pipe(folder: pathlib.Path) -> None:
    for request in (image("pipe", folder), video("pipe", folder)):
        await asyncio.wait_for(is_no_picture(request), 5)


@case
async def bad_empty(folder: pathlib.Path) -> None:
    await is_no_picture(image("empty", folder))


@case
async def bad_text(folder: pathlib.Path) -> None:
    await is_no_picture(image("text.txt", folder), "NOT_AN_IMAGE")


@case
async def bad_video_as_image(folder: pathlib.Path) -> None:
    await is_no_picture(image("scene.mp4", folder))


@case
async def bad_image_as_video(folder: pathlib.Path) -> None:
    await is_no_picture(video("photo.jpg", folder))


@case
async def bad_cut_early(folder: pathlib.Path) -> None:
    await is_no_picture(image("cut-early.jpg", folder))


@case
async def bad_out_dir(folder: pathlib.Path) -> None:
    taken = folder / "taken"
    taken.write_text("a file")
    await fails(generate_thumbnail_set(image("photo.jpg", taken)))
    equal(taken.read_text(), "a file")


@case
async def bad_argument(folder: pathlib.Path) -> None:
    for wrong in ({"quality": 0}, {"thumbnail_side_px": 0}, {"preview_side_px": 0}):
        await is_no_picture(image("photo.jpg", folder, **wrong), "INVALID_ARGUMENT")


@case
async def bad_path(folder: pathlib.Path) -> None:
    for path in ("", "a\0b.jpg"):
        for kind in MediaKind:
            await is_no_picture(ThumbnailRequest(path=path, kind=kind, out_dir=str(folder)))
