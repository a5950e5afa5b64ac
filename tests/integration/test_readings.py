"""What a scrape looks up in a real database: the queries fit its tables."""

from pathlib import Path

from monitor.app import DATABASE, open_data
from monitor.configuration import read_configuration
from monitor.live import LiveSensor
from monitor.readings import readings
from monitor.settings import Rules, Settings
from streams.ports import Record

ROOT = Path(__file__).parents[2]
CASH = (
    b'{"event_id":"e1","event_type":"cash.deposit","occurred_at":"2026-03-02T10:00:00+08:00",'
    b'"customer_id":"C-1","amount":"60000.00","currency":"CNY"}'
)


def test_levels_of_a_database_are_in_the_metrics(tmp_path):
    settings = Settings(rules=Rules(packs=("statutory_cn",)))
    opened = open_data(tmp_path, settings, read_configuration(settings, ROOT / "config"))
    opened.processor.process([Record(CASH), Record(b"no event")])
    opened.close()
    text = LiveSensor(readings(tmp_path / DATABASE)).render().decode()
    assert "riskmon_readings_up 1.0" in text
    assert 'riskmon_open_alerts{severity="info",status="open"} 1.0' in text
    assert 'riskmon_dead_letters{reason="malformed"} 1.0' in text
