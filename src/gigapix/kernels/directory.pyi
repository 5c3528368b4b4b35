from typing import Any, Final

from numpy.typing import NDArray
from typing_extensions import Buffer

NUMBERS: Final[int]

def walk(
    data: Buffer,
    whole: bool,
    tags: Buffer,
    block: int,
    key: bytearray | NDArray[Any],
    numbers: NDArray[Any],
    blocks: bytearray | NDArray[Any],
) -> int: ...
