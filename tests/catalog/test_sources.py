"""Which paths count, and how lists of them are read."""

from __future__ import annotations

import re

import pytest

import gigapix
from gigapix.catalog.config import read_config
from gigapix.catalog.estimate import estimate
from gigapix.catalog.sources import Patterns, found_in, regex_of
from gigapix.source import Settings


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.tif", ["a.tif", "b/c.tif"], ["a.tiff", "tif"]),
        ("a/*.tif", ["a/b.tif"], ["a/b/c.tif", "b/a/c.tif"]),
        ("a/**/x.tif", ["a/x.tif", "a/b/c/x.tif"], ["x.tif", "a/bx.tif"]),
        ("**/B0[1-3].tif", ["B01.tif", "q/B03.tif"], ["B04.tif"]),
        ("x[!a].t?f", ["xb.tif", "q/xc.tof"], ["xa.tif", "xb.tf"]),
        ("a+(b).tif", ["a+(b).tif"], ["aab.tif"]),
    ],
)
def test_globs(pattern, yes, no):
    made = re.compile(regex_of(pattern))
    assert all(made.fullmatch(path) for path in yes) and not any(made.fullmatch(path) for path in no)


def test_images_are_what_ends_like_one():
    test = Patterns().test()
    assert test("x.TIFF") and test("a.b/c.svs") and test("q.png") and not test("x.jpg") and not test("tif")
    assert Patterns(exclude=("*.png",)).test()("x.tif") and not Patterns(exclude=("*.png",)).test()("x.png")


def test_a_folder_is_walked_in_order(tmp_path):
    for name in ("b.tif", "a/z.tif", "a/b/y.tif", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    ((root, listed),) = found_in(str(tmp_path), Settings(), Patterns())
    assert root.name == str(tmp_path) and [each.path for each in listed] == ["a/b/y.tif", "a/z.tif", "b.tif"]
    ((_, listed),) = found_in(f"{tmp_path}/a/**/*.tif", Settings(), Patterns())
    assert [each.path for each in listed] == ["b/y.tif", "z.tif"]
    with pytest.raises(gigapix.NotFoundError):
        list(found_in(str(tmp_path / "none"), Settings(), Patterns()))
    with pytest.raises(gigapix.UnsupportedError, match="can't be listed"):
        list(found_in("https://example.invalid/folder/", Settings(), Patterns()))
    (tmp_path / "x.csv").write_text("alone\n")
    with pytest.raises(gigapix.FormatError, match="CSV of keys"):
        list(found_in(f"{tmp_path}/x.csv", Settings(), Patterns()))


CONFIG = """
store:
  name: s3://sentinel-cogs
  prefixes:
    - sentinel-s2-l2a-cogs/10/C
  obstore_config:
    skip_signature: true
    region: us-west-2
concurrency:
  n_consumers: 1000
  list_chunk_size: 10000
  max_buffer_size: 1000000
  write_chunk_size: 100000
"""


def test_tiff_dumpers_configuration(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    sources, options = read_config(str(path))
    store = options.pop("store")
    assert sources == ["sentinel-s2-l2a-cogs/10/C"] and store.config["bucket"] == "sentinel-cogs"
    assert options == {"concurrency": 1000, "shard_objects": 100_000}
    path.write_text("store: {name: memory:///}\nconcurrency: {}\n")
    assert read_config(str(path))[0] == [""]
    for text in ("{", "[]", "store: {}", "store: {name: 's3://x'}\nconcurrency: {n_consumers: many}"):
        path.write_text(text)
        with pytest.raises(gigapix.FormatError):
            read_config(str(path))
    path.write_text("store: {name: 'nonsense://x'}\nconcurrency: {}\n")
    with pytest.raises(gigapix.SourceError):
        read_config(str(path))


def test_estimate(folder):
    found = estimate([folder])
    assert (found.objects, found.requests, found.list_requests, found.dollars) == (14, 14, 0, 0)
    assert estimate([folder], limit=3).objects == 3
