"""Attributes of OME-XML as values. What can't be read is None: it is metadata, and costs no pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from gigapix import limits
from gigapix.formats.tiff.ome_model import ChannelInfo, Modulo, Quantity

MAX_TEXT: Final = 1024
"""Characters kept of an element's text or of a name: a UUID has 45, a label few more."""


def count_of(text: str) -> int | None:
    """A whole number from 0 to 2^31 - 1, None for anything else."""
    text = text.strip()
    if not text.isdecimal() or len(text) > 10:
        return None
    value = int(text)
    return value if value < limits.MAX_DIMENSION else None


def number_of(text: str) -> float | None:
    """A finite number, None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def quantity_of(attributes: Mapping[str, str], key: str, unit: str) -> Quantity | None:
    """A size with its unit; None where it is missing or can't be one (not above 0)."""
    value = number_of(attributes.get(key, ""))
    # Both characters for micro are met; Unicode prefers the Greek letter, OME's schema the sign.
    stated = attributes.get(f"{key}Unit", unit).replace("\u03bc", "\u00b5")
    return (value, stated[:MAX_TEXT]) if value is not None and value > 0 else None


def channel_of(attributes: Mapping[str, str]) -> ChannelInfo:
    """A Channel element."""
    color = number_of(attributes.get("Color", ""))  # a signed 32-bit integer of four bytes, red the highest
    packed = (int(color) & 0xFFFFFFFF).to_bytes(4, "big") if color is not None else None
    return ChannelInfo(
        id=attributes.get("ID", ""),
        name=attributes.get("Name", "")[:MAX_TEXT],
        color=(packed[0], packed[1], packed[2], packed[3]) if packed is not None else None,
        emission=quantity_of(attributes, "EmissionWavelength", "nm"),
        excitation=quantity_of(attributes, "ExcitationWavelength", "nm"),
        fluor=attributes.get("Fluor", "")[:MAX_TEXT],
        samples=count_of(attributes.get("SamplesPerPixel", "")),
    )


def modulo_of(axis: str, attributes: Mapping[str, str], labels: list[str]) -> Modulo:
    """A ModuloAlong element of this axis."""
    step = number_of(attributes.get("Step", "1"))
    return Modulo(
        axis=axis,
        type=attributes.get("Type", "other"),
        unit=attributes.get("Unit", ""),
        start=number_of(attributes.get("Start", "")),
        step=1.0 if step is None else step,
        end=number_of(attributes.get("End", "")),
        labels=tuple(labels),
    )
