"""Items as pystac makes them, opened from folders and over HTTP."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import gigapix
from gigapix.interop import stac
from gigapix.interop.stac_items import absolute, fetched, item_of
from tests.remote.odd_server import OddServer, odd_server

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
BANDS = ("red", "nir", "scl")


def written(path: Path, value: int) -> Path:
    profile = {"driver": "GTiff", "count": 1, "height": 64, "width": 80, "dtype": "uint8", "crs": "EPSG:32631"}
    with rasterio.open(path, "w", **profile, transform=rasterio.Affine(10, 0, 0, 0, -10, 640)) as out:
        out.write(np.full((1, 64, 80), value, np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for value, band in enumerate(BANDS, 1):
        written(tmp_path / f"{band}.tif", value)
    return tmp_path


def item(name: str = "one", **links: str) -> dict[str, Any]:
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None,
        "properties": {"datetime": "2024-01-01T00:00:00Z"},
        "links": [{"rel": rel, "href": href} for rel, href in links.items()],
        "assets": {
            "red": {"href": "./red.tif", "type": COG, "roles": ["data", "reflectance"]},
            "nir": {"href": "nir.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]},
            "scl": {"href": "scl.tif", "roles": ["classification"]},
            "preview": {"href": "preview.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
            "metadata": {"href": "metadata.xml", "type": "application/xml"},
        },
    }  # fmt: skip


def at(folder: Path) -> dict[str, Any]:
    return item(self=str(folder / "item.json"))


def keys(found: stac.ItemImages) -> list[str]:
    return list(found)


def test_images_of_an_item_by_key(folder: Path) -> None:
    with stac.open_item(at(folder)) as found:
        assert found.id == "one"
        assert keys(found) == ["red", "nir", "scl"]
        assert isinstance(found["red"], gigapix.Image)
        pixels = found.read(bounds=(0, 0, 800, 640), shape=(32, 40))
    assert [(key, array.shape, int(array.max())) for key, array in pixels.items()] == [
        ("red", (1, 32, 40), 1), ("nir", (1, 32, 40), 2), ("scl", (1, 32, 40), 3),
    ]  # fmt: skip
    with pytest.raises(gigapix.SourceError):
        found["red"].read()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"keys": ["nir", "red"]}, ["nir", "red"]),
        ({"roles": ["data"]}, ["red", "nir"]),
        ({"roles": ["reflectance", "classification"]}, ["red", "scl"]),
        ({"media_types": ["image/tiff"]}, ["red", "nir"]),
        ({"media_types": [COG]}, ["red"]),
        ({"media_types": ["image/tiff; profile=cloud-optimized"]}, ["red"]),
        ({"keys": ["red", "scl"], "roles": ["classification"]}, ["scl"]),
    ],
)
def test_a_choice(folder: Path, choice: dict[str, Any], expected: list[str]) -> None:
    with stac.open_item(at(folder), **choice) as found:
        assert keys(found) == expected


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"keys": ["red", "swir"]}, "no asset 'swir', only 'red', 'nir'"),
        ({"roles": ["overview"]}, "no such asset; it has 'red'"),
        ({"media_types": ["image/jp2"]}, "no such asset"),
    ],
)
def test_missing_assets_have_a_typed_error(folder: Path, choice: dict[str, Any], words: str) -> None:
    with pytest.raises(stac.MissingAssetError, match=words) as caught:
        stac.open_item(at(folder), **choice)
    assert isinstance(caught.value, gigapix.RequestError)


def test_one_that_fails_closes_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "nir.tif").unlink()
    opened: list[gigapix.Image] = []
    real = gigapix.open

    def noting(*arguments: Any, **options: Any) -> gigapix.Image:
        opened.append(real(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(stac, "open_image", noting)
    with pytest.raises(gigapix.NotFoundError, match=r"nir\.tif"):
        stac.open_item(at(folder))
    assert opened
    for image in opened:
        with pytest.raises(gigapix.SourceError):
            image.read()


def test_objects_of_pystac(folder: Path) -> None:
    pystac = pytest.importorskip("pystac", reason="needs pystac, which makes the items")
    made = pystac.Item("one", None, None, dt.datetime(2024, 1, 1, tzinfo=dt.UTC), {})
    for band in BANDS:
        made.add_asset(band, pystac.Asset(f"./{band}.tif", media_type=pystac.MediaType.COG, roles=["data"]))
    made.set_self_href(str(folder / "item.json"))
    with stac.open_item(made, roles=["data"]) as found:
        assert keys(found) == list(BANDS)
    second = made.clone()
    second.id = "two"
    with stac.open_items(pystac.ItemCollection([made, second]), keys=["red"]) as several:
        assert [each.id for each in several] == ["one", "two"]
        assert all(keys(each) == ["red"] for each in several)
    read = pystac.Item.from_dict(at(folder))
    with stac.open_item(read) as found:
        assert keys(found) == ["red", "nir", "scl"]


def test_results_of_a_search(folder: Path) -> None:
    features = [at(folder), {**at(folder), "id": "two"}]

    class Search:
        """As pystac_client.ItemSearch: its pages are fetched while one iterates."""

        def items(self) -> Iterator[dict[str, Any]]:
            yield from features

    for given in ({"type": "FeatureCollection", "features": features}, features, iter(features), Search()):
        with stac.open_items(given, keys=["red", "nir"]) as found:
            assert [each.id for each in found] == ["one", "two"]
            assert int(found[1]["nir"].read().max()) == 2
    with stac.open_items([]) as none:
        assert none == ()
    with pytest.raises(gigapix.RequestError, match="not one item, but 2"):
        stac.open_item({"features": features})


def test_async(folder: Path) -> None:
    async def work() -> None:
        async with await stac.open_item_async(at(folder), roles=["data"]) as found:
            pixels = await found.read_async(shape=(8, 8))
            assert {key: int(array.max()) for key, array in pixels.items()} == {"red": 1, "nir": 2}
        async with await stac.open_items_async([at(folder)] * 20) as several:
            assert len(several) == 20
        (folder / "nir.tif").unlink()
        with pytest.raises(gigapix.NotFoundError):
            await stac.open_items_async([at(folder)] * 20)

    asyncio.run(work(), debug=True)


@pytest.fixture
def server(folder: Path) -> Iterator[OddServer]:
    with odd_server() as running:
        for band in BANDS:
            running.put((folder / f"{band}.tif").read_bytes(), f"items/{band}.tif")
        yield running


def test_an_item_at_a_url(server: OddServer) -> None:
    """Its server knows no ranges for it, as those that make items as they are asked."""
    url = server.put(json.dumps(item()).encode(), "items/one.json")
    server.do("whole")
    with stac.open_item(url) as found:
        assert keys(found) == ["red", "nir", "scl"]
        assert found["red"].path == f"{server.origin}/items/red.tif"
        assert int(found["scl"].read().max()) == 3
    assert server.log[0].range == ""
    assert "geo+json" in server.log[0].headers["Accept"]


def test_a_search_at_a_url(server: OddServer) -> None:
    features = [item(name, self=f"{server.origin}/items/{name}.json") for name in ("one", "two")]
    url = server.put(json.dumps({"type": "FeatureCollection", "features": features}).encode(), "search")

    async def work() -> list[str]:
        async with await stac.open_items_async(f"{url}?limit=2", keys=["red"]) as found:
            return [each["red"].path for each in found]

    assert asyncio.run(work()) == [f"{server.origin}/items/red.tif"] * 2
    assert server.log[0].target == "/search?limit=2"


def test_addresses_are_signed_as_they_are_opened(server: OddServer) -> None:
    url = server.put(json.dumps(item()).encode(), "items/one.json")
    with stac.open_item(url, keys=["red"], sign=lambda href: f"{href}?sig=secret") as found:
        assert found["red"].width == 80
    assert server.log[-1].target == "/items/red.tif?sig=secret"


def test_a_document_at_a_path(folder: Path) -> None:
    (folder / "item.json").write_text(json.dumps(item()))
    for given in (folder / "item.json", str(folder / "item.json"), f"file://{folder}/item.json"):
        with stac.open_item(given, keys=["red"]) as found:
            assert found["red"].path.endswith("red.tif")


@pytest.mark.parametrize("href", ["file:///etc/passwd.tif", "FILE:///x.tif"])
def test_a_document_from_the_web_leads_to_no_local_file(server: OddServer, href: str) -> None:
    hostile = {"id": "x", "assets": {"a": {"href": href, "type": COG}}}
    url = server.put(json.dumps(hostile).encode(), "x.json")
    with pytest.raises(gigapix.FormatError, match="names the local file"):
        stac.open_item(url)
    hostile["assets"]["a"]["href"] = "/etc/passwd.tif"  # type: ignore[index]
    url = server.put(json.dumps({"features": [hostile]}).encode(), "y.json")
    with pytest.raises(gigapix.FormatError, match="names the local file"):
        stac.open_items(url)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"assets": []}',
        '{"assets": {"a": 1}}',
        '{"assets": {"a": {}}}',
        '{"features": [1]}',
        "[" * 9999,
    ],
)
def test_what_is_no_item_has_a_typed_error(tmp_path: Path, document: str) -> None:
    path = tmp_path / "item.json"
    path.write_text(document)
    with pytest.raises(gigapix.FormatError, match=r"item\.json"):
        stac.open_items(path)


def test_failures_of_the_web(server: OddServer) -> None:
    for status, kind in (("404", gigapix.NotFoundError), ("403", gigapix.DeniedError), ("500", gigapix.ServerError)):
        server.do(status)
        with pytest.raises(kind, match=f"{status}"):
            fetched(f"{server.origin}/item.json")
    server.put(b"{}" * 100, "item.json")
    server.do("cut")
    with pytest.raises(gigapix.ShortBodyError):
        fetched(f"{server.origin}/item.json")
    server.do("reset")
    with pytest.raises(gigapix.ServerError):
        fetched(f"{server.origin}/item.json")
    for address in ("http://", "http://no host/x", "https://\u2028/"):
        with pytest.raises(gigapix.SourceError):
            fetched(address)
    with pytest.raises(gigapix.NotFoundError):
        fetched("missing/item.json")


def test_a_document_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gigapix.interop.stac_items.MAX_JSON_BYTES", 100)
    (tmp_path / "item.json").write_text(json.dumps(item()))
    with pytest.raises(gigapix.LimitError):
        fetched(str(tmp_path / "item.json"))


@pytest.mark.parametrize(
    ("href", "base", "expected"),
    [
        ("./a.tif", "https://x.org/c/i.json?key=1", "https://x.org/c/a.tif"),
        ("../a.tif", "s3://bucket/c/d/i.json", "s3://bucket/c/a.tif"),
        ("/a.tif", "gs://bucket/c/i.json", "gs://bucket/a.tif"),
        ("s3://other/a.tif", "https://x.org/i.json", "s3://other/a.tif"),
        ("../a.tif", "/data/c/i.json", "/data/a.tif"),
        ("/data/a.tif", "/elsewhere/i.json", "/data/a.tif"),
        ("a.tif", None, "a.tif"),
    ],
)
def test_addresses(href: str, base: str | None, expected: str) -> None:
    assert absolute(href, base) == expected
    assert item_of({"id": "i", "assets": {"a": {"href": href}}}, base).assets["a"].href == expected
