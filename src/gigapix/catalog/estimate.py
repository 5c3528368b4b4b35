"""What a scan will take, from its listing alone: `gigapix scan --dry-run`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from gigapix.catalog.sources import PAGE, Patterns, found_in
from gigapix.source.settings import Settings

GET_DOLLARS: Final = 0.40e-6
LIST_DOLLARS: Final = 5e-6
"""Of one request, by S3's list price in us-east-1 (2025); others are near. Traffic within a region costs nothing."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a scan will take, where every header lies in the first bytes of its file, as most do."""

    objects: int
    object_bytes: int | None
    """All objects together; None where the listing tells no sizes."""
    requests: int
    list_requests: int
    bytes: int
    """To be read."""
    dollars: float
    """For the requests, at S3's list price; 0 for local files."""


def estimate(
    sources: Sequence[str | os.PathLike[str]],
    *,
    store: Any = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    limit: int | None = None,
    **settings: Any,
) -> Estimate:
    """List, and read nothing. The arguments are those of `scan`."""
    chosen = Settings.from_env(**settings)
    patterns = Patterns(include=tuple(include), exclude=tuple(exclude))
    found = chain.from_iterable(found_in(os.fspath(each), chosen, patterns, store) for each in sources)
    objects = nbytes = read = 0
    sized, remote = True, False
    for root, listed in found:
        page = listed if limit is None else listed[: limit - objects]
        objects += len(page)
        remote = remote or root.store is not None
        sized = sized and all(each.size is not None for each in page)
        nbytes += sum(each.size or 0 for each in page)
        read += sum(chosen.header_bytes if each.size is None else min(each.size, chosen.header_bytes) for each in page)
        if limit is not None and objects >= limit:
            break
    lists = -(-objects // PAGE) if remote else 0
    return Estimate(
        objects=objects,
        object_bytes=nbytes if sized else None,
        requests=objects,
        list_requests=lists,
        bytes=read,
        dollars=objects * GET_DOLLARS + lists * LIST_DOLLARS if remote else 0.0,
    )
