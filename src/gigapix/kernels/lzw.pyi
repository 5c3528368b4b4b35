from typing import Final

from typing_extensions import Buffer

STATE_BYTES: Final[int]
MSB: Final[int]
LSB: Final[int]
GUESS: Final[int]
MORE: Final[int]
END: Final[int]
FAULT: Final[int]

def decode(src: Buffer, dst: Buffer, *, lsb: bool = False) -> int: ...
def start(state: Buffer, *, order: int = ..., shift: int = 0) -> None: ...
def run(state: Buffer, src: Buffer, dst: Buffer) -> tuple[int, int, int]: ...
def mark(state: Buffer) -> tuple[int, int, int]: ...
