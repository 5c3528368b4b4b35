"""How bytes are fetched: one typed object, whose defaults come from the environment when an image is opened.

Each field `x` can be set by the environment variable ``GIGAPIX_X``. The names in brackets are aiocogeo's and GDAL's for
the same thing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from gigapix.errors import RequestError

ZOOM_NAMES: Final[Mapping[str, int]] = {"AUTO": 50, "LOWER": 100, "UPPER": 0}
TRUE: Final = frozenset({"1", "true", "yes", "on"})
FALSE: Final = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a source and of the reads on it. Sizes are bytes, as numbers or as ``"64MB"``; times are seconds.

    Raises RequestError for a value that makes no sense.
    """

    header_bytes: int = 16384
    """The first request (INGESTED_BYTES_AT_OPEN, GDAL_INGESTED_BYTES_AT_OPEN)."""
    header_block: int = 16384
    """Further header requests are aligned to this and as long (HEADER_CHUNK_SIZE, CPL_VSIL_CURL_CHUNK_SIZE)."""
    header_cache: int = 1 << 20
    """Of one image's header blocks that are kept (ENABLE_HEADER_CACHE)."""
    segment_cache: int = 0
    """Of compressed segments that are kept, 0 for none (ENABLE_BLOCK_CACHE, VSI_CACHE_SIZE). A `Cache` has its own."""
    merge_gap: int = 64 << 10
    """The widest gap between two segments that is read over (GDAL_HTTP_MERGE_CONSECUTIVE_RANGES); -1 merges nothing."""
    merge_waste: float = 0.25
    """The largest share of a merged request that may be gaps."""
    merge_size: int = 2 << 20
    """No merge makes a request longer than this."""
    concurrency: int = 32
    """Requests of one image under way at once."""
    memory: int = 256 << 20
    """Bytes that reads under way may hold, fetched and decoded, beside their results."""
    retries: int = 5
    """How often a request is sent again after a failure that may pass (GDAL_HTTP_MAX_RETRY)."""
    retry_delay: float = 0.1
    """Before the first retry; doubled each time, with jitter (GDAL_HTTP_RETRY_DELAY)."""
    timeout: float = 30.0
    """Of one request, from start to last byte (GDAL_HTTP_TIMEOUT)."""
    verify: bool = True
    """Checksums that a file carries (CRC-32 and Adler-32 of a PNG and of deflate) are checked."""
    index_folder: str = ""
    """Where indexes into streams are kept that can't lie beside their image; nowhere where empty."""
    zoom_level: int = 50
    """Which overview serves a resolution between two: 0 the finer, 100 the coarser, 50 by the middle; AUTO, LOWER and
    UPPER are 50, 100 and 0 (ZOOM_LEVEL_STRATEGY)."""
    boundless: bool = False
    """Reads may reach over the image's edge (BOUNDLESS_READ)."""
    fill_value: float = 0
    """What they find there where the image has no nodata value (BOUNDLESS_READ_FILL_VALUE)."""
    requester_pays: bool = False
    """Ask S3 to bill the reader (AWS_REQUEST_PAYER)."""
    anonymous: bool = False
    """Send requests without a signature (AWS_NO_SIGN_REQUEST)."""
    region: str = ""
    """Of an S3 bucket; the client's own default where empty."""
    endpoint: str = ""
    """URL of an S3, GCS or Azure server that is not the vendor's."""
    credential_provider: Callable[[], Any] | None = None
    """One of obstore's, or a function or coroutine function like them: asked for credentials when a request needs them,
    and again when those have expired. Not to be had from the environment."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            try:
                if isinstance(value, str):
                    value = parsed(field.name, value)
                    object.__setattr__(self, field.name, value)
                least, most = RANGES.get(field.name, (None, None))
                sound = least is None or least <= value <= most
            except (TypeError, ValueError, OverflowError):
                sound = False
            if not sound:
                raise RequestError(f"{field.name} can't be {value!r}")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """The settings of the environment, with `given` before them."""
        environ = os.environ if environ is None else environ
        names = {field.name for field in fields(cls)}
        if unknown := given.keys() - names:
            raise RequestError(f"there is no setting {', '.join(sorted(unknown))}")
        told = {name: environ.get(f"GIGAPIX_{name.upper()}") for name in names - {"credential_provider"}}
        return cls(**{name: text for name, text in told.items() if text is not None} | given)


RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "header_bytes": (1, math.inf),
    "header_block": (16, 1 << 30),
    "header_cache": (0, math.inf),
    "segment_cache": (0, math.inf),
    "merge_gap": (-1, math.inf),
    "merge_waste": (0, 1),
    "merge_size": (0, math.inf),
    "concurrency": (1, 1 << 16),
    "memory": (1, math.inf),
    "retries": (0, 1000),
    "retry_delay": (0, 3600),
    "timeout": (0.001, 86_400),
    "zoom_level": (0, 100),
}
"""The least and the greatest value of numbers that have one."""

KINDS: Final[Mapping[str, Any]] = {field.name: type(field.default) for field in fields(Settings)}


def parsed(name: str, text: str) -> Any:
    """The value of a setting from text. Raises ValueError."""
    kind = KINDS[name]
    if kind is str:
        return text
    if kind is bool:
        lowered = text.strip().lower()
        if lowered not in TRUE | FALSE:
            raise ValueError(text)
        return lowered in TRUE
    if name == "zoom_level":
        named = ZOOM_NAMES.get(text.strip().upper())
        return int(text) if named is None else named
    if kind is int:
        return bytes_of(text)
    return float(text)


def bytes_of(size: int | str) -> int:
    """A number of bytes from ``65536``, ``"64kB"``, ``"64MB"``, ``"1.5GiB"``. Raises ValueError."""
    if isinstance(size, int):
        return size
    text = size.strip().lower().removesuffix("b").removesuffix("i")
    units = {"k": 1, "m": 2, "g": 3, "t": 4}
    power = units.get(text[-1:], 0)
    return int(float(text[:-1]) * 1024**power) if power else int(text)
