"""The buckets of the scan table: thousands of keys that are hard links to a few headers, and their listing as pages.

A header is what GDAL's COG driver wrote for a whole image of its kind: every offset and byte count in it is that of a
real compressed tile. Of the file only the header is kept; what follows is a hole, as long as the image was, because a
scan never reads it. Each kind comes in `VARIANTS` variants that lie elsewhere on Earth.

So a bucket holds a few structures many times, as an archive on a fixed grid does. In a motley one nearly each object
has a size of its own, as in archives whose images are cut by their footprints, and tiles of its own sizes.

A listing is static too: nginx picks the page by the request's `prefix`, `delimiter` and `continuation-token`. Pages
exist for the whole bucket, for each of its top folders, and for `delimiter=/` at the root.
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

FOLDER = Path(__file__).parent.parent / ".bench" / "inputs" / "scan"
VARIANTS = 8
SIZES = 41
"""Widths, and heights, of a kind in a motley bucket: so many columns less, the number of tiles stays the same."""
PER_SCENE = 20
FOLDERS = 20
PER_HEADER = 16_384
"""No header is longer."""
PER_PAGE = 1000
"""Of S3: no page has more."""
STAMP = 1_700_000_000
"""Every file's time of modification: with its size it makes nginx's ETag, which the listing must give too."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One product of an archive."""

    name: str
    width: int
    height: int
    bands: int = 1
    dtype: str = "uint16"
    block: int = 512
    epsg: int = 32632
    step: float
    """Pixel size in units of the CRS."""
    nodata: float | None = None
    options: Mapping[str, str] = field(default_factory=lambda: {"COMPRESS": "DEFLATE", "PREDICTOR": "YES"})


# Sizes, blocks and codecs as in the open archives that the names stand for.
KINDS: tuple[Kind, ...] = (
    Kind(name="b02-10m", width=10980, height=10980, block=1024, step=10, nodata=0),  # Sentinel-2
    Kind(name="b05-20m", width=5490, height=5490, block=1024, step=20, nodata=0),
    Kind(name="dem-30m", width=3600, height=3600, dtype="float32", block=1024, epsg=4326, step=1 / 3600),  # Copernicus
    Kind(name="lsat-b4", width=7771, height=7881, block=256, step=30, nodata=0),  # Landsat
    Kind(name="map-10m", width=18000, height=18000, dtype="uint8", block=1024, epsg=4326, step=1 / 12000, nodata=0),
    Kind(name="naip-1m", width=5000, height=6000, bands=4, dtype="uint8", epsg=26911, step=1),
    Kind(name="scl-20m", width=5490, height=5490, dtype="uint8", block=1024, step=20, nodata=0),
    Kind(name="tci-10m", width=10980, height=10980, bands=3, dtype="uint8", step=10, options={"COMPRESS": "JPEG"}),
)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A folder that nginx serves as a bucket of its name."""

    name: str
    count: int
    motley: bool = False

    def objects(self) -> Iterator[str]:
        """All of them, in S3's order."""
        for index in range(self.count):
            scene, item = divmod(index, PER_SCENE)
            kind = KINDS[item * len(KINDS) // PER_SCENE]
            yield f"{scene * PER_SCENE * FOLDERS // self.count:02d}/{scene:06d}/{kind.name}-{item:02d}.tif"


def bucket(count: int, *, motley: bool = False) -> Bucket:
    """The bucket of `count` objects under `FOLDER`, made if it is not there."""
    made = Bucket(name=f"{'motley' if motley else 'cogs'}-{count}", count=count, motley=motley)
    done = FOLDER / f"{made.name}.done"
    if not done.exists():
        for part in (FOLDER / made.name, FOLDER / "listing" / made.name):
            shutil.rmtree(part, ignore_errors=True)  # what an interrupted run left
        _fill(made)
        done.touch()
    return made


def headers() -> list[Path]:
    """The files that all keys are links to: kind after kind, each in its variants."""
    found = [FOLDER / "headers" / f"{kind.name}-{v}.tif" for kind in KINDS for v in range(VARIANTS)]
    for kind in KINDS:
        if not all(path.exists() for path in found if path.name.startswith(kind.name)):
            print(f"writing {kind.name} ...", file=sys.stderr)
            _write(kind)
    return found


def _fill(made: Bucket) -> None:
    templates = headers()
    sizes = [path.stat().st_size for path in templates]
    kinds = [kind.name for kind in KINDS]
    pages = FOLDER / "listing" / made.name
    pages.mkdir(parents=True)
    whole, folder, seen = _Pages(pages, ""), _Pages(pages, ""), ""
    folders = []
    for index, key in enumerate(made.objects()):
        top, scene, name = key.split("/")
        which = kinds.index(name.rpartition("-")[0]) * VARIANTS + index // PER_SCENE % VARIANTS
        path = FOLDER / made.name / key
        if f"{top}/{scene}" != seen:
            path.parent.mkdir(parents=True)
            seen = f"{top}/{scene}"
        if made.motley:
            _write_own(templates[which], path, index)
        else:
            os.link(templates[which], path)
        if not folders or top != folders[-1]:
            folder.close()
            folder = _Pages(pages, f"{top}%2F")
            folders.append(top)
        whole.add(key, sizes[which])
        folder.add(key, sizes[which])
    whole.close()
    folder.close()
    prefixes = "".join(f"<CommonPrefixes><Prefix>{top}/</Prefix></CommonPrefixes>" for top in folders)
    (pages / ",%2F,.xml").write_text(_page(prefixes, ""))


def _write_own(template: Path, path: Path, index: int) -> None:
    """The template with fewer columns and rows, in all resolutions, and with smaller tiles."""
    with template.open("rb") as stream:
        header = bytearray(stream.read(PER_HEADER).rstrip(b"\0"))
    chance = np.random.default_rng(index)
    columns, rows = divmod(index % SIZES**2, SIZES)
    (ifd,) = struct.unpack_from("<I", header, 4)
    width, height, level = 0, 0, 0
    while ifd:
        count = _word(header, ifd)
        entries = {_word(header, at): at for at in range(ifd + 2, ifd + 2 + 12 * count, 12)}
        wide, high = (_values(header, entries[tag]) for tag in (256, 257))
        width, height = width or int(wide[0]) - columns, height or int(high[0]) - rows
        wide[0], high[0] = -(-width >> level), -(-height >> level)
        offsets, counts = (_values(header, entries[tag]) for tag in (324, 325))
        counts -= chance.integers(0, counts // 4 + 1).astype(counts.dtype)
        # Behind each other as GDAL has them: four bytes before a tile, four after it.
        offsets[1:] = offsets[0] + np.cumsum(counts[:-1].astype(np.int64) + 8)
        (ifd,) = struct.unpack_from("<I", header, ifd + 2 + 12 * count)
        level += 1
    path.write_bytes(header)
    os.truncate(path, template.stat().st_size)
    os.utime(path, (STAMP, STAMP))


def _word(header: bytearray, at: int) -> int:
    return int.from_bytes(header[at : at + 2], "little")


def _values(header: bytearray, entry: int) -> np.ndarray[tuple[int], np.dtype[np.unsignedinteger]]:
    """The values of an IFD's entry, to be written to."""
    kind, count, where = struct.unpack_from("<HII", header, entry + 2)
    dtype = np.dtype({3: "<u2", 4: "<u4"}[kind])
    return np.frombuffer(header, dtype, count, entry + 8 if count * dtype.itemsize <= 4 else where)


class _Pages:
    """The pages of one prefix, each written when it is full: a million entries would be 300 MB."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self._entries: list[str] = []
        self._number = 0

    def add(self, key: str, size: int) -> None:
        if len(self._entries) == PER_PAGE:
            self._write(f"{self._number + 1}")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(STAMP))
        self._entries.append(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{stamp}</LastModified>"
            f"<ETag>&quot;{STAMP:x}-{size:x}&quot;</ETag><Size>{size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>\n"
        )

    def close(self) -> None:
        if self._entries:
            self._write("")

    def _write(self, following: str) -> None:
        token = str(self._number) if self._number else ""
        (self._folder / f"{self._prefix},,{token}.xml").write_text(_page("".join(self._entries), following))
        self._entries.clear()
        self._number += 1


def _page(entries: str, following: str) -> str:
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated>{more}\n{entries}</ListBucketResult>\n"
    )


def _write(kind: Kind) -> None:
    """All variants of a kind: one image is written whole, its header kept."""
    import rasterio.shutil
    from rasterio.io import MemoryFile
    from rasterio.transform import from_origin

    folder = FOLDER / "headers"
    folder.mkdir(parents=True, exist_ok=True)
    west, north = (7.0, 47.0) if kind.epsg == 4326 else (399_960.0, 5_300_040.0)
    profile = {
        "driver": "GTiff", "width": kind.width, "height": kind.height, "count": kind.bands, "dtype": kind.dtype,
        "crs": f"EPSG:{kind.epsg}", "transform": from_origin(west, north, kind.step, kind.step), "tiled": True,
        "nodata": kind.nodata, "interleave": "pixel",
    }  # fmt: skip
    whole = folder / f"{kind.name}.partial"
    # 2.6 bits of noise over regions: the tiles differ in size as those of an archive do.
    noise = np.random.default_rng(7).integers(0, 6, (256, kind.width), dtype=np.uint8)
    with MemoryFile() as memory:
        with memory.open(**profile) as image:
            image.update_tags(PRODUCT=kind.name, PROCESSING_BASELINE="05.00", AREA_OR_POINT="Area")
            for row in range(0, kind.height, 256):
                rows = np.roll(noise, row * 7, axis=1)[: kind.height - row]
                rows = (rows + row // 512 * 11 % 200).astype(kind.dtype)
                window = ((row, row + len(rows)), (0, kind.width))
                image.write(np.stack([rows] * kind.bands), window=window)
        with memory.open() as image:
            options = {"BLOCKSIZE": str(kind.block), "LEVEL": "1"} | kind.options
            if kind.options["COMPRESS"] == "JPEG":
                del options["LEVEL"]
            rasterio.shutil.copy(
                image, whole, driver="COG", NUM_THREADS="ALL_CPUS", OVERVIEW_RESAMPLING="nearest", **options
            )
    size = whole.stat().st_size
    with whole.open("rb") as stream:
        header = bytearray(stream.read(_first_tile(whole)))
    whole.unlink()
    tie = header.index(struct.pack("<2d", west, north))
    for variant in range(VARIANTS):
        struct.pack_into("<d", header, tie, west + variant * kind.step * kind.width / 2)
        partial = folder / f"{kind.name}-{variant}.partial"
        with partial.open("wb") as stream:
            stream.write(header)
            stream.truncate(size)
        os.utime(partial, (STAMP, STAMP))
        partial.rename(partial.with_suffix(".tif"))


def _first_tile(path: Path) -> int:
    """Where the pixels begin: a COG has all its directories before them."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        return min(offset for page in tif.pages for offset in page.aspage().dataoffsets if offset)


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["20000"]:
        print(FOLDER / bucket(int(argument)).name)
