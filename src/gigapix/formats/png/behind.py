"""The chunks behind the pixels: texts, the time, EXIF often stand there.

A walk to them passes every IDAT, and a large file has hundred thousands. So the file's end is looked at first: its last
64 KiB are one request, and hold the last IDAT and all that follows in most files. Where they don't, because IDATs are
long, those are few, and `MAX_STEPS` of them are walked over. What that does not reach is left out, and said so.
"""

from __future__ import annotations

from typing import Final

from gigapix.errors import FormatError
from gigapix.formats.model import Steps
from gigapix.formats.png.chunks import Chunk, chunk_at, last_chunks
from gigapix.formats.png.file import Png

TAIL_BYTES: Final = 65536

MAX_STEPS: Final = 64
"""Chunks that are walked over: as many requests of a remote file, one after the other."""

PIXELS: Final = frozenset({"IDAT", "fcTL", "fdAT"})


def chunks_behind(png: Png, size: int | None) -> Steps[tuple[tuple[Chunk, ...], str]]:
    """The chunks behind the first IDAT that hold no pixels, without IEND; and a sentence where some may be missing.

    size: the file's bytes; None where they are not known.
    """
    found: list[Chunk] = []
    if size is not None and size > png.pixels.offset:
        start = max(png.pixels.offset, size - TAIL_BYTES)
        (tail,) = yield [(start, size - start)]
        found = last_chunks(tail, start)
        if found and found[0].type in PIXELS:
            return _others(found), ""
    walked = [png.pixels]
    try:
        while len(walked) < MAX_STEPS:
            walked.append((yield from chunk_at(walked[-1].end)))
            if walked[-1].type == "IEND":
                return _others(walked), ""
    except FormatError as error:
        return _others(walked), f"what stands behind the pixels can't be told: {error.message}"
    return _others(found), f"of what stands behind the pixels only the last {TAIL_BYTES} bytes were looked at"


def _others(chunks: list[Chunk]) -> tuple[Chunk, ...]:
    return tuple(chunk for chunk in chunks if chunk.type not in PIXELS and chunk.type != "IEND")
