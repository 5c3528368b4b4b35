"""How an image was opened, so that another process can open it too."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gigapix.errors import UnsupportedError

if TYPE_CHECKING:
    from gigapix.formats.model import Buffer
    from gigapix.image.image import Image
    from gigapix.source import Settings


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The arguments of `gigapix.open`, but for what can't be shared between processes (its cache)."""

    path: str | os.PathLike[str] | Buffer
    index: int
    store: Any
    settings: Settings

    def named(self) -> Origin:
        """With a path that does not depend on the working folder. Raises UnsupportedError for an image in memory."""
        if not isinstance(self.path, str | os.PathLike):
            raise UnsupportedError("an image that was opened from bytes can't be opened by another process")
        path = os.fspath(self.path)
        if self.store is None and "://" not in path:
            path = os.path.abspath(path)  # noqa: PTH100  # a path of any kind, not resolved
        return Origin(path=path, index=self.index, store=self.store, settings=self.settings)

    def open(self) -> Image:
        """The image once more."""
        from gigapix.image.open import open as open_image

        settings = {field.name: getattr(self.settings, field.name) for field in fields(self.settings)}
        return open_image(self.path, index=self.index, store=self.store, **settings)
