"""`riskmon worker`, `riskmon desk`, `riskmon web`: the roles of a cluster."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.failure import Failure
from monitor.cli.output import configured, failures
from monitor.settings import Settings

Config = Annotated[Path | None, typer.Option(help="settings file, e.g. config/profiles/cluster.yaml")]
MetricsPort = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="port of the metrics; default: from the settings")
]


def worker(config: Config = None, metrics_port: MetricsPort = None) -> None:
    """Serve stages of a cluster: states, rules, ratings. Start as many as there is work for."""
    from monitor.cluster import run_worker

    settings, _ = configured(config)
    settings = _measured(settings, metrics_port)
    with _role("worker", settings, needs_database=False):
        run_worker(settings)


def desk(config: Config = None, metrics_port: MetricsPort = None) -> None:
    """Serve the desk of a cluster: order of events, alerts, ledger, queue. One works at a time."""
    from monitor.cluster import run_desk

    settings, configuration = configured(config)
    settings = _measured(settings, metrics_port)
    with _role("desk", settings):
        run_desk(settings, configuration)


def web(
    config: Config = None,
    port: Annotated[int | None, typer.Option(help="port; default: from the settings")] = None,
) -> None:
    """Serve ingest, inbox and API of a cluster over HTTP. Start as many as there is traffic for."""
    from alerts.inbox.app import build_app
    from alerts.inbox.server import build_server
    from monitor.cli.serving import listen, web_settings
    from monitor.web import open_web

    settings, configuration = configured(config)
    settings = replace(
        settings, http=replace(settings.http, port=settings.http.port if port is None else port)
    )
    if refusal := settings.http.refusal:
        raise Failure(refusal)
    with _role("web", settings):
        listening = listen(settings.http.host, settings.http.port)
        with listening, open_web(settings) as service:
            address = f"http://{settings.http.host}:{listening.getsockname()[1]}"
            typer.echo(f"riskmon web: inbox {address}  metrics {address}/metrics  API {address}/docs")
            pages = build_app(service, web_settings(settings, configuration))
            build_server(pages, settings.http.host, settings.http.port).run(sockets=[listening])


@contextmanager
def _role(name: str, settings: Settings, *, needs_database: bool = True) -> Iterator[None]:
    """Run a role: its servers are there when it begins, and a signal ends it with status 0."""
    from monitor.migrations import SchemaTooNewError
    from monitor.servers import ServerAwayError, await_servers
    from streams.runners.kafka.desk import LogGoneError
    from streams.runners.kafka.topics import TopicsError

    if settings.storage.kind != "postgres":
        hint = "give --config config/profiles/cluster.yaml, or use `riskmon run` for one process"
        kind = settings.storage.kind
        raise Failure(f"storage.kind: expected postgres for `riskmon {name}`, was {kind}\n  hint: {hint}")
    # Supervisors stop a service by SIGTERM; it is to end as by Ctrl-C, with everything in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("httpx", "aiokafka", "alembic", "faust", "mode"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        await_servers(settings, _waiting, needs_database=needs_database)
        # From here on it tells every try, ten times a second, and we tell what we make of it.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        typer.echo(f"riskmon {name}: starting; Ctrl-C stops it")
        with failures():
            yield
    except ServerAwayError as error:
        raise Failure(f"{error}\n  hint: start the server, or correct the address") from None
    except (SchemaTooNewError, LogGoneError, TopicsError) as error:
        raise Failure(str(error)) from None
    except KeyboardInterrupt:
        typer.echo(f"riskmon {name}: stopped")


def _waiting(problem: str) -> None:
    typer.echo(f"waiting: {problem}", err=True)


def _measured(settings: Settings, port: int | None) -> Settings:
    return settings if port is None else replace(settings, metrics=replace(settings.metrics, port=port))
