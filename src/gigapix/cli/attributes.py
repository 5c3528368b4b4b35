"""What ``gigapix tags`` lists of a Zarr hierarchy: attributes of an image's group, and the metadata of its arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gigapix.cli.directories import SHOWN_TEXT, Directory, TagLine
from gigapix.formats.zarr.image import ZarrImage
from gigapix.image.image import Image
from gigapix.image.zarr_facts import spec_of

KINDS: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
"""What JSON calls its values."""


def attribute_directories(image: Image) -> Iterator[Directory]:
    """The group, and each level's array."""
    spec: ZarrImage = spec_of(image)
    if spec.series.group is not None:
        yield _directory("group", spec.series.group.document, spec.series.group.attributes, spec.problems)
    for n, array in enumerate(spec.arrays):
        own = {key: value for key, value in (array.node.array or {}).items() if key != "attributes"}
        yield _directory(f"level {n}", array.node.document, {**own, **array.attributes}, ())


def _directory(role: str, document: str, found: Mapping[str, Any], problems: tuple[str, ...]) -> Directory:
    return Directory(
        role=role, title=f"{role}, {document}", offset=0, tags=map(_line, found.items()), problems=problems
    )


def _line(item: tuple[str, Any]) -> TagLine:
    key, value = item
    text = value if isinstance(value, str) else json.dumps(value)
    return TagLine(
        number=0,
        name=key,
        type=KINDS.get(type(value), "null"),
        count=len(value) if isinstance(value, list | dict | str) else 1,
        value=text[:SHOWN_TEXT],
        shortened=len(text) > SHOWN_TEXT,
    )
