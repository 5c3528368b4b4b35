"""The examples of docs/pyramids.md and docs/htj2k.md, run as they stand."""

import doctest

import pytest

from tests.test_readme import blocks


@pytest.mark.parametrize("page", ["docs/pyramids.md", "docs/htj2k.md"])
def test_examples(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "htj2k" in page:
        pytest.importorskip("icechunk")
    test = doctest.DocTestParser().get_doctest("".join(blocks("python", page)), {}, page, page, 0)
    assert len(test.examples) > 8
    out = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=out.append).failed == 0, "".join(out)
