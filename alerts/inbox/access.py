"""Who may do what in the inbox: users, roles, bearer tokens, sessions, and tokens for forms.

Settings hold hashes of tokens only. A session is a signed cookie: it survives a reload of the page,
ends after `hours`, and ends at once when the user's token is replaced or the user is removed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Right(StrEnum):
    """Something a role allows."""

    READ = "read alerts and customers"
    CONFIDENTIAL = "read alerts of class aml_confidential"
    ACT = "work on alerts"
    APPROVE = "approve what another officer decided"
    CHANGE = "change the rules: propose, activate, roll back"
    OPERATE = "see the state of the service and its dead letters"
    INGEST = "send events"


ROLES: dict[str, frozenset[Right]] = {
    "viewer": frozenset({Right.READ}),
    "officer": frozenset({Right.READ, Right.CONFIDENTIAL, Right.ACT, Right.CHANGE, Right.OPERATE}),
    "approver": frozenset(
        {Right.READ, Right.CONFIDENTIAL, Right.ACT, Right.CHANGE, Right.APPROVE, Right.OPERATE}
    ),
    "auditor": frozenset({Right.READ, Right.CONFIDENTIAL, Right.OPERATE}),
    # An administrator keeps the service running and sees no business data.
    "admin": frozenset({Right.OPERATE}),
    "producer": frozenset({Right.INGEST}),
}
"""What each role may do. A user with several roles may do what any of them allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a program known to the inbox.

    Raises
    ------
    ValueError
        For an unknown role, or a hash that is not 64 lower-case hexadecimal digits.
    """

    name: str
    """Written into every action and read of this user."""
    roles: frozenset[str]
    token_sha256: str = field(repr=False)
    """`token_sha256(token)`; the token itself is shown once, to its owner."""

    def __post_init__(self) -> None:
        unknown = sorted(self.roles - ROLES.keys())
        if unknown:
            raise ValueError(
                f"user {self.name!r}: unknown role {', '.join(unknown)}\n"
                f"hint: write one of {', '.join(ROLES)}"
            )
        if self.token_sha256 and not _is_sha256(self.token_sha256):
            raise ValueError(
                f"user {self.name!r}: token_sha256 is not a SHA-256 hash\n"
                "hint: write the 64 hexadecimal digits of the token's SHA-256"
            )

    def may(self, right: Right) -> bool:
        """Return whether one of the user's roles allows `right`.

        Examples
        --------
        >>> LOCAL.may(Right.ACT)
        True
        >>> User(name="eve", roles=frozenset({"viewer"}), token_sha256="").may(Right.ACT)
        False
        """
        return any(right in ROLES[role] for role in self.roles)


LOCAL = User(name="local", roles=frozenset({"officer", "approver", "producer"}), token_sha256="")
"""Everybody, while no users are configured and the service listens on this machine alone."""


def token_sha256(token: str) -> str:
    """Return the hash of a token, as settings keep it.

    Examples
    --------
    >>> token_sha256("secret")[:12]
    '2bb80d537b1d'
    """
    return hashlib.sha256(token.encode()).hexdigest()


class Gate:
    """Recognises users by token or by session, and makes and checks the tokens of forms.

    Parameters
    ----------
    users
        Everybody who may come in; empty means that everybody is `LOCAL`.
    hours
        How long a session lasts.
    """

    def __init__(self, users: Sequence[User], hours: float) -> None:
        self._users = {user.name: user for user in users}
        self._seconds = int(hours * 3600)
        # A new key at every start ends all sessions: nothing that signs for a user is ever stored.
        self._key = secrets.token_bytes(32)

    @property
    def is_open(self) -> bool:
        """True where no users are configured: everybody is the local officer."""
        return not self._users

    @property
    def session_seconds(self) -> int:
        """How long a session lasts."""
        return self._seconds

    def by_token(self, token: str) -> User | None:
        """Return the user with this token, comparing with all of them in constant time."""
        digest = token_sha256(token)
        found = None
        for user in self._users.values():
            if user.token_sha256 and hmac.compare_digest(user.token_sha256, digest):
                found = user
        return found

    def session(self, user: User, now_s: int) -> str:
        """Return the value of the session cookie for a user who has just proven who they are."""
        body = f"{user.name.encode().hex()}.{now_s + self._seconds}"
        return f"{body}.{self._sign('session', body, user.token_sha256)}"

    def by_session(self, cookie: str, now_s: int) -> User | None:
        """Return the user of a session cookie, or None when it is forged, altered or over."""
        try:
            name, end_s, signature = cookie.split(".")
            user = self._users.get(bytes.fromhex(name).decode())
            over = int(end_s) <= now_s
        except ValueError:
            return None
        if user is None or over:
            return None
        expected = self._sign("session", f"{name}.{end_s}", user.token_sha256)
        return user if hmac.compare_digest(expected, signature) else None

    def form_token(self, visitor: str, user: User | None) -> str:
        """Return the token a form carries: bound to the visitor's own cookie and to the user."""
        return self._sign("form", visitor, user.name if user else "")

    def is_form_token(self, token: str, visitor: str, user: User | None) -> bool:
        """Return whether a form came from a page that we gave to this visitor."""
        return bool(visitor) and hmac.compare_digest(self.form_token(visitor, user).encode(), token.encode())

    def _sign(self, *parts: str) -> str:
        return hmac.new(self._key, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
