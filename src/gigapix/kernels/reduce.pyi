from typing import Any, Literal

from numpy.typing import NDArray

def reduce(
    source: NDArray[Any],
    out: NDArray[Any],
    factors: tuple[int, ...],
    operation: Literal["sum", "min", "max", "rank", "mode"],
    *,
    marker: NDArray[Any] | None = None,
    empty: NDArray[Any] | None = None,
    rank: float = 0.0,
) -> None: ...
