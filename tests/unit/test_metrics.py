"""Metrics: what the runtime reports is what a scrape shows, and no label is an id."""

from types import SimpleNamespace

import pytest

from monitor.core.assessment import Hit
from monitor.metrics import PrometheusSensor, Readings
from streams.faults import Fault, Rejection

HIT = Hit(
    rule="A-124",
    version="0123456789ab",
    subject="customer",
    subject_id="c-secret",
    event_id="tx-secret",
    ref=77_077,
    time_ms=0,
    late=False,
    status="shadow",
    title="Rapid cash-out",
    dimension="fraud",
    severity="high",
    points=40,
    alert=True,
    cooldown_ms=0,
    say="3 transfers",
    saw={},
)


def samples(sensor: PrometheusSensor) -> dict[str, float]:
    lines = [line for line in sensor.render().decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_a_new_sensor_shows_zeros_and_its_version():
    shown = samples(PrometheusSensor())
    assert shown["riskmon_duplicates_total"] == 0
    assert shown["riskmon_batch_seconds_count"] == 0
    assert any(name.startswith("riskmon_build_info{") and 'version="' in name for name in shown)


def test_every_hook_is_counted():
    sensor = PrometheusSensor()
    sensor.on_event("payment.transfer")
    sensor.on_event("payment.transfer")
    sensor.on_hit(HIT)
    sensor.on_rating(11)
    sensor.on_late(too_late=False)
    sensor.on_late(too_late=True)
    sensor.on_duplicate()
    sensor.on_reject(Rejection(b"{", "malformed", (Fault("$", "this is not JSON"),)))
    sensor.on_failure("A-124")
    sensor.on_alert(SimpleNamespace(severity="high", dimension="fraud"))
    sensor.on_batch(512, 0.02)
    sensor.on_commit(0.004)
    sensor.on_store_unavailable()
    sensor.on_queue(9)
    shown = samples(sensor)
    assert shown['riskmon_events_total{kind="payment.transfer"}'] == 2
    hit = 'riskmon_rule_hits_total{dimension="fraud",rule="A-124",severity="high",status="shadow"}'
    assert shown[hit] == 1
    assert shown['riskmon_rating_changes_total{grade="11"}'] == 1
    assert shown['riskmon_late_total{treatment="counted"}'] == 1
    assert shown['riskmon_late_total{treatment="recorded"}'] == 1
    assert shown["riskmon_duplicates_total"] == 1
    assert shown['riskmon_rejected_total{reason="malformed"}'] == 1
    assert shown['riskmon_rule_failures_total{rule="A-124"}'] == 1
    assert shown['riskmon_alerts_raised_total{dimension="fraud",severity="high"}'] == 1
    assert shown["riskmon_batch_events_sum"] == 512
    assert shown["riskmon_batch_seconds_sum"] == 0.02
    assert shown["riskmon_commit_seconds_sum"] == 0.004
    assert shown["riskmon_store_unavailable_total"] == 1
    assert shown["riskmon_waiting_records"] == 9
    assert shown["riskmon_last_batch_timestamp_seconds"] > 1_700_000_000


def test_no_id_becomes_a_label():
    sensor = PrometheusSensor()
    sensor.on_hit(HIT)
    text = sensor.render().decode()
    assert "secret" not in text
    assert "77077" not in text


def test_levels_are_looked_up_at_every_scrape():
    open_alerts = {"high": 2}
    sensor = PrometheusSensor(
        lambda: Readings(
            open_alerts=open_alerts,
            overdue_alerts={"high": 1},
            customers={10: 3, 14: 900},
            states={"customer": (903, 1_806_000)},
            dead_letters=4,
            stream_time_ms=1_700_000_000_500,
        )
    )
    assert samples(sensor)['riskmon_open_alerts{severity="high"}'] == 2
    open_alerts["high"] = 5
    shown = samples(sensor)
    assert shown['riskmon_open_alerts{severity="high"}'] == 5
    assert shown['riskmon_overdue_alerts{severity="high"}'] == 1
    assert shown['riskmon_customers{grade="10"}'] == 3
    assert shown['riskmon_states{subject="customer"}'] == 903
    assert shown['riskmon_state_bytes{subject="customer"}'] == 1_806_000
    assert shown["riskmon_dead_letters"] == 4
    assert shown["riskmon_stream_time_seconds"] == pytest.approx(1_700_000_000.5)


def test_levels_that_cannot_be_read_do_not_hide_the_rest():
    available = False

    def readings() -> Readings:
        if not available:
            raise OSError("disk gone")
        return Readings()

    sensor = PrometheusSensor(readings)
    sensor.on_event("tick")
    shown = samples(sensor)
    assert shown["riskmon_readings_up"] == 0
    assert shown['riskmon_events_total{kind="tick"}'] == 1
    assert "riskmon_dead_letters" not in shown
    available = True
    assert samples(sensor)["riskmon_readings_up"] == 1


def test_two_sensors_in_one_process_count_apart():
    one, other = PrometheusSensor(), PrometheusSensor()
    one.on_duplicate()
    assert samples(one)["riskmon_duplicates_total"] == 1
    assert samples(other)["riskmon_duplicates_total"] == 0


def test_the_memory_of_the_process_is_shown():
    assert samples(PrometheusSensor())["riskmon_process_resident_memory_bytes"] > 1_000_000


def test_every_name_says_whose_it_is():
    assert all(name.startswith("riskmon_") for name in samples(PrometheusSensor(Readings)))
