"""What a stored mask or an alpha band hides is no part of any reduction."""

import numpy as np
import pytest
import rasterio
import tifffile

import gigapix
from gigapix import UnsupportedError
from gigapix.pyramids.plan import pyramid
from tests.pyramids.build import built, directly

RNG = np.random.default_rng(7)
HIDDEN = RNG.random((90, 71)) < 0.4
HIDDEN[16:48, :32] = True
REDUCERS = ["mean", "min", "max", "median", "mode", "count", "sum", "nearest", "std", "any", "all", "gauss"]
OPTIONS = {"chunks": 16, "levels": 2, "reducers": REDUCERS}


def written(path, values, nodata=None, way="tiles"):
    """A GeoTIFF with a mask in it."""
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 32} if way == "tiles" else {"blockysize": 13}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        path, "w", driver="GTiff", width=71, height=90, count=len(values), dtype=values.dtype.name, nodata=nodata,
        interleave="pixel", transform=rasterio.Affine.scale(2), compress="deflate", **tiles,
    ) as file:  # fmt: skip
        file.write(values)
        file.write_mask(~HIDDEN)
    return path


@pytest.mark.parametrize("way", ["tiles", "strips"])
@pytest.mark.parametrize(
    ("kind", "nodata", "fill"), [("u1", None, 0), ("i2", None, 0), ("u2", 9, 9), ("f4", None, np.nan), ("u4", None, 0)]
)
def test_a_stored_mask(tmp_path, kind, nodata, fill, way):
    values = RNG.integers(20, 120, (2, 90, 71)).astype(kind)
    found = built(written(tmp_path / "a.tif", values, nodata, way), tmp_path, **OPTIONS)
    np.testing.assert_array_equal(found["0"], values)
    for level in (1, 2):
        for band in range(2):
            factor, nothing = 2**level, (lambda f: lambda w: f(w) if len(w) else fill)
            seen = np.where(HIDDEN, np.nan, values[band].astype("f8"))

            def wanted(function, factor=factor, seen=seen):
                return directly(seen, (factor, factor), function, dtype="f8")

            mean = np.mean if kind == "f4" else lambda w: np.rint(w.mean())
            for path, function in (("", nothing(mean)), ("min/", nothing(np.min)), ("max/", nothing(np.max)),
                                   ("count/", len), ("sum/", np.sum),
                                   ("any/", lambda w: bool(w.any())), ("all/", lambda w: bool(w.all())),
                                   ("std/", lambda w: w.std() if len(w) else np.nan)):  # fmt: skip
                np.testing.assert_allclose(
                    found[f"{path}{level}"][band].astype("f8"), wanted(function), rtol=1e-5, atol=1e-4
                )
            for path in ("median", "mode", "gauss", "nearest"):  # nothing that is hidden comes through
                seen_here = found[f"{path}/{level}"][band]
                empty = wanted(len) == 0
                assert ((seen_here >= 20) | (seen_here == fill) | (seen_here != seen_here)).all()
                if path != "gauss":
                    np.testing.assert_equal(seen_here[empty], np.full(empty.sum(), fill, kind))
                if path not in ("gauss", "nearest"):
                    assert (seen_here[~empty] >= 20).all()


def test_an_alpha_band(tmp_path):
    values = RNG.integers(20, 250, (4, 90, 71)).astype("u1")
    values[3] = np.where(HIDDEN, 0, values[3])
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(values, 0, -1), photometric="rgb", extrasamples=["unassalpha"],
                     tile=(64, 64), compression="zlib")  # fmt: skip
    found = built(tmp_path / "a.tif", tmp_path, chunks=16, levels=2)
    np.testing.assert_array_equal(found["0"], values)
    for level in (1, 2):
        factors = (2**level,) * 2
        for band in range(3):
            seen = np.where(HIDDEN, np.nan, values[band].astype("f8"))
            wanted = directly(seen, factors, lambda w: np.rint(w.mean()) if len(w) else 0, dtype="u1")
            np.testing.assert_array_equal(found[str(level)][band], wanted)
        alpha = directly(values[3], factors, lambda w: np.rint(w.mean()), dtype="u1")
        np.testing.assert_array_equal(found[str(level)][3], alpha)


def test_a_masked_array(tmp_path):
    values = np.ma.MaskedArray(RNG.integers(20, 120, (90, 71)).astype("u1"), HIDDEN)
    found = built(values, tmp_path, chunks=16, levels=1)["1"]
    seen = np.where(HIDDEN, np.nan, values.data.astype("f8"))
    np.testing.assert_array_equal(
        found, directly(seen, (2, 2), lambda w: np.rint(w.mean()) if len(w) else 0, dtype="u1")
    )


def test_the_group_says_so(tmp_path):
    values = RNG.integers(20, 120, (1, 90, 71)).astype("u1")
    path = written(tmp_path / "a.tif", values)
    attributes = pyramid(path, tmp_path / "o.zarr", chunks=16, levels=2).run()
    window = attributes["ome"]["omero"]["channels"][0]["window"]
    seen = values[0][~HIDDEN]
    assert (window["start"], window["end"]) == (seen.min(), seen.max())
    report = gigapix.validate(tmp_path / "o.zarr", pixels=True)
    assert report.valid and any("mask" in each for each in report.warnings)


def test_integers_without_a_wider_type(tmp_path):
    values = RNG.integers(20, 120, (1, 90, 71)).astype("u8")
    with pytest.raises(UnsupportedError, match="with a mask"):
        pyramid(written(tmp_path / "a.tif", values), tmp_path / "o.zarr")


def test_what_hides_is_read_once_too(tmp_path, monkeypatch):
    values = RNG.integers(20, 120, (2, 90, 71)).astype("u1")
    reads = []
    with gigapix.open(written(tmp_path / "a.tif", values)) as image:
        read = image.cache.source.read
        monkeypatch.setattr(image.cache.source, "read", lambda *of: (reads.append(of[0]), read(*of))[1])
        built(image, tmp_path, chunks=16, levels=2)
    assert reads and len(set(reads)) == len(reads)
