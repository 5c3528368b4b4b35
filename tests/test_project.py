"""The package as a whole: which room imports which, what a start loads, what a wheel holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "gigapix"

HEAVY = {
    "asyncio",
    "concurrent.futures.process",
    "imagecodecs",
    "multiprocessing",
    "obstore",
    "pyproj",
    "rich",
}
"""Loaded by the functions that use them. Together they take longer than a whole start may."""


def run(*command: str | Path, path: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def modules_after(code: str) -> set[str]:
    """The names in `sys.modules` of a new interpreter that ran `code`."""
    done = run(sys.executable, "-c", f"{code}\nimport sys; print('', *sys.modules, sep=':')")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split(":"))


def sources(to: Path) -> Path:
    """A copy of what a build needs, without what an earlier build left."""
    shutil.copytree(ROOT / "src", to / "src", ignore=shutil.ignore_patterns("*.so", "*.c", "*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to)
    return to


def lint_imports(path: Path) -> subprocess.CompletedProcess[str]:
    return run(
        sys.executable, "-c", "import importlinter.cli as lint; exit(lint.lint_imports(no_cache=True))", path=path
    )


def test_imports_point_one_way():
    done = lint_imports(ROOT / "src")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("kernels/bad.py", "import gigapix.formats.model", "Imports point one way"),
        ("errors.py", "import gigapix.image", "Imports point one way"),
        ("decode/bad.py", "import gigapix.formats.tiff", "know only the model"),
        ("formats/tiff/bad.py", "import gigapix.source", "Formats do no I/O"),
        ("newroom/__init__.py", "", "Imports point one way"),
    ],
)
def test_the_contract_can_be_broken(tmp_path: Path, module: str, statement: str, contract: str):
    shutil.copytree(PACKAGE, tmp_path / "gigapix", ignore=shutil.ignore_patterns("__pycache__"))
    broken = tmp_path / "gigapix" / module
    broken.parent.mkdir(exist_ok=True)
    with broken.open("a") as file:
        file.write(f"\n{statement}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout
    assert [line for line in done.stdout.splitlines() if contract in line and "BROKEN" in line]


# A start is to be quick, but no test may depend on the clock: what it loads is counted instead.
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import gigapix", id="import"),
        pytest.param(
            "import sys; sys.argv = ['gigapix', '--help']\n"
            "from gigapix.cli import main\n"
            "try: main()\n"
            "except SystemExit as end: assert not end.code",
            id="help",
        ),
    ],
)
def test_a_start_loads_little(code: str):
    loaded = modules_after(code) - modules_after("pass")
    assert not loaded & (HEAVY | {"numpy", "json", "xml"})
    assert len(loaded) <= 100  # click has 60


def test_the_first_use_loads_no_codec():
    loaded = modules_after("import gigapix; gigapix.open") - modules_after("import numpy")
    assert not loaded & HEAVY
    assert len(loaded) <= 160


def test_a_wheel_built_from_the_source_archive_is_whole(tmp_path: Path):
    copy = sources(tmp_path)
    build = "import setuptools.build_meta as build; build.build_sdist('dist')"
    done = run(sys.executable, "-c", build, cwd=copy)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = (copy / "dist").glob("*.tar.gz")
    done = run(
        sys.executable, "-m", "pip", "wheel", archive, "--no-deps", "--no-build-isolation", "-w", "dist", cwd=copy
    )
    assert done.returncode == 0, done.stdout + done.stderr

    (wheel,) = (copy / "dist").glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        file.extractall(unpacked)
    expected = {
        str(path.relative_to(ROOT / "src"))
        for kind in ("py", "pyi", "typed", "yaml")
        for path in PACKAGE.rglob(f"*.{kind}")
    }
    compiled = {name for name in names if name.endswith((".so", ".pyd"))}
    notices = {name for name in names if ".dist-info/" in name}
    assert names - compiled - notices == expected
    assert any(name.endswith("/LICENSE") for name in notices)

    kernels = [
        module["name"]
        for module in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    ]
    assert len(compiled) == len(kernels) == len(list(PACKAGE.rglob("*.pyx")))
    check = f"import importlib; [print(importlib.import_module(name).__file__) for name in {kernels}]"
    done = run(sys.executable, "-c", check, path=unpacked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(unpacked)) for line in done.stdout.splitlines())
