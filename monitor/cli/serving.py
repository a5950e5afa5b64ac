"""What the commands that serve pages share: a bound socket, and the inbox's part of the settings."""

from __future__ import annotations

import socket
from zoneinfo import ZoneInfo

from alerts.inbox.access import User
from alerts.inbox.settings import WebSettings
from monitor.app import desk_settings
from monitor.cli.failure import Failure
from monitor.configuration import Configuration
from monitor.settings import Settings


def web_settings(settings: Settings, configuration: Configuration) -> WebSettings:
    """Return the inbox's part of the settings."""
    users = web_users(settings)
    four_eyes = desk_settings(configuration).four_eyes
    return WebSettings(users=users, zone=ZoneInfo(settings.institution.zone), four_eyes=four_eyes)


def web_users(settings: Settings) -> tuple[User, ...]:
    """Return everybody whom the settings name, as the inbox knows them."""
    return tuple(
        User(name=user.name, token_sha256=user.token_sha256, roles=frozenset(user.roles))
        for user in settings.http.users
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    Raises
    ------
    Failure
        Something else listens there, or the address is not of this machine.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        hint = "stop what listens there, or give another --port"
        raise Failure(f"{host}:{port}: cannot listen: {error.strerror}\n  hint: {hint}") from None
    return bound
