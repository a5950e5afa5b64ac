"""How to reach the brokers: what every client of a cluster is given."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context


class BrokerAwayError(Exception):
    """The brokers cannot be reached, or take nothing now; try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the brokers are and how they let a client in; plain facts.

    Examples
    --------
    >>> Broker(bootstrap="a:9092,b:9092").options
    {'bootstrap_servers': ['a:9092', 'b:9092'], 'security_protocol': 'PLAINTEXT'}
    """

    bootstrap: str
    """HOST:PORT of brokers to ask first, more after a comma."""
    security: str = "plaintext"
    """`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`."""
    sasl_mechanism: str = "scram-sha-512"
    """`plain`, `scram-sha-256` or `scram-sha-512`."""
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    ca_file: str = ""
    """PEM of who signed the brokers' certificates; empty: whom the system believes."""
    cert_file: str = ""
    key_file: str = ""
    """PEM of this side's certificate and its key; empty: none is shown."""

    @property
    def options(self) -> dict[str, Any]:
        """Return what every aiokafka client takes by these names.

        Raises
        ------
        OSError
            A certificate file cannot be read or is none.
        """
        found: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security.upper(),
        }
        if self.security.endswith("ssl"):
            found["ssl_context"] = self._certificates()
        if self.security.startswith("sasl"):
            found["sasl_mechanism"] = self.sasl_mechanism.upper()
            found["sasl_plain_username"] = self.sasl_username
            found["sasl_plain_password"] = self.sasl_password
        return found

    def _certificates(self) -> SSLContext:
        context: SSLContext = create_ssl_context(
            cafile=self.ca_file or None,
            certfile=self.cert_file or None,
            keyfile=self.key_file or None,
        )
        return context


async def reach(broker: Broker, patience_s: float = 10.0) -> None:
    """Return once a broker has answered and let us in.

    Raises
    ------
    BrokerAwayError
        None did; says why.
    """
    client = None
    heard = _Heard()
    try:
        with heard:
            client = AIOKafkaClient(**broker.options)
            async with asyncio.timeout(patience_s):
                await client.bootstrap()
    except TimeoutError as error:
        raise BrokerAwayError(f"{broker.bootstrap}: no answer within {patience_s:g} s") from error
    except (KafkaError, OSError) as error:
        raise BrokerAwayError(heard.last or f"{broker.bootstrap}: {error or type(error).__name__}") from error
    finally:
        if client is not None:
            await client.close()


class _Heard(logging.Handler):
    """Listens for reasons: aiokafka logs why it cannot connect, and raises that it cannot."""

    _LOGGER = logging.getLogger("aiokafka")

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def __enter__(self) -> None:
        self._was_passed_on, self._LOGGER.propagate = self._LOGGER.propagate, False
        self._LOGGER.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._LOGGER.removeHandler(self)
        self._LOGGER.propagate = self._was_passed_on

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the newest."""
        self.last = record.getMessage()
