"""`riskmon run`: the embedded service."""

from __future__ import annotations

import json
import logging
import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
import uvicorn

from alerts.inbox.access import User
from alerts.inbox.app import build_app
from alerts.inbox.server import build_server
from alerts.inbox.settings import WebSettings
from monitor.app import DATABASE, HOUR_MS, SERVICE, Opened, desk_settings, open_data, relay
from monitor.bank import SimulatedBank, setting
from monitor.cli.output import Failure, configured, failures
from monitor.live import LiveSensor, LiveService, readings
from monitor.settings import Settings
from streams.runners.embedded import EmbeddedRunner, Pace


def run(
    config: Annotated[Path | None, typer.Option(help="settings file; default: config/monitor.yaml")] = None,
    data: Annotated[Path | None, typer.Option(help="data directory; default: from the settings")] = None,
    port: Annotated[int | None, typer.Option(help="port; default: from the settings")] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="feed it from a simulated live bank")] = False,
) -> None:
    """Start the monitor: HTTP ingest, engine, inbox and metrics in one process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings, configuration = configured(config)
    settings = replace(
        settings, http=replace(settings.http, port=settings.http.port if port is None else port)
    )
    if refusal := settings.http.refusal:
        raise Failure(refusal)
    folder = data or Path(settings.data.dir)
    folder.mkdir(parents=True, exist_ok=True)
    sensor = LiveSensor(readings(folder / DATABASE))
    with failures():
        opened = open_data(folder, settings, configuration, sensor=sensor, tick_every_ms=HOUR_MS)
    with ExitStack() as stack:
        stack.callback(opened.store.db.close)
        _serve(settings, folder, opened, sensor, stack, simulate=simulate)


def _serve(
    settings: Settings, folder: Path, opened: Opened, sensor: LiveSensor, stack: ExitStack, *, simulate: bool
) -> None:
    engine = settings.engine
    runner = EmbeddedRunner(
        opened.processor, Pace(batch_events=engine.batch_events, gather_ms=engine.batch_ms / 10)
    )
    service = LiveService(folder, opened, runner, sensor)
    server = build_server(build_app(service, web_settings(settings)), settings.http.host, settings.http.port)
    socket = _socket(server.config)
    stack.callback(socket.close)
    bank = None
    if simulate:
        zone = settings.institution.zone
        bank = SimulatedBank(runner, setting(folder, zone), opened.processor.progress.stream_time_ms)
    runner.start()
    stack.callback(runner.stop)
    outbox = relay(folder / DATABASE, settings)
    outbox.start()
    stack.callback(outbox.stop)
    port = socket.getsockname()[1]
    place = folder / SERVICE
    place.write_text(json.dumps({"port": port, "pid": os.getpid()}), encoding="utf-8")
    stack.callback(place.unlink, missing_ok=True)
    if bank is not None:
        bank.start()
        stack.callback(bank.stop)
    address = f"http://{settings.http.host}:{port}"
    typer.echo(f"riskmon runs: inbox {address}  metrics {address}/metrics  API {address}/docs  data {folder}")
    typer.echo("Ctrl-C stops it; starting again continues.")
    try:
        server.run(sockets=[socket])
    except KeyboardInterrupt:
        pass
    finally:
        # A second Ctrl-C must not tear the last commit out of its order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        typer.echo("stopping: writing what is unwritten ...")


def web_settings(settings: Settings) -> WebSettings:
    """Return the inbox's part of the settings."""
    users = tuple(
        User(name=user.name, token_sha256=user.token_sha256, roles=frozenset(user.roles))
        for user in settings.http.users
    )
    return WebSettings(
        users=users, zone=ZoneInfo(settings.institution.zone), four_eyes=desk_settings(settings).four_eyes
    )


def _socket(config: uvicorn.Config):  # type: ignore[no-untyped-def]  # noqa: ANN202  a socket.socket
    try:
        return config.bind_socket()
    except SystemExit:
        hint = "another service listens there: stop it, or give --port"
        raise Failure(f"{config.host}:{config.port}: cannot listen\n  hint: {hint}") from None
