"""What went wrong at a store, as an error of ours.

obstore says little by its exceptions' classes and much in their texts, which name the whole URL, with the signature of
a signed one, and quote what the server answered. So its text is read for what happened, and never passed on: neither in
a message nor as a cause, which a traceback would print. What another store raises is its own affair, and is kept as the
cause.
"""

from __future__ import annotations

import re
from typing import Final

from gigapix.errors import (
    ChangedError,
    DeniedError,
    GigapixError,
    NotFoundError,
    RangeUnsupportedError,
    ServerError,
    ShortBodyError,
    SourceError,
    SourceTimeoutError,
)
from gigapix.source.store import os_error

RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass. Of the 5xx, 501 and 505 do not."""

_STATUS: Final = re.compile(r"status code: (\d{3})")

_BEYOND: Final = re.compile(r"StartTooLarge|Requested range was invalid")

_SIGNS: Final[tuple[tuple[re.Pattern[str], type[SourceError], str], ...]] = tuple(
    (re.compile(sign), kind, message)
    for sign, kind, message in (
        (
            r"169\.254\.169\.254|latest/(api/token|meta-data)|computeMetadata|metadata/identity",
            DeniedError,
            "no credentials were found; if it is public, open it with anonymous=True",
        ),
        (r"credential provider", DeniedError, "the credential provider failed"),
        (r"incorrectly configured region", SourceError, "the bucket is in another region than the one given"),
        (r"NotPartial|RangeNotSupported", RangeUnsupportedError, "the server ignores ranges"),
        (r"ParseContentRange|NoContentRange", RangeUnsupportedError, "the server does not say which range it sent"),
        (r"TooManyRedirects", SourceError, "the server redirects in circles"),
        (r"UnexpectedRange", RangeUnsupportedError, "the server sent another range than it was asked for"),
        (r"kind: Timeout|TimedOut", SourceTimeoutError, "no answer in time"),
        (r"IncompleteBody|kind: Interrupted", ShortBodyError, "the body broke off"),
        (r"[Cc]ertificate", SourceError, "the server's certificate is not trusted"),
        (r"dns error", ServerError, "the server's name is not known"),
        (r"kind: Connect", ServerError, "the server can't be reached"),
        (r"kind: Request", ServerError, "the connection broke off"),
        (r"Could not parse path", SourceError, "the store takes no name with an empty, . or .. part"),
    )
)


def is_beyond(error: Exception) -> bool:
    """Whether a range was refused since it begins behind the object's end."""
    status = status_of(error)
    return status == 416 if status else bool(_BEYOND.search(str(error)))


def status_of(error: Exception) -> int:
    """The HTTP status that an error of obstore's tells of, 0 where it tells of none."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def failure_of(error: Exception, name: str, obstore: bool) -> GigapixError:
    """An exception of a store, as ours. Its cause is set where it may be shown.

    obstore: whether the store is one of obstore's.
    """
    if isinstance(error, GigapixError):
        return error
    if obstore:
        return _of_obstore(error, name)
    failure = _of_class(error, name)
    failure.__cause__ = error
    return failure


def _of_obstore(error: Exception, name: str) -> SourceError:
    text = str(error)
    for sign, kind, message in _SIGNS:
        if sign.search(text):
            return kind(message, path=name)
    status = status_of(error)
    if status:
        return _of_status(status, text, name)
    return _of_class(error, name)


def _of_status(status: int, text: str, name: str) -> SourceError:
    code = re.search(r"<Code>(\w{1,60})</Code>", text)  # so say S3, GCS and Azure why they refuse
    told = f"{status} {code[1]}" if code else str(status)
    if status in (401, 403) or (code and code[1].startswith("Expired")):
        return DeniedError(f"access is denied ({told})", path=name)
    if status in (404, 410):
        return NotFoundError(f"there is no such object ({told})", path=name)
    if status == 412:
        return ChangedError("it has changed since it was opened", path=name)
    if status in RETRIED:
        return ServerError(f"the server failed ({told})", path=name)
    return SourceError(f"the server refused ({told})", path=name)


def _of_class(error: Exception, name: str) -> SourceError:
    """By the class alone: the texts of stores that are not on the network, and of those that users wrote, vary."""
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError) or kind == "NotFoundError":
        return NotFoundError("there is no such object", path=name)
    if isinstance(error, PermissionError) or kind in ("PermissionDeniedError", "UnauthenticatedError"):
        return DeniedError("access is denied", path=name)
    if kind == "PreconditionError":
        return ChangedError("it has changed since it was opened", path=name)
    if isinstance(error, TimeoutError):
        return SourceTimeoutError("no answer in time", path=name)
    if isinstance(error, ConnectionError):
        return ServerError(f"the server failed ({kind})", path=name)
    if isinstance(error, OSError):
        return os_error(error, name)
    return SourceError(f"the store failed ({kind})", path=name)
