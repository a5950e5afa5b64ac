"""`riskmon rules diff`: what another configuration would change, in words."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.candidates import Known
    from monitor.remembered import Filling

Data = Annotated[Path | None, typer.Option(help="Data directory; default: what the settings say.")]
Config = Annotated[Path | None, typer.Option(help="Settings file; default: config/monitor.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Which = typer.Argument(help="`in-force`, a hash, a pack, or a folder of rules or of a configuration.")


def diff(
    before: Annotated[str, Which],
    after: Annotated[str, Which] = "",
    folders: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Folder of rules added, or put in place; repeatable."),
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say key by key what one configuration changes of another, and what becomes of windows.

    A folder named as AFTER is the whole rulebook; `--with` adds one to AFTER, or to BEFORE without it.
    Without a database, `in-force` is what the settings and their folder say now.
    """
    from monitor.candidates import overlaid
    from monitor.cli.failure import Failure
    from monitor.cli.output import failures, show_json
    from monitor.rulediff import differences

    if not (after or folders):
        raise Failure("nothing to compare with\n  hint: riskmon rules diff in-force --with my_pack")
    with known(data, config) as there, failures():
        old, new = there.chosen([before]), there.chosen([after or before])
        found = differences(old, overlaid(new, folders) if folders else new)
        found = found.filled(_filling(there, data, config))
    if as_json:
        show_json(found.plain())
    else:
        typer.echo(str(found))


def _filling(there: Known, data: Path | None, config: Path | None) -> Filling | None:
    """Return what activation would fill new windows from, in the database that is meant."""
    from monitor.cli.output import read_settings
    from monitor.cli.source import source
    from monitor.remembered import Filling
    from streams.progress import progress_of

    rules = read_settings(config).rules
    if there.db is None or source(data, config).settings is not None or rules.backfill != "journal":
        return None
    return Filling.of(progress_of(there.db).head, rules.backfill_events)


@contextmanager
def known(data: Path | None, config: Path | None) -> Iterator[Known]:
    """Give the configurations of the database that is meant; without one, those of files.

    Raises
    ------
    Failure
        A database is named and cannot be read, or holds nothing.
    """
    from monitor.app import DATABASE
    from monitor.candidates import Known
    from monitor.cli.output import configured, failures
    from monitor.cli.source import source

    where = source(data, config)
    if data is None and where.settings is None and not (where.folder / DATABASE).exists():
        yield Known(None, configured(config)[1])
        return
    with where.reading() as db:
        with failures():
            found = Known.of(db)
        yield found
