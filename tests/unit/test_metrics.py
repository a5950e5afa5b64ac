"""Metrics: what the runtime reports is what a scrape shows, and no label is an id."""

from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from monitor.audit.verified import Verified
from monitor.core.assessment import Hit
from monitor.counting import MOST_SOURCES
from monitor.levels import Readings
from monitor.metrics import PrometheusSensor, memory_limit, serve
from monitor.tallies import Spread
from streams.faults import Fault, Rejection
from streams.ports import Outcome, Record, Sensor

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


def test_sources_beyond_the_first_are_one():
    sensor = PrometheusSensor()
    files = [f"file-{number}.csv" for number in range(MOST_SOURCES + 5)]
    sensor.on_outcomes([Record(b"", name) for name in files], [Outcome("accepted") for _ in files])
    shown = [name for name in samples(sensor) if name.startswith("riskmon_records_total")]
    assert len({name.split('source="')[1].split('"')[0] for name in shown}) == MOST_SOURCES + 1
    # Two more than the files beyond the most: http and inbox are always told apart.
    assert samples(sensor)['riskmon_records_total{source="other",status="accepted"}'] == 5 + 2


def test_the_memory_a_process_may_use_is_known():
    assert 64 * 2**20 < memory_limit() < 2**50


def fetch(url: str) -> tuple[int, str]:
    try:
        with urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_without_pages_serves_metrics_and_probes():
    health = {"alive": True, "ready": False, "reasons": ["the store is full"]}
    server = serve("127.0.0.1", 0, PrometheusSensor(), lambda: health)
    try:
        url = f"http://127.0.0.1:{server.port}"
        assert fetch(f"{url}/healthz") == (200, '{"alive": true, "reasons": ["the store is full"]}')
        assert fetch(f"{url}/readyz") == (503, '{"ready": false, "reasons": ["the store is full"]}')
        assert "riskmon_build_info" in fetch(f"{url}/metrics")[1]
        assert fetch(f"{url}/alerts")[0] == 404
    finally:
        server.close()


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
    sensor.on_rating(10, 11)
    sensor.on_late(too_late=False)
    sensor.on_late(too_late=True)
    sensor.on_duplicate()
    sensor.on_reject(Rejection(b"{", "malformed", (Fault("$", "this is not JSON"),)))
    sensor.on_failure("A-124")
    sensor.on_alert(SimpleNamespace(rule="A-124", severity="high", dimension="fraud", opened_ms=0))
    sensor.on_batch(512, 0.02)
    sensor.on_outcomes(
        [Record(b"", "http"), Record(b"")], [Outcome("accepted", score=0.25), Outcome("accepted")]
    )
    sensor.on_latency(0.03, 2)
    sensor.on_commit(0.004)
    sensor.on_store_unavailable()
    sensor.on_queue(9)
    sensor.on_in_flight(77)
    sensor.on_delivery("queue", 3)
    sensor.on_delivery_failure("queue")
    sensor.on_items("device", 100, 0.5)
    sensor.on_lag("riskmon.stage.device", 2, 40)
    sensor.on_recovery(1.5)
    sensor.on_rebalance()
    shown = samples(sensor)
    assert shown['riskmon_events_total{kind="payment.transfer"}'] == 2
    hit = 'riskmon_rule_hits_total{dimension="fraud",rule="A-124",severity="high",status="shadow"}'
    assert shown[hit] == 1
    assert shown['riskmon_rating_changes_total{grade="11",previous="none"}'] == 1
    assert shown['riskmon_rating_changes_total{grade="10",previous="11"}'] == 1
    assert shown['riskmon_late_total{treatment="counted"}'] == 1
    assert shown['riskmon_late_total{treatment="recorded"}'] == 1
    assert shown["riskmon_duplicates_total"] == 1
    assert shown['riskmon_rejected_total{reason="malformed"}'] == 1
    assert shown['riskmon_rule_failures_total{rule="A-124"}'] == 1
    assert shown['riskmon_alerts_raised_total{dimension="fraud",rule="A-124",severity="high"}'] == 1
    assert shown["riskmon_alert_delay_seconds_count"] == 1
    assert shown["riskmon_batch_events_sum"] == 512
    assert shown["riskmon_batch_seconds_sum"] == 0.02
    assert shown['riskmon_records_total{source="http",status="accepted"}'] == 1
    assert shown['riskmon_records_total{source="clock",status="accepted"}'] == 1
    assert shown['riskmon_event_score_bucket{le="0.3"}'] == 2
    assert shown['riskmon_event_score_bucket{le="0.2"}'] == 1
    assert shown["riskmon_latency_seconds_count"] == 2
    assert shown["riskmon_latency_seconds_sum"] == 0.06
    assert shown["riskmon_commit_seconds_sum"] == 0.004
    assert shown["riskmon_store_unavailable_total"] == 1
    assert shown["riskmon_waiting_records"] == 9
    assert shown["riskmon_in_flight_orders"] == 77
    assert shown['riskmon_deliveries_total{channel="queue"}'] == 3
    assert shown['riskmon_delivery_failures_total{channel="queue"}'] == 1
    assert shown['riskmon_items_total{stage="device"}'] == 100
    assert shown['riskmon_item_seconds_total{stage="device"}'] == 0.5
    assert shown['riskmon_consumer_lag{partition="2",topic="riskmon.stage.device"}'] == 40
    assert shown["riskmon_recovery_seconds"] == 1.5
    assert shown["riskmon_rebalances_total"] == 1
    assert shown["riskmon_last_batch_timestamp_seconds"] > 1_700_000_000


def test_every_hook_of_the_runtime_has_a_counter():
    hooks = {name for name in vars(Sensor) if name.startswith("on_")}
    assert hooks == {name for name in dir(PrometheusSensor) if name.startswith("on_")}
    assert {name for name in hooks if getattr(PrometheusSensor, name) is getattr(Sensor, name)} == set()


def test_no_id_becomes_a_label():
    sensor = PrometheusSensor()
    sensor.on_hit(HIT)
    text = sensor.render().decode()
    assert "secret" not in text
    assert "77077" not in text


def test_levels_are_looked_up_at_every_scrape():
    open_alerts = {("high", "open"): 2}
    decided = Spread((60.0,))
    decided.add(30.0)
    sensor = PrometheusSensor(
        lambda: Readings(
            open_alerts=open_alerts,
            oldest_alert_s={"high": 7.5},
            overdue_alerts={"high": 1},
            sla_breaches={"high": 4},
            decisions={"high": decided},
            dispositions={("A-124", "false_positive"): 6},
            customers={10: 3, 14: 900},
            states={"customer": (903, 1_806_000)},
            dead_letters={"malformed": 4},
            undelivered={"queue": 5},
            refused={"webhook:crm": 1},
            stream_time_ms=1_700_000_000_500,
            journal_position=40,
            unwritten_rows=8,
            ledger_position=41,
            verified=Verified(time_ms=9_000, seconds=1.0, findings=2, entries=30, ledger_head="ab"),
        )
    )
    assert samples(sensor)['riskmon_open_alerts{severity="high",status="open"}'] == 2
    open_alerts["high", "open"] = 5
    shown = samples(sensor)
    assert shown['riskmon_open_alerts{severity="high",status="open"}'] == 5
    assert shown['riskmon_open_alerts{severity="critical",status="open"}'] == 0
    assert shown['riskmon_oldest_alert_seconds{severity="high"}'] == 7.5
    assert shown['riskmon_overdue_alerts{severity="high"}'] == 1
    assert shown['riskmon_sla_breaches{severity="high"}'] == 4
    assert shown['riskmon_decision_seconds_bucket{le="60.0",severity="high"}'] == 1
    assert shown['riskmon_dispositions{rule="A-124",verdict="false_positive"}'] == 6
    assert shown['riskmon_dispositions{rule="A-124",verdict="true_positive"}'] == 0
    assert shown['riskmon_customers{grade="10"}'] == 3
    assert shown['riskmon_states{subject="customer"}'] == 903
    assert shown['riskmon_state_bytes{subject="customer"}'] == 1_806_000
    assert shown['riskmon_dead_letters{reason="malformed"}'] == 4
    assert shown['riskmon_dead_letters{reason="oversize"}'] == 0
    assert shown['riskmon_undelivered_messages{channel="queue"}'] == 5
    assert shown['riskmon_refused_messages{channel="webhook:crm"}'] == 1
    assert shown["riskmon_stream_time_seconds"] == pytest.approx(1_700_000_000.5)
    assert shown["riskmon_journal_position"] == 40
    assert shown["riskmon_unwritten_rows"] == 8
    assert shown["riskmon_ledger_position"] == 41
    assert shown["riskmon_verification_timestamp_seconds"] == 9
    assert shown["riskmon_verification_findings"] == 2
    assert shown["riskmon_verification_entries"] == 30


def test_a_database_never_verified_says_so():
    assert samples(PrometheusSensor(Readings))["riskmon_verification_timestamp_seconds"] == 0


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
    assert "riskmon_stream_time_seconds" not in shown
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
