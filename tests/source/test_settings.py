import pytest

from gigapix import RequestError, Settings


def test_defaults_environment_and_arguments_in_that_order():
    environ = {"GIGAPIX_MEMORY": "64MB", "GIGAPIX_RETRIES": "2", "GIGAPIX_ANONYMOUS": "yes", "GIGAPIX_REGION": "moon-1"}
    settings = Settings.from_env(environ, retries=3, header_block="4 kB")
    assert settings.memory == 64 << 20 and settings.retries == 3 and settings.header_block == 4096
    assert settings.anonymous is True and settings.region == "moon-1" and settings.merge_gap == Settings().merge_gap
    assert Settings.from_env({}) == Settings()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("65536", 65536),
        ("64kB", 65536),
        ("64KiB", 65536),
        ("64MB", 64 << 20),
        ("1.5GiB", 3 << 29),
        ("2g", 2 << 30),
        (7, 7),
    ],
)
def test_sizes(text, size):
    assert Settings(memory=text).memory == size


@pytest.mark.parametrize(("text", "level"), [("AUTO", 50), ("lower", 100), ("UPPER", 0), ("33", 33), (70, 70)])
def test_zoom_levels(text, level):
    assert Settings(zoom_level=text).zoom_level == level
    assert Settings.from_env({"GIGAPIX_ZOOM_LEVEL": str(text)}).zoom_level == level


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", "lots"), ("memory", 0), ("memory", None), ("concurrency", 0), ("retries", -1), ("timeout", "nan"),
        ("anonymous", "perhaps"), ("zoom_level", 101), ("zoom_level", "MIDDLE"), ("header_block", "1"), ("merge_waste", 2),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(name, value):
    with pytest.raises(RequestError, match=name):
        Settings(**{name: value})
    with pytest.raises(RequestError, match=name):
        Settings.from_env({} if value is None else {f"GIGAPIX_{name.upper()}": str(value)}, **({name: value}))


def test_there_are_no_other_settings():
    with pytest.raises(RequestError, match="memmory"):
        Settings.from_env({}, memmory=1)
