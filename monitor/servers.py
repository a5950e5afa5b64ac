"""The servers of a cluster as the settings name them: how to reach them, and waiting until they are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from monitor.database import ERRORS, connect_postgres
from monitor.reader import Reader
from monitor.settings import Kafka, Settings
from streams.runners.kafka.connection import Broker, BrokerAwayError, reach

PATIENCE_S = 60.0
"""How long a role that starts waits for its servers."""
_PAUSE_S = 2.0


def broker(kafka: Kafka) -> Broker:
    """Return how clients reach the brokers.

    Examples
    --------
    >>> broker(Kafka(bootstrap="a:9092")).options["bootstrap_servers"]
    ['a:9092']
    """
    return Broker(
        bootstrap=kafka.bootstrap,
        security=kafka.security,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=kafka.sasl_password,
        ca_file=kafka.ca_file,
        cert_file=kafka.cert_file,
        key_file=kafka.key_file,
    )


def postgres_reader(settings: Settings) -> Reader:
    """Return what reads the cluster's database."""
    return Reader(lambda: connect_postgres(settings.storage.postgres_url, read_only=True))


class ServerAwayError(Exception):
    """A server the role cannot start without was not there in time; says which and why."""


def await_servers(
    settings: Settings,
    tell: Callable[[str], None],
    *,
    needs_database: bool = True,
    patience_s: float = PATIENCE_S,
) -> None:
    """Return once brokers and database answer.

    Parameters
    ----------
    tell
        Called with each reason to wait, when it is a new one.

    Raises
    ------
    ServerAwayError
        After `patience_s` one of them is still away.
    """
    end, told = time.monotonic() + patience_s, ""
    while (problem := _problem(settings, needs_database)) is not None:
        if time.monotonic() >= end:
            raise ServerAwayError(problem)
        if problem != told:
            tell(problem)
            told = problem
        time.sleep(_PAUSE_S)


def _problem(settings: Settings, needs_database: bool) -> str | None:
    try:
        asyncio.run(reach(broker(settings.kafka)))
    except BrokerAwayError as error:
        return f"kafka.bootstrap: {error}"
    if needs_database:
        try:
            connect_postgres(settings.storage.postgres_url, read_only=True).close()
        except ERRORS as error:
            # The address holds a password: the driver names host and user, which is enough.
            return f"storage.postgres_url: {' '.join(str(error).split())}"
    return None
