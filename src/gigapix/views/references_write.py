"""Writing references to an image, in one of three forms."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from gigapix.errors import RequestError
from gigapix.image.image import Image
from gigapix.image.open import open as open_image
from gigapix.pyramids.folders import Folder, folder_of
from gigapix.source.store import os_error
from gigapix.views.icechunk import write_icechunk
from gigapix.views.kerchunk import write_json, write_parquet
from gigapix.views.references import References, plan_references
from gigapix.views.references_places import place_of

Format = Literal["icechunk", "kerchunk-json", "kerchunk-parquet"]

ENDINGS: Final[dict[str, Format]] = {
    ".icechunk": "icechunk",
    ".json": "kerchunk-json",
    ".parquet": "kerchunk-parquet",
    ".parq": "kerchunk-parquet",
}


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written."""

    path: str
    format: Format
    arrays: int
    references: int
    container: str = ""
    """Of Icechunk: the virtual chunk container, which whoever opens the repository allows to be read."""


def write_references(
    source: str | os.PathLike[str] | Image,
    out: str | os.PathLike[str],
    *,
    format: Format | None = None,  # noqa: A002  # the field's name for it
    url: str | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> Written:
    """Write the group that `gigapix.virtual` shows, but for computed levels, as byte ranges of the image's file.

    source: an open image, or what `gigapix.open` takes, with its `settings`.
    out: an Icechunk repository (``.icechunk``), a kerchunk text (``.json``), or a folder of kerchunk's Parquet
        (``.parquet``, ``.parq``): a path or a URL (of Icechunk ``s3://``). How that is reached, the environment says.
    format: where `out` does not tell it.
    url: of the image's file, where it is not where the image was opened.
    overwrite: replace what is there.

    Raises UnsupportedError, with the reasons, where a segment can't be a Zarr chunk; RequestError where `out` exists or
    tells no format; MissingExtraError where a package is missing.
    """
    if not isinstance(source, Image):
        with open_image(source, **settings) as image:
            return write_references(image, out, format=format, url=url, overwrite=overwrite)
    target = os.fspath(out).rstrip("/")
    form = _format(target, format)
    references = plan_references(source).check()
    url = url or place_of(source)
    folder = folder_of(target)
    if f"{url}/".startswith(f"file://{folder.path}/"):
        raise RequestError("it is the image, or a folder that the image lies in", path=target)
    _check(target, folder, form, overwrite)
    draft = _parent(folder)  # Icechunk 1 panics where there can be none
    count, container = 0, ""
    try:
        if form == "icechunk":
            count, container = write_icechunk(references, url, target)
        elif form == "kerchunk-parquet":
            count = write_parquet(references, url, folder)
            folder.tidy()
        else:
            count = _write_json(references, url, folder, draft)
    except BaseException:
        if form != "kerchunk-json":  # half of it
            folder.tidy()
            folder.clear()
        raise
    return Written(path=target, format=form, arrays=len(references.arrays), references=count, container=container)


def _format(out: str, given: Format | None) -> Format:
    found = given or ENDINGS.get(os.path.splitext(out)[1].lower())  # noqa: PTH122  # it may be a URL
    if found not in get_args(Format):
        known = ", ".join(get_args(Format))
        raise RequestError(f"it ends in none of {', '.join(ENDINGS)}: say a format, {known}", path=out)
    return cast("Format", found)


def _check(out: str, folder: Folder, form: Format, overwrite: bool) -> None:
    """Make way. Raises RequestError where something is there that may not be replaced."""
    there = folder.path.exists() if folder.path is not None else next(folder.listed(), None) is not None
    if there and not overwrite:
        raise RequestError("it exists; say overwrite=True to replace it", path=out)
    if folder.path is not None and folder.path.is_dir() is (form == "kerchunk-json") and there:
        raise RequestError(f"it is a {'folder' if folder.path.is_dir() else 'file'}, which {form} is not", path=out)
    if there and form != "kerchunk-json":
        folder.clear()


def _write_json(references: References, url: str, folder: Folder, draft: Path | None) -> int:
    with tempfile.TemporaryDirectory(dir=draft) as beside:
        text = Path(beside) / "references"
        with text.open("w", encoding="utf-8") as lines:
            count = write_json(references, url, lines)
        _move(text, folder)
    return count


def _parent(folder: Folder) -> Path | None:
    """The folder of what is on disk, in which a draft can be renamed; it is made where there is none."""
    if folder.path is None:
        return None
    try:
        folder.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise os_error(error, folder.name) from error
    return folder.path.parent


def _move(draft: Path, folder: Folder) -> None:
    if folder.path is None:
        Folder(name=folder.name, store=folder.store).put(folder.prefix, draft.read_bytes())
        return
    try:
        draft.replace(folder.path)
    except OSError as error:
        raise os_error(error, folder.name) from error
