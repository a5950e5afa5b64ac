"""What officers did, done again with the alerts of another run.

An action of the journal names an alert of the past by its id. In a run by other rules the alert
that is meant is the one with the same id; else the one opened last for the same rule and subject,
which is what the officer would have found there. Where there is none, or it cannot be acted on
so, the action is void: it changes neither the alert nor the rating. Nobody acted on alerts that
the past did not have: they stay open, and further hits are counted there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from alerts.desk import Desk
from alerts.facts import decision_fact
from alerts.lifecycle import ActionNotAllowedError, Alert, UnknownAlertError
from alerts.ports import AlertStore
from monitor.core.events import Event


class Actions:
    """Carries officers' actions over to a run.

    Parameters
    ----------
    desk, store
        Of the run, on one connection.
    aliases
        Rule to the rules that stand for it in this run; all of their alerts are acted on.
    """

    def __init__(self, desk: Desk, store: AlertStore, aliases: Mapping[str, tuple[str, ...]]) -> None:
        self._desk, self._store, self._aliases = desk, store, aliases

    def carry_out(self, event: Event, facts: Mapping[str, Any]) -> dict[str, Any] | None:
        """Carry out an action; return what the engine needs to know of it, None where it is void.

        Parameters
        ----------
        facts
            Of its journal row: whom and which rule the alert was about.
        """
        done: dict[str, Any] | None = None
        for alert in self._meant(str(event.data.alert_id), facts):
            data = msgspec.structs.replace(event.data, alert_id=alert.id)
            try:
                acted = self._desk.act(event.kind, data, event.time_ms)
            except ActionNotAllowedError:
                continue
            done = decision_fact(acted, is_case_open=self._desk.is_case_open(acted))
        return done

    def _meant(self, alert_id: str, facts: Mapping[str, Any]) -> list[Alert]:
        try:
            return [self._desk.alert(alert_id)]
        except UnknownAlertError:
            pass
        rule = facts.get("rule", "")
        # What is not written yet would not be found.
        self._desk.flush()
        found = []
        for name in self._aliases.get(rule, (rule,)):
            standing = self._store.latest(name, facts.get("subject", ""), facts.get("subject_id", ""))
            if standing is not None:
                found.append(self._desk.alert(standing.alert_id))
        return found
