"""Mapping files: what rows become, and every mistake of a file at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import RuleError
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, encode
from streams.faults import Fault
from streams.mapping import Mapping
from streams.rates import Rates

VOCABULARY = load_vocabulary()
CONFIG = Path(__file__).parents[2] / "config"
CODEC = Codec(VOCABULARY, "EUR", Rates.load(CONFIG / "lists" / "fx_rates.yaml"))


def records(name: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Map a row with a shipped mapping; every record must be an event of the vocabulary."""
    found = Mapping.load(CONFIG / "mappings" / f"{name}.yaml", VOCABULARY).compile()({"_row": 7, **row})
    assert not isinstance(found, Fault), found
    for record in found:
        event = CODEC.decode(encode(record))
        assert getattr(event, "faults", ()) == ()
    return found


def mistakes(text: str) -> list[str]:
    with pytest.raises(RuleError) as caught:
        Mapping.from_text(text, VOCABULARY, Path("m.yaml"))
    return [str(mistake) for mistake in caught.value.mistakes]


def one_field(spec: str, columns: str = "[a, b]") -> Any:
    text = f"""
mapping: t
columns: {columns}
shapes:
  - name: s
    event_type: customer.updated
    fields:
      event_id: a
      occurred_at: {{const: "2026-01-01T00:00:00Z"}}
      customer_id: {{const: c}}
      {spec}
"""
    return Mapping.from_text(text, VOCABULARY).compile()


# ------------------------------------------------------------------------------- shipped mappings


def test_a_handbook_payment_is_a_card_authorization_in_euros() -> None:
    row = {
        "tx_id": 1,
        "occurred_at": "2018-04-01T00:02:10Z",
        "customer": 4961,
        "terminal": 3412,
        "amount": 8105,
    }
    assert records("handbook", row) == [
        {
            "event_id": "tx-1",
            "event_type": "card.authorization",
            "source_system": "handbook",
            "occurred_at": "2018-04-01T00:02:10Z",
            "customer_id": "C4961",
            "amount": "81.05",
            "currency": "EUR",
            "terminal_id": "T3412",
        }
    ]


def test_a_handbook_row_without_an_amount_is_a_chargeback_of_its_payment() -> None:
    row = {"tx_id": 1, "occurred_at": datetime(2018, 4, 8, tzinfo=UTC), "customer": 4961, "terminal": 3412}
    (record,) = records("handbook", row)
    assert (record["event_type"], record["event_id"], record["of_event"]) == (
        "card.chargeback",
        "cb-1",
        "tx-1",
    )


def test_an_amlsim_transfer_is_money_out_for_one_and_in_for_the_other() -> None:
    out, into = records("amlsim", {"sourceNodeId": 1, "targetNodeId": 2, "value": 163.3, "time": 3})
    assert (out["customer_id"], out["direction"], out["counterparty"]["account"]) == ("C1", "out", "A2")
    assert (into["customer_id"], into["direction"], into["counterparty"]["account"]) == ("C2", "in", "A1")
    assert (out["occurred_at"], out["amount"]) == ("2020-01-04T00:00:00+00:00", "163.3")


def test_labels_of_sffsd_are_no_input() -> None:
    row = {
        "Time": 5,
        "Source": "S1",
        "Target": "T1",
        "Amount": 13.74,
        "Location": "L",
        "Type": "P",
        "Labels": 1,
    }
    (record,) = records("sffsd", row)
    assert "1" not in [value for value in record.values() if isinstance(value, str)]


@pytest.mark.parametrize(("label", "expected"), [(0, ["genuine"]), (1, ["fraud"]), (2, [])])
def test_labels_of_sffsd_are_verdicts_only_in_their_own_mapping(label: int, expected: list[str]) -> None:
    found = records("sffsd_verdicts", {"Time": 5, "Source": "S1", "Labels": label})
    assert [record["verdict"] for record in found] == expected


def berka(**changes: Any) -> dict[str, Any]:
    row = {
        "trans_id": 1,
        "account_id": 9,
        "date": 930105,
        "type": "VYDAJ",
        "operation": "VYBER",
        "amount": 700.0,
    }
    return {**row, "balance": -20.5, "k_symbol": None, "bank": None, "account": None, **changes}


def test_berka_penalty_interest_is_a_payment_the_bank_took() -> None:
    (record,) = records("berka", berka(k_symbol="SANKC. UROK"))
    assert (record["kind"], record["direction"], record["balance"]) == ("penalty_interest", "out", "-20.5")
    assert record["occurred_at"] == "1993-01-05T00:00:00+01:00"


def test_a_berka_transfer_names_the_other_bank_and_the_purpose() -> None:
    row = berka(type="PRIJEM", operation="PREVOD Z UCTU", k_symbol="DUCHOD", bank="YZ", account="62457513")
    (record,) = records("berka", row)
    assert (record["direction"], record["purpose_code"]) == ("in", "pension")
    assert record["counterparty"] == {"country": "CZ", "account": "YZ-62457513", "bank": "YZ"}


def test_a_berka_loan_has_an_outcome_known_only_in_the_end() -> None:
    row = {"loan_id": 5, "account_id": 9, "date": 930705, "amount": 96396, "duration": 12, "payments": 8033.0}
    start, end = records("berka", {**row, "status": "B"})
    assert (start["term_months"], "outcome" in start) == (12, False)
    assert (end["occurred_at"][:4], end["outcome"], end["loan_class"]) == ("1999", "not_paid", 5)


PACS008 = {
    "GrpHdr": {"MsgId": "M1"},
    "CdtTrfTxInf": {
        "PmtId": {"TxId": "T1", "EndToEndId": "E1", "UETR": "eb6305c9"},
        "AccptncDtTm": "2026-03-02T09:15:27.000+01:00",
        "IntrBkSttlmAmt": {"@Ccy": "EUR", "#text": "1250.00"},
        "IntrBkSttlmDt": "2026-03-02",
        "ChrgBr": "SHAR",
        "Dbtr": {"Nm": "A", "PstlAdr": {"Ctry": "DE"}},
        "DbtrAcct": {"Id": {"IBAN": "DE02"}},
        "DbtrAgt": {"FinInstnId": {"BICFI": "EXAMDEFF"}},
        "Cdtr": {"Nm": "B", "PstlAdr": {"Ctry": "FR"}},
        "CdtrAcct": {"Id": {"IBAN": "FR76"}},
        "CdtrAgt": {"FinInstnId": {"BICFI": "OTHRFRPP"}},
        "RmtInf": {"Ustrd": "invoice 7"},
    },
}


def test_a_pacs008_of_our_debtor_is_a_transfer_out() -> None:
    (record,) = records("iso20022_pacs008", PACS008)
    assert (record["event_id"], record["direction"], record["amount"]) == ("T1-out", "out", "1250.00")
    assert record["counterparty"] == {"account": "FR76", "name": "B", "bank": "OTHRFRPP", "country": "FR"}
    assert record["booked_date"] == "2026-03-02"


ISO8583 = {
    "mti": "0100",
    "captured_at": "2026-03-02T09:15:27Z",
    "customer": "c1",
    "DE2": "tok-1",
    "DE3": "000000",
    "DE4": "000000005716",
    "DE11": "000123",
    "DE18": "5411",
    "DE22": "051",
    "DE37": "606109000123",
    "DE39": "00",
    "DE41": "TERM0001",
    "DE49": "978",
}


def test_an_iso8583_authorisation_is_read_by_its_data_elements() -> None:
    (record,) = records("iso8583", ISO8583)
    assert (record["amount"], record["currency"], record["entry_mode"]) == ("57.16", "EUR", "chip")
    assert (record["channel"], record["mcc"], record["terminal_id"]) == ("pos", "5411", "TERM0001")


def test_an_iso8583_reversal_takes_its_authorisation_back() -> None:
    (record,) = records("iso8583", {**ISO8583, "mti": "0400"})
    (authorisation,) = records("iso8583", ISO8583)
    assert (record["event_type"], record["reversal_of"]) == ("card.reversal", authorisation["event_id"])


def test_a_crm_customer_becomes_a_profile() -> None:
    person = {"number": "c1", "kind": "person", "born": "02.03.1931", "segment": "P", "is_new": True}
    (record,) = records(
        "crm", {"id": 1, "record": "customer", "changed_at": "2026-03-02 09:15", "customer": person}
    )
    assert (record["event_type"], record["segment"]) == ("customer.created", "private")
    assert (record["birth_date"], record["occurred_at"]) == ("1931-03-02", "2026-03-02T09:15:00+01:00")


# ------------------------------------------------------------------------------------- one field


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ("monthly_income: b", 12, "12"),
        ("monthly_income: b", 0.1, "0.1"),
        ("monthly_income: b", "1250.50", "1250.50"),
        ("monthly_income: {from: b, cents: true}", "5716", "57.16"),
        ("monthly_income: {from: b, scale: 1000}", "1.5", "1500.0"),
        ("monthly_income: {from: b, scale: 0.0001}", "12345.6", "1.2346"),
        ("monthly_income: {from: b, default: 0}", None, "0"),
        ("completeness: b", "0.5", 0.5),
        ("is_employee: b", "Y", True),
        ("is_employee: b", 0, False),
        ("tolerance: b", "3", 3),
        ("name: b", 7, "7"),
        ("name: {template: 'x{b}{{}}'}", 7, "x7{}"),
        ("pep: {from: b, lookup: {1: foreign}, default: none}", 1, "foreign"),
        ("pep: {from: b, lookup: {1: foreign}, default: none}", 2, "none"),
        ("pep: {from: b, lookup: {1: ~}}", 1, None),
        ("opened_at: {from: b, time: epoch_s}", "1.5", "1970-01-01T00:00:01.500000+00:00"),
        ("opened_at: {from: b, time: epoch_ms}", 1500, "1970-01-01T00:00:01.500000+00:00"),
        ("opened_at: {from: b, time: epoch_us}", 1500000, "1970-01-01T00:00:01.500000+00:00"),
        (
            "opened_at: {from: b, time: {days_from: 2026-01-01, zone: Asia/Shanghai}}",
            1,
            "2026-01-02T00:00:00+08:00",
        ),
        ("opened_at: {from: b, time: {seconds_from: 2026-01-01}}", 61, "2026-01-01T00:01:01+00:00"),
        ("opened_at: b", "2026-03-02T09:15:27+08:00", "2026-03-02T09:15:27+08:00"),
        ("opened_at: b", "20260302T091527Z", "2026-03-02T09:15:27+00:00"),
        ("birth_date: b", "1931-03-02", "1931-03-02"),
        ("birth_date: {const: 1931-03-02}", None, "1931-03-02"),
        ("geo.country: b", "CN", {"country": "CN"}),
    ],
)
def test_a_value_becomes_what_its_field_wants(spec: str, value: Any, expected: Any) -> None:
    (record,) = one_field(spec)({"a": "e1", "b": value})
    name = spec.partition(":")[0].partition(".")[0]
    assert record.get(name) == expected
    assert getattr(CODEC.decode(encode(record)), "faults", ()) == ()


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("monthly_income: b", "1,000"),
        ("monthly_income: b", "NaN"),
        ("monthly_income: b", True),
        ("monthly_income: b", "1_000"),
        ("monthly_income: b", "١٢"),
        ("tolerance: b", 1.5),
        ("is_employee: b", "maybe"),
        ("opened_at: b", "yesterday"),
        ("opened_at: b", 1772414127),
        ("opened_at: {from: b, time: epoch_s}", 10**30),
        ("birth_date: {from: b, time: {format: '%d.%m.%Y'}}", "1931-03-02"),
        ("pep: {from: b, lookup: {1: foreign}}", 2),
        ("opened_at: {from: b, time: epoch_s}", [1]),
    ],
)
def test_a_value_that_does_not_fit_is_a_fault(spec: str, value: Any) -> None:
    assert isinstance(one_field(spec)({"a": "e1", "b": value}), Fault)


def test_an_empty_column_of_a_required_field_is_named() -> None:
    found = one_field("name: b")({"a": None})
    assert str(found).startswith("event_id: column a is empty")


def test_a_row_that_fits_no_shape_is_a_fault_with_its_columns() -> None:
    found = Mapping.load(CONFIG / "mappings" / "crm.yaml", VOCABULARY).compile()({"record": "order", "x": 1})
    assert isinstance(found, Fault)
    assert (found.problem, found.hint[:10]) == ("no shape fits a row with record, x", "shapes are")


@given(
    st.dictionaries(
        st.sampled_from(["a", "b"]), st.none() | st.text() | st.integers() | st.floats() | st.lists(st.none())
    )
)
def test_any_row_gets_records_or_a_fault(row: dict[str, Any]) -> None:
    assert isinstance(one_field("monthly_income: b")(row), list | Fault)


# -------------------------------------------------------------------------------- mistakes of a file


def test_every_mistake_of_a_file_is_told_with_its_place() -> None:
    text = """\
mapping: t
colums: [x]
columns: [tx, day, sum]
zone: Europe/Bärlin
shapes:
  - name: s
    when: {has: [tx], is: 3}
    event_type: cash.deposit
    fields:
      event_id: {template: "d-{txx}"}
      occurred_at: {from: dya, time: isoo}
      custmer_id: tx
      amount: {from: sum, scale: two}
      channel: {const: Branch}
      currency: {const: EUR, from: sum}
  - name: z
    event_type: cash.depositt
    fields: {event_id: tx}
"""
    found = mistakes(text)
    assert [mistake.split(":")[1] for mistake in found] == [
        "2",
        "4",
        "7",
        "9",
        "10",
        "11",
        "11",
        "12",
        "13",
        "14",
        "15",
        "17",
    ]
    assert found[0] == "m.yaml:2:1: mapping file: unknown key 'colums'\n  hint: did you mean 'columns'?"
    assert "did you mean 'customer_id'?" in found[7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "m.yaml:1:1: mapping file: expected"),
        ("a: b: c", "m.yaml:1:5: is no YAML: mapping values are not allowed"),
        ("[1]", "m.yaml:1:1: mapping file: expected"),
        (
            "mapping: t\nmapping: u\ncolumns: [a]\nshapes: []\n",
            "m.yaml:2:1: mapping file: 'mapping' is given twice",
        ),
    ],
)
def test_a_file_that_is_no_mapping_is_told_so(text: str, expected: str) -> None:
    assert mistakes(text)[0].startswith(expected)


SHIPPED = (CONFIG / "mappings" / "crm.yaml").read_text()
PIECES = st.sampled_from(
    ["", "x", ": ", "- ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "~", "7", "\n", "\t", "!!x ", "{0}"]
)


@given(st.integers(0, len(SHIPPED)), st.integers(0, 30), PIECES)
def test_a_mapping_with_a_piece_replaced_is_read_or_its_mistakes_are_told(
    start: int, length: int, piece: str
) -> None:
    text = SHIPPED[:start] + piece + SHIPPED[start + length :]
    with suppress(RuleError):
        convert = Mapping.from_text(text, VOCABULARY).compile()
        row = {
            "id": 1,
            "record": "survey",
            "changed_at": "2026-03-02",
            "customer": {"number": "c"},
            "survey": 3,
        }
        assert isinstance(convert(row), list | Fault)


def test_a_missing_mapping_file_is_named() -> None:
    with pytest.raises(RuleError, match=r"nowhere\.yaml:1:1: cannot be read"):
        Mapping.load(Path("nowhere.yaml"), VOCABULARY)
