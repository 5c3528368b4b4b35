"""The image that a command is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from gigapix.errors import GigapixError
from gigapix.formats.model import Steps
from gigapix.image.image import Image
from gigapix.image.open import open as open_image
from gigapix.source import drive

T = TypeVar("T")


@contextmanager
def opened(path: str, index: int) -> Iterator[Image]:
    """Open image `index` of a file. A fault leaves with the file's name, also one in the arguments of a read."""
    try:
        with open_image(path, index=index) as image:
            yield image
    except GigapixError as error:
        raise error.located(path) from error.__cause__


def ask(image: Image, steps: Steps[T]) -> T:
    """Run a format's question over the image's file."""
    return drive(steps, image.cache)
