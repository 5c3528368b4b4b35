"""Images of a Zarr hierarchy, and which of them is number n.

They are counted from the root downwards: what the group itself lists; then, where it says so, the series of
bioformats2raw, the wells of a plate and the fields of a well; its labels; else the images of the groups in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gigapix import limits
from gigapix.errors import LimitError, NotFoundError, RequestError, UnsupportedError
from gigapix.formats.model import LevelSpec, Steps
from gigapix.formats.zarr.array import ArrayInfo, array_of
from gigapix.formats.zarr.axes import letters_of, ordered
from gigapix.formats.zarr.layouts import Series, levels_folder, series_of, variables
from gigapix.formats.zarr.levels import level_of
from gigapix.formats.zarr.prefixes import with_codec_levels
from gigapix.formats.zarr.tree import Node, Tree, is_path, joined, mapping, texts

MOST: Final = 1 << 30

HUGE: Final = 1e150
"""No size or place in a coordinate system is beyond it, and its square and inverse are numbers."""

DEEPEST: Final = 5
"""Groups within groups that are looked into: a plate has a row, a well, a field and its labels."""

AT_ONCE: Final = 16
"""Groups of a list that are asked for together."""

MOST_SERIES: Final = 1 << 14
"""Of bioformats2raw, where only their numbers tell how many there are: they end where none is found."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ZarrImage:
    """One image of a hierarchy."""

    tree: Tree = field(repr=False)
    series: Series
    arrays: tuple[ArrayInfo, ...]
    letters: str
    """Of the dimensions of its arrays, as they are stored."""
    levels: tuple[LevelSpec, ...]
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """That the metadata give it, else that of its array."""
        return self.series.name


def read_image(tree: Tree, index: int, name: str) -> Steps[ZarrImage]:
    """Read the metadata of image `index`.

    name: of the folder, which tells an xcube pyramid from others.

    Raises NotFoundError where there is nothing, FormatError, LimitError or UnsupportedError.
    """
    if index < 0:
        raise RequestError(f"no image {index}")
    found = yield from _found(tree, index, name)
    if isinstance(found, int):
        if not found:
            raise UnsupportedError("there is no image in this Zarr group: no array of two or more dimensions")
        raise RequestError(f"no image {index} in a Zarr group of {found}")
    return _image(tree, found)


def count_images(tree: Tree, name: str) -> Steps[int]:
    """How many images there are."""
    found = yield from _found(tree, MOST, name)
    return found if isinstance(found, int) else MOST


def _found(tree: Tree, index: int, name: str) -> Steps[Series | int]:
    (root,) = yield from tree.read([""])
    if root is not None:
        return (yield from _find(tree, root, index, 0))
    if not name.rstrip("/").endswith(".levels"):
        raise NotFoundError("there is no image, and no Zarr group: no zarr.json, .zgroup or .zarray")
    (about,) = yield from tree.documents([".zlevels"])
    count = mapping(about).get("num_levels")
    if type(count) is not int:
        count = 0
        while (yield from tree.read([f"{count}.zarr"]))[0] is not None:
            count += 1
            if count > limits.MAX_ZARR_LEVELS:
                raise LimitError(f"more than {limits.MAX_ZARR_LEVELS} levels")
    found = yield from levels_folder(tree, count)
    return found[index] if index < len(found) else len(found)


def _find(tree: Tree, node: Node, index: int, depth: int) -> Steps[Series | int]:
    """Image `index` of a node and what is below it, or how many there are."""
    own = yield from series_of(tree, node)
    listed, labels = _children(node)
    below: list[Node] = []
    if not own and not listed and node.array is None and not labels:
        below = yield from tree.members(node)
        own = variables([each for each in below if each.array is not None], node)
    if index < len(own):
        return own[index]
    seen = len(own)
    paths = [*listed, *(each.path for each in below if each.array is None)]
    if own and own[0].kind == "ome":
        (found,) = yield from tree.read([joined(node.path, "labels")])
        names = texts((mapping(found.attributes.get("ome")) or found.attributes).get("labels")) if found else []
        paths += [joined(node.path, f"labels/{name}") for name in names if is_path(name)]
    for start in range(0, len(paths) if depth < DEEPEST else 0, AT_ONCE):
        children = yield from tree.read(paths[start : start + AT_ONCE])
        if len(paths) == MOST_SERIES and not any(children):
            break
        for child in children:
            if child is not None:
                inner = yield from _find(tree, child, index - seen, depth + 1)
                if isinstance(inner, Series):
                    return inner
                seen += inner
    return seen


def _children(node: Node) -> tuple[list[str], bool]:
    """The paths of groups that a group lists by OME-Zarr, and whether it is a list of labels."""
    ome = mapping(node.attributes.get("ome")) or node.attributes
    names: list[str] = []
    if "bioformats2raw.layout" in ome or "bioformats2raw.layout" in node.attributes:
        names = texts(ome.get("series")) or [f"{n}" for n in range(MOST_SERIES)]
    for key, inner in (("plate", "wells"), ("well", "images")):
        listed = mapping(ome.get(key)).get(inner)
        names += [str(mapping(each).get("path", "")) for each in listed] if isinstance(listed, list) else []
    names += texts(ome.get("labels")) if "multiscales" not in ome else []
    return [joined(node.path, name) for name in names if is_path(name)], "labels" in ome


def _image(tree: Tree, series: Series) -> ZarrImage:
    series, arrays = with_codec_levels(series, [array_of(node) for node in series.arrays])
    ranks = {len(array.shape) for array in arrays}
    if len(ranks) != 1 or not (ndim := ranks.pop()):
        raise UnsupportedError("an array without dimensions is no image" if not ranks else "levels of different ranks")
    letters = letters_of(series.axes or arrays[0].names, ndim)
    axes = ordered(letters)
    # Axes of one position are left out, as they are of stacks of TIFF.
    single = {axis for n, axis in enumerate(letters) if all(array.shape[n] == 1 for array in arrays)}
    axes = "".join(axis for axis in axes if axis in "CYX" or axis not in single)
    order = sorted(range(len(arrays)), key=lambda n: (-_pixels(arrays[n], letters), n))
    arrays = [arrays[n] for n in order]
    scales, problems = _scales([_sizes(series, n, letters) for n in order], arrays, letters)
    return ZarrImage(
        tree=tree,
        series=series,
        arrays=tuple(arrays),
        letters=letters,
        levels=tuple(
            level_of(tree.keys, array, letters, axes, scale) for array, scale in zip(arrays, scales, strict=True)
        ),
        problems=tuple(problems),
    )


def _pixels(array: ArrayInfo, letters: str) -> int:
    sides = dict(zip(letters, array.shape, strict=True))
    return sides.get("Y", 1) * sides.get("X", 1)


def _scales(
    sizes: Sequence[tuple[float, float] | None], arrays: Sequence[ArrayInfo], letters: str
) -> tuple[list[tuple[float, float] | None], list[str]]:
    """(y, x) size of each level's pixels in pixels of the first, as the metadata have it; None where they have none
    that can be: the level would be more than a pixel larger or smaller than it is."""
    found: list[tuple[float, float] | None] = [None]
    problems = []
    for size, array in zip(sizes[1:], arrays[1:], strict=True):
        if size is None or sizes[0] is None:
            found.append(None)
            continue
        scale = size[0] / sizes[0][0], size[1] / sizes[0][1]
        sides = [(letters.index(axis), each) for axis, each in zip("YX", scale, strict=True) if axis in letters]
        fits = all(abs(each * array.shape[at] - arrays[0].shape[at]) <= each + 1e-6 for at, each in sides)
        found.append(scale if fits else None)
        if not fits:
            problems.append(f"{array.node.path}: its scale does not fit its shape, which is taken for it")
    return found, problems


def _sizes(series: Series, n: int, letters: str) -> tuple[float, float] | None:
    """(y, x) of a level's pixels, in the unit of its metadata."""
    transform: Any = series.transforms[n] if n < len(series.transforms) else None
    if is_transform(transform):
        y, x = (abs(complex(transform[1], transform[4])), abs(complex(transform[0], transform[3])))
        if min(x, y) > 1 / HUGE:
            return y, x
    scale = series.scales[n] if n < len(series.scales) else None
    if scale is None and series.kind == "multiscales" and n == 0:
        return (1.0, 1.0)
    if scale is None or len(scale) not in (2, len(letters)):
        return None
    sides = dict(zip(letters if len(scale) == len(letters) else "YX", scale, strict=True))
    return sides.get("Y", 1.0), sides.get("X", 1.0)


def is_transform(given: Any) -> bool:
    """Whether it is a ``spatial:transform``: six numbers."""
    sound = isinstance(given, list) and len(given) == 6
    return sound and all(type(each) in (int, float) and abs(each) < HUGE for each in given)
