"""`riskmon` with an engine that fails on events whose id begins with `poison-`, and with less patience.

No record known today makes the engine fail, so that what happens then needs one that does. And the
brokers wait half a minute for a silent worker: here as long as the environment says.
"""

from __future__ import annotations

import os
from typing import Any

from monitor.core.engine import Engine

POISON = "poison-"
SESSION = "RISKMON_TEST_SESSION_S"
"""The variable that says how many seconds the brokers wait for a silent worker."""
_assess = Engine.assess


def _fails(self: Engine, event: Any, kind: str, *rest: Any) -> Any:
    if kind == "customer" and event.id.startswith(POISON):
        raise ZeroDivisionError(event.id)
    return _assess(self, event, kind, *rest)


def poison() -> None:
    """Let the engine of this process fail on such events."""
    Engine.assess = _fails  # type: ignore[method-assign]


def cure() -> None:
    """Undo it."""
    Engine.assess = _assess  # type: ignore[method-assign]


def hurry(session_s: float) -> None:
    """Let the brokers wait so long for a worker of this process."""
    from streams.runners.kafka.watch import Waits

    Waits.__init__.__kwdefaults__ |= {"session": session_s, "heartbeat": session_s / 10}


if __name__ == "__main__":
    from monitor.cli import main

    poison()
    hurry(float(os.environ[SESSION]))
    main()
