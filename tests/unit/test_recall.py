"""What is taken back leaves every window, of subjects too that the correction does not name."""

from __future__ import annotations

import pytest

from monitor.app import open_data
from monitor.settings import Settings
from monitor.testing import configuration, record, with_rules
from streams.ports import Record

CROWDED = {
    "id": "T-1",
    "on": "payment.transfer",
    "let": {"payers": "distinct(customer_id, 30d, key=counterparty)"},
    "when": "payers >= 2",
    "say": "{payers}",
}


@pytest.fixture
def opened(tmp_path):
    made = open_data(tmp_path, Settings(), with_rules(configuration("flow"), CROWDED))
    yield made
    made.store.db.close()


def paid(name, at_ms, customer, account, **more):
    body = record(
        name, "payment.transfer", at_ms, customer_id=customer, amount="10", direction="out",
        counterparty={"account": account}, **more,
    )  # fmt: skip
    return Record(body)


def rules(opened, *records):
    return [outcome.rules for outcome in opened.processor.process(records)]


def test_a_correction_to_another_payee_leaves_the_window_of_the_former(opened):
    first = paid("e1", 0, "c1", "A-1")
    moved = paid("e2", 1, "c1", "A-2", correction_of="e1")
    assert rules(opened, first, moved, paid("e3", 2, "c2", "A-1")) == [(), (), ()]


def test_without_the_correction_the_payee_is_crowded(opened):
    assert rules(opened, paid("e1", 0, "c1", "A-1"), paid("e3", 2, "c2", "A-1")) == [(), ("T-1",)]


def test_the_new_payee_of_a_correction_counts_it(opened):
    first = paid("e1", 0, "c1", "A-1")
    moved = paid("e2", 1, "c1", "A-2", correction_of="e1")
    assert rules(opened, first, moved, paid("e3", 2, "c2", "A-2")) == [(), (), ("T-1",)]


def test_a_reversal_that_names_no_payee_reaches_the_payee_all_the_same(opened):
    opened.processor.process([paid("e1", 0, "c1", "A-1")])
    back = record("e2", "payment.transfer", 1, amount="10", direction="in", reversal_of="e1")
    assert rules(opened, Record(back), paid("e3", 2, "c2", "A-1")) == [(), ()]


def test_a_recovery_goes_the_same_way(opened):
    opened.processor.process([paid("e1", 0, "c1", "A-1"), paid("e2", 1, "c1", "A-2", correction_of="e1")])
    opened.processor.recover()
    assert rules(opened, paid("e3", 2, "c2", "A-1")) == [()]
