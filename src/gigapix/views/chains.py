"""How the bytes of a segment become a Zarr chunk: the chain of codecs that says so in an array's metadata.

Zarr has codecs of its own for plain samples, uncompressed or with deflate, zstd or LZMA: any Zarr v3 library that knows
numcodecs reads those. Everything else (predictors, LZW, PackBits, packed bits, JPEG with its tables in a tag, fax, last
strips that are shorter than a chunk ...) is one codec, ``gigapix.tiff``: its configuration is an `Encoding`, under the
names and with the values of TIFF's tags, and decoding is `gigapix.decode`. The class that zarr-python loads by that
name is in `gigapix.interop.zarr_codecs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import decode_into
from gigapix.decode.support import Family, family, is_plain, supported
from gigapix.errors import DecodeError, FormatError, LimitError
from gigapix.formats.model import Buffer, Encoding, LevelSpec
from gigapix.views.chains_json import CODEC, encoding_json, encoding_of, pair

PLAIN: Final[Mapping[int, Mapping[str, Any] | None]] = {
    1: None,
    8: {"name": "numcodecs.zlib", "configuration": {"level": 6}},
    32946: {"name": "numcodecs.zlib", "configuration": {"level": 6}},
    34925: {
        "name": "numcodecs.lzma",
        "configuration": {"format": 1, "check": -1, "preset": None, "filters": None},
    },
    34926: {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
    50000: {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
    50013: {"name": "numcodecs.zlib", "configuration": {"level": 6}},
}
"""Compressions that Zarr has, by TIFF's number."""

SPARSE: Final = b"gigapix.tiff: a sparse segment"
"""In place of a segment's bytes, where references can't leave a chunk out: it is the fill value throughout."""

Chain = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class TiffChunk:
    """What the codec ``gigapix.tiff`` knows of an array's chunks. Of `encoding`, the dtype and the number of samples
    are the array's, and `nodata` is its fill value."""

    encoding: Encoding
    axes: str
    """One letter a dimension of the array, as in `LevelSpec.axes`; of a mask, ``YX``."""
    edge: tuple[int, int] = (0, 0)
    """(rows, columns) of the segments in the last row and column of the image, where those may be stored cropped; 0
    where all are whole."""
    mask: bool = False
    """Samples other than 0 become 255, as `Image.read_mask` gives them."""

    def configuration(self) -> dict[str, Any]:
        """As JSON."""
        edge = {"edge": list(self.edge)} if any(self.edge) else {}
        mask = {"mask": True} if self.mask else {}
        return {"axes": self.axes, **edge, **mask, **encoding_json(self.encoding)}

    @classmethod
    def of_json(cls, given: Any) -> TiffChunk:
        """From JSON. Raises FormatError."""
        if not isinstance(given, Mapping):
            raise FormatError(f"{CODEC}: {given!r:.60} is no configuration")
        rest = dict(given)
        axes, edge, mask = rest.pop("axes", None), rest.pop("edge", (0, 0)), rest.pop("mask", False)
        if not isinstance(axes, str) or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
            raise FormatError(f"{CODEC}: {axes!r:.60} are no axes")
        rows, columns = pair(edge, "edge")
        return cls(encoding=encoding_of(rest), axes=axes, edge=(rows, columns), mask=mask is True)

    def decode(self, data: Buffer, out: NDArray[Any], fill: Any) -> None:
        """Decode a segment into `out`, a chunk of the array. A segment that is cropped is filled up with `fill`.

        Raises GigapixError.
        """
        target = self._target(out)
        encoding = replace(self.encoding, dtype=out.dtype, samples=len(target))
        if not len(data):
            raise DecodeError("a segment of no bytes")
        if data == SPARSE:
            target[...] = fill
            return
        try:
            decode_into(data, encoding, target.shape[1:], target)
        except (DecodeError, LimitError):
            if not self._cropped(data, encoding, target, fill):
                raise
        if self.mask:
            target[target != 0] = 255

    def _cropped(self, data: Buffer, encoding: Encoding, target: NDArray[Any], fill: Any) -> bool:
        """Decode a segment at the image's edge, which holds `edge` and no more: what has more is a damaged one."""
        _, depth, height, width = target.shape
        rows, columns = self.edge

        def holds(down: int, right: int, into: NDArray[Any]) -> bool:
            try:
                decode_into(data, encoding, (depth, down, width), into[:, :, :down, :right])
            except (DecodeError, LimitError):
                return False
            return True

        for down, right in ((rows, width), (height, columns), (rows, columns)):
            if not (0 < down <= height and 0 < right <= width) or not holds(down, right, target):
                continue
            spare = np.empty_like(target)
            if (down < height and holds(down + 1, right, spare)) or (right < width and holds(down, right + 1, spare)):
                continue
            target[:, :, down:] = fill
            target[:, :, :, right:] = fill
            return True
        return False

    def _target(self, out: NDArray[Any]) -> NDArray[Any]:
        """The chunk as (samples, depth, height, width)."""
        wanted = [self.axes.index(axis) for axis in "CZYX" if axis in self.axes]
        others = [n for n in range(len(self.axes)) if n not in wanted]
        if out.ndim != len(self.axes) or any(out.shape[n] != 1 for n in others):
            raise FormatError(f"{CODEC}: a chunk of {out.shape} of the axes {self.axes}")
        target: NDArray[Any] = out.transpose(*others, *wanted)[(0,) * len(others)]
        if "Z" not in self.axes:
            target = target[..., np.newaxis, :, :]
        return target if "C" in self.axes else target[np.newaxis]


def chain_of(level: LevelSpec, encoding: Encoding, *, mask: bool = False) -> Chain:
    """The codecs of an array whose chunks are the segments of a level, or of a level's mask: Zarr's own where it has
    them.

    Raises UnsupportedError, with the reason, for what can't be decoded.
    """
    supported(encoding)
    edge = edge_of(level, encoding)
    own = own_chain(level, encoding, mask=mask)
    if not mask and not edge[0] and is_bare(encoding) and encoding.compression in PLAIN:
        order = "big" if encoding.byteorder == ">" else "little"
        chain: Chain = [{"name": "bytes", "configuration": {"endian": order}}]
        if encoding.dtype.itemsize == 1:
            chain = [{"name": "bytes"}]
        if encoding.samples > 1:  # they lie beside one another
            behind = [n for n, axis in enumerate(level.axes) if axis != "C"] + [level.axes.index("C")]
            chain.insert(0, {"name": "transpose", "configuration": {"order": behind}})
        packed = PLAIN[encoding.compression]
        return chain + ([dict(packed)] if packed else [])
    return own


def own_chain(level: LevelSpec, encoding: Encoding, *, mask: bool = False) -> Chain:
    """The chain that is the one codec ``gigapix.tiff``, which also takes `SPARSE`. Raises UnsupportedError."""
    axes = "YX" if mask else level.axes
    chunk = TiffChunk(encoding=encoding, axes=axes, edge=edge_of(level, encoding), mask=mask)
    return [{"name": CODEC, "configuration": chunk.configuration()}]


def is_bare(encoding: Encoding) -> bool:
    """Whether the decompressed bytes are the samples themselves, but for their order."""
    return (
        family(encoding) is Family.BYTES
        and is_plain(encoding)
        and (encoding.predictor, encoding.fill_order, encoding.framing) == (1, 1, "")
    )


def edge_of(level: LevelSpec, encoding: Encoding) -> tuple[int, int]:
    """(rows, columns) of the last segments, where they may be stored cropped: of strips, and of tiles that are
    pictures. 0 where they are not."""
    last = [size % step for size, step in zip(level.volume[1:], level.segment[1:], strict=True)]
    if not level.tiled:
        return last[0], 0
    pictures = family(encoding) in (Family.IMAGE, Family.JPEG)
    if not pictures or not any(last):
        return 0, 0
    return last[0] or level.segment[1], last[1] or level.segment[2]
