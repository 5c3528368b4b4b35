"""The inputs of the tables about memory: image-memory-tests' four files, and the extended grid of layouts.

The four are made as that project makes them (its seed, its zeros inside, its writers' defaults): a file of another
size than the published one would be another test. The grid's files show the scenes of `inputs.py`. Its side is no
multiple of a tile or a strip, so that who counts the padding is found out. What the pixels add up to is computed from
the arrays before they are encoded, and kept beside the files.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from inputs import FOLDER, SCENES, Pixels
from memory_tally import Survey, Tally

ANCHOR = ("img1.png", "img1.tiff", "img1_czlib.tiff", "img1_tiled.tiff")
CODECS = ("none", "deflate", "lzw", "zstd", "lzma", "packbits", "jpeg")
LAYOUTS = ("strips", "one-strip", "tiles", "planar")
PNGS = ("rgb8", "gray16", "palette", "adam7")
TILE = 512
STRIP_BYTES = 256 << 10
"""tifffile's own choice for the strips of a compressed file."""
LZMA_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 8 << 20}]
"""libtiff's dictionary, which is what a decoder must hold, at a preset that encodes within a minute."""
JPEG_QUALITY = 90


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the grid. `codec` is one of `CODECS`, or ``png``, whose `layout` is one of `PNGS`."""

    codec: str
    layout: str
    dtype: str
    """``u8`` (three bands), ``u16`` or ``f32`` (one band; planar three: libvips reads two wrong)."""

    @property
    def name(self) -> str:
        return f"{self.codec} {self.layout}" + (f" {self.dtype}" if self.codec != "png" else "")

    @property
    def lossy(self) -> bool:
        return self.codec == "jpeg"


CASES = (
    *(
        Case(codec=codec, layout=layout, dtype=dtype)
        for dtype in ("u8", "u16", "f32")
        for codec in CODECS
        for layout in LAYOUTS
        if codec != "jpeg" or dtype == "u8"
    ),
    *(Case(codec="png", layout=layout, dtype="u16" if layout == "gray16" else "u8") for layout in PNGS),
)


def anchor_path(name: str) -> Path:
    """One of image-memory-tests' files."""
    return _made(FOLDER / name, lambda partial: _ANCHOR[name](partial, anchor_pixels()))


def anchor_pixels() -> Pixels:
    """10240 x 1024 RGB pixels of noise with zeros inside, by the recipe's own generator: these very bytes."""
    chance = np.random.RandomState(0)
    pixels = chance.randint(0, 255, (10240, 1024, 3), np.uint8)
    pixels[100:-100, 100:-100] = 0
    return pixels


def _anchor_png(path: Path, pixels: Pixels) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, "PNG")


def _anchor_tiff(**options: Any) -> Callable[[Path, Pixels], None]:
    def write(path: Path, pixels: Pixels) -> None:
        import tifffile

        tifffile.imwrite(path, pixels, **options)

    return write


_ANCHOR: dict[str, Callable[[Path, Pixels], None]] = {
    "img1.png": _anchor_png,
    "img1.tiff": _anchor_tiff(),
    "img1_czlib.tiff": _anchor_tiff(compression="zlib"),
    "img1_tiled.tiff": _anchor_tiff(tile=(32, 32)),
}


def path_of(case: Case, size: int) -> Path:
    """The file of `case` at `size` x `size` pixels, made if it is not there."""
    suffix = "png" if case.codec == "png" else "tif"
    name = f"memory-{case.name.replace(' ', '-')}-{size}.{suffix}"
    return _made(FOLDER / name, lambda partial: _write(case, size, partial))


def truth_of(case: Case, size: int) -> Survey:
    """What `case` holds: from the pixels as they were before they were encoded; from libjpeg's decoder for JPEG."""
    kind = f"jpeg-{case.layout}" if case.lossy else f"{case.dtype}-{'planar' if case.layout == 'planar' else 'plain'}"
    kind = "palette" if case.layout == "palette" else kind
    path = _made(
        FOLDER / f"memory-truth-{kind}-{size}.json",
        lambda partial: partial.write_text(json.dumps(asdict(_counted(case, size)))),
    )
    return Survey(**json.loads(path.read_text()))


def _counted(case: Case, size: int) -> Survey:
    if case.lossy:
        import tifffile

        pixels = tifffile.imread(path_of(case, size))
        pixels = np.moveaxis(pixels, -1, 0) if pixels.shape[-1] == 3 else pixels
    else:
        pixels = _pixels(case, size)
    tally = Tally(len(pixels), pixels.dtype)
    for band, samples in enumerate(pixels):
        tally.add(band, samples)
    return tally.survey()


def _pixels(case: Case, size: int) -> Pixels:
    """Band first, mapped from a file that is made once a scene."""
    scene = {"u8": "rgb"}.get(case.dtype, case.dtype)
    path = _made(FOLDER / f"source-{scene}-{size}.npy", lambda partial: _save(partial, SCENES[scene](size)))
    pixels: Pixels = np.load(path, mmap_mode="r")
    if case.layout == "palette":
        return pixels[:1] // 4  # 64 colours
    if case.layout == "planar" and len(pixels) == 1:
        return np.concatenate([pixels, pixels[:, ::-1], pixels[..., ::-1]])
    return pixels


def _save(path: Path, pixels: Pixels) -> None:
    with path.open("wb") as file:
        np.save(file, pixels)


def _write(case: Case, size: int, path: Path) -> None:
    pixels = _pixels(case, size)
    if case.codec == "png":
        _write_png(case, pixels, path)
        return
    import tifffile

    planar = case.layout == "planar"
    data = np.ascontiguousarray(pixels if planar else np.moveaxis(pixels, 0, -1))
    options: dict[str, Any] = {
        "photometric": "rgb" if len(pixels) == 3 else "minisblack",
        "planarconfig": "separate" if planar else "contig" if len(pixels) > 1 else None,
        "compression": None if case.codec == "none" else case.codec,
        "metadata": None,
        "maxworkers": 2,
    }
    if case.codec in ("deflate", "lzw", "zstd"):
        options["predictor"] = 3 if case.dtype == "f32" else 2
    rows = {"strips": max(1, STRIP_BYTES // data[0].nbytes)}.get(case.layout, size)
    if case.lossy:
        rows = 64 if case.layout == "strips" else size
        options |= {"photometric": "minisblack" if planar else "ycbcr", "compressionargs": {"level": JPEG_QUALITY}}
    if case.layout == "tiles" or (case.lossy and planar):  # one band's JPEG in one strip could not be bounded
        options["tile"] = (TILE, TILE)
    else:
        options["rowsperstrip"] = rows
    if case.codec == "lzma":
        options |= {"shape": data.shape if len(pixels) > 1 else data.shape[:2], "dtype": data.dtype}
        with path.open("wb") as file:
            tifffile.imwrite(file, _lzma_segments(data, case, rows), **options)
    elif case.lossy and case.layout == "one-strip":
        options |= {"shape": data.shape, "dtype": data.dtype, "subsampling": (2, 2)}
        with path.open("wb") as file:
            tifffile.imwrite(file, iter([jpeg_with_restarts(data)]), **options)
    else:
        with path.open("wb") as file:
            tifffile.imwrite(file, data if len(pixels) > 1 else data[..., 0], **options)


def _lzma_segments(data: Pixels, case: Case, rows: int) -> Iterator[bytes]:
    """Encoded here, since imagecodecs has presets and no dictionaries. Tiles at the edges are padded."""
    planes = data if case.layout == "planar" else data[None]
    if case.layout == "tiles":
        side = -(-len(data) // TILE) * TILE
        data = np.pad(data, ((0, side - data.shape[0]), (0, side - data.shape[1]), (0, 0)))
        pieces = (data[y : y + TILE, x : x + TILE] for y in range(0, side, TILE) for x in range(0, side, TILE))
    else:
        pieces = (plane[y : y + rows] for plane in planes for y in range(0, len(plane), rows))
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda piece: lzma.compress(piece.tobytes(), filters=LZMA_FILTERS), pieces)


def jpeg_with_restarts(data: Pixels) -> bytes:
    """A 4:2:0 JPEG with a restart marker after each row of blocks: the one kind of a JPEG that can be entered."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(data).save(out, "JPEG", quality=JPEG_QUALITY, subsampling=2, restart_marker_rows=1)
    return out.getvalue()


def _write_png(case: Case, pixels: Pixels, path: Path) -> None:
    if case.layout == "adam7":
        import pyvips

        data = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        pyvips.Image.new_from_array(data).pngsave(str(path), interlace=True, filter="all")  # Pillow writes no Adam7
        return
    from PIL import Image

    if case.layout == "palette":
        image = Image.frombytes("P", pixels.shape[:0:-1], pixels[0].tobytes())
        image.putpalette([value * 4 for value in range(64) for _ in range(3)])
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)))
    image.save(path, "PNG")


def _made(path: Path, write: Callable[[Path], Any]) -> Path:
    """`path`, written under another name and renamed when it is whole, if it is not there."""
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        write(partial)
        partial.rename(path)
    return path
