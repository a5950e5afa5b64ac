"""What no single setting can say: which settings need or exclude each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monitor.settings import Kafka, Settings

Conflict = tuple[str, str, str]
"""Dotted name of the setting, what is wrong with it, and what to write instead."""

POSTGRES_URL = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """Yield everything that does not fit together; looks whether named certificate files are there.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from monitor.settings import Queue
    >>> for conflict in conflicts(replace(Settings(), queue=Queue(kind="redis"))):
    ...     print(*conflict, sep="; ")
    queue.kind; redis needs an address; add queue.redis_url: redis://HOST:PORT/DB, or redis_url_file
    """
    if settings.http.refusal:
        hint = "add http.users with a token hash each, or bind 127.0.0.1"
        yield "http.host", settings.http.refusal, hint
    if settings.queue.kind == "redis" and not settings.queue.redis_url:
        hint = "add queue.redis_url: redis://HOST:PORT/DB, or redis_url_file"
        yield "queue.kind", "redis needs an address", hint
    if settings.storage.kind == "postgres" and not settings.storage.postgres_url:
        hint = f"add storage.postgres_url: {POSTGRES_URL}, or postgres_url_file"
        yield "storage.kind", "postgres needs an address", hint
    yield from _log_in(settings.kafka)
    yield from _certificates(settings.kafka)
    yield from _doubles("http.users", [user.name for user in settings.http.users])
    yield from _doubles("webhooks", [hook.name for hook in settings.webhooks])


def _log_in(kafka: Kafka) -> Iterator[Conflict]:
    given = {"sasl_username": kafka.sasl_username, "sasl_password": kafka.sasl_password}
    if kafka.is_logged_in:
        for name in [name for name, value in given.items() if not value]:
            also = ", or sasl_password_file" if name == "sasl_password" else ""
            yield "kafka.security", f"{kafka.security} needs {name}", f"add kafka.{name}{also}"
        return
    for name in [name for name, value in given.items() if value]:
        what = f"a log-in needs kafka.security sasl_ssl or sasl_plaintext, was {kafka.security}"
        yield f"kafka.{name}", what, "write security: sasl_ssl, or take the log-in out"


def _certificates(kafka: Kafka) -> Iterator[Conflict]:
    files = {"ca_file": kafka.ca_file, "cert_file": kafka.cert_file, "key_file": kafka.key_file}
    for name, file in files.items():
        if file and not kafka.is_encrypted:
            what = f"certificates need kafka.security ssl or sasl_ssl, was {kafka.security}"
            yield f"kafka.{name}", what, "write security: ssl or sasl_ssl, or take the file out"
        elif file and not Path(file).is_file():
            yield f"kafka.{name}", f"there is no file {file!r}", "name a PEM file"
    for name, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if files[name] and not files[other]:
            yield f"kafka.{name}", f"{name} needs {other}", f"add kafka.{other}"


def _doubles(path: str, names: list[str]) -> Iterator[Conflict]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield path, f"{name!r} appears twice", "give each its own name"
