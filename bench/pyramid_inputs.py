"""The sources of bench/pyramid, made once, in `.bench/inputs`: files that every peer reads itself.

They show `inputs.py`'s scenes; the wide ones are four mirror images of one scene, which has no seams.

    scene   one band of uint16 on a map, tiles of 512, deflate with predictor 2: a satellite's
    slide   RGB of 8 bits, tiles of 256, JPEG in YCbCr: a slide scanner's
    stack   32 planes of uint16, tiles of 512, deflate: a light sheet's (ngff-zarr's issue 48 has 30 of them)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from inputs import FOLDER, SCENES, Pixels

PLANES = 32
KINDS = ("scene", "slide", "stack")


def source_of(kind: str, side: int) -> Path:
    """The TIFF of that kind, `side` x `side` pixels."""
    path = FOLDER / f"pyramid-{kind}-{side}.tif"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.tif")
        (_stack if kind == "stack" else _image)(kind, side, partial)
        partial.rename(path)
    return path


def _wide(scene: str, side: int) -> Pixels:
    quarter = SCENES[scene](side // 2)
    half = np.concatenate((quarter, quarter[..., ::-1]), axis=-1)
    return np.concatenate((half, half[..., ::-1, :]), axis=-2)


def _image(kind: str, side: int, path: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    pixels = _wide("u16" if kind == "scene" else "rgb", side)
    codec = (
        {"compress": "deflate", "predictor": 2, "blockxsize": 512, "blockysize": 512, "crs": "EPSG:32632",
         "transform": from_origin(500_000, 5_000_000, 10, 10)}
        if kind == "scene"
        else {"compress": "jpeg", "photometric": "ycbcr", "interleave": "pixel", "blockxsize": 256, "blockysize": 256}
    )  # fmt: skip
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=len(pixels), dtype=pixels.dtype.name, tiled=True,
        num_threads="all_cpus", **codec,
    ) as target:  # fmt: skip
        target.write(pixels)


def _stack(kind: str, side: int, path: Path) -> None:
    import tifffile

    plane = SCENES["u16"](side)[0]
    planes = np.stack([np.roll(plane, (37 * n, 11 * n), axis=(0, 1)) for n in range(PLANES)])
    tifffile.imwrite(
        path, planes, ome=True, metadata={"axes": "ZYX"},
        tile=(512, 512), compression="zlib", predictor=True, photometric="minisblack", maxworkers=2,
    )  # fmt: skip
