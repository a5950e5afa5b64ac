"""`riskmon audit`: prove a data directory, export evidence, show what was decided."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from alerts.messages import describe
from alerts.stores.sql import SqlAlertStore
from monitor.audit.export import evidence, plain_entry, readable, sign, signing_key
from monitor.audit.ledger import Entry, Ledger
from monitor.audit.verified import Verified, write_verified
from monitor.audit.verify import Finding
from monitor.cli.failure import Failure
from monitor.cli.output import data_folder, failures, show_json
from monitor.cli.source import Config, Data, Source, source
from monitor.core.events import reference
from monitor.database import Database
from monitor.recompute import proof, proof_of
from rules.vocabulary import load_vocabulary
from streams.progress import progress_of
from streams.stores.reading import event_body

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="as JSON")]
_KEY = "audit.key"
_MOST = 200
_SHORTEST = 6


@app.callback()
def group() -> None:
    """The auditor's tools."""


@app.command()
def verify(
    data: Data = None,
    config: Config = None,
    head: Annotated[
        str, typer.Option(help="a ledger head noted before, hex digits: must be in the ledger")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check every chain and recompute every decision from the journal; status 1 where anything differs.

    The result is left in the data directory, where metrics find it.
    """
    began = time.monotonic()
    place = source(data, config)
    with failures(), _bar() as bar:
        found = [str(finding) for finding in _proof(place, bar)]
    with place.reading() as db:
        if head and not _is_in_ledger(db, head):
            found.append(f"ledger: no entry has the hash {head}: entries were cut off or replaced")
        (counted,), last = db.execute("SELECT COUNT(*) FROM ledger").fetchone(), _head(db)
    result = Verified(
        time_ms=int(time.time() * 1000),
        seconds=round(time.monotonic() - began, 3),
        findings=len(found),
        entries=counted,
        ledger_head=last,
    )
    _leave(place.folder, result)
    if as_json:
        show_json({"proven": not found, "findings": found, "entries": counted, "ledger_head": last})
    else:
        for finding in found:
            typer.echo(finding)
        typer.echo(f"{len(found)} findings" if found else f"proven: {counted:,} ledger entries, head {last}")
    if found:
        raise typer.Exit(1)


@app.command()
def export(
    alert: Annotated[str, typer.Argument(help="id of the alert, or its beginning")],
    out: Annotated[Path, typer.Option(help="file of the pack; a .txt for people is written beside it")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Write the signed evidence pack of an alert."""
    place = source(data, config)
    with place.reading() as db:
        alert_id = _alert_id(db, alert)
        content = _evidence(db, alert_id)
    try:
        out.write_bytes(sign(content, signing_key(data_folder(place.folder) / _KEY)))
        out.with_suffix(".txt").write_text(readable(content), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Failure(f"{out}: {error}\n  hint: name a folder that exists and is yours") from None
    typer.echo(f"{out} and {out.with_suffix('.txt')}: alert {alert_id}, signed")


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="id of an event, an alert (or its beginning) or a customer")],
    source_system: Annotated[str, typer.Option("--source", help="source system of the event")] = "",
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show everything the ledger holds about an event, an alert or a customer."""
    with source(data, config).reading() as db:
        entries = _entries(db, what)
        event = _event(db, what, source_system)
    if not entries and event is None:
        hint = "ids are exact; see `riskmon alerts list`"
        raise Failure(f"{what}: no event, alert or customer of this id\n  hint: {hint}")
    if as_json:
        show_json({"event": event, "entries": [plain_entry(entry) for entry in entries]})
        return
    if event is not None:
        typer.echo(f"event {orjson.dumps(event).decode()}")
    for entry in entries:
        typer.echo(_line(entry))


class _bar:  # noqa: N801 (reads as a statement)
    """A progress bar on the terminal; nothing where nobody looks."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> _bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str) -> None:
        """Show which check runs."""
        self._progress.update(self._task, description=name)

    def move(self, done: int, total: int) -> None:
        """Show how far the recomputation is."""
        self._progress.update(self._task, completed=done, total=total)


def _proof(place: Source, bar: _bar) -> list[Finding]:
    if place.settings is not None:
        with place.reading() as db:
            return proof_of(db, bar.begin, bar.move)
    try:
        return proof(place.folder, bar.begin, bar.move)
    except FileNotFoundError as error:
        raise Failure(str(error)) from None


def _head(db: Database) -> str:
    row = db.execute("SELECT hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
    return bytes(row[0]).hex() if row else ""


def _leave(data: Path, result: Verified) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
        write_verified(data, result)
    except OSError as error:
        # An auditor may have a copy to read only: what was found is told all the same.
        typer.echo(f"{data}: the result is not noted there: {error.strerror}", err=True)


def _is_in_ledger(db: Database, head: str) -> bool:
    try:
        wanted = bytes.fromhex(head)
    except ValueError:
        raise Failure(f"--head {head}: expected 64 hex digits\n  hint: the ledger_head of a report") from None
    return db.execute("SELECT 1 FROM ledger WHERE hash = ?", (wanted,)).fetchone() is not None


def _alert_id(db: Database, prefix: str) -> str:
    ids = SqlAlertStore(db).matching(prefix.replace("-", ""))
    if len(ids) != 1:
        which = "no alert has this id" if not ids else f"{len(ids)} alerts have ids that begin so"
        raise Failure(f"{prefix}: {which}\n  hint: see `riskmon alerts list`")
    return ids[0]


def _evidence(db: Database, alert_id: str) -> dict[str, Any]:
    store = SqlAlertStore(db)
    alert = store.get(alert_id)
    assert alert is not None  # its id was just found
    refs = dict.fromkeys([*alert.evidence, *(counted.ref for counted in store.counted(alert_id))])
    events = {str(ref): orjson.loads(body) for ref in refs if (body := event_body(db, ref)) is not None}
    rulebooks = progress_of(db).rulebooks or [(0, "")]
    # `describe` leaves room for what only people need; the pack holds plain data alone.
    plain = orjson.loads(orjson.dumps(describe(alert)))
    plain["history"] = [orjson.loads(orjson.dumps(step)) for step in store.history(alert_id)]
    return evidence(plain, _alert_entries(db, alert_id), events, _head(db), rulebooks[-1][1])


def _entries(db: Database, what: str) -> list[Entry]:
    """Return the entries about a customer (or another subject), an alert or an event, oldest first."""
    ledger = Ledger(db)
    subjects = [what, *(f"{kind}:{what}" for kind in load_vocabulary().subjects)]
    found = [entry for subject in subjects for entry in ledger.entries(subject=subject, limit=_MOST)]
    ids = SqlAlertStore(db).matching(what.replace("-", "")) if len(what) >= _SHORTEST else []
    found += [entry for alert_id in ids for entry in _alert_entries(db, alert_id)]
    found += [entry for name in ("event", "cause") for entry in _naming(db, name, what)]
    return sorted({entry.seq: entry for entry in found}.values(), key=lambda entry: entry.seq)


def _alert_entries(db: Database, alert_id: str) -> list[Entry]:
    return _naming(db, "alert", alert_id)


def _naming(db: Database, name: str, value: str) -> list[Entry]:
    # Finds the text first, which SQLite does fast, and reads the few bodies that have it.
    mark = orjson.dumps({name: value})[1:-1]
    query = "SELECT seq FROM ledger WHERE instr(body, ?) > 0 ORDER BY seq LIMIT ?"
    ledger = Ledger(db)
    seqs = [seq for (seq,) in db.execute(query, (mark, _MOST))]
    return [entry for seq in seqs if (entry := ledger.entry(seq)) is not None]


def _event(db: Database, event_id: str, source: str) -> Any:
    body = event_body(db, reference(source, event_id))
    if body is None and not source:
        body = _event_of_any_source(db, event_id)
    return orjson.loads(body) if body else None


def _event_of_any_source(db: Database, event_id: str) -> bytes | None:
    # Reads the whole journal: a second or two for a million events.
    marks = [b'"event_id":' + gap + orjson.dumps(event_id) for gap in (b"", b" ")]
    query = "SELECT body FROM journal WHERE instr(body, ?) > 0 OR instr(body, ?) > 0 LIMIT 1"
    row = db.execute(query, marks).fetchone()
    return bytes(row[0]) if row else None


def _line(entry: Entry) -> str:
    body = orjson.dumps(entry.data).decode()
    moment = datetime.fromtimestamp(entry.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{entry.seq} {moment} {entry.kind} {entry.subject} {body}"
