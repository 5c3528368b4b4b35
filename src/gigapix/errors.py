"""Every error that gigapix raises on purpose, as one tree.

A file is never trusted, so a fault in it is an ordinary outcome and not an accident: it is reported by a subclass of
`GigapixError` that names the file, the place in it (a byte offset, where one is known) and the fault. The parsers and
decoders know neither the file's name nor, sometimes, the offset: they raise with what they know, and whoever knows more
adds it with `located`.

Where Python has a class for the same fault (a missing file, a bad argument), ours derives from it too, so that
``except FileNotFoundError`` works as a user expects.
"""

from __future__ import annotations

from typing import Any


class GigapixError(Exception):
    """Root of the tree. `path` names the file, `offset` the byte in it where the fault was found; either may be
    None."""

    def __init__(self, message: str, *, path: str | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.offset = offset

    def located(self, path: str | None = None, offset: int | None = None) -> GigapixError:
        """Fill in what is not known yet, and return the error itself."""
        if self.path is None:
            self.path = path
        if self.offset is None:
            self.offset = offset
        return self

    def __str__(self) -> str:
        where = f" (at byte {self.offset})" if self.offset is not None else ""
        return f"{self.path}: {self.message}{where}" if self.path is not None else f"{self.message}{where}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions travel between processes: the default would lose the keyword arguments.
        return _rebuild, (type(self), self.message, self.path, self.offset)


def _rebuild(cls: type[GigapixError], message: str, path: str | None, offset: int | None) -> GigapixError:
    return cls(message, path=path, offset=offset)


class FormatError(GigapixError, ValueError):
    """The bytes are not a file of a format that gigapix reads, or break that format's rules."""


class LimitError(FormatError):
    """A figure in the file is beyond a limit of `gigapix.limits`: an attack or damage, not an image."""


class DecodeError(FormatError):
    """The compressed bytes of a segment are damaged, or hold less than the segment needs."""


class UnsupportedError(GigapixError, NotImplementedError):
    """The file is sound as far as can be told, and uses something that gigapix does not read."""


class MissingPartError(GigapixError, FileNotFoundError):
    """The image needs a further file (a multi-file OME-TIFF's other part) that is not read."""


class SourceError(GigapixError, OSError):
    """The bytes could not be fetched."""


class NotFoundError(SourceError, FileNotFoundError):
    """There is no such file or object."""


class DeniedError(SourceError, PermissionError):
    """The file or object may not be read with these credentials."""


class ChangedError(SourceError):
    """The object is no longer the one that was opened: its ETag is another."""


class RangeUnsupportedError(SourceError):
    """The server ignores ranges: it answers with the whole object, which is not read."""


class ShortBodyError(SourceError):
    """The server sent fewer bytes than it said, each time it was asked."""


class ServerError(SourceError):
    """The server failed or could not be reached, each time it was asked."""


class SourceTimeoutError(SourceError, TimeoutError):
    """The server did not answer in time, each time it was asked."""


class TruncatedError(SourceError, FormatError):
    """The file ends before the bytes that its own structure points at."""


class RequestError(GigapixError, ValueError):
    """What was asked for does not exist in the image: a window, a level, a band, a tile or an index out of range."""


class IndexingError(RequestError, IndexError):
    """``image[...]`` was given what is no index of it."""


class MemoryBudgetError(GigapixError, MemoryError):
    """The work needs more memory than it was given. The message names the bytes that it would need."""


class MissingExtraError(GigapixError, ImportError):
    """An optional package is needed. The message names the extra to install."""
