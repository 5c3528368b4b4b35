"""Headers in Redis, for processes and machines that read the same images. Needs the extra ``redis``.

Each object is a hash: ``etag``, ``size``, ``block`` and one field a block. A hash is written in one transaction; of two
writers of different versions the later one counts.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from gigapix.errors import MissingExtraError
from gigapix.source.headers import Header

log = logging.getLogger("gigapix")

PREFIX: Final = "gigapix:header:"


class RedisHeaders:
    """A `HeaderStore` in Redis.

    client: a `redis.Redis`, or the URL of a server (``redis://host:6379/0``).
    expire: seconds after which a header that nobody writes to is forgotten.
    """

    blocking = True

    def __init__(self, client: Any, *, expire: int = 86_400) -> None:
        try:
            import redis
        except ImportError:
            raise MissingExtraError("headers in Redis need the package redis: pip install 'gigapix[redis]'") from None
        self._client: Any = redis.Redis.from_url(client) if isinstance(client, str) else client
        self._expire = expire
        self._error = redis.RedisError

    def get(self, key: str) -> Header | None:
        """The header of an object; None where Redis has none, or can't be asked."""
        try:
            found = self._client.hgetall(PREFIX + key)
        except self._error as error:
            log.warning("headers in Redis: %s", type(error).__name__)
            return None
        try:
            return Header(
                etag=found.pop(b"etag").decode(),
                size=int(found.pop(b"size")),
                block_bytes=int(found.pop(b"block")),
                blocks={int(number): bytes(data) for number, data in found.items()},
            )
        except (KeyError, ValueError):  # nothing there, or nothing of ours
            return None

    def put(self, key: str, header: Header) -> None:
        """See `HeaderStore`."""
        name = PREFIX + key
        facts: dict[str, Any] = {"etag": header.etag, "size": header.size, "block": header.block_bytes}
        try:
            known = self._client.hmget(name, "etag", "block")
            with self._client.pipeline(transaction=True) as steps:
                if known != [header.etag.encode(), b"%d" % header.block_bytes]:
                    steps.delete(name)
                steps.hset(name, mapping={**facts, **{str(n): data for n, data in header.blocks.items()}})
                steps.expire(name, self._expire)
                steps.execute()
        except self._error as error:
            log.warning("headers in Redis: %s", type(error).__name__)

    def drop(self, key: str) -> None:
        """Forget an object."""
        try:
            self._client.delete(PREFIX + key)
        except self._error as error:
            log.warning("headers in Redis: %s", type(error).__name__)
