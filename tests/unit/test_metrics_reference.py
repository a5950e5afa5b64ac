"""docs/metrics.md is what is shown, question by question; and no family of metrics grows without bound."""

import re
from collections import Counter

import pytest

from monitor.configuration import read_configuration
from monitor.core.assessment import Hit
from monitor.levels import Readings
from monitor.metrics import PrometheusSensor
from monitor.readings import announce
from monitor.settings import Settings
from monitor.tallies import Spread
from streams.ports import Outcome, Record

MOST_SERIES = 300
"""Of one family in one process, with every rule that ships; a histogram's buckets count."""

QUESTIONS = (
    "events taken in, rejected, late and repeated, by source and kind",
    "time from event to alert",
    "rules evaluated, hits, shadow hits, failures",
    "size of states, age of snapshots, lag of the stream",
    "alerts opened, closed and open, by severity and age",
    "alerts by queue",
    "breaches of due times",
    "share of true positives by rule",
    "customers by grade, changes of grade",
    "distribution of scores",
    "models: quantiles of scores, drift",
    "lists: version, size, age",
    "deliveries and failures of connectors",
    "looks at customer data",
    "audit chain: last verification, its result, position of the head",
    "processes: memory, recovery, rebalances, orders in flight",
)
"""What operations ask a dashboard for."""


@pytest.fixture(scope="module")
def text(repository) -> str:
    return (repository / "docs" / "metrics.md").read_text(encoding="utf-8")


@pytest.fixture
def sensor(repository) -> PrometheusSensor:
    """A sensor with everything that ships in force, and something of each kind counted."""
    sensor = PrometheusSensor(
        lambda: Readings(
            decisions={"high": Spread((60.0,))},
            dispositions={("A-124", "false_positive"): 1},
            customers={10: 1},
            states={"customer": (1, 900)},
            undelivered={"queue": 1},
            refused={"queue": 1},
        )
    )
    announce(sensor, read_configuration(Settings(), repository / "config"))
    sensor.on_outcomes([Record(b"", "http")], [Outcome("accepted")])
    sensor.on_delivery("queue", 1)
    sensor.on_items("customer", 1, 0.1)
    sensor.on_lag("riskmon.stage.customer", 0, 1)
    return sensor


def families(sensor: PrometheusSensor) -> set[str]:
    shown = re.findall(r"^# TYPE (\S+)", sensor.render().decode(), re.MULTILINE)
    return {"riskmon_process_*" if name.startswith("riskmon_process_") else name for name in shown}


def test_the_reference_names_every_metric_and_no_other(sensor, text):
    tables = text[: text.index("## What operations ask for")]
    named = set(re.findall(r"`(riskmon_\w+\*?)`", tables))
    assert named == families(sensor)


def test_every_question_is_answered_or_left_out_with_a_reason(sensor, text):
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \|$", text[text.index("## What operations ask for") :], re.MULTILINE
    )
    answers = dict(rows[2:] if rows[1][0].startswith("-") else rows[1:])
    assert set(QUESTIONS) <= set(answers)
    for question, answer in answers.items():
        names = re.findall(r"`(riskmon_\w+)`", answer)
        assert names or "left out: " in answer, question
        shown = sensor.render().decode()
        assert [name for name in names if f"# TYPE {name} " not in shown] == [], question


def test_no_family_has_more_series_than_a_dashboard_can_bear(sensor):
    # Whatever is sent, names from outside cannot add more.
    names = [f"{number}.csv" for number in range(5_000)]
    sensor.on_outcomes([Record(b"", name) for name in names], [Outcome("accepted") for _ in names])
    lines = [line for line in sensor.render().decode().splitlines() if not line.startswith("#")]
    sizes = Counter(re.split(r"[{ ]", line)[0] for line in lines)
    assert {name: size for name, size in sizes.items() if size > MOST_SERIES} == {}


def test_labels_are_those_of_the_reference(sensor):
    allowed = {
        "kind", "source", "status", "reason", "treatment", "rule", "dimension", "severity", "previous",
        "grade", "channel", "stage", "verdict", "subject", "topic", "partition", "list", "hash", "version",
        "python", "le",
    }  # fmt: skip
    sensor.on_hit(
        Hit(
            rule="A-124",
            version="0",
            subject="customer",
            subject_id="C-1",
            event_id="e",
            ref=7,
            time_ms=0,
            late=False,
            status="live",
            title="",
            dimension="fraud",
            severity="high",
            points=0,
            alert=True,
            cooldown_ms=0,
            say="",
            saw={},
        )
    )
    assert set(re.findall(r'[{,](\w+)="', sensor.render().decode())) <= allowed
