from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gigapix.ops.unique import nothing, seen, unique_of


@pytest.mark.parametrize("dtype", ["u4", "i8", "f2", "f4", "f8", "c8"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_values_and_counts_are_numpys(dtype: str, data: st.DataObject) -> None:
    elements = st.sampled_from([0, 1, 2, 7, 100]) if data.draw(st.booleans()) else hnp.from_dtype(
        np.dtype(dtype), **({"allow_nan": False} if dtype[0] in "fc" else {})
    )  # fmt: skip
    values: np.ndarray[Any, Any] = data.draw(hnp.arrays(dtype, st.integers(0, 40), elements=elements))
    found = nothing(values.dtype)
    for part in np.array_split(values, data.draw(st.integers(1, 5))):
        found = found.merged(seen(part), 1000)
    expected, counts = np.unique(values + values.dtype.type(0), return_counts=True)
    result = unique_of(found, None)
    assert (result.values, result.counts) == (tuple(expected.tolist()), tuple(counts.tolist()))


def test_runs() -> None:
    found = seen(np.repeat(np.array([5, 3, 5, 9], np.uint32), [4, 1, 2, 3]))
    assert (found.values.tolist(), found.counts.tolist()) == ([3, 5, 9], [1, 6, 3])


def test_no_more_is_kept_than_is_asked_for() -> None:
    found = nothing(np.dtype("i8")).merged(seen(np.arange(10_000)), 3)
    assert found.values.size == 4
    found = found.merged(seen(np.arange(10_000, 20_000)), 3)
    assert found.values.size == 4
    assert unique_of(found, 3).more
    assert unique_of(found, 3).values is None
    assert not unique_of(seen(np.arange(3)), 3).more
