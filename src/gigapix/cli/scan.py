"""``gigapix scan``: the headers of many images into a catalogue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gigapix.cli.options import debug_option

if TYPE_CHECKING:
    from gigapix.catalog.job import Progress


@click.command(name="scan")
@click.argument("paths", metavar="SOURCE... OUTPUT", nargs=-1, required=True)
@click.option("--config", metavar="FILE", help="Take store, prefixes and concurrency from tiff-dumper's YAML file.")
@click.option("--include", multiple=True, metavar="GLOB", help="Only paths like this (several: any of them).")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No paths like this.")
@click.option("--headers", is_flag=True, help="Keep header bytes: images then open without a request.")
@click.option("--tiles", is_flag=True, help="Keep where every tile lies.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many objects.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests a second at most, of each worker.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Requests under way at most, of each shard.  [512]")
@click.option("--max-errors", type=click.IntRange(min=0), help="Give up after more errors than this.")
@click.option("--executor", metavar="WHERE", help="processes, processes:N, or dask://HOST:PORT.")
@click.option("--shard", type=click.IntRange(min=1), help="Objects of a part.  [10000]")
@click.option("--anonymous", is_flag=True, help="Send requests without a signature.")
@click.option("--endpoint", help="URL of an S3, GCS or Azure server that is not the vendor's.")
@click.option("--region", help="Of an S3 bucket.")
@click.option("--dry-run", is_flag=True, help="List only, and tell what a scan would take.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@debug_option
def command(paths: tuple[str, ...], config: str | None, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Read the headers of many images into a catalogue, one row an object.

    SOURCE is a URL prefix, a folder, a glob, a file of keys (- for stdin), a Parquet or CSV table of keys, or a
    catalogue to refresh; with --config there is none. OUTPUT is a folder, local or a URL. A scan that was stopped goes
    on where it was when it is started again. What can't be read is a row with an error; the exit code is then 3, as it
    is after Ctrl-C, which finishes what is under way.
    """
    from gigapix.cli.output import print_json

    *sources, output = paths
    if dry_run and not sources and not config:
        sources, output = [output], ""
    if not sources and not config:
        raise click.UsageError("there must be a SOURCE and an OUTPUT")
    options = _options(given)
    if config:
        if sources:
            raise click.UsageError("with --config the sources are those of the file")
        from gigapix.catalog.config import read_config

        sources, named = read_config(config)
        options = {**named, **options}
    if dry_run:
        from gigapix.catalog.estimate import estimate

        names = ("store", "include", "exclude", "limit", "anonymous", "endpoint", "region")
        found = estimate(sources, **{name: options[name] for name in names if name in options})
        print_json(asdict(found)) if as_json else _print_estimate(asdict(found))
        return
    from gigapix.catalog.scan import scan

    with _bar() as progress:
        done = scan(sources, output, progress=progress, **options)
    if as_json:
        print_json(asdict(done))
    else:
        rate = (done.objects - done.taken) / done.seconds if done.seconds else 0
        click.echo(
            f"{done.output}: {done.objects} objects, {done.errors} errors, {done.requests} requests, "
            f"{done.taken} taken over, {done.seconds:.1f} s ({rate:.0f}/s)"
            + ("" if done.complete else "; stopped: start it again to go on")
        )
    sys.exit(3 if done.errors or not done.complete else 0)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """What was said, under the names of `scan`."""
    options = {name: value for name, value in given.items() if value is not None and value is not False and value != ()}
    if "shard" in options:
        options["shard_objects"] = options.pop("shard")
    return options


def _print_estimate(found: dict[str, Any]) -> None:
    from gigapix.cli.output import human_bytes

    size = "unknown" if found["object_bytes"] is None else human_bytes(found["object_bytes"])
    click.echo(f"objects   {found['objects']} ({size})")
    click.echo(f"requests  {found['requests']}, and {found['list_requests']} for the listing")
    click.echo(f"to read   {human_bytes(found['bytes'])}")
    click.echo(f"cost      ${found['dollars']:.2f} for the requests, at S3's list price")


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on stderr with rate, errors and time left, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[errors]} errors"))
    with Bar(
        BarColumn(), MofNCompleteColumn(), *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("scan", total=None, errors=0, rate="")

        def show(progress: Progress) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.0f}/s" if speed else ""
            bar.update(task, completed=progress.objects, total=progress.total, errors=progress.errors, rate=rate)

        yield show
