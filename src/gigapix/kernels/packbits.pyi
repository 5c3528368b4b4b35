from typing import Final

from typing_extensions import Buffer

STATE_BYTES: Final[int]

def run(state: Buffer, src: Buffer, dst: Buffer) -> tuple[int, int]: ...
