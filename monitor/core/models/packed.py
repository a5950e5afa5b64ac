"""What is learnt at one moment and kept: frozen plain data, packed, named by its content."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Frozen plain data as an artifact. Never changed after it is made."""

    WHAT: ClassVar[str]
    """What it is, for messages."""

    @property
    def packed(self) -> bytes:
        """Return it as MessagePack: the artifact that is kept."""
        return msgspec.msgpack.encode(asdict(self), order="sorted")

    @property
    def hash(self) -> str:
        """Return the SHA-256 of `packed`, hex digits."""
        return hashlib.sha256(self.packed).hexdigest()

    @classmethod
    def of_packed(cls, packed: bytes) -> Self:
        """Return that of which this is `packed`.

        Raises
        ------
        ValueError
            Where it is none.
        """
        try:
            plain: dict[str, Any] = msgspec.msgpack.decode(packed)
            return cls(**plain | cls._tuples(plain))
        except (msgspec.DecodeError, TypeError, KeyError) as error:
            raise ValueError(f"{cls.WHAT}: cannot be read: {error}") from error

    @classmethod
    def _tuples(cls, plain: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that are tuples, which MessagePack gives back as lists."""
        raise NotImplementedError
