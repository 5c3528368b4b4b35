"""The headers of one object in a `HeaderStore`: looked up before the first request, added to after each."""

from __future__ import annotations

from collections.abc import Mapping

from gigapix.source.blockset import Blocks
from gigapix.source.headers import Header, HeaderStore
from gigapix.source.source import Source
