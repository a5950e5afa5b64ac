"""What a payment turned out to be is counted for every live rule that hit it."""

from __future__ import annotations

from monitor.app import open_data
from monitor.counting import CountingSensor
from monitor.settings import Settings
from monitor.testing import configuration, record
from streams.ports import Record

DAY_MS = 86_400_000


def test_a_dispute_is_a_finding_for_each_rule_that_hit_the_payment(tmp_path):
    sensor = CountingSensor()
    opened = open_data(tmp_path, Settings(), configuration("card_terminal"), sync="normal", sensor=sensor)
    fields = {"customer_id": "c1", "terminal_id": "t1"}
    sent = [
        record(f"p{n}", "card.authorization", n * DAY_MS, amount=str(20 + n % 7), **fields) for n in range(60)
    ]
    sent.append(record("odd", "card.authorization", 60 * DAY_MS, amount="9999", **fields))
    outcomes = opened.processor.process([Record(body) for body in sent])
    hit = {one.event_id: one.rules for one in outcomes if one.rules}
    assert hit
    (name, rules), *_ = hit.items()
    told = record("d", "card.chargeback", 67 * DAY_MS, of_event=name, **fields)
    unknown = record("e", "card.chargeback", 67 * DAY_MS, of_event="nothing", **fields)
    opened.processor.process([Record(told), Record(unknown), Record(told)])
    opened.store.db.close()
    assert sensor.counts["rule_findings"] == {(rule, "fraud"): 1.0 for rule in rules}
