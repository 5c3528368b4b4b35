from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from typing_extensions import Buffer

def place(
    src: Buffer,
    dst: NDArray[Any],
    shape: tuple[int, int, int],
    interleaved: int,
    select: Sequence[int],
    origin: tuple[int, int, int],
    predictor: int,
    swap: bool,
    *,
    swap_unit: int = 0,
) -> None: ...
