"""`riskmon replay`: recorded events through the durable embedded runner."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.app import HOUR_MS, Opened, open_data
from monitor.catalogue import Feed, catalogue, flooding
from monitor.cli.failure import Failure
from monitor.cli.output import configured, data_folder, failures
from monitor.configuration import read_predicates
from rules.errors import RuleError
from rules.vocabulary import Vocabulary, load_vocabulary
from streams import aside
from streams.mapping import Mapping
from streams.runners.replay import Place, Replay
from streams.sources.ahead import ReadAhead
from streams.sources.files import SourceError
from streams.sources.merge import MergedFiles


def replay(
    files: Annotated[list[Path], typer.Argument(help=".jsonl, .csv (both also .gz) or .parquet")],
    mapping: Annotated[Path | None, typer.Option("--map", help="mapping file, for foreign records")] = None,
    rules: Annotated[list[str] | None, typer.Option(help="pack or folder; repeatable")] = None,
    data: Annotated[Path | None, typer.Option(help="data directory; default: var/replay")] = None,
    report: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
    scores: Annotated[Path | None, typer.Option(help="write one row an event as CSV")] = None,
    config: Annotated[Path | None, typer.Option(help="settings file")] = None,
) -> None:
    """Replay recorded events; killed anywhere, the same command goes on where it stopped."""
    settings, configuration = configured(config, rules)
    vocabulary = load_vocabulary()
    try:
        mapped = Mapping.load(mapping, vocabulary) if mapping else None
        merged = MergedFiles(files, vocabulary, mapped)
    except (SourceError, RuleError) as error:
        raise Failure(str(error)) from None
    for path in (report, scores):
        if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
            raise Failure(
                f"{path}: cannot be written\n  hint: name a file in a folder that exists and is yours"
            )
    source = ReadAhead(merged) if aside.is_worthwhile() else merged
    folder = data_folder(data or Path("var/replay"))
    with failures(folder):
        opened = open_data(
            folder, settings, configuration, sync="normal", tick_every_ms=HOUR_MS, learns_aside=True
        )
    try:
        with _bar(source) as progress:
            found = Replay(opened.processor, source, scores, progress).run()
        floods = _floods(mapped, vocabulary, opened, found["customers"]) if mapped else []
    except (SourceError, ValueError) as error:
        raise Failure(str(error)) from None
    finally:
        opened.abandon()
    if report is not None:
        report.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    _tell(found, source)
    for flood in floods:
        typer.echo(flood)
    if floods:
        typer.echo("  hint: leave such rules out, or have the source tell it (riskmon rules catalogue --map)")


def _floods(mapping: Mapping, vocabulary: Vocabulary, opened: Opened, customers: int) -> list[str]:
    """Return which rules alert for want of events that the mapping never makes."""
    configuration, feed = opened.configuration, Feed.of_mappings([mapping.content])
    lines = catalogue(configuration.rules or (), vocabulary, read_predicates(configuration), feed)
    alerts = dict(opened.store.db.execute("SELECT rule, COUNT(*) FROM alerts GROUP BY rule").fetchall())
    return flooding(lines, alerts, customers)


class _bar:  # noqa: N801  reads as a statement
    """A progress bar on the terminal; nothing where nobody looks."""

    def __init__(self, source: MergedFiles | ReadAhead) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(source.name[:40], total=source.total, rate="")

    def __enter__(self) -> Any:
        self._progress.start()
        return self.move

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def move(self, place: Place) -> None:
        """Show how far the replay is."""
        rate = f"{place.records / place.seconds:,.0f} events/s" if place.seconds else ""
        self._progress.update(self._task, completed=place.records, rate=rate)


def _tell(found: dict[str, Any], source: MergedFiles | ReadAhead) -> None:
    for name, row in source.unsorted.items():
        sys.stderr.write(f"{name}: row {row} is older than a row before it; taken in the file's order\n")
    typer.echo(
        f"{found['events']:,} events ({found['duplicates']:,} duplicates, {found['late']:,} late, "
        f"{found['rejected']:,} rejected), {found['customers']:,} customers\n"
        f"{found['hits']:,} hits, {found['rating_changes']:,} rating changes, {found['alerts']:,} alerts\n"
        f"{found['seconds']:,.1f} s, {found['events_per_second']:,.0f} events/s, "
        f"{found['peak_rss_mb']:,.0f} MB, ledger {found['ledger_head'][:16]}"
    )
