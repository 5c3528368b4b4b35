"""How the work is cut: shards of keys, and the manifest that freezes them.

    OUTPUT/
      _scan/keys-00000-1f0c....parquet    the objects of a shard, as they were listed
      _scan/manifest.json                 which shards there are; written when the listing is complete
      part-00000-1f0c....parquet          the rows of that shard; written when all of them are there

A shard is named by a digest of its keys and of what is wanted of them, and its part by the same. Each file is created
once (`gigapix.catalog.outputs`). So a part is either whole or missing; two workers that do the same shard make the same
file, and the first one counts; and a run that was killed goes on with the parts that are missing. Killed while listing,
before there was a manifest, it lists again, and parts of shards that are found again are not made again. What is in the
manifest is the catalogue: parts of others are deleted when it is written.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from gigapix.catalog.headers import Listed
from gigapix.catalog.outputs import Folder
from gigapix.catalog.schema import VERSION, pyarrow
from gigapix.catalog.sources import PAGE, Found, Root
from gigapix.errors import FormatError, NotFoundError

NAME: Final = "_scan/manifest.json"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A piece of the work."""

    name: str
    """``00000-<digest>``."""
    root: str
    """`Root.name` of its objects."""
    objects: int

    @property
    def keys(self) -> str:
        """The file of its keys."""
        return f"_scan/keys-{self.name}.parquet"

    @property
    def part(self) -> str:
        """The file of its rows."""
        return f"part-{self.name}.parquet"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All shards of a catalogue."""

    sources: tuple[str, ...]
    options: dict[str, Any]
    """What rows depend on: which columns, which patterns, how many objects at most."""
    shards: tuple[Shard, ...]

    @property
    def objects(self) -> int:
        """Rows of the whole catalogue."""
        return sum(shard.objects for shard in self.shards)


def read_manifest(folder: Folder) -> Manifest | None:
    """The manifest of a folder, None where it has none (yet). Raises FormatError."""
    try:
        found = json.loads(folder.read(NAME))
        if found["version"] > VERSION:
            raise FormatError("this catalogue is of a newer gigapix", path=folder.name)
        shards = tuple(Shard(**each) for each in found["shards"])
        return Manifest(sources=tuple(found["sources"]), options=found["options"], shards=shards)
    except NotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"its manifest can't be read: {error}", path=folder.name) from error


def write_manifest(folder: Folder, manifest: Manifest) -> Manifest:
    """Freeze the work. Where another run was first, its manifest counts and is returned."""
    text = json.dumps({"version": VERSION, **asdict(manifest)}, indent=1)
    if not folder.create(NAME, text.encode()):
        manifest = read_manifest(folder) or manifest
    sweep(folder, manifest)
    return manifest


def sweep(folder: Folder, manifest: Manifest) -> None:
    """Delete parts and keys that are not the manifest's: left over from listings that did not come to their end."""
    named = {name for shard in manifest.shards for name in (shard.part, shard.keys)} | {NAME}
    for prefix, start in (("", "part-"), ("_scan/", "_scan/keys-")):
        for path, _ in list(folder.list(prefix)):
            if path.startswith(start) and path not in named:
                folder.delete(path)


def cut(found: Iterable[Found], most: int) -> Iterator[tuple[Root, list[Listed]]]:
    """Pages as shards of up to `most` objects, each of one root. The first ones are smaller, a page, two, four: so that
    reading begins when the first page is there."""
    held: list[Listed] = []
    root: Root | None = None
    number = 0
    for other, page in found:
        if root is not None and other != root and held:
            yield root, held
            held = []
        root = other
        held += page
        while len(held) >= (size := min(most, PAGE << min(number, 20))):
            yield root, held[:size]
            held, number = held[size:], number + 1
    if root is not None and held:
        yield root, held


def write_shard(folder: Folder, number: int, root: Root, listed: Sequence[Listed], options: dict[str, Any]) -> Shard:
    """Keep the keys of a shard."""
    pa = pyarrow()
    import pyarrow.parquet as pq

    paths, sizes, etags, times = zip(*listed, strict=True)
    if not "".join(paths).isascii():  # names on a disk need not be UTF-8
        paths = tuple(path.encode("utf-8", "replace").decode() for path in paths)
    stamp = pa.timestamp("us", "UTC")
    arrays = [pa.array(paths), pa.array(sizes, pa.int64()), pa.array(etags, pa.string()), pa.array(times, stamp)]
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(Listed._fields)), sink, compression="zstd")
    digest = sha256(json.dumps([VERSION, root.name, options], sort_keys=True).encode())
    for texts in (paths, etags):
        digest.update("\n".join("\0" if text is None else text for text in texts).encode())
    for numbers in (arrays[1], arrays[3].cast(pa.int64())):
        digest.update(numbers.fill_null(-1).to_numpy().tobytes())
    shard = Shard(name=f"{number:05d}-{digest.hexdigest()[:16]}", root=root.name, objects=len(listed))
    folder.create(shard.keys, sink.getvalue())
    return shard


def read_shard(folder: Folder, shard: Shard) -> list[Listed]:
    """The keys of a shard."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(folder.read(shard.keys)))
    return [Listed(*row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]
