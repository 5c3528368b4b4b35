"""``gigapix query``: SQL over a catalogue."""

from __future__ import annotations

import click

from gigapix.cli.options import debug_option


@click.command(name="query")
@click.argument("catalogue", metavar="CATALOGUE")
@click.argument("sql")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a list of objects.")
@debug_option
def command(catalogue: str, sql: str, as_csv: bool, as_json: bool) -> None:
    """Ask DuckDB for rows of a catalogue, in which the table is called images.

    gigapix query OUTPUT "select compression, count(*) from images group by 1"
    """
    from gigapix.catalog.catalog import Catalog
    from gigapix.cli.output import columns, print_json, printable

    with Catalog(catalogue) as opened:
        table = opened.query(sql)
    if as_json:
        print_json([{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()])
        return
    if as_csv:
        import csv
        import sys

        writer = csv.writer(sys.stdout)
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow(["" if value is None else value for value in row.values()])
        return
    rows = [["" if value is None else printable(str(value)) for value in row.values()] for row in table.to_pylist()]
    for line in columns([table.column_names, *rows]):
        click.echo(line)


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
