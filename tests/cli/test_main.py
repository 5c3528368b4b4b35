from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from gigapix.cli import COMMANDS, fault, main
from gigapix.errors import FormatError
from tests.cli.conftest import Run


def start(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from gigapix.cli import main; main(prog_name='gigapix')", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_help_lists_every_command(run: Run) -> None:
    output = run("--help").output
    for name, summary in COMMANDS.items():
        assert f"  {name} " in output
        assert summary in " ".join(output.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(run: Run, name: str) -> None:
    output = run(name, "--help").output
    assert any(word in output for word in ("PATH", "SOURCE", "CATALOGUE"))
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom gigapix.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'rich', 'imagecodecs', 'pyproj', 'obstore', 'affine', 'concurrent.futures'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_exit_codes(cog: Path, tmp_path: Path) -> None:
    assert start("info", cog).returncode == 0
    assert start("--version").stdout.startswith("gigapix ")
    missing = start("info", tmp_path / "missing.tif")
    assert missing.returncode == 1
    assert missing.stdout == ""
    assert missing.stderr.count("\n") == 1
    assert missing.stderr.startswith(f"gigapix: {tmp_path / 'missing.tif'}: ")
    assert start("nonsense").returncode == 2
    assert start("read", cog).returncode == 2
    assert start("stats", cog, "--level", "x").returncode == 2


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    for command in ("info", "tags", "stats"):
        done = start(command, path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        assert str(path) in done.stderr
        assert "at byte" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("--debug", "info"), ("info", "--debug")])
def test_debug_shows_the_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = start(*arguments, tmp_path / "missing.tif")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "NotFoundError" in done.stderr


def test_a_broken_pipe_is_quiet(stack: Path) -> None:
    command = [sys.executable, "-c", "from gigapix.cli import main; main()", "tags", str(stack)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_progress_stays_off_a_pipe(cog: Path) -> None:
    done = start("stats", cog)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FormatError("no\nsense\x1b[31m", path="a.tif", offset=7), r"a.tif: no\nsense\x1b[31m (at byte 7)"),
        (PermissionError(13, "Permission denied", "out.npy"), "out.npy: Permission denied"),
        (MemoryError(), "out of memory"),
        (
            ZeroDivisionError("division by zero"),
            "a fault in gigapix itself, ZeroDivisionError: division by zero (--debug shows where)",
        ),
    ],
)
def test_faults_are_one_line(error: Exception, line: str) -> None:
    assert fault(error) == line
