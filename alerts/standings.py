"""What the desk remembers: every alert not closed, and the closed ones touched since the last flush."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.lifecycle import Status
from alerts.ports import Standing


class Standings:
    """Alerts by id, by fingerprint and by subject, small enough for a hundred thousand open ones.

    Nothing here depends on the order in which alerts came, so a desk that was restarted answers as
    one that was not.
    """

    def __init__(self, standings: Iterable[Standing] = ()) -> None:
        self._by_id: dict[str, Standing] = {}
        self._open: dict[tuple[str, str, str], Standing] = {}
        self._closed: dict[tuple[str, str, str], dict[str, Standing]] = {}
        self._of_subject: dict[tuple[str, str], dict[str, Standing]] = {}
        self._snoozed: dict[str, Standing] = {}
        for standing in standings:
            self.keep(standing)

    def __len__(self) -> int:
        """Return how many alerts are not closed."""
        return len(self._open)

    def get(self, alert_id: str) -> Standing | None:
        """Return the standing of an alert, or None where it is not remembered."""
        return self._by_id.get(alert_id)

    def keep(self, standing: Standing) -> None:
        """Remember the newest standing of an alert."""
        self._drop(standing.alert_id)
        self._by_id[standing.alert_id] = standing
        if standing.status is Status.CLOSED:
            self._closed.setdefault(standing.fingerprint, {})[standing.alert_id] = standing
            return
        self._open[standing.fingerprint] = standing
        subject = standing.subject, standing.subject_id
        self._of_subject.setdefault(subject, {})[standing.alert_id] = standing
        if standing.status is Status.SNOOZED:
            self._snoozed[standing.alert_id] = standing

    def open_with(self, fingerprint: tuple[str, str, str]) -> Standing | None:
        """Return the open alert of a fingerprint: there is at most one."""
        return self._open.get(fingerprint)

    def latest(self, fingerprint: tuple[str, str, str], stored: Standing | None) -> Standing | None:
        """Return the alert opened last, of the closed ones remembered and the one that is stored."""
        candidates = dict(self._closed.get(fingerprint, {}))
        if stored is not None and stored.alert_id not in self._by_id:
            candidates[stored.alert_id] = stored
        return min(candidates.values(), key=lambda one: (-one.opened_ms, one.alert_id), default=None)

    def open_of(self, subject: str, subject_id: str) -> list[Standing]:
        """Return the open alerts of a subject, by id."""
        found = self._of_subject.get((subject, subject_id))
        return [found[alert_id] for alert_id in sorted(found)] if found else []

    def due(self, time_ms: int) -> list[tuple[int, str]]:
        """Return the end of the snooze and the id of alerts to be woken by `time_ms`, in order."""
        ends = ((one.snoozed_until_ms, one.alert_id) for one in self._snoozed.values())
        return sorted((end, alert_id) for end, alert_id in ends if end is not None and end <= time_ms)

    def forget_closed(self) -> None:
        """Forget the closed alerts, once they are written."""
        for closed in self._closed.values():
            for alert_id in closed:
                del self._by_id[alert_id]
        self._closed.clear()

    def _drop(self, alert_id: str) -> None:
        standing = self._by_id.pop(alert_id, None)
        if standing is None:
            return
        self._snoozed.pop(alert_id, None)
        self._closed.get(standing.fingerprint, {}).pop(alert_id, None)
        if self._open.get(standing.fingerprint) is standing:
            del self._open[standing.fingerprint]
        subject = standing.subject, standing.subject_id
        of_subject = self._of_subject.get(subject, {})
        of_subject.pop(alert_id, None)
        if not of_subject:
            self._of_subject.pop(subject, None)
