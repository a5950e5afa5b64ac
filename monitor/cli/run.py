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

import typer

from alerts.inbox.app import build_app
from alerts.inbox.server import build_server
from monitor.app import DATABASE, HOUR_MS, PROPOSE, SERVICE, Opened, open_data, relay
from monitor.bank import SimulatedBank, setting
from monitor.cli.failure import Failure
from monitor.cli.output import configured, data_folder, failures
from monitor.cli.serving import listen, web_settings
from monitor.live import LiveSensor, live_service
from monitor.readings import announce, readings
from monitor.settings import Settings
from streams.runners.embedded import EmbeddedRunner, Pace


def run(
    config: Annotated[Path | None, typer.Option(help="settings file; default: config/monitor.yaml")] = None,
    data: Annotated[Path | None, typer.Option(help="data directory; default: from the settings")] = None,
    port: Annotated[int | None, typer.Option(help="port; default: from the settings")] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="feed it from a simulated live bank")] = False,
) -> None:
    """Start the monitor: HTTP ingest, engine, inbox and metrics in one process."""
    # Supervisors stop a service by SIGTERM; it is to end as by Ctrl-C, with everything written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings, configuration = configured(config)
    settings = replace(
        settings, http=replace(settings.http, port=settings.http.port if port is None else port)
    )
    if refusal := settings.http.refusal:
        raise Failure(refusal)
    folder = data_folder(data or Path(settings.data.dir))
    sensor = LiveSensor(readings(folder / DATABASE))
    announce(sensor, configuration)
    with failures(folder):
        opened = open_data(
            folder, settings, configuration, sensor=sensor, tick_every_ms=HOUR_MS, learns_aside=True
        )
    with ExitStack() as stack:
        stack.callback(opened.abandon)
        _serve(settings, folder, opened, sensor, stack, simulate=simulate)


def _serve(
    settings: Settings, folder: Path, opened: Opened, sensor: LiveSensor, stack: ExitStack, *, simulate: bool
) -> None:
    engine = settings.engine
    runner = EmbeddedRunner(
        opened.processor, Pace(batch_events=engine.batch_events, gather_ms=engine.batch_ms)
    )
    fills = settings.rules.backfill_events if settings.rules.backfill == "journal" else 0
    service = live_service(folder, opened, runner, sensor, fills)
    pages = build_app(service, web_settings(settings, opened.configuration))
    server = build_server(pages, settings.http.host, settings.http.port)
    listening = listen(settings.http.host, settings.http.port)
    stack.callback(listening.close)
    bank = None
    if simulate:
        zone = settings.institution.zone
        bank = SimulatedBank(runner, setting(folder, zone), opened.processor.progress.stream_time_ms)
    runner.start()
    stack.callback(runner.stop)
    outbox = relay(folder / DATABASE, settings, sensor)
    outbox.start()
    stack.callback(outbox.stop)
    port = listening.getsockname()[1]
    place = folder / SERVICE
    place.write_text(json.dumps({"port": port, "pid": os.getpid()}), encoding="utf-8")
    stack.callback(place.unlink, missing_ok=True)
    if bank is not None:
        bank.start()
        stack.callback(bank.stop)
    address = f"http://{settings.http.host}:{port}"
    typer.echo(f"riskmon runs: inbox {address}  metrics {address}/metrics  API {address}/docs  data {folder}")
    if bank is not None:
        typer.echo("The simulated bank sends what it has of the past first: the inbox fills within a minute.")
    if opened.waiting:
        stays = f"in force stays {opened.configuration.hash[:12]}"
        typer.echo(f"The files hold {opened.waiting[:12]}, {stays}; {PROPOSE}")
    typer.echo("Ctrl-C stops it; starting again continues.")
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        # A second signal must not tear the last commit out of its order.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        typer.echo("stopping: writing what is unwritten ...")
