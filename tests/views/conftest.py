from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

import gigapix
from tests.views.sources import SOURCES


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The files of `SOURCES`, by name."""
    folder = tmp_path_factory.mktemp("views")
    found = {name: folder / f"{name}.tif" for name in SOURCES}
    for name, path in found.items():
        SOURCES[name](path)
    return found


@pytest.fixture(scope="session")
def pyramids(corpus: Path) -> Sequence[Path]:
    """The files of the corpus with several levels."""
    found = []
    for path in sorted(corpus.rglob("*.*")):
        with suppress(gigapix.GigapixError), gigapix.open(path) as image:
            if len(image.levels) > 1:
                found.append(path)
    return found
