"""The examples of docs/zarr.md, run as they stand."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.test_readme import blocks

PAGE = "docs/zarr.md"


def test_the_examples_of_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    for path, count in (("cells.ome.zarr", 3), ("cells.ome.zarr/labels/nuclei", 1)):
        group = zarr.open_group(tmp_path / path, mode="a")
        axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
        listed = []
        for n in range(count):
            shape = 2, 1000 >> n, 1500 >> n
            array = group.create_array(
                str(n), shape=shape, dtype="uint16", chunks=(1, *(min(size, 256) for size in shape[1:]))
                if n < 2 else (1, *shape[1:]), dimension_names=list("cyx"),
            )  # fmt: skip
            array[...] = chance.integers(0, 999, shape)
            scale = {"type": "scale", "scale": [1, 0.5 * 2**n, 0.5 * 2**n]}
            listed.append({"path": str(n), "coordinateTransformations": [scale]})
        name = path.rpartition("/")[2]
        about = {"version": "0.5", "multiscales": [{"name": name, "axes": axes, "datasets": listed}]}
        shown = {"omero": {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}} if count > 1 else {"image-label": {}}
        group.attrs["ome"] = {**about, **shown}
    about = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "labels": ["nuclei"]}}}
    (tmp_path / "cells.ome.zarr/labels/zarr.json").write_text(json.dumps(about))
    monkeypatch.chdir(tmp_path)
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    examples = [each for each in blocks("python", PAGE) if "cells.ome.zarr" in each]
    assert examples
    runner.run(parser.get_doctest("".join(examples), {}, PAGE, PAGE, 0))
    assert not runner.failures
