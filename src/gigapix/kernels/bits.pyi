from typing import Any

from numpy.typing import NDArray
from typing_extensions import Buffer

def unpack(src: Buffer, dst: NDArray[Any], bits: tuple[int, ...], rows: int, samples_per_row: int) -> None: ...
