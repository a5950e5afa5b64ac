"""Several runs at once, each in a process of its own, and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from monitor.backtest.job import Job
from monitor.backtest.run import Told, run

Progress = Callable[[str, int, int], None]
"""Called with the name of a run, journal rows done and in all."""


class RunFailedError(RuntimeError):
    """A run ended without a result; the message is that of the error in its process."""


def run_all(
    jobs: Sequence[Job],
    progress: Progress = lambda name, done, total: None,
    *,
    side_by_side: bool = True,
) -> dict[str, Told]:
    """Carry out runs; return what they tell, by name, in the order of the jobs.

    A single one is carried out in this process, and so are several where they are not to run side by side.

    Raises
    ------
    RunFailedError
        Where one of them failed; the others are ended.
    """
    if len(jobs) == 1 or not side_by_side:
        return {job.name: run(job, partial(progress, job.name)) for job in jobs}
    context = get_context("spawn")
    readers: dict[Connection[Any, Any], Job] = {}
    processes = []
    try:
        for job in jobs:
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(job, writer), daemon=True)
            process.start()
            writer.close()
            readers[reader] = job
            processes.append(process)
        return _follow(readers, progress)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(job: Job, writer: Connection[Any, Any]) -> None:
    try:
        writer.send(run(job, lambda done, total: writer.send((done, total))))
    except Exception as error:
        writer.send(f"{job.name}: {error}")


def _follow(readers: dict[Connection[Any, Any], Job], progress: Progress) -> dict[str, Told]:
    found: dict[str, Told] = {}
    waiting = dict(readers)
    while waiting:
        for reader in wait(list(waiting)):
            assert isinstance(reader, Connection)
            name = waiting[reader].name
            try:
                told = reader.recv()
            except EOFError:
                raise RunFailedError(f"{name}: its process was ended from outside") from None
            if isinstance(told, str):
                raise RunFailedError(told)
            if isinstance(told, Told):
                found[name] = told
                del waiting[reader]
            else:
                progress(name, *told)
    return {job.name: found[job.name] for job in readers.values()}
