"""A back-test from beginning to end: runs side by side, then the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from monitor.backtest.job import Job, Origin, Period
from monitor.backtest.past import Past
from monitor.backtest.processes import Progress, run_all
from monitor.backtest.report import AFTER, BEFORE, Side, report
from monitor.backtest.verdicts import verdicts_of
from monitor.configuration import Configuration, compiled
from monitor.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be compared."""

    origin: Origin
    period: Period
    baseline: Configuration
    candidate: Configuration | None = None
    """None: the baseline is told alone."""
    officers: int = 1
    side_by_side: bool = True
    """Each run in a process of its own; else one after the other."""


def backtest(
    db: Database, request: Request, progress: Progress = lambda name, done, total: None
) -> dict[str, Any]:
    """Return the report of a back-test; see `monitor.backtest.report`.

    The journal is only read; what the runs find goes into a temporary folder, which is gone after.
    The same request over the same journal gives the same report.

    Raises
    ------
    RuleError
        Where the candidate's rules have mistakes: before anything is replayed.
    RunFailedError
        Where a run failed.
    """
    configurations = {BEFORE: request.baseline}
    if request.candidate is not None:
        configurations[AFTER] = request.candidate
    for configuration in configurations.values():
        compiled(configuration)
    with TemporaryDirectory(prefix="riskmon-backtest-") as folder:
        jobs = [
            Job(
                name=name,
                origin=request.origin,
                archive=configuration.archive,
                period=request.period,
                scratch=Path(folder) / f"{name}.db",
            )
            for name, configuration in configurations.items()
        ]
        told = run_all(jobs, progress, side_by_side=request.side_by_side)
        sides: Mapping[str, Side] = {
            job.name: Side(configuration=configurations[job.name], scratch=job.scratch, told=told[job.name])
            for job in jobs
        }
        verdicts = verdicts_of(db, Past(db), request.period, request.baseline)
        return report(sides, request.period, verdicts, request.officers)
