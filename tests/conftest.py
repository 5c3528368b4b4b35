"""What all tests share: how hypothesis runs, and the corpus of public files where it lies beside the checkout."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a test may not fail because its machine is slow. In CI the examples are the same each time, so that a
# submission fails for what it changed; at a developer's desk they are new each time.
settings.register_profile("gigapix", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("gigapix")

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "tiff"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of public TIFF files; a test that asks for it is skipped where it is not there."""
    if not CORPUS.is_dir():
        pytest.skip("needs the corpus beside the checkout")
    return CORPUS
