"""`riskmon rules`: check, test, list and explain rules."""

from __future__ import annotations

import typer

from monitor.cli.rules_backtest import backtest
from monitor.cli.rules_catalogue import catalogue
from monitor.cli.rules_check import check
from monitor.cli.rules_costs import costs
from monitor.cli.rules_diff import diff
from monitor.cli.rules_explain import explain
from monitor.cli.rules_life import register
from monitor.cli.rules_list import list_
from monitor.cli.rules_peers import peers
from monitor.cli.rules_sample import sample
from monitor.cli.rules_schema import schema
from monitor.cli.rules_shadow import shadow
from monitor.cli.rules_test import run_tests

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Check, test, list and explain rules.")
app.command()(backtest)
app.command()(catalogue)
app.command()(check)
app.command()(costs)
app.command("list")(list_)
app.command("test")(run_tests)
app.command()(sample)
app.command()(schema)
app.command()(shadow)
app.command()(peers)
app.command()(diff)
app.command()(explain)
register(app)
