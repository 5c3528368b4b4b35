"""The examples of docs/pyramids.md, run as they stand."""

import doctest

from tests.test_readme import blocks


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = "docs/pyramids.md"
    test = doctest.DocTestParser().get_doctest("".join(blocks("python", page)), {}, page, page, 0)
    assert len(test.examples) > 8
    out = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=out.append).failed == 0, "".join(out)
