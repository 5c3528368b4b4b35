"""What codecs raise, as errors of gigapix: imagecodecs has a class of its own for each, and numpy has ValueError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gigapix.decode.support import name
from gigapix.errors import DecodeError, GigapixError, MemoryBudgetError, UnsupportedError
from gigapix.formats.model import Encoding


@contextmanager
def typed(encoding: Encoding, size: int) -> Iterator[None]:
    """Whatever the body raises leaves it as a GigapixError. `size`: the decoded bytes of what it works on."""
    try:
        yield
    except GigapixError:
        raise
    except MemoryError as error:
        raise MemoryBudgetError(f"no memory to decode a segment of {size} bytes") from error
    except ImportError as error:
        raise UnsupportedError(f"{name(encoding)} needs a codec that this imagecodecs lacks: {error}") from error
    except Exception as error:  # the codecs' own classes, and numpy's on what the codecs return
        raise DecodeError(f"{name(encoding)}: {error}") from error
