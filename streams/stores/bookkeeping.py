"""What both databases keep beside the journal, by the same statements: values by key, archives by hash."""

from __future__ import annotations

from typing import Generic, TypeVar

from monitor.database import Database
from streams.stores.reading import artifact

Connected = TypeVar("Connected", bound=Database)


class Bookkeeping(Generic[Connected]):
    """Values of the service's own and archived bodies; inside the caller's transactions.

    Parameters
    ----------
    db
        The writing connection.
    """

    def __init__(self, db: Connected) -> None:
        self.db = db

    def meta(self, key: str) -> bytes | None:
        """Return a value of the service's own bookkeeping, or None."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put_meta(self, key: str, value: bytes) -> None:
        """Write a value of the service's own bookkeeping."""
        self.db.execute(
            "INSERT INTO meta(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    def put_finding(self, rule: str, seq: int, *, is_fraud: bool) -> bool:
        """Keep what the payment at a journal position, which a rule hit, turned out to be.

        The last word counts. Returns whether it is the first, or another than before.
        """
        written = self.db.execute(
            "INSERT INTO findings(rule, seq, is_fraud) VALUES(?, ?, ?) ON CONFLICT(rule, seq)"
            " DO UPDATE SET is_fraud = excluded.is_fraud WHERE findings.is_fraud <> excluded.is_fraud",
            (rule, seq, int(is_fraud)),
        )
        return written.rowcount == 1

    def archive(self, kind: str, digest: str, body: bytes) -> None:
        """Keep a rulebook, list or model by its hash, for recomputation; the same again is ignored."""
        self.db.execute(
            "INSERT INTO artifacts(hash, kind, body) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
            (digest, kind, body),
        )

    def artifact(self, kind: str, digest: str) -> bytes | None:
        """Return an archived body, or None."""
        return artifact(self.db, kind, digest)
