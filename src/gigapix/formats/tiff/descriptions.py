"""Which kind of file a TIFF is, told from its first IFD: the one place where vendors are told apart.

The tests are cheap, and only as exact as they must be: what a kind promises is checked by the module that reads it.
Kinds that gigapix reads in no way of their own are told too, since a user wants to know.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, Literal

Kind = Literal[
    "shaped", "lsm", "ome", "micromanager", "imagej", "fluoview", "stk", "svs", "scn", "qpi", "ndpi", "ventana",
    "philips", "scanimage", "plain",
]  # fmt: skip

HEAD: Final = 4096
"""Characters of a description that are looked at: Bio-Formats puts a comment of 400 before the root element."""

_ROOT: Final = re.compile(r"<(?:[\w.-]+:)?(\w[\w.-]*)[\s/>]")


def kind_of(description: str, software: str, tags: Collection[int]) -> Kind:
    """The kind of file, from ImageDescription, Software and the numbers of all tags of the first IFD.

    Where several fit, the order is: what wrote the file last stands first.
    """
    head = description[:HEAD].lstrip("\ufeff \t\r\n")
    root = _root_of(head)
    if (head.startswith("{") and '"shape":' in head) or head.startswith("shape=("):
        return "shaped"
    if 34412 in tags:
        return "lsm"
    if root == "OME" or description[-16:].rstrip("\0 \t\r\n").endswith("OME>"):
        return "ome"
    if 51123 in tags:
        return "micromanager"
    if head.startswith(("ImageJ=", "SCIFIO=")):
        return "imagej"
    if 34362 in tags:
        return "fluoview"
    if 33628 in tags:
        return "stk"
    if head.startswith("Aperio "):
        return "svs"
    if root == "scn":
        return "scn"
    if software.startswith("PerkinElmer-QPI"):
        return "qpi"
    if 65420 in tags and 271 in tags:
        return "ndpi"
    if 700 in tags and ("Ventana" in software or software.startswith("ScanOutputManager")):
        return "ventana"
    if software.startswith("Philips DP") and root == "DataObject":
        return "philips"
    if software.startswith("SI.") or head.startswith("state."):
        return "scanimage"
    return "plain"


def _root_of(head: str) -> str:
    """The name of the root element of XML, without its prefix; "" of any other text."""
    if not head.startswith("<"):
        return ""
    found = _ROOT.search(re.sub(r"<!--.*?(?:-->|$)", "", head, flags=re.DOTALL))
    return found[1] if found is not None else ""
