"""The examples of docs/virtual.md, run as they stand."""

import doctest

from tests.test_readme import blocks


def test_examples(sources, tmp_path, monkeypatch):
    for name, source in {"scene.tif": "cog_masked", "cells.ome.tif": "ome_subifds"}.items():
        (tmp_path / name).symlink_to(sources[source])
    monkeypatch.chdir(tmp_path)
    page = "docs/virtual.md"
    test = doctest.DocTestParser().get_doctest("".join(blocks("python", page)), {}, page, page, 0)
    assert len(test.examples) > 8
    out = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=out.append).failed == 0, "".join(out)
