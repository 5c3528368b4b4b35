"""The chunks of a PNG as ``gigapix tags`` shows them: its tags, so to say. Those of pixels are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gigapix import limits
from gigapix.cli.directories import SHOWN_TEXT, Directory, TagLine
from gigapix.cli.opened import ask
from gigapix.errors import GigapixError
from gigapix.formats.model import Buffer, Steps
from gigapix.formats.png.chunks import Chunk, read_chunk
from gigapix.formats.png.header import parse_header
from gigapix.formats.png.metadata import TEXTS
from gigapix.formats.png.texts import text_of
from gigapix.formats.png.values import VALUES
from gigapix.image.image import Image
from gigapix.image.png_facts import chunks_of, spec_of


def chunk_directories(image: Image) -> Iterator[Directory]:
    """All chunks as one directory."""
    chunks, missing = chunks_of(image)
    problems = [*spec_of(image).png.problems, *filter(None, [missing])]
    yield Directory(
        role="chunks", title="chunks", offset=chunks[0].offset, problems=problems,
        tags=(_line(image, chunk) for chunk in chunks),
    )  # fmt: skip


def _line(image: Image, chunk: Chunk) -> TagLine:
    problem: str | None = None
    value: Any = None
    try:
        value = ask(image, _value(chunk, spec_of(image).png.verify))
    except GigapixError as error:
        problem = error.message
    shortened = isinstance(value, bytes | str) and len(value) > SHOWN_TEXT
    value = value[:SHOWN_TEXT] if shortened else value
    value = value.hex() if isinstance(value, bytes) else value
    return TagLine(
        number=chunk.offset, name=chunk.type, type="", count=chunk.length, value=value, shortened=shortened,
        problem=problem,
    )  # fmt: skip


def _value(chunk: Chunk, verify: bool) -> Steps[Any]:
    """What the chunk says, else the beginning of its bytes."""
    known = chunk.type in VALUES or chunk.type in TEXTS or chunk.type == "IHDR"
    if not known and chunk.length > SHOWN_TEXT:
        buffers = yield [(chunk.offset + 8, SHOWN_TEXT + 1)]
        data: Buffer = buffers[0]
        return bytes(data)
    found = yield from read_chunk(chunk, verify)
    if chunk.type in TEXTS:
        return ": ".join(text_of(chunk.type, found, limits.MAX_PNG_TEXT_BYTES))
    if chunk.type == "IHDR":
        return asdict(parse_header(found))
    value = VALUES[chunk.type][1](found) if known else found
    return value.isoformat() if isinstance(value, datetime) else value
