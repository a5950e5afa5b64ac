"""Settings of the inbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

from alerts.inbox.access import User

LOOPBACK: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """How the inbox is served."""

    users: tuple[User, ...] = ()
    """Who may come in. Empty: everybody is the officer `local`, on the loopback address only."""
    session_hours: float = 12.0
    """How long a sign-in lasts."""
    zone: tzinfo = UTC
    """The institution's zone; pages show times in it."""
    four_eyes: frozenset[str] = frozenset()
    """Severities that take two persons to close, e.g. `{"high", "critical"}`; the same as the desk's."""
    body_limit: int = 16 * 1024 * 1024
    """Largest body of `POST /events`, bytes. (One event may have 1 MiB; the codec sees to that.)"""
    retry_after_s: int = 5
    """What a producer is told to wait when nothing can be taken."""
    page_size: int = 100
    """Alerts on a page of the inbox."""
    list_limit: int = 2_000
    """Most urgent alerts that are grouped and paged; a filter finds the others."""


class UnsafeBindingError(ValueError):
    """The service would be open to other machines without users."""


def check_binding(host: str, settings: WebSettings) -> None:
    """Refuse to listen beyond this machine while everybody would be an officer.

    Raises
    ------
    UnsafeBindingError
        `host` is not a loopback address and no users are configured.

    Examples
    --------
    >>> check_binding("127.0.0.1", WebSettings())
    >>> check_binding("0.0.0.0", WebSettings())  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    UnsafeBindingError: 0.0.0.0: no users are configured, expected a loopback address
    """
    if not settings.users and host not in LOOPBACK:
        raise UnsafeBindingError(
            f"{host}: no users are configured, expected a loopback address\n"
            "hint: configure users with roles and token hashes, or listen on 127.0.0.1"
        )
