"""One pyramid in a process of its own: `python pyramid_peers.py '{"peer": ..., "source": ..., ...}'` prints a line of
JSON.

Runs in the bench's environment or in that of the peers, so nothing is imported above that either lacks. Before the
clock starts a small file of the same kind has been done: everything is imported. `peak` is the kernel's high-water
mark (VmHWM) over what was resident then. The peers that make Zarr read TIFF as their users do, through tifffile's Zarr
store; each is given zstd at level 1 (or deflate at one level for all), a mean, and gigapix's chunks, where it lets one
choose.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

Order = dict[str, Any]
"""peer, kind, source, target, warm (a small source), levels, options (of gigapix), limit (bytes of data, or 0)."""

SIDE = 2048
"""Of the tile that a synthetic source repeats."""
LEVEL = 4
"""Of deflate: gigapix's default for COGs, which saves as much as the others' 6."""
BOX: Mapping[str, int] = MappingProxyType({"z": 16, "y": 128, "x": 128})
"""Chunks of a stack: half a megabyte, as those of 512 x 512 are."""


def gigapix(order: Order) -> None:
    """`gigapix.pyramid` as it comes; of a synthetic source where that is a number, its side."""
    import gigapix

    more = {"factors": 2 if order["kind"] != "stack" else {"z": 2, "y": 2, "x": 2}}
    if order["target"].endswith(".tif"):
        more["codec"] = f"deflate:{LEVEL}"
    elif order["kind"] == "stack":
        more["chunks"] = BOX
    source = Synthetic(order["source"]) if isinstance(order["source"], int) else order["source"]
    gigapix.pyramid(source, order["target"], levels=order["levels"], **more, **order["options"]).run()


class Synthetic:
    """An image that is nowhere: its samples are made when they are asked for."""

    def __init__(self, side: int) -> None:
        import numpy as np

        self.shape, self.dtype = (side, side), np.dtype("u2")
        self._tile = np.random.default_rng(0).integers(0, 3000, (SIDE, SIDE), dtype=np.uint16)

    def __getitem__(self, box: tuple[slice, slice]) -> Any:
        """A box within one tile; its values tell tiles apart."""
        inner = tuple(slice(part.start % SIDE, (part.stop - 1) % SIDE + 1) for part in box)
        return self._tile[inner] + (box[0].start // SIDE * 7 + box[1].start // SIDE)


def _array(order: Order) -> tuple[Any, str]:
    """The source as a Zarr array, and its axes."""
    import tifffile
    import zarr

    array = zarr.open(tifffile.imread(order["source"], aszarr=True), mode="r")
    return array, {"scene": "yx", "slide": "yxc", "stack": "zyx"}[order["kind"]]


def _dask(order: Order) -> tuple[Any, str]:
    import dask.array

    array, axes = _array(order)
    found = dask.array.from_zarr(array)
    return (found, axes) if axes != "yxc" else (dask.array.moveaxis(found, -1, 0), "cyx")


def _factors(order: Order) -> list[dict[str, int]]:
    axes = "zyx" if order["kind"] == "stack" else "yx"
    return [dict.fromkeys(axes, 2**level) for level in range(1, order["levels"] + 1)]


def _zstd() -> Any:
    import zarr

    return zarr.codecs.ZstdCodec(level=1)


def ome_zarr(order: Order) -> None:
    """`write_image`, without shards: with them it is slower. Its default method is no mean, and has seams."""
    from ome_zarr.scale import Methods
    from ome_zarr.writer import write_image

    array, axes = _dask(order)
    if axes == "zyx":  # it reduces each of dask's chunks for itself, and tifffile's are one plane
        array = array.rechunk({0: BOX["z"]})
    chunks = tuple((BOX if order["kind"] == "stack" else {"c": 1, "y": 512, "x": 512})[axis] for axis in axes)
    write_image(
        array, order["target"], scale_factors=_factors(order), axes=axes, method=Methods.LOCAL_MEAN,
        storage_options={"chunks": chunks, "compressors": [_zstd()]},
    )  # fmt: skip


def ngff_zarr(order: Order) -> None:
    """`to_multiscales` by ITK's bin shrink, which is its mean; shards of four chunks."""
    import ngff_zarr as ngff

    array, axes = _dask(order)
    chunks: Any = dict(BOX) if order["kind"] == "stack" else 512
    image = ngff.to_ngff_image(array, dims=tuple(axes))
    scales = ngff.to_multiscales(
        image, scale_factors=_factors(order), method=ngff.Methods.ITKWASM_BIN_SHRINK, chunks=chunks
    )
    shards = {} if order["kind"] == "stack" else {"chunks_per_shard": 4}
    ngff.to_ome_zarr(order["target"], scales, version="0.5", compressors=[_zstd()], **shards)


def topozarr(order: Order) -> None:
    """`create_pyramid`, of x and y only; chunks, shards and zstd's level (Zarr's default, 3) are its own."""
    import numpy as np
    import topozarr as topo
    import xarray as xr
    from xarray.backends.zarr import ZarrArrayWrapper
    from xarray.core.indexing import LazilyIndexedArray

    array, axes = _array(order)
    chunks = dict(zip(axes, array.chunks, strict=True))
    lazy = xr.Variable(tuple(axes), LazilyIndexedArray(ZarrArrayWrapper(array)), encoding={"preferred_chunks": chunks})
    side = array.shape[0]
    places = {"y": 5e6 - 10 * np.arange(side), "x": 5e5 + 10 * np.arange(side)}
    image = xr.Dataset({"image": lazy.transpose(..., "y", "x")}, coords=places)
    image = image.proj.assign_crs(spatial_ref="EPSG:32632")
    topo.create_pyramid(image, levels=order["levels"] + 1).write(order["target"])


def gdal_cog(order: Order) -> None:
    """GDAL's COG driver, both cores, its cache as it comes."""
    import rasterio.shutil

    rasterio.shutil.copy(
        order["source"], order["target"], driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", BLOCKSIZE="512",
        LEVEL=str(LEVEL), OVERVIEW_RESAMPLING="AVERAGE", OVERVIEW_COUNT=str(order["levels"]), NUM_THREADS="ALL_CPUS",
        BIGTIFF="IF_SAFER",
    )  # fmt: skip


def rio_cogeo(order: Order) -> None:
    """`cog_translate` with files in place of memory."""
    from rio_cogeo.cogeo import cog_translate
    from rio_cogeo.profiles import cog_profiles

    profile = cog_profiles.get("deflate") | {"predictor": "2", "zlevel": LEVEL}
    cog_translate(
        order["source"], order["target"], profile, overview_level=order["levels"], overview_resampling="average",
        in_memory=False, quiet=True, config={"GDAL_NUM_THREADS": "ALL_CPUS", "GDAL_TIFF_OVR_BLOCKSIZE": "512"},
    )  # fmt: skip


def libvips(order: Order) -> None:
    """`tiffsave` of a pyramid; no COG's layout."""
    import pyvips

    image = pyvips.Image.new_from_file(order["source"], access="sequential")
    image.tiffsave(
        order["target"], pyramid=True, tile=True, tile_width=512, tile_height=512, compression="deflate",
        predictor="horizontal", level=LEVEL, depth="onetile", region_shrink="mean", bigtiff=True,
    )  # fmt: skip


PEERS: Mapping[str, Callable[[Order], None]] = MappingProxyType(
    {
        "gigapix": gigapix,
        "topozarr": topozarr,
        "ome-zarr-py": ome_zarr,
        "ngff-zarr": ngff_zarr,
        "GDAL COG": gdal_cog,
        "rio-cogeo": rio_cogeo,
        "libvips": libvips,
    }
)
PATHS: Mapping[str, str] = MappingProxyType(
    {"gigapix": "{}", "topozarr": "{}/image", "ome-zarr-py": "s{}", "ngff-zarr": "scale{}/image"}
)
"""Where each puts a level."""
PACKAGES = (
    *("gigapix", "topozarr", "ome-zarr", "ngff-zarr", "zarr", "dask", "tifffile", "imagecodecs", "numpy"),
    *("rasterio", "rio-cogeo", "pyvips-binary"),
)


def resident(field: str) -> int:
    """A field of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _remove(target: str) -> None:
    path = Path(target)
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def measure(order: Order) -> dict[str, Any]:
    """Run one order."""
    make, warm = PEERS[order["peer"]], f"{order['target']}.warm{Path(order['target']).suffix}"
    make(order | {"source": order["warm"], "target": warm, "levels": 1})
    _remove(warm)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    if order.get("limit"):
        allowed = resident("VmData") + order["limit"]
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM to VmRSS
    wall, cpu = time.perf_counter(), time.process_time()
    make(order)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak": resident("VmHWM") - before, "imports": before, "versions": versions()}


def versions() -> dict[str, str]:
    """Of what is in this environment."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    result = measure(json.loads(sys.argv[1]))
    print(json.dumps(result), flush=True)
    os._exit(0)  # some peers' threads do not end
