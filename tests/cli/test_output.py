from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix.cli.output import human_bytes, number, print_json, printable

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_json_is_json(value: Any) -> None:
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as out:
        print_json(value)
    assert json.loads(out.getvalue()) == value


def test_json_has_no_number_for_these(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.nan, math.inf, -math.inf, 1 + 2j, complex(math.nan, 0)], "b": (1, 2)})
    found = json.loads(capsys.readouterr().out)
    assert found == {"a": ["NaN", "Infinity", "-Infinity", [1.0, 2.0], ["NaN", 0.0]], "b": [1, 2]}


def test_json_keeps_plain_lists_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"counts": list(range(1000)), "levels": [{"a": 1}, {"a": 2}]})
    assert capsys.readouterr().out.count("\n") < 15


@given(st.text())
def test_printable_is_one_line_of_printable_characters(text: str) -> None:
    assert printable(text).isprintable()


def test_printable_keeps_texts() -> None:
    assert printable("Grünland 5 µm 森") == "Grünland 5 µm 森"
    assert printable("a\x1b[2J\n\udc80") == r"a\x1b[2J\n\udc80"


def test_figures() -> None:
    assert human_bytes(0, 300, 2048) == "0.0 / 0.3 / 2.0 KiB"
    assert human_bytes(1 << 90).endswith(" EiB")
    assert [human_bytes(n) for n in (0, 1023, 1024, 1536, 5 << 30)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "1.5 KiB",
        "5.0 GiB",
    ]
    assert [number(n) for n in (None, 2**64, 0.1, 1 / 3, 1 + 2j)] == [
        "-",
        "18446744073709551616",
        "0.1",
        "0.3333333333",
        "1+2j",
    ]
