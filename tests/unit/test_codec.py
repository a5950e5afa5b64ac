"""Records in, events or rejections out: nothing raises, every fault is told, good neighbours survive."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.events import Event, reference
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, Rejection, encode
from streams.faults import MAX_BYTES, REASONS, examine
from streams.rates import Rates

RATES = Rates.from_plain(
    {
        "pivot": "EUR",
        "rates": {"2026-01-01": {"USD": "1.25", "CNY": "8"}, "2026-06-01": {"USD": "1.60", "CNY": "8"}},
    }
)
CODEC = Codec(load_vocabulary(), "EUR", RATES)
TRANSFER: dict[str, Any] = {
    "event_id": "tx-1",
    "event_type": "payment.transfer",
    "source_system": "core",
    "occurred_at": "2026-03-02T09:15:27.123+08:00",
    "customer_id": "c-1",
    "direction": "out",
    "amount": "1250.00",
    "currency": "EUR",
    "counterparty": {"account": "a-9", "country": "CN"},
}
NASTY = sorted((Path(__file__).parent / "nasty_json").glob("*.json"))


def record(**changes: Any) -> bytes:
    return orjson.dumps({**TRANSFER, **changes})


def accepted(raw: bytes, codec: Codec = CODEC) -> Event:
    found = codec.decode(raw)
    assert isinstance(found, Event), found
    return found


def refused(raw: bytes, codec: Codec = CODEC) -> Rejection:
    found = codec.decode(raw)
    assert isinstance(found, Rejection), found
    return found


def test_a_transfer_becomes_an_event() -> None:
    raw = record()
    event = accepted(raw)
    assert (event.kind, event.id, event.ref) == ("payment.transfer", "tx-1", reference("core", "tx-1"))
    assert (event.time_ms, event.data.occurred_at) == (1772414127123, 1772414127123)
    assert (event.data.amount, event.data.counterparty.account) == (12_500_000, "a-9")
    assert event.body == raw


def test_the_kind_is_readable_on_the_data_too() -> None:
    assert accepted(record()).data.event_type == "payment.transfer"


def test_fields_of_an_object_that_was_not_sent_are_none() -> None:
    data = accepted(record()).data
    assert (data.device.ip, data.geo.country, data.agent.name) == (None, None, None)


@pytest.mark.parametrize("path", NASTY, ids=lambda path: path.stem)
def test_nasty_records_get_the_answer_in_their_name(path: Path) -> None:
    expected = path.stem.partition("--")[0]
    before, found, after = CODEC.decode_many([record(), path.read_bytes(), record()])
    assert isinstance(before, Event)
    assert isinstance(after, Event)
    assert (found.reason if isinstance(found, Rejection) else "accepted") == expected


@pytest.mark.parametrize("path", NASTY, ids=lambda path: path.stem)
def test_an_accepted_body_is_compact_json_that_decodes_to_the_same(path: Path) -> None:
    found = CODEC.decode(path.read_bytes())
    if isinstance(found, Event):
        assert b"\n" not in found.body
        again = accepted(found.body)
        assert (again.data, again.body) == (found.data, found.body)


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(raw: bytes) -> None:
    assert isinstance(CODEC.decode(raw), Event | Rejection)


@given(st.integers(0, 300), st.integers(0, 20), st.binary(max_size=20))
def test_a_good_record_with_a_piece_replaced_gets_an_answer(start: int, length: int, piece: bytes) -> None:
    raw = record(remittance_info="invoice 7", booked_date="2026-03-02", geo={"lat": 1.5})
    assert isinstance(CODEC.decode(raw[:start] + piece + raw[start + length :]), Event | Rejection)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(load_vocabulary().kinds["payment.transfer"].fields)), JSON))
def test_any_value_in_any_field_gets_an_answer_of_the_closed_set(changes: dict[str, Any]) -> None:
    nested: dict[str, Any] = {}
    for name, value in changes.items():
        outer, _, inner = name.partition(".")
        nested[outer] = {inner: value} if inner else value
    found = CODEC.decode(json.dumps({**TRANSFER, **nested, "event_type": "payment.transfer"}).encode())
    assert isinstance(found, Event) or (found.reason in REASONS and found.faults)
    assert isinstance(found, Event) or "does not fit" not in found.faults[0].problem


@given(st.sampled_from(sorted(load_vocabulary().kinds)), st.data())
def test_a_record_is_refused_exactly_where_a_fault_is_found(kind: str, data: st.DataObject) -> None:
    vocabulary = load_vocabulary()
    plain: dict[str, Any] = {"event_type": kind}
    for name in vocabulary.kinds[kind].fields:
        if name not in vocabulary.kinds[kind].required and data.draw(st.booleans()):
            continue
        value = data.draw(st.sampled_from(SAMPLES[vocabulary.fields[name].type]))
        value = vocabulary.fields[name].values[0] if vocabulary.fields[name].type == "enum" else value
        outer, _, inner = name.partition(".")
        if inner:
            plain.setdefault(outer, {})[inner] = value
        elif name != "event_type":
            plain[name] = value
    faults = list(examine(plain, vocabulary.kinds[kind], vocabulary, CODEC.currencies))
    assert isinstance(CODEC.decode(orjson.dumps(plain)), Rejection) == bool(faults)


SAMPLES: dict[str, list[Any]] = {
    "id": ["a", "x" * 128],
    "text": ["", "text"],
    "enum": ["?"],
    "bool": [True, False],
    "count": [1, 10],
    "number": [0, 0.5, 1],
    "money": ["0", "12.5", "0.0001"],
    "currency": ["EUR", "USD"],
    "country": ["CN", "DE"],
    "time": ["2026-03-02T09:15:27Z", "2026-03-02T09:15:27.5-03:30"],
    "date": ["2026-03-02", "1931-01-01"],
    "duration": ["PT5M", "P1D"],
    "list_of_text": [[], ["a"]],
}


def test_every_fault_of_a_record_is_told_at_once() -> None:
    found = refused(record(amount=12.5, direction="sideways", occurred_at="2026-03-02", geo={"lat": 91}))
    assert [fault.path for fault in found.faults] == ["occurred_at", "direction", "amount", "geo.lat"]
    assert found.faults[2].hint == 'write "12.5"'
    assert found.event_id == "tx-1"


def test_an_unknown_kind_is_met_with_a_guess() -> None:
    (fault,) = refused(record(event_type="payment.transfre")).faults
    assert (fault.path, fault.hint) == ("event_type", "did you mean 'payment.transfer'?")


def test_an_unknown_currency_is_met_with_what_to_do() -> None:
    (fault,) = refused(record(currency="XAU")).faults
    assert "fx_rates.yaml" in fault.hint


def test_a_record_above_one_mebibyte_is_refused() -> None:
    raw = record(remittance_info="x" * MAX_BYTES)
    assert refused(raw).reason == "oversize"


def test_a_record_of_one_mebibyte_is_taken() -> None:
    room = MAX_BYTES - len(record(remittance_info=""))
    assert accepted(record(remittance_info="x" * room)).id == "tx-1"


def test_an_event_more_than_a_day_ahead_is_absurd_only_where_the_present_is_known() -> None:
    raw = record(occurred_at="2026-03-02T00:00:00Z")
    now_ms = 1772409600000 - 86_400_000
    assert isinstance(CODEC.decode(raw), Event)
    assert isinstance(CODEC.decode(raw, now_ms=now_ms), Event)
    late = CODEC.decode(raw, now_ms=now_ms - 1)
    assert isinstance(late, Rejection)
    assert late.reason == "absurd_time"


def test_unknown_fields_are_kept_in_ext_and_in_the_body() -> None:
    event = accepted(record(mood="sad", counterparty={"account": "a", "mood": 1}, ext={"mood": "was here"}))
    assert event.data.ext == {"mood": "was here", "$.mood": "sad", "counterparty.mood": 1}
    assert orjson.loads(event.body)["ext"]["$.mood"] == "sad"


def test_dates_times_and_durations_are_milliseconds() -> None:
    beat = {
        "event_id": "h1",
        "event_type": "source.heartbeat",
        "occurred_at": "1970-01-01T00:00:01Z",
        "source_system": "core",
        "booked_date": "1969-12-31",
        "interval": "PT5M",
        "watermark": "1970-01-01T01:00:00+01:00",
    }
    data = accepted(encode(beat)).data
    assert (data.booked_date, data.interval, data.watermark) == (-86_400_000, 300_000, 0)


def test_money_is_converted_at_the_rate_of_its_day() -> None:
    before = accepted(record(currency="USD", amount="1.25", occurred_at="2026-05-31T23:59:59Z"))
    after = accepted(record(currency="USD", amount="1.25", occurred_at="2026-06-01T00:00:00Z"))
    assert (before.data.amount, after.data.amount) == (10_000, 7_812)
    assert before.data.currency == "USD"


def test_a_base_that_is_not_the_pivot_is_reached_through_it() -> None:
    codec = Codec(load_vocabulary(), "CNY", RATES)
    assert accepted(record(currency="USD", amount="1"), codec).data.amount == 64_000
    assert accepted(record(currency="EUR", amount="1"), codec).data.amount == 80_000


def test_all_money_of_a_record_is_in_its_currency_but_what_names_its_own() -> None:
    exchange = {
        "event_id": "f1",
        "event_type": "fx.purchase",
        "occurred_at": "2026-03-02T00:00:00Z",
        "customer_id": "c",
        "amount": "1.25",
        "currency": "USD",
        "quota_used": "2.50",
        "counter_amount": "8",
        "counter_currency": "CNY",
    }
    data = accepted(encode(exchange)).data
    assert (data.amount, data.quota_used, data.counter_amount) == (10_000, 20_000, 10_000)


def test_balances_may_be_negative() -> None:
    raw = encode(
        {
            "event_id": "b1",
            "event_type": "balance.snapshot",
            "occurred_at": "2026-03-02T00:00:00Z",
            "customer_id": "c",
            "balance": "-0.01",
        }
    )
    assert accepted(raw).data.balance == -100


def test_encode_writes_decimals_as_texts() -> None:
    assert encode({"amount": Decimal("1E+3")}) == b'{"amount":"1000"}'
