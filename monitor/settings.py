"""What can be set, with its defaults: the whole configuration of the monitor as frozen facts.

`config/monitor.yaml` states the same defaults with comments for people; `docs/settings.md` lists
them with their environment variables. Reading files and the environment is
`monitor.settings_file`; nothing here opens anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alerts.inbox.access import ROLES
from alerts.lifecycle import SEVERITIES
from alerts.ports import TOPICS
from rules.vocabulary import load_vocabulary

_CLOCK_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}

Check = Callable[[Any], str | None]
"""Gives what a value should have been, or None where it is well."""


def _setting(default: Any, check: Check | None = None, *, duration: bool = False) -> Any:
    """Return a field that carries how `monitor.settings_file` reads and checks it.

    A duration is a whole number of milliseconds here, its name ends in `_ms`, and in the file it
    is written `20m` under the name without `_ms`.
    """
    return field(default=default, metadata={"check": check, "duration": duration})


def _between(low: int, high: int) -> Check:
    return lambda value: None if low <= value <= high else f"{low} to {high}"


def _at_least(low: int) -> Check:
    return lambda value: None if value >= low else f"{low} or more"


def _matching(pattern: str, example: str) -> Check:
    return lambda value: None if re.fullmatch(pattern, value) else example


def _one_of(*choices: str) -> Check:
    return lambda value: None if value in choices else " or ".join(choices)


def _each_of(choices: Iterable[str]) -> Check:
    known = tuple(choices)
    return lambda values: None if set(values) <= set(known) else f"any of {', '.join(known)}"


def _some(values: Any) -> str | None:
    return None if values else "at least one"


def _roles(values: tuple[str, ...]) -> str | None:
    return _some(values) or _each_of(ROLES)(values)


def _topics(values: tuple[str, ...]) -> str | None:
    return _some(values) or _each_of(TOPICS)(values)


def _rare_subjects(values: tuple[str, ...]) -> str | None:
    known = (
        [subject.name for subject in load_vocabulary().subjects.values() if subject.rare] if values else []
    )
    return _each_of(known)(values)


def _zone(value: str) -> str | None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "an IANA time zone such as Asia/Shanghai"
    return None


def _redis_url(value: str) -> str | None:
    fits = value == "" or urlsplit(value).scheme in ("redis", "rediss", "unix")
    return None if fits else "redis://HOST:PORT/DB"


def _postgres_url(value: str) -> str | None:
    fits = value == "" or urlsplit(value).scheme in ("postgresql", "postgres")
    return None if fits else "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


def _secret(check: Check | None = None) -> Any:
    """Return a field that is never printed; `x_file` beside it may name a file that holds it."""
    return field(default="", repr=False, metadata={"check": check, "duration": False})


_NAME = _matching(r"[a-z][a-z0-9_-]*", "lower-case letters, digits, '-' and '_'")
_BROKERS = r"[A-Za-z0-9._-]+:[0-9]{1,5}(,[A-Za-z0-9._-]+:[0-9]{1,5})*"
_WAIT = _matching(r"[1-9][0-9]{0,5}(m|h|d|bd)", "a time such as 15m, 4h, 2d or 1bd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """Whose customers are watched."""

    id: str = _setting("bank", _NAME)
    """Short name of the institution; stands in every event and evidence pack."""
    base_currency: str = _setting("CNY", _matching(r"[A-Z]{3}", "an ISO 4217 code such as CNY"))
    """ISO 4217. Amounts in other currencies are converted to it with the dated rate table."""
    zone: str = _setting("Asia/Shanghai", _zone)
    """IANA time zone in which calendar days, months and business days begin and end."""
    jurisdiction: str = _setting("CN", _matching(r"[A-Z]{2}", "an ISO 3166 code such as CN"))
    """ISO 3166 alpha-2. Selects statutory parameters and deadlines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How events are assessed and committed."""

    grace_ms: int = _setting(72 * _CLOCK_MS["h"], _at_least(0), duration=True)
    """How late an event may come and still count in its windows. Older ones are recorded only."""
    batch_events: int = _setting(512, _between(1, 100_000))
    """A batch is committed when it has this many events, ..."""
    batch_ms: int = _setting(2, _between(0, 60_000))
    """... or when its first event has waited this long, whichever comes first."""
    cache_subjects: int = _setting(200_000, _at_least(1_000))
    """States kept in memory, the most recently used; some 10 KB each with all packs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Someone, or some system, that may call the API with a bearer token."""

    name: str = _setting("", _NAME)
    """Stands in the ledger as the actor."""
    roles: tuple[str, ...] = _setting(("officer",), _roles)
    """Each allows what `alerts.inbox.access.ROLES` says."""
    token_sha256: str = _setting("", _matching(r"[0-9a-f]{64}", "64 lower-case hex digits"))
    """SHA-256 of the token, hex. The token itself is kept nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Where the inbox, the API and their metrics are served."""

    host: str = _setting("127.0.0.1", _some)
    """Address to bind. Beyond loopback only with `users`: see `refusal`."""
    port: int = _setting(8600, _between(0, 65_535))
    """0 takes a free port."""
    users: tuple[User, ...] = _setting(())
    """Empty: no log-in, everyone on this machine is the officer `local`."""

    @property
    def refusal(self) -> str | None:
        """Why this must not be served, or None: the network is let in only by name.

        Examples
        --------
        >>> Http().refusal is None
        True
        >>> Http(host="0.0.0.0").refusal
        'host 0.0.0.0 is reachable from other machines, and no users are configured'
        """
        if self.users or is_loopback(self.host):
            return None
        return f"host {self.host} is reachable from other machines, and no users are configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where the monitor keeps what it must not lose."""

    dir: str = _setting("var/riskmon", _some)
    """Holds `riskmon.db`. A relative path starts at the working directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which rules are loaded."""

    packs: tuple[str, ...] = _setting(("all",), _some)
    """Names of shipped packs (`all`: all but other countries' law), or paths of folders of one's own."""
    approval: str = _setting("auto", _one_of("auto", "required", "off"))
    """Whether other rules need another person's approval before they come into force. `auto`: as soon as
    there are `http.users`. The configuration in force decides, so turning it off takes two persons, too."""
    backfill: str = _setting("journal", _one_of("journal", "none"))
    """Windows that rules ask for newly are filled from the `journal` when they are activated, or begin
    empty (`none`; always in a cluster, whose workers have no journal)."""
    backfill_events: int = _setting(500_000, _at_least(1))
    """From so many of the newest events at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Through which queue alerts and rating changes leave."""

    kind: str = _setting("embedded", _one_of("embedded", "redis"))
    """`embedded`: in `riskmon.db`. `redis`: Redis Streams at `redis_url`."""
    redis_url: str = _secret(_redis_url)
    """redis://HOST:PORT/DB; may hold a password, so `redis_url_file` may name a file with it instead."""
    redis_url_file: str = _setting("")
    topics: tuple[str, ...] = _setting(("alerts",), _topics)
    """What goes in: changes of `alerts`, of `ratings`, or both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where journal, ledger and alerts lie: one file of one process, or the server of a cluster."""

    kind: str = _setting("embedded", _one_of("embedded", "postgres"))
    """`embedded`: `riskmon.db` in `data.dir`. `postgres`: `postgres_url`, and the roles of a cluster."""
    postgres_url: str = _secret(_postgres_url)
    """postgresql://USER:PASSWORD@HOST:PORT/DATABASE; or `postgres_url_file` names a file with it."""
    postgres_url_file: str = _setting("")


SHIPPED_RARE = (
    "address", "agent", "bank", "channel", "complaint_group", "depositor", "legal_representative", "partner",
    "phone", "segment", "workstation",
)  # fmt: skip
"""Rare kinds of subjects that shipped rules ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """The broker between the roles of a cluster, and how it lets them in."""

    bootstrap: str = _setting("127.0.0.1:9092", _matching(_BROKERS, "HOST:PORT, more after a comma"))
    """Brokers to ask first for the others."""
    prefix: str = _setting("riskmon", _matching(r"[a-z][a-z0-9._-]{0,99}", "such as riskmon"))
    """First part of the names of all topics and groups: two monitors may share a broker."""
    partitions: int = _setting(12, _between(1, 1_000))
    """Of every topic between desk and workers; no more workers than these have work at once."""
    subjects: tuple[str, ...] = _setting(SHIPPED_RARE, _rare_subjects)
    """Rare kinds of subjects that have topics too: at least those that rules ask for."""
    replication: int = _setting(1, _between(1, 10))
    """Copies of every topic: 3 where nothing may be lost with a broker."""
    security: str = _setting("plaintext", _one_of("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"))
    """How to connect: encrypted with `ssl`, logged in with `sasl`, both with `sasl_ssl`."""
    sasl_mechanism: str = _setting("scram-sha-512", _one_of("plain", "scram-sha-256", "scram-sha-512"))
    sasl_username: str = _setting("")
    sasl_password: str = _secret()
    """Or `sasl_password_file` names a file that holds it."""
    sasl_password_file: str = _setting("")
    ca_file: str = _setting("")
    """PEM; whose certificates of brokers are believed. Empty: those the system believes."""
    cert_file: str = _setting("")
    """PEM; the certificate this side shows, where brokers ask for one."""
    key_file: str = _setting("")
    """PEM; the key of `cert_file`, without a password."""

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is TLS.

        Examples
        --------
        >>> Kafka().is_encrypted, Kafka(security="sasl_ssl").is_encrypted
        (False, True)
        """
        return self.security.endswith("ssl")

    @property
    def is_logged_in(self) -> bool:
        """Whether the connection names a user.

        Examples
        --------
        >>> Kafka(security="ssl").is_logged_in, Kafka(security="sasl_ssl").is_logged_in
        (False, True)
        """
        return self.security.startswith("sasl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Where worker and desk, which serve nothing else, tell Prometheus what they do."""

    host: str = _setting("127.0.0.1", _some)
    """Address to bind. Metrics name no customer, so there is no log-in."""
    port: int = _setting(8601, _between(0, 65_535))
    """0 takes a free port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A system that is told of alerts, ratings or both, signed."""

    name: str = _setting("", _NAME)
    url: str = _setting("", _matching(r"https?://\S+", "an http or https address"))
    secret: str = _secret()
    """Key of the HMAC-SHA256 signature; or `secret_file` names a file that holds it."""
    secret_file: str = _setting("")
    topics: tuple[str, ...] = _setting(("alerts",), _topics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sla:
    """How long an alert of each severity may wait for its first decision.

    Minutes, hours and days (`15m`, `4h`, `2d`) run around the clock; business days (`1bd`) are those
    on which the bank works.
    """

    critical: str = _setting("15m", _WAIT)
    high: str = _setting("4h", _WAIT)
    medium: str = _setting("1bd", _WAIT)
    low: str = _setting("3bd", _WAIT)
    info: str = _setting("5bd", _WAIT)

    @property
    def within_ms(self) -> dict[str, int]:
        """Severity to milliseconds, of those that run around the clock.

        Examples
        --------
        >>> Sla().within_ms
        {'critical': 900000, 'high': 14400000}
        """
        return {
            severity: int(wait[:-1]) * _CLOCK_MS[wait[-1]]
            for severity, wait in self._waits()
            if not wait.endswith("bd")
        }

    @property
    def within_days(self) -> dict[str, int]:
        """Severity to business days, of the others.

        Examples
        --------
        >>> Sla().within_days
        {'medium': 1, 'low': 3, 'info': 5}
        """
        return {severity: int(wait[:-2]) for severity, wait in self._waits() if wait.endswith("bd")}

    def _waits(self) -> list[tuple[str, str]]:
        return [(severity, getattr(self, severity)) for severity in reversed(SEVERITIES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """How alerts are decided."""

    four_eyes: tuple[str, ...] = _setting(("high", "critical"), _each_of(SEVERITIES))
    """Severities whose closing needs a second person."""
    sla: Sla = Sla()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. `Settings()` are the defaults.

    Examples
    --------
    >>> Settings().http.port
    8600
    """

    institution: Institution = Institution()
    engine: Engine = Engine()
    http: Http = Http()
    data: Data = Data()
    storage: Storage = Storage()
    kafka: Kafka = Kafka()
    metrics: Metrics = Metrics()
    rules: Rules = Rules()
    queue: Queue = Queue()
    webhooks: tuple[Webhook, ...] = ()
    """Empty: nobody is told."""
    alerts: Alerts = Alerts()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost")
    (True, True, True)
    >>> is_loopback("0.0.0.0"), is_loopback("bank.example"), is_loopback("")
    (False, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
