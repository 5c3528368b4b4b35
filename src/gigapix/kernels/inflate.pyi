from typing import Final

from typing_extensions import Buffer

STATE_BYTES: Final[int]
RAW: Final[int]
ZLIB: Final[int]
ZLIB_UNVERIFIED: Final[int]
MORE: Final[int]
END: Final[int]
FAULT: Final[int]

def start(state: Buffer, wrapper: int) -> None: ...
def inflate(state: Buffer, src: Buffer, dst: Buffer, written: int = 0) -> tuple[int, int, int]: ...
def fault(state: Buffer) -> str: ...
def save(state: Buffer) -> bytes: ...
def resume(state: Buffer, saved: Buffer) -> None: ...
