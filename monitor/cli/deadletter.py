"""`riskmon deadletter`: records that could not become events, and the way back for them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import orjson
import typer

from alerts.inbox.service import UnavailableError
from monitor.app import ingest
from monitor.cli.failure import Failure
from monitor.cli.output import configured, failures, show_json
from monitor.cli.running import running_service
from monitor.cli.source import Config, Data, Source, source
from monitor.configuration import build_codec
from monitor.settings import Settings
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, Rejection
from streams.deadletter import STATUSES, DeadLetter, DeadLetters
from streams.faults import Fault
from streams.mapping import Mapping

if TYPE_CHECKING:
    from monitor.web import ClusterFeed

app = typer.Typer(no_args_is_help=True)
TOKEN = "RISKMON_TOKEN"  # noqa: S105  the name of the variable, not a token
_BATCH_BYTES = 4 << 20
_BATCH = 1_000
_ALL = 1_000_000

Ids = Annotated[list[int] | None, typer.Argument(help="ids; default: all that wait")]
Reason = Annotated[str, typer.Option(help="only letters with this reason")]
Json = Annotated[bool, typer.Option("--json", help="as JSON")]


@app.callback()
def group() -> None:
    """Records that could not become events."""


@app.command("list")
def list_letters(
    reason: Reason = "",
    status: Annotated[str, typer.Option(help=f"{', '.join(STATUSES)} or all")] = "waiting",
    limit: Annotated[int, typer.Option(min=1, help="how many")] = 50,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    if status not in (*STATUSES, "all"):
        raise Failure(f"--status: expected {', '.join(STATUSES)} or all, was {status!r}")
    with source(data, config).reading() as db:
        letters = DeadLetters(db)
        found = letters.select(reason=reason or None, status=None if status == "all" else status, limit=limit)
        counts = letters.counts()
    if as_json:
        show_json({"waiting": counts, "items": [_plain(letter) for letter in found]})
        return
    for letter in found:
        typer.echo(f"{letter.id:>6}  {_moment(letter.received_ms)}  {letter.source}  {_sentence(letter)}")
    waiting = ", ".join(f"{name} {number}" for name, number in counts.items()) or "none"
    typer.echo(f"waiting: {waiting}")


@app.command()
def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID")],
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a dead letter with the record and every fault."""
    with source(data, config).reading() as db:
        letter = DeadLetters(db).get(letter_id)
    if letter is None:
        raise Failure(f"{letter_id}: no such dead letter\n  hint: see `riskmon deadletter list --status all`")
    if as_json:
        show_json({**_plain(letter), "record": _readable(letter.record)})
        return
    typer.echo(
        f"{letter.id}  {letter.status}  {_moment(letter.received_ms)}  {letter.source}  {letter.reason}"
    )
    for fault in letter.faults:
        typer.echo(f"  {fault}")
    typer.echo(letter.record.decode("utf-8", "backslashreplace"))


@app.command()
def discard(
    letter_ids: Annotated[list[int], typer.Argument(metavar="ID...")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Throw dead letters away: they stay in the database, marked, and are not sent again."""
    place = source(data, config)
    _require(place, letter_ids)
    typer.echo(f"discarded {_mark(place, letter_ids, 'discarded')}")


@app.command()
def redrive(
    letter_ids: Ids = None,
    reason: Reason = "",
    fix: Annotated[
        Path | None, typer.Option(help='repaired records, a line each: {"id": 17, "record": {...}}')
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="repaired mapping file, for rows that could not be mapped")
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send dead letters again; those that are still no events stay where they are."""
    _, configuration = configured(config)
    place = source(data, config)
    fixed = _fixes(fix) if fix is not None else {}
    ids = list(letter_ids) if letter_ids else list(fixed) or None
    if ids is not None:
        _require(place, [*ids, *fixed])
    with place.reading() as db:
        letters = DeadLetters(db).select(ids=ids, reason=reason or None, limit=_ALL)
    mapping = _mapping(map_file)
    ready, still_bad = _prepared(letters[::-1], fixed, mapping, build_codec(configuration))
    statuses = _taken(place, ready, config) if ready else []
    results = _results(ready, statuses)
    _mark(place, [letter for letter, taken in results.items() if taken], "redriven")
    bad = {**still_bad, **{letter: "was not taken" for letter, taken in results.items() if not taken}}
    _report(sum(results.values()), Counter(statuses), bad, as_json=as_json)


# ----------------------------------------------------------------------------------- what is sent


def _prepared(
    letters: Sequence[DeadLetter], fixed: dict[int, bytes], mapping: Mapping | None, codec: Codec
) -> tuple[list[tuple[int, bytes]], dict[int, str]]:
    """Return (letter, record) of what can be sent, and why the rest cannot; a row may make several."""
    convert = mapping.compile() if mapping is not None else None
    ready: list[tuple[int, bytes]] = []
    bad: dict[int, str] = {}
    for letter in letters:
        records = [fixed.get(letter.id, letter.record)]
        if convert is not None and letter.reason == "unmappable" and letter.id not in fixed:
            found = convert(orjson.loads(letter.record))
            if isinstance(found, Fault):
                bad[letter.id] = str(found)
                continue
            records = [orjson.dumps(record) for record in found]
        faults = [event.faults[0] for event in codec.decode_many(records) if isinstance(event, Rejection)]
        if faults:
            bad[letter.id] = str(faults[0])
        else:
            # A line break in good JSON is white space; without it a record is a line.
            ready += [(letter.id, record.replace(b"\n", b" ")) for record in records]
    return ready, bad


def _fixes(path: Path) -> dict[int, bytes]:
    """Read a file of repaired records.

    Raises
    ------
    Failure
        With every bad line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise Failure(
            f"{path}: cannot be read: {error.strerror}\n  hint: give a file of JSON lines"
        ) from None
    found: dict[int, bytes] = {}
    mistakes = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            plain = orjson.loads(line)
            found[int(plain["id"])] = orjson.dumps(plain["record"])
        except (ValueError, KeyError, TypeError):
            mistakes.append(f'{path}:{number}:1: expected {{"id": ..., "record": {{...}}}}')
    if mistakes:
        hint = "start from `riskmon deadletter show ID --json`"
        raise Failure("\n".join([*mistakes, f"  hint: {hint}"]))
    return found


def _mapping(path: Path | None) -> Mapping | None:
    if path is None:
        return None
    with failures():
        return Mapping.load(path, load_vocabulary())


def _taken(place: Source, ready: Sequence[tuple[int, bytes]], config: Path | None) -> list[str]:
    """Let whoever takes events there take the records; return what became of each."""
    records = [record for _, record in ready]
    if place.settings is not None:
        return _published(place.settings, records)
    url = running_service(place.folder)
    if url is not None:
        return _sent(url, ready)
    with failures():
        return [outcome.status for outcome in ingest(place.folder, records, *configured(config))]


def _published(settings: Settings, records: Sequence[bytes]) -> list[str]:
    from monitor.web import open_feed

    try:
        with open_feed(settings) as feed:
            return [status for batch in _batches(records) for status in asyncio.run(_fed(feed, batch))]
    except UnavailableError as error:
        hint = "send again with the same command: what was taken is a duplicate then"
        raise Failure(f"{error}\n  hint: {hint}") from None


async def _fed(feed: ClusterFeed, batch: Sequence[bytes]) -> list[str]:
    return [outcome.status for outcome in await feed.ingest(batch, "cli")]


def _batches(records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (records[start : start + _BATCH] for start in range(0, len(records), _BATCH))


def _sent(url: str, ready: Sequence[tuple[int, bytes]]) -> list[str]:
    """Send records to the running service; return its answer for each."""
    headers = {"content-type": "application/x-ndjson"}
    if os.environ.get(TOKEN):
        headers["authorization"] = f"Bearer {os.environ[TOKEN]}"
    statuses: list[str] = []
    batch: list[bytes] = []
    for place, (_, record) in enumerate(ready):
        batch.append(record)
        if place == len(ready) - 1 or sum(map(len, batch)) > _BATCH_BYTES:
            statuses += _posted(url, headers, batch)
            batch = []
    return statuses


def _posted(url: str, headers: dict[str, str], batch: list[bytes]) -> list[str]:
    hint = "send again with the same command: what was taken is a duplicate then"
    try:
        answer = httpx.post(f"{url}/events", content=b"\n".join(batch), headers=headers, timeout=60)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Failure(f"{url}: no answer: {error}\n  hint: {hint}") from None
    if "items" not in told:
        problem = told.get("error") or f"status {answer.status_code}"
        raise Failure(f"{url}: {problem}\n  hint: {told.get('hint') or hint}")
    return [str(item["status"]) for item in told["items"]]


def _results(ready: Sequence[tuple[int, bytes]], statuses: Sequence[str]) -> dict[int, bool]:
    """Return for each letter whether all its records were taken."""
    results: dict[int, bool] = {}
    for (letter, _), status in zip(ready, statuses, strict=True):
        results[letter] = results.get(letter, True) and status in ("accepted", "duplicate")
    return results


def _report(redriven: int, statuses: Counter[str], bad: dict[int, str], *, as_json: bool) -> None:
    if as_json:
        show_json({"redriven": redriven, **statuses, "still_waiting": bad})
    else:
        typer.echo(f"redriven {redriven}, still waiting {len(bad)}")
        for letter, why in bad.items():
            typer.echo(f"{letter:>6}  {why}")
    if bad:
        raise typer.Exit(1)


# ---------------------------------------------------------------------------------- the database


def _require(place: Source, ids: Sequence[int]) -> None:
    """Fail where a letter is not there or waits no more."""
    with place.reading() as db:
        waiting = {letter.id for letter in DeadLetters(db).select(ids=ids, limit=_ALL)}
    missing = [str(one) for one in dict.fromkeys(ids) if one not in waiting]
    if missing:
        raise Failure(
            f"{', '.join(missing)}: not waiting\n  hint: see `riskmon deadletter list --status all`"
        )


def _mark(place: Source, ids: Sequence[int], status: str) -> int:
    with place.marking() as db:
        return DeadLetters(db).mark(ids, status)


def _plain(letter: DeadLetter) -> dict[str, Any]:
    faults = [{"path": fault.path, "problem": fault.problem, "hint": fault.hint} for fault in letter.faults]
    return {
        "id": letter.id,
        "received_ms": letter.received_ms,
        "source": letter.source,
        "reason": letter.reason,
        "event_id": letter.event_id,
        "status": letter.status,
        "faults": faults,
    }


def _readable(record: bytes) -> Any:
    """Return the record as JSON where it is some, else as text."""
    try:
        return orjson.loads(record)
    except ValueError:
        return record.decode("utf-8", "backslashreplace")


def _sentence(letter: DeadLetter) -> str:
    more = f" (and {len(letter.faults) - 1} more)" if len(letter.faults) > 1 else ""
    return f"{letter.reason}: {letter.faults[0]}{more}" if letter.faults else letter.reason


def _moment(received_ms: int) -> str:
    if not received_ms:
        return "recorded".ljust(20)
    return datetime.fromtimestamp(received_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
