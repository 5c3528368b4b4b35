"""Servers for the tests of this folder: started when a test first asks for one, or the test is skipped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import gigapix
from tests.remote import servers
from tests.remote.images import cog
from tests.remote.odd_server import OddServer, odd_server


def _started(start: Callable[[Path], AbstractContextManager[Any]], factory: pytest.TempPathFactory) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(start(factory.mktemp(start.__name__)))
        except servers.MissingError as reason:
            pytest.skip(str(reason))
        yield server


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Nginx]:
    yield from _started(servers.nginx, tmp_path_factory)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _started(servers.ministack, tmp_path_factory)


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _started(servers.azurite, tmp_path_factory)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("redis")
    yield from _started(servers.redis_server, tmp_path_factory)


@pytest.fixture
def odd() -> Iterator[OddServer]:
    with odd_server() as server:
        yield server


@pytest.fixture(scope="module")
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A COG of the pixels that the test's module calls PIXELS."""
    path = tmp_path_factory.mktemp("data") / "x.tif"
    cog(path, request.module.PIXELS)
    return path.read_bytes()


@pytest.fixture
def url(odd: OddServer, data: bytes) -> str:
    """Where the odd server has it."""
    return odd.put(data)


class Blocking:
    """The blocking methods of gigapix."""

    def open(self, *args: Any, **kwargs: Any) -> gigapix.Image:
        return gigapix.open(*args, **kwargs)

    def read(self, image: gigapix.Image, *args: Any, **kwargs: Any) -> Any:
        return image.read(*args, **kwargs)

    def tile(self, image: gigapix.Image, *args: Any, **kwargs: Any) -> Any:
        return image.tile(*args, **kwargs)


class Async:
    """The async ones behind the same names."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def open(self, *args: Any, **kwargs: Any) -> gigapix.Image:
        async def opened() -> gigapix.Image:
            return await gigapix.open_async(*args, **kwargs)

        return self._runner.run(opened())

    def read(self, image: gigapix.Image, *args: Any, **kwargs: Any) -> Any:
        return self._runner.run(image.read_async(*args, **kwargs))

    def tile(self, image: gigapix.Image, *args: Any, **kwargs: Any) -> Any:
        return self._runner.run(image.tile_async(*args, **kwargs))


@pytest.fixture(params=["blocking", "async"])
def way(request: pytest.FixtureRequest) -> Iterator[Blocking | Async]:
    """Both ways to do the same."""
    if request.param == "blocking":
        yield Blocking()
    else:
        with asyncio.Runner(debug=True) as runner:
            yield Async(runner)
