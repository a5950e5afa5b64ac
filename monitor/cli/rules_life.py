"""`riskmon rules status`, `propose`, `approve` and the others: how rules come into force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.rulebooks import mistakes_told

if TYPE_CHECKING:
    from monitor.cli.source import Source
    from monitor.configuration import Configuration
    from monitor.settings import Settings

Data = Annotated[Path | None, typer.Option(help="Data directory; default: what the settings say.")]
Config = Annotated[Path | None, typer.Option(help="Settings file; default: config/monitor.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Hash = Annotated[str, typer.Argument(metavar="HASH", help="Hash of a configuration, or its beginning.")]
Why = Annotated[str, typer.Option(help="Why; stands in the ledger.")]
Who = Annotated[str, typer.Option("--as", help="Your name, where nobody has to sign in; default: $USER.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `riskmon rules`."""
    for command in (status, propose, approve, reject, activate, rollback, history):
        app.command()(command)


def status(data: Data = None, config: Config = None, as_json: AsJson = False) -> None:
    """Say which rules are in force, since when and by whom, and what is proposed."""
    from monitor.cli.moments import moment
    from monitor.cli.output import configured, show_json
    from monitor.cli.source import source
    from monitor.completeness import incomplete_windows
    from monitor.rule_standing import standing

    files = configured(config)[1]
    with source(data, config).reading() as db:
        found = standing(db)
        incomplete = incomplete_windows(db, moment)
    found |= {"files": files.hash, "incomplete": incomplete}
    if as_json:
        show_json(found)
        return
    for line in _status_lines(found):
        typer.echo(line)


@mistakes_told()
def propose(
    reason: Why,
    note: Annotated[str, typer.Option(help="For who approves; default: how many tests pass.")] = "",
    person: Who = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Propose what the files hold now, once it is checked and its tests pass."""
    from monitor.cli.output import configured, failures
    from monitor.cli.source import source
    from monitor.configuration import build_engine
    from monitor.rule_standing import standing

    settings, files = configured(config)
    with failures():
        build_engine(files)
    passed = _tested(settings, config)
    place = source(data, config)
    _archive(place, files)
    _carry_out(place, settings, "propose", files.hash, person, config, reason=reason, note=note or passed)
    typer.echo(f"proposed {files.hash[:12]}: {passed}")
    with place.reading() as db:
        verb = "approve" if standing(db)["needs_approval"] else "activate"
    who = "another person" if verb == "approve" else "one person"
    typer.echo(f"{who} reads it (riskmon rules diff in-force {files.hash[:12]}) and {verb}s it:")
    typer.echo(f"  riskmon rules {verb} {files.hash[:12]}")


def approve(
    which: Hash, reason: Why = "", person: Who = "", data: Data = None, config: Config = None
) -> None:
    """Approve what another person proposed: this content, not a byte of another."""
    digest = _step("approve", which, person, data, config, reason=reason)
    typer.echo(f"approved {digest[:12]}; it comes into force by: riskmon rules activate {digest[:12]}")


def reject(which: Hash, reason: Why, person: Who = "", data: Data = None, config: Config = None) -> None:
    """Reject a proposal, or withdraw one's own."""
    typer.echo(f"rejected {_step('reject', which, person, data, config, reason=reason)[:12]}")


def activate(
    which: Hash, reason: Why = "", person: Who = "", data: Data = None, config: Config = None
) -> None:
    """Put an approved proposal into force from the next event on, with its new windows filled."""
    digest = _step("activate", which, person, data, config, reason=reason)
    typer.echo(f"in force: {digest[:12]}")
    _tell_windows(data, config)


def rollback(
    reason: Why,
    which: Annotated[str, typer.Argument(metavar="[HASH]", help="Default: what was in force before.")] = "",
    person: Who = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Put an earlier configuration into force again; its approval of then suffices."""
    digest = _step("rollback", which, person, data, config, reason=reason)
    typer.echo(f"in force again: {digest[:12]}")
    _tell_windows(data, config)


def history(
    data: Data = None,
    config: Config = None,
    limit: Annotated[int, typer.Option(min=1, help="Newest steps.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List every step: who proposed, approved, activated or rolled back what, when and why."""
    from monitor.cli.moments import moment
    from monitor.cli.output import show_json
    from monitor.cli.source import source
    from monitor.rule_standing import steps, told_changes

    with source(data, config).reading() as db:
        found = steps(db, limit)
    if as_json:
        show_json(found)
        return
    from rich.table import Table

    from monitor.cli.rules_backtest import wide_console

    table = Table(box=None)
    for name in ("time", "step", "hash", "who", "approved by", "changes", "why"):
        table.add_column(name, no_wrap=name in {"time", "step", "hash"})
    for one in found:
        changes = told_changes(one["changes"]) if "changes" in one else ""
        who, why = one.get("actor") or "at a start", one.get("reason", "")
        row = (
            moment(one["time_ms"]) if one["time_ms"] else "the beginning",
            one["action"],
            one["hash"][:12],
            who,
            one.get("approver", ""),
            changes,
            why,
        )
        table.add_row(*row)
    wide_console().print(table)


def _status_lines(found: dict[str, Any]) -> list[str]:
    from monitor.cli.moments import moment
    from monitor.rule_standing import told_changes, told_windows

    now, lines = found["in_force"], []
    if now is None:
        return ["nothing is in force yet: the first service takes what its files hold"]
    who = f"{now['action'].replace('_', ' ')}" + (
        f" by {now['actor']}" if now["actor"] else " from the files at a start"
    )
    since = moment(now["since_ms"]) if now["since_ms"] else "the beginning"
    lines.append(f"in force   {now['hash'][:12]} since {since}, {who}")
    if now["author"]:
        lines.append(f"           proposed by {now['author']}, approved by {now['approver'] or 'nobody'}")
    lines += [f"           {line}" for line in told_windows(now["windows"], moment)]
    lines += [f"           {line}" for line in found["incomplete"]]
    needed = "needs another person's approval" if found["needs_approval"] else "needs no approval"
    lines.append(f"the next   {needed}")
    if found["files"] not in {now["hash"], *(one["hash"] for one in found["proposals"])}:
        hint = "riskmon rules propose --reason WHY"
        lines += [
            f"files      {found['files'][:12]} differ from what is in force",
            f"           hint: {hint}",
        ]
    for one in found["proposals"]:
        waits = "waits for another person" if found["needs_approval"] else "may be activated"
        state = f"approved by {one['approver']}" if one["approver"] else waits
        lines.append(f"proposed   {one['hash'][:12]} by {one['author']} at {moment(one['time_ms'])}: {state}")
        lines.append(f"           {told_changes(one['changes'])}; {one['reason']}")
    return lines


def _step(verb: str, which: str, person: str, data: Path | None, config: Path | None, *, reason: str) -> str:
    """Carry out a step about a configuration that the database knows; return its hash."""
    from monitor.cli.output import read_settings
    from monitor.cli.source import source

    place, settings = source(data, config), read_settings(config)
    digest = _meant(place, which, verb)
    _carry_out(place, settings, verb, digest, person, config, reason=reason)
    return digest


def _meant(place: Source, which: str, verb: str) -> str:
    from monitor.cli.failure import Failure
    from monitor.rule_standing import life_of

    with place.reading() as db:
        life = life_of(db)
    if verb == "rollback" and not which:
        if life.former is None:
            raise Failure("no other configuration was in force before\n  hint: riskmon rules history")
        return life.former
    found = life.known(which)
    if len(found) != 1:
        problem = "more than one" if found else "no proposal and nothing that was in force"
        raise Failure(
            f"HASH: {problem} begins with {which!r}\n  hint: look with `riskmon rules status` or `history`"
        )
    return found[0]


def _carry_out(
    place: Source,
    settings: Settings,
    verb: str,
    digest: str,
    person: str,
    config: Path | None,
    *,
    reason: str,
    note: str = "",
) -> None:
    from secrets import token_hex
    from time import time

    from alerts.inbox.rule_steps import step_event
    from monitor.cli.acting import Act, carry_out

    key, is_filled = token_hex(16), settings.rules.backfill == "journal" and place.settings is None
    rows = settings.rules.backfill_events if is_filled else 0
    event = step_event(
        verb, digest, actor=_actor(place, settings, verb, person), time_ms=round(time() * 1000),
        key=key, reason=reason, backfill=rows, note=note,
    )  # fmt: skip
    said = {"reason": reason, "note": note}
    act = Act(
        event=event, path=f"/api/rules/{digest}/{verb}", said=said, key=key, look="riskmon rules status"
    )
    carry_out(place, act, config)


def _actor(place: Source, settings: Settings, verb: str, person: str) -> str:
    """Return who acts: by token where there are users, whose roles have to allow it."""
    import os
    from getpass import getuser

    from alerts.inbox.access import Gate
    from alerts.inbox.rule_steps import RIGHTS
    from monitor.cli.acting import TOKEN
    from monitor.cli.failure import Failure
    from monitor.cli.running import running_service
    from monitor.cli.serving import web_users

    if not settings.http.users or (place.settings is None and running_service(place.folder)):
        return person or os.environ.get("USER") or getuser()
    user = Gate(web_users(settings), 1.0).by_token(os.environ.get(TOKEN, ""))
    if user is None:
        raise Failure(f"nobody is known by this token\n  hint: put the token of your user into {TOKEN}")
    if not user.may(RIGHTS[verb]):
        raise Failure(f"{user.name}: your role does not allow to {RIGHTS[verb].value}")
    return user.name


def _tested(settings: Settings, config: Path | None) -> str:
    """Run the tests beside the rules; return in words what came of it, or end with what failed."""
    from monitor.cli.rulebooks import cases_in
    from monitor.cli.rules_test import bench_of, progress_bar
    from monitor.folders import config_folder, pack_folders

    folders = pack_folders(settings.rules.packs, settings.institution.jurisdiction)
    bench, cases = bench_of(folders, config_folder(config) / "lists"), cases_in(folders)
    failed = []
    with progress_bar("tests beside the rules", len(cases)) as show:
        for done, case in enumerate(cases, 1):
            if problems := bench.failures(case):
                failed.append((case, problems))
            show(done)
    wrong = [problem for case, problems in failed if not bench.told_figures(case) for problem in problems]
    for problem in wrong:
        typer.echo(problem)
    if wrong:
        typer.echo("nothing is proposed: tests beside the rules fail")
        raise typer.Exit(1)
    passed = f"{len(cases) - len(failed)} of {len(cases)} test cases pass"
    rules = ", ".join(dict.fromkeys(case.rule for case, _ in failed))
    return (
        f"{passed}, {len(failed)} by the figures of the rules' own files alone ({rules})"
        if failed
        else passed
    )


def _archive(place: Source, files: Configuration) -> None:
    from monitor.app import CONFIGURATION

    with place.marking() as db:
        db.execute(
            "INSERT INTO artifacts(kind, hash, body) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
            (CONFIGURATION, files.hash, files.archive),
        )


def _tell_windows(data: Path | None, config: Path | None) -> None:
    from monitor.cli.moments import moment
    from monitor.cli.source import source
    from monitor.completeness import incomplete_windows
    from monitor.rule_standing import life_of, told_windows

    with source(data, config).reading() as db:
        now, incomplete = life_of(db).in_force, incomplete_windows(db, moment)
    for line in (*told_windows(now.windows if now else None, moment), *incomplete):
        typer.echo(line)
