"""What a `Source` needs of the place where its object lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gigapix.errors import DeniedError, NotFoundError, SourceError
from gigapix.formats.model import Buffer


@dataclass(frozen=True, slots=True)
class Chunk:
    """The answer to one request. `size` and `etag` are the whole object's, None where the store doesn't say."""

    data: Buffer
    size: int | None
    etag: str | None


class Store(Protocol):
    """Where one object lies. `get` sends one request, for `length` bytes from `start`, and raises a GigapixError.

    What lies beyond the object's end is left out: the answer is short, or empty. With an `etag` the object must still
    have it, else ChangedError; a store that can't ask for it may leave that to the caller.
    """

    name: str
    """For messages: a path or a URL without secrets."""
    local: bool
    """Whether a request costs microseconds, not milliseconds."""
    identity: str | None
    """The same for the same object, whoever opens it, in any process; no secret can be read from it. None where that
    can't be told."""

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """Blocks."""
        ...

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """Doesn't."""
        ...

    def where(self, offset: int) -> tuple[str, int]:
        """The name of what an offset lies in, and the place there: of a folder, one of its objects."""
        ...

    def sibling(self, name: str) -> Store:
        """The file of that name beside this one. Raises MissingPartError where there can be none."""
        ...

    def close(self) -> None:
        """Give back what is held open, and cancel the requests of tasks. Called any number of times."""
        ...


def closed(name: str) -> SourceError:
    """The error of a read after `close`."""
    return SourceError("the image is closed", path=name)


def os_error(error: OSError | ValueError, name: str) -> SourceError:
    """An operating system's error as ours."""
    kinds: dict[type, type[SourceError]] = {FileNotFoundError: NotFoundError, PermissionError: DeniedError}
    kind = kinds.get(type(error), SourceError)
    return kind(getattr(error, "strerror", None) or str(error), path=name)
