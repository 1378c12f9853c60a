"""The host's own decoder."""

import asyncio
import pathlib
import shutil
import typing

from finalmile import DecodeRequest, HostFailure, PictureDecoder, generate_thumbnail_set
from support import case, equal, fails, file, image, jpeg_size, names, true, video


class Decoder(PictureDecoder):
    """Answers every request alike, and writes them down."""

    def __init__(self, answer: typing.Union[str, None, Exception]) -> None:
        self.answer = answer
        self.requests: typing.List[DecodeRequest] = []

    async def decode(self, request: DecodeRequest) -> typing.Optional[str]:
        self.requests.append(request)
        await asyncio.sleep(0.01)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Silent(PictureDecoder):
    """Never answers."""

    async def decode(self, request: DecodeRequest) -> typing.Optional[str]:
        await asyncio.Event().wait()
        return None


@case
async def decoder_picture(folder: pathlib.Path) -> None:
    answer = folder / "decoded.jpg"
    shutil.copy(file("other.jpg"), answer)
    decoder = Decoder(str(answer))
    pictures = await generate_thumbnail_set(image("card.heic", folder / "out"), decoder)
    equal(len(decoder.requests), 1)
    request = decoder.requests[0]
    equal((request.path, request.media_type), (file("card.heic"), "image/heic"))
    equal(request.at_ms, None)
    true(request.wanted_side_px >= 600, f"a side of {request.wanted_side_px} px")
    equal(jpeg_size(pictures.thumbnail.path), (300, 300))
    equal(pictures.source.media_type, "image/heic")
    true(answer.exists(), "the decoder's file is the host's to remove")


@case
async def decoder_video(folder: pathlib.Path) -> None:
    decoder = Decoder(file("other.jpg"))
    request = video("hevc.mp4", folder, at_ms=400)
    pictures = await generate_thumbnail_set(request, decoder)
    true(decoder.requests, "it was not asked")
    asked = decoder.requests[0]
    equal((asked.path, asked.at_ms), (file("hevc.mp4"), 400))
    true(asked.media_type.startswith("video/"), asked.media_type)
    equal(jpeg_size(pictures.thumbnail.path), (300, 300))


@case
async def decoder_declines(folder: pathlib.Path) -> None:
    decoder = Decoder(None)
    await fails(generate_thumbnail_set(image("card.heic", folder), decoder), "UNSUPPORTED_IMAGE")
    equal(len(decoder.requests), 1)
    equal(names(folder), [])


@case
async def decoder_throws(folder: pathlib.Path) -> None:
    for thrown in (HostFailure.Failed("no memory in /tmp/secret"), KeyError("/tmp/secret")):
        await fails(generate_thumbnail_set(image("card.heic", folder), Decoder(thrown)))
    equal(names(folder), [])


@case
async def decoder_never_answers(folder: pathlib.Path) -> None:
    request = image("card.heic", folder, timeout_ms=300)
    await fails(asyncio.wait_for(generate_thumbnail_set(request, Silent()), 5))
    equal(names(folder), [])


@case
async def decoder_answers_nowhere(folder: pathlib.Path) -> None:
    nowhere = Decoder(str(folder / "nothing.jpg"))
    await fails(generate_thumbnail_set(image("card.heic", folder / "out"), nowhere))
    equal(names(folder), [])


@case
async def decoder_missing(folder: pathlib.Path) -> None:
    await fails(generate_thumbnail_set(image("card.heic", folder)), "UNSUPPORTED_IMAGE")
    equal(names(folder), [])
