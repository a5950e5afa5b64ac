"""Signed webhooks: messages of the outbox posted to other systems.

The receiver recomputes `X-Riskmon-Signature` from the timestamp, the body and the shared secret,
refuses old timestamps, and drops an `Idempotency-Key` it has seen: a message may come twice, never
not at all.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Final
from urllib.parse import urlsplit

import httpx

from alerts.messages import neutral
from alerts.outbox import DeliveryError, Posted, RefusedError

SIGNATURE: Final = "X-Riskmon-Signature"
TIMESTAMP: Final = "X-Riskmon-Timestamp"
IDEMPOTENCY_KEY: Final = "Idempotency-Key"

_NEVER: Final = frozenset({400, 413, 415, 422})
"""Refusals of the message itself. All others (wrong path, no rights, busy) are of the set-up, and pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One receiver."""

    name: str
    """Names its position in the outbox: a renamed webhook gets everything that is kept again."""
    url: str
    secret: str | None = None
    secret_file: Path | None = None
    """Read once, at the start; white space around the secret is dropped."""
    confidential: bool = False
    """Whether the receiver may see alerts of class `aml_confidential`; else it gets their id only."""
    timeout_s: float = 10.0
    topics: frozenset[str] = frozenset({"alerts"})
    """Which messages it is told: any of `alerts.ports.TOPICS`."""


def sign(secret: bytes, timestamp_s: int, body: bytes) -> str:
    """Return the signature of a body sent at a time: HMAC-SHA256 over `<timestamp>.<body>`.

    Examples
    --------
    >>> sign(b"secret", 1700000000, b"{}")[:23]
    'sha256=b8569b78799ff9e3'
    """
    digest = hmac.new(secret, b"%d.%b" % (timestamp_s, body), sha256).hexdigest()
    return f"sha256={digest}"


def is_signed(
    secret: bytes, headers: Mapping[str, str], body: bytes, now_s: int, tolerance_s: int = 300
) -> bool:
    """Tell whether a request is genuine and recent: what a receiver has to check.

    Examples
    --------
    >>> headers = {TIMESTAMP: "1700000000", SIGNATURE: sign(b"secret", 1700000000, b"{}")}
    >>> is_signed(b"secret", headers, b"{}", now_s=1700000100)
    True
    >>> is_signed(b"secret", headers, b"{ }", now_s=1700000100)
    False
    >>> is_signed(b"secret", headers, b"{}", now_s=1700009999)
    False
    """
    try:
        timestamp_s = int(headers[TIMESTAMP])
        given = headers[SIGNATURE]
    except (KeyError, ValueError):
        return False
    genuine = hmac.compare_digest(sign(secret, timestamp_s, body).encode(), given.encode())
    return genuine and abs(now_s - timestamp_s) <= tolerance_s


class Webhook:
    """A webhook as a `Channel` of the outbox; the relay retries it with back-off.

    Parameters
    ----------
    settings
        The receiver; exactly one of `secret` and `secret_file`.
    clock_s
        Wall clock, for the timestamp.

    Raises
    ------
    ValueError
        The settings do not name one secret or no http(s) address.
    OSError
        `secret_file` cannot be read.
    """

    def __init__(self, settings: WebhookSettings, clock_s: Callable[[], float] = time) -> None:
        _check(settings)
        self.name = f"webhook:{settings.name}"
        self.topics = settings.topics
        self._settings = settings
        self._secret = _secret(settings)
        self._clock_s = clock_s
        self._client = httpx.Client(timeout=settings.timeout_s, follow_redirects=False)

    def deliver(self, posted: Posted) -> None:
        """Post a message; the same message has the same idempotency key every time.

        Raises
        ------
        DeliveryError
            No answer, or one that may change: to be tried again.
        RefusedError
            The receiver will never take this message.
        """
        message = posted.message
        hidden = message.confidential and not self._settings.confidential
        body = neutral(message.body) if hidden else message.body
        try:
            answer = self._client.post(self._settings.url, content=body, headers=self._headers(posted, body))
        except httpx.HTTPError as error:
            raise DeliveryError(f"{self.name}: {type(error).__name__} {error}") from error
        self._judge(answer.status_code)

    def close(self) -> None:
        """Let go of connections; closing twice is harmless."""
        self._client.close()

    def _headers(self, posted: Posted, body: bytes) -> dict[str, str]:
        timestamp_s = int(self._clock_s())
        key = posted.message.key
        # An alert changes often under one key; a rating change is told once, and has its own.
        once = key if posted.message.topic == "ratings" else f"{key}-{posted.sequence}"
        return {
            "Content-Type": "application/json",
            TIMESTAMP: str(timestamp_s),
            SIGNATURE: sign(self._secret, timestamp_s, body),
            IDEMPOTENCY_KEY: once,
        }

    def _judge(self, status: int) -> None:
        if httpx.codes.is_success(status):
            return
        text = f"{self.name}: expected status 2xx, was {status}"
        if status in _NEVER:
            raise RefusedError(text)
        raise DeliveryError(text)


def _check(settings: WebhookSettings) -> None:
    where = f"webhook {settings.name!r}"
    if (settings.secret is None) == (settings.secret_file is None):
        raise ValueError(f"{where}: expected either secret or secret_file\n  hint: write one of the two")
    address = urlsplit(settings.url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise ValueError(
            f"{where}: expected an address, was {settings.url!r}\n  hint: write url: https://host/path"
        )


def _secret(settings: WebhookSettings) -> bytes:
    if settings.secret_file is None:
        text = settings.secret or ""
    else:
        text = settings.secret_file.read_text("utf-8").strip()
    if not text:
        raise ValueError(
            f"webhook {settings.name!r}: the secret is empty\n  hint: write at least 32 characters"
        )
    return text.encode()
