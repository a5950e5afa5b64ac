"""Looking at data is an event like any other: journaled, and seen by the rules about access."""

from contextlib import closing
from pathlib import Path

import orjson
import pytest

from alerts.inbox.service import DeadLetter
from monitor.app import DATABASE, open_data
from monitor.configuration import read_configuration
from monitor.live import LiveSensor, live_service
from monitor.readings import readings
from monitor.settings import Rules, Settings
from streams.runners.embedded import EmbeddedRunner
from streams.stores.sqlite import read_only

ROOT = Path(__file__).parents[2]


def read(data: Path, subject: str) -> tuple[list[dict[str, object]], list[DeadLetter]]:
    """Let `ada` read about a subject; return the journaled events and the dead letters."""
    settings = Settings(rules=Rules(packs=("statutory_cn",)))
    configuration = read_configuration(settings, ROOT / "config")
    sensor = LiveSensor(readings(data / DATABASE))
    opened = open_data(data, settings, configuration, sensor=sensor)
    runner = EmbeddedRunner(opened.processor)
    runner.is_ticking = False
    runner.start()
    service = live_service(data, opened, runner, sensor)
    service.record_access("ada", subject, "page")
    runner.stop()
    letters = service.dead_letters()
    opened.store.db.close()
    with closing(read_only(data / DATABASE)) as db:
        return [orjson.loads(body) for (body,) in db.execute("SELECT body FROM journal")], letters


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("customer:C-1", {"object": "customer", "customer_id": "C-1"}),
        ("alert:1cea", {"object": "alert", "alert_id": "1cea", "is_assigned": True}),
    ],
)
def test_a_read_is_journaled_with_who_and_what(tmp_path, subject, expected):
    events, letters = read(tmp_path, subject)
    assert letters == []
    assert [event["employee_id"] for event in events] == ["ada"]
    assert events[0].items() >= expected.items()
