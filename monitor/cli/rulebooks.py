"""What the commands about rules share: which folders are meant, read, checked and compiled."""

from __future__ import annotations

import atexit
import gc
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rules.compile import Rulebook
    from rules.errors import Mistake
    from rules.model import Expression, ListData, Rule

Folders = Annotated[
    list[Path] | None, typer.Argument(help="Folders of rules; without any, the shipped packs.")
]
Packs = Annotated[
    list[str] | None, typer.Option("--packs", "--rules", help="Shipped pack by name, or a folder.")
]
Lists = Annotated[
    Path | None, typer.Option("--lists", help="Folder of lists; default: that of the configuration.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def chosen(folders: Sequence[Path] | None, packs: Sequence[str] | None) -> list[Path]:
    """Return the folders that are meant: those named, or the shipped packs."""
    from monitor.folders import ConfigurationError, pack_folders
    from rules.loader import PACKS

    for folder in folders or ():
        if not folder.exists():
            refuse(f"{folder}: no such file or folder", "name a folder of rules")
    try:
        named = pack_folders(packs or ())
    except ConfigurationError as error:
        refuse(str(error))
    return [*(folders or ()), *named] or [_near(PACKS)]


def calm() -> None:
    """Let the garbage collector look seldom, and not at the end: what is read and compiled lives so long."""
    gc.set_threshold(200_000, 50, 100)
    atexit.register(gc.freeze)


def _near(folder: Path) -> Path:
    """Return a path as short as it can be said from here."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def loaded(
    folders: Sequence[Path],
    lists: dict[str, ListData] | None = None,
    predicates: dict[str, Expression] | None = None,
) -> list[Rule]:
    """Return the rules of some folders.

    Raises
    ------
    RuleError
        With every mistake; those of the expressions too where the lists are given.
    """
    from rules.compile import every_mistake
    from rules.errors import RuleError
    from rules.loader import load_packs
    from rules.vocabulary import load_vocabulary

    try:
        return load_packs(folders)
    except RuleError as error:
        if not lists:
            raise
        raise every_mistake(error, load_vocabulary(), lists, predicates) from None


def compiled(
    folders: Sequence[Path], lists: Path | None
) -> tuple[list[Rule], dict[str, Expression], Rulebook]:
    """Return rules, shared conditions and the rulebook of some folders.

    Raises
    ------
    RuleError
        With every mistake.
    """
    from rules.compile import compile_rulebook
    from rules.loader import load_predicates
    from rules.parameters import load_parameters, overridden
    from rules.vocabulary import load_vocabulary

    predicates, known = load_predicates(folders), lists_in(lists)
    overrides = load_parameters((lists.parent if lists else configured_folder()) / "parameters.yaml")
    rules = overridden(loaded(folders, known, predicates), overrides, are_all=False)
    return rules, predicates, compile_rulebook(rules, load_vocabulary(), known, predicates=predicates)


def lists_in(folder: Path | None) -> dict[str, ListData]:
    """Return the lists of a folder, by default those of the configuration."""
    from rules.lists import load_lists

    return load_lists(folder or configured_folder() / "lists")


def configured_folder() -> Path:
    """Return the folder of the configuration."""
    from monitor.folders import ConfigurationError, config_folder

    try:
        return config_folder(None)
    except ConfigurationError as error:
        refuse(str(error))


def cases_in(paths: Sequence[Path]) -> list[Any]:
    """Return the test cases of some folders or files."""
    from monitor.ruletest import find_tests, read_cases
    from rules.errors import RuleError
    from rules.vocabulary import load_vocabulary

    cases: list[Any] = []
    mistakes: list[Mistake] = []
    for path in find_tests(paths):
        try:
            cases += read_cases(path, load_vocabulary())
        except RuleError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RuleError(mistakes)
    return cases


@contextmanager
def mistakes_told(form: str = "text") -> Iterator[None]:
    """Print every mistake of rules in a form (text, github, json) and end with status 1."""
    from rules.errors import RuleError

    try:
        yield
    except RuleError as error:
        tell(error.mistakes, form, "error")
        count = len(error.mistakes)
        if form == "text":
            typer.echo(f"{count} mistake{'s' * (count != 1)}: nothing of this is used")
        raise typer.Exit(1) from None


def tell(mistakes: Iterable[Mistake], form: str, level: str) -> None:
    """Print mistakes, one by one: for people, as annotations of GitHub Actions, or as lines of JSON."""
    for one in mistakes:
        if form == "json":
            told = {"file": one.file, "line": one.line, "column": one.column, "level": level}
            typer.echo(json.dumps({**told, "problem": one.problem, "hint": one.hint}, ensure_ascii=False))
        elif form == "github":
            message = f"{one.problem} (hint: {one.hint})" if one.hint else one.problem
            place = f"file={_escaped(one.file)},line={one.line},col={one.column}"
            typer.echo(f"::{level} {place}::{_escaped(message, is_message=True)}")
        else:
            typer.echo(str(one))


def _escaped(text: str, *, is_message: bool = False) -> str:
    """Return a text as a workflow command of GitHub Actions takes it."""
    escapes = {"%": "%25", "\r": "%0D", "\n": "%0A"} | ({} if is_message else {":": "%3A", ",": "%2C"})
    return "".join(escapes.get(character, character) for character in text)


def refuse(problem: str, hint: str = "") -> NoReturn:
    """Say on standard error what is wrong and end with status 2."""
    print(problem + (f"\n  hint: {hint}" if hint else ""), file=sys.stderr)  # noqa: T201
    raise typer.Exit(2)
