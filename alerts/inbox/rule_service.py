"""What the page and the API of rules need of the monitor; declared here, by the one who needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class RuleService(Protocol):
    """The life of configurations, as the inbox sees it. All of it is called from worker threads."""

    @property
    def fills(self) -> int:
        """Newest events that new windows are filled from when something is activated; 0: none."""

    def standing(self) -> Mapping[str, Any]:
        """Return what is in force and proposed.

        Keys: `in_force` (with `hash`, `since_ms`, `action`, `actor`, `author`, `approver`, `reason` and
        `windows`, lines of text), `needs_approval`, `former`, `waiting` (hash of files that the service
        found and must not use, or empty) and `proposals` (with `hash`, `author`, `reason`, `note`,
        `time_ms`, `approver`, `approved_ms`, `approval` and `changes`, a text), oldest first.
        """

    def steps(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the newest steps first: what the ledger says, `time_ms`, and `told`, what changed."""

    def precision(self) -> Sequence[Mapping[str, Any]]:
        """Return the rules with verdicts, those that hit most genuine payments first.

        Keys: `rule`, `title` and `status` (texts; empty where the rule is not in force any more), `judged`,
        `fraud` and `genuine` (payments that it hit while live) and `precision` (0 to 1).
        """

    def differences(self, digest: str) -> str:
        """Return line by line what a configuration would change of the one in force.

        Raises
        ------
        LookupError
            It is not archived.
        """

    def prepare(self, digest: str) -> None:
        """Build what a configuration needs, so that events do not wait for it when it comes into force.

        Does nothing where it has mistakes or is not there: the step is refused then.
        """
