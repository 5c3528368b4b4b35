"""Which format a file is of, from its first bytes."""

from __future__ import annotations

from typing import Final

from gigapix.errors import FormatError
from gigapix.formats.model import Described, Steps
from gigapix.formats.png import series as png
from gigapix.formats.png.file import is_png
from gigapix.formats.tiff.ghost import GHOST_BYTES
from gigapix.formats.tiff.header import HEADER_BYTES
from gigapix.formats.tiff.series import read_image as read_tiff

FIRST_BYTES: Final = HEADER_BYTES + GHOST_BYTES
"""What a TIFF asks for first, so that knowing the format costs no request of its own."""

TIFF_BEGINS: Final = (b"II", b"MM", b"EP")


def read_image(
    index: int, file_name: str, *, verify: bool = True, size_of: png.SizeOf = lambda: None
) -> Steps[Described]:
    """Read the header of image `index`.

    file_name: tells a file of several which of them it is.
    verify: check the checksums of what is read.
    size_of: the file's bytes as far as they are known.
    """
    (data,) = yield [(0, FIRST_BYTES)]
    first = bytes(data[:8])
    if is_png(first):
        return (yield from png.read_image(index, verify=verify, size_of=size_of))
    if first[:2] not in TIFF_BEGINS:
        raise FormatError(f"neither a TIFF nor a PNG: it {f'begins with {first!r}' if first else 'is empty'}", offset=0)
    return (yield from read_tiff(index, file_name))
