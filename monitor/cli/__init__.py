"""The command line: one module a group of commands."""

from __future__ import annotations

import importlib
import sys

import typer

from monitor.cli.failure import Failure

GROUPS = {
    "rules": "check, test, list and explain rules",
    "alerts": "the desk from a terminal",
    "rating": "ratings and their arithmetic",
    "audit": "verify, export and show what was decided",
    "deadletter": "records that could not be read",
}
"""Sub-commands, each a module of this package with an `app`."""
COMMANDS = {
    "run": "run",
    "worker": "cluster",
    "desk": "cluster",
    "web": "cluster",
    "replay": "replay",
    "simulate": "simulate",
    "bench": "bench",
    "sizing": "sizing",
    "export-state": "moving",
    "import-state": "moving",
}
"""Commands, each a function of its name (with `_` for `-`) in a module of this package."""


def build_app(only: str = "") -> typer.Typer:
    """Return the command line with everything mounted, or with one command alone.

    A command imports much that another does not need, so the one that is asked for comes up alone.
    """
    app = typer.Typer(
        name="riskmon",
        help="Real-time customer risk monitor.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    # With a callback it stays a command line of sub-commands, even of a single one.
    app.callback()(lambda: None)
    is_known = only in COMMANDS or only in GROUPS
    for name, module in COMMANDS.items():
        if is_known and name != only:
            continue
        app.command(name)(getattr(importlib.import_module(f"monitor.cli.{module}"), name.replace("-", "_")))
    for name, about in GROUPS.items():
        if is_known and name != only:
            continue
        app.add_typer(importlib.import_module(f"monitor.cli.{name}").app, name=name, help=about)
    return app


def main() -> None:
    """Run the command line; a `Failure` becomes its sentence and its status."""
    try:
        build_app(sys.argv[1] if len(sys.argv) > 1 else "")()
    except Failure as failure:
        print(failure, file=sys.stderr)  # noqa: T201
        sys.exit(failure.status)
    except BrokenPipeError:
        sys.exit(0)
