"""tiff-dumper's configuration file, as it is, for `scan`.

    store:
      name: s3://sentinel-cogs
      prefixes: [sentinel-s2-l2a-cogs/10/C]
      obstore_config: {skip_signature: true, region: us-west-2}
    concurrency: {n_consumers: 1000, list_chunk_size: 10000, max_buffer_size: 1000000, write_chunk_size: 100000}

Its two sizes of buffers have nothing to say here: a listing is read as fast as shards are taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gigapix.errors import FormatError, MissingExtraError, SourceError


def read_config(path: str) -> tuple[list[str], dict[str, Any]]:
    """The sources and the options of `scan` that a configuration file names. Raises FormatError or SourceError."""
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("a configuration file needs pyyaml: pip install 'gigapix[catalog]'") from error
    try:
        config = yaml.safe_load(Path(path).read_text())
        store, concurrency = config["store"], config.get("concurrency") or {}
        url, given = store["name"], dict(store.get("obstore_config") or {})
        prefixes = [str(prefix) for prefix in store.get("prefixes") or [""]]
        options = {
            "concurrency": int(concurrency.get("n_consumers", 1000)),
            "shard_objects": int(concurrency.get("write_chunk_size", 100_000)),
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise FormatError(f"is no configuration of a scan: {error!r}", path=path) from error
    from obstore.store import from_url

    try:
        return prefixes, {**options, "store": from_url(url, **given)}
    except Exception as error:  # obstore has a class for each thing that can be wrong with a configuration
        raise SourceError(f"its store can't be opened: {str(error).partition(chr(10))[0]}", path=path) from error
