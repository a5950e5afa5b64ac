"""`riskmon rules catalogue`: every rule, what it watches, by which regulation, and whether it is fed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.rulebooks import AsJson, Packs, chosen, loaded, mistakes_told, refuse

if TYPE_CHECKING:
    from monitor.catalogue import Feed
    from rules.vocabulary import Vocabulary


@mistakes_told()
def catalogue(
    packs: Packs = None,
    maps: Annotated[
        list[Path] | None, typer.Option("--map", help="Mapping file of a source; may be given again.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data directory whose events are looked at.")
    ] = None,
    newest: Annotated[int, typer.Option("--newest", help="How many of its newest events.", min=1)] = 100_000,
    out: Annotated[Path | None, typer.Option("--out", help="File of Markdown to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """List every rule with its source and its events; with `--map` or `--data`, which are not fed."""
    from monitor.catalogue import catalogue as lines_of
    from monitor.catalogue import markdown, plain
    from monitor.cli.output import show_json
    from rules.loader import load_predicates
    from rules.vocabulary import load_vocabulary

    vocabulary, folders = load_vocabulary(), chosen(None, packs)
    feed = _feed(maps or [], data, newest, vocabulary)
    lines = lines_of(loaded(folders), vocabulary, load_predicates(folders), feed)
    if as_json:
        show_json([plain(line) for line in lines])
    elif out is not None:
        out.write_text(markdown(lines, feed), encoding="utf-8")
        typer.echo(f"wrote {out}: {len(lines)} rules")
    else:
        typer.echo(markdown(lines, feed), nl=False)


def _feed(maps: list[Path], data: Path | None, newest: int, vocabulary: Vocabulary) -> Feed | None:
    from monitor.catalogue import Feed
    from streams.mapping_file import read_mapping

    if maps and data is not None:
        refuse("--map and --data: two answers to one question", "give one of them")
    if data is not None:
        return Feed.of_events(_events(data, newest), f"the newest events of {data}")
    if not maps:
        return None
    for path in maps:
        if not path.is_file():
            refuse(f"{path}: no such file", "name a mapping file")
    return Feed.of_mappings(
        [read_mapping(path, path.read_text(encoding="utf-8"), vocabulary) for path in maps]
    )


def _events(data: Path, newest: int) -> Iterator[dict[str, Any]]:
    import orjson
    from rich.progress import track

    from monitor.cli.source import source

    with source(data, None).reading() as db:
        rows = db.execute("SELECT body FROM journal ORDER BY seq DESC LIMIT ?", (newest,)).fetchall()
    for (body,) in track(rows, description="reading events", transient=True):
        event = orjson.loads(body)
        if isinstance(event, dict):
            yield event
