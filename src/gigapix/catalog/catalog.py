"""`gigapix.Catalog`: the rows of a scan, by SQL or by filter, and images that open from them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from gigapix.catalog.headers import BLOCK, Place, listed_file
from gigapix.catalog.manifest import read_manifest
from gigapix.catalog.outputs import Folder, folder_of
from gigapix.catalog.schema import pyarrow
from gigapix.errors import ChangedError, MissingExtraError, NotFoundError, RequestError
from gigapix.source.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset

    from gigapix.image.image import Image
    from gigapix.source import HeaderCache


def dataset_of(folder: Folder) -> Dataset:
    """The parts of a local catalogue, as they stand in its manifest; as they are found, where it has none yet."""
    pyarrow()
    import pyarrow.dataset as ds

    from gigapix.catalog.schema import schema

    files = parts_of(folder)
    return ds.dataset(files, format="parquet") if files else ds.dataset(schema().empty_table())


def parts_of(folder: Folder) -> list[str]:
    """The paths of the parts that are there."""
    manifest = read_manifest(folder)
    here = {name for name, _ in folder.list() if name.startswith("part-") and name.endswith(".parquet")}
    wanted = [shard.part for shard in manifest.shards] if manifest is not None else sorted(here)
    return [f"{folder.name}/{name}" for name in wanted if name in here]


@contextmanager
def fetched(folder: Folder) -> Iterator[Folder]:
    """A local copy of a catalogue on an object store, deleted at the end."""
    with TemporaryDirectory(prefix="gigapix-") as name:
        (Path(name) / "_scan").mkdir()
        for prefix in ("", "_scan/"):
            for path, _ in folder.list(prefix):
                if path.startswith("part-") or path == "_scan/manifest.json":
                    Path(name, path).write_bytes(folder.read(path))
        yield folder_of(name, Settings())


class Catalog:
    """A catalogue that `scan` wrote. A context manager, which matters where it lies on an object store: it is copied to
    a temporary folder then.

    store: of obstore's; `path` is then a prefix in it. settings: fields of `Settings`, also for images that are opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, store: Any = None, **settings: Any) -> None:
        self._settings = Settings.from_env(**settings)
        folder = folder_of(path, self._settings, store)
        self._copy = fetched(folder) if store is not None or "://" in folder.name else None
        self._folder = self._copy.__enter__() if self._copy is not None else folder
        self._where: tuple[str, ...] = ()
        self.path = folder.name
        self.dataset = dataset_of(self._folder)
        """The whole catalogue, for pyarrow's own methods."""
        if not parts_of(self._folder):
            raise NotFoundError("holds no catalogue", path=self.path)

    def filter(
        self,
        where: str | None = None,
        *,
        bbox: Sequence[float] | None = None,
        crs: str | int | None = None,
        min_size: tuple[int, int] | None = None,
    ) -> Catalog:
        """The catalogue with fewer rows.

        where: a condition in SQL. bbox: (west, south, east, north) in degrees; west may be greater than east. crs: a
        code, ``"EPSG:32632"`` or 32632. min_size: (width, height) in pixels.
        """
        found = [f"({where})"] if where else []
        if bbox is not None:
            west, south, east, north = (float(value) for value in bbox)
            low, high = "bbox.xmin", "bbox.xmax"
            # A box whose xmin is greater than its xmax reaches over the antimeridian, here and in the rows.
            apart = f"({low} > {east!r} or {high} < {west!r})"
            across = f"({low} > {east!r} and {high} < {west!r})"
            hit = (
                f"not {across}" if west > east else f"(case when {low} > {high} then not {across} else not {apart} end)"
            )
            if west > east:
                hit = f"({low} > {high} or {hit})"
            found.append(f"(bbox is not null and {hit} and bbox.ymin <= {north!r} and bbox.ymax >= {south!r})")
        if crs is not None:
            code = f"EPSG:{crs}" if isinstance(crs, int) else crs
            found.append("crs = '{}'".format(code.replace("'", "''")))
        if min_size is not None:
            found.append(f"(image_width >= {int(min_size[0])} and image_height >= {int(min_size[1])})")
        other = object.__new__(Catalog)
        other.__dict__ |= {**self.__dict__, "_where": (*self._where, *found), "_copy": None}
        return other

    def query(self, sql: str) -> pa.Table:
        """The answer of DuckDB to SQL, in which the table is called ``images``."""
        try:
            import duckdb
        except ImportError as error:
            raise MissingExtraError("SQL needs duckdb: pip install 'gigapix[catalog]'") from error
        with duckdb.connect() as connection:
            files = ", ".join("'{}'".format(name.replace("'", "''")) for name in parts_of(self._folder))
            where = f" where {' and '.join(self._where)}" if self._where else ""
            connection.execute(f"create view images as select * from read_parquet([{files}]){where}")  # noqa: S608
            try:
                found = connection.sql(sql)
                return found.to_arrow_table() if found is not None else pyarrow().table({})
            except duckdb.Error as error:
                raise RequestError(str(error)) from error

    def rows(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows, or some columns of them."""
        if not self._where:
            return self.dataset.to_table(columns=list(columns) if columns is not None else None)
        names = ", ".join(f'"{name}"' for name in columns) if columns is not None else "*"
        return self.query(f"select {names} from images")  # noqa: S608

    def __len__(self) -> int:
        if not self._where:
            return int(self.dataset.count_rows())
        return int(self.query("select count(*) from images").column(0)[0].as_py())

    def __iter__(self) -> Iterator[str]:
        """The paths."""
        return iter(self.rows(["path"]).column("path").to_pylist())

    def open(
        self, path: str, *, index: int = 0, store: Any = None, fresh: bool = False, threads: int | None = None
    ) -> Image:
        """Open an image by its path, with or without what it is below (column ``store``), from its row: nothing is
        requested where the catalogue was made with ``headers=True``.

        store: of obstore's, where the objects are reached otherwise than by their URL.
        fresh: read the header anew, and take the object as it is now.

        Raises NotFoundError where there is no such row. The first read raises ChangedError (for a local file, this
        does) where the object is no longer the one that was scanned.
        """
        from gigapix.formats.detect import read_image
        from gigapix.image.image import Image
        from gigapix.source import drive

        cache = self._headers(path, store, fresh)
        name = posixpath.basename(path)
        try:
            spec = drive(read_image(index, name, size_of=lambda: cache.source.size), cache)
            return Image(spec, cache, threads=threads)
        except BaseException:
            cache.close()
            raise

    async def open_async(
        self, path: str, *, index: int = 0, store: Any = None, fresh: bool = False, threads: int | None = None
    ) -> Image:
        """`open` without blocking."""
        import asyncio

        from gigapix.formats.detect import read_image
        from gigapix.image.image import Image
        from gigapix.source import drive_async

        cache = await asyncio.to_thread(self._headers, path, store, fresh)
        name = posixpath.basename(path)
        try:
            spec = await drive_async(read_image(index, name, size_of=lambda: cache.source.size), cache)
            return Image(spec, cache, threads=threads)
        except BaseException:
            cache.close()
            raise

    def _headers(self, path: str, store: Any, fresh: bool) -> HeaderCache:
        from dataclasses import replace

        from gigapix.source import HeaderCache

        row = self._row(path)
        kept = [] if fresh else row.get("header") or []
        settings = self._settings
        if kept:
            nbytes = sum(len(each["data"]) for each in kept)
            settings = replace(
                settings, header_block=BLOCK, header_bytes=BLOCK, header_cache=settings.header_cache + nbytes
            )
        if store is None and "://" in row["store"]:
            from gigapix.source.clients import store_of_url

            store = store_of_url(row["store"], settings)[0]
        place = Place(name=row["store"], store=store, settings=settings)
        if store is None and not fresh:
            self._check(place, row)
        source = place.source(row["path"])
        if not fresh:
            source.expect(row["size"], None if store is None else row["etag"])
        cache = HeaderCache(source)
        for each in kept:
            blocks = range(0, len(each["data"]), BLOCK)
            cache.blocks.add({(each["offset"] + n) // BLOCK: each["data"][n : n + BLOCK] for n in blocks})
        return cache

    def _check(self, place: Place, row: dict[str, Any]) -> None:
        """Whether a local file is still the one that was scanned."""
        name = f"{place.name}/{row['path']}" if place.name else row["path"]
        try:
            now = listed_file(row["path"], os.stat(name))  # noqa: PTH116
        except OSError as error:
            raise NotFoundError("there is no such file", path=name) from error
        if row["etag"] is not None and now.etag != row["etag"]:
            raise ChangedError("it has changed since it was scanned", path=name)

    def _row(self, path: str) -> dict[str, Any]:
        import pyarrow.compute as pc

        names = [name for name in ("store", "path", "size", "etag", "header") if name in self.dataset.schema.names]
        found = self.dataset.to_table(columns=names, filter=pc.field("path") == path).to_pylist()
        if not found:
            stores = self.dataset.to_table(columns=["store"]).column("store").unique().to_pylist()
            below = [(s, path.removeprefix(f"{s}/")) for s in stores if s and path.startswith(f"{s}/")]
            for name, rest in below:
                where = (pc.field("path") == rest) & (pc.field("store") == name)
                found += self.dataset.to_table(columns=names, filter=where).to_pylist()
        if not found:
            raise NotFoundError("is not in the catalogue", path=path)
        if len({row["store"] for row in found}) > 1:
            raise RequestError(f"is in {len(found)} places: name it with what it is below", path=path)
        row: dict[str, Any] = found[0]
        return row

    def close(self) -> None:
        """Delete the copy of a catalogue that lies on an object store."""
        if self._copy is not None:
            self._copy.__exit__(None, None, None)
            self._copy = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Catalog {self.path!r}>"
