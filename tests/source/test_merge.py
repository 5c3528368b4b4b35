from hypothesis import given
from hypothesis import strategies as st

from gigapix.source import MergeLimits, merge

ranges = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 500)), max_size=40)
limits = st.builds(
    MergeLimits, gap=st.integers(0, 600), waste=st.sampled_from([0.0, 0.1, 0.5, 1.0]), size=st.integers(1, 5000)
)


@given(ranges, limits)
def test_each_range_lies_in_exactly_one_merged_range(wanted, within):
    found = list(merge(wanted, within))
    assert sorted(part for merged in found for part in merged.parts) == list(range(len(wanted)))
    for merged in found:
        for part in merged.parts:
            offset, length = wanted[part]
            assert merged.offset <= offset and offset + length <= merged.offset + merged.length


@given(ranges, limits)
def test_limits_hold(wanted, within):
    for merged in merge(wanted, within):
        parts = sorted(wanted[part] for part in merged.parts)
        covered = set()
        for offset, length in parts:
            covered.update(range(offset, offset + length))
        assert merged.length - len(covered) <= within.waste * merged.length + 1e-9
        assert merged.length <= max(within.size, *(length for _, length in parts))
        end = parts[0][0]
        for offset, length in parts:
            assert offset - end <= within.gap
            end = max(end, offset + length)


def test_a_row_of_tiles_is_one_range_and_a_column_is_not():
    row = [(n * 1000, 1000) for n in range(32)]
    column = [(n * 32_000, 1000) for n in range(32)]
    within = MergeLimits(gap=1 << 20, waste=0.5, size=8 << 20)
    assert [m.length for m in merge(row, within)] == [32_000]
    assert sum(m.length for m in merge(column, within)) == 32_000


def test_overlapping_ranges_share_their_bytes():
    (merged,) = merge([(0, 100), (50, 100), (0, 100)], MergeLimits(gap=0, waste=0, size=1000))
    assert (merged.offset, merged.length) == (0, 150)
