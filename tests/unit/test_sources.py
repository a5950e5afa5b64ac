"""Recorded files: read lazily, merged by time, broken ones told by name."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rules.vocabulary import load_vocabulary
from streams.codec import Codec, Rejection
from streams.mapping import Mapping
from streams.ports import Record
from streams.rates import Rates
from streams.sources.files import SourceError, count_rows
from streams.sources.merge import MergedFiles

VOCABULARY = load_vocabulary()
ROOT = Path(__file__).parents[2]
CODEC = Codec(VOCABULARY, "EUR", Rates.load(ROOT / "config" / "lists" / "fx_rates.yaml"))


def event(name: str, minute: int, **more: Any) -> bytes:
    plain = {
        "event_id": name,
        "event_type": "customer.updated",
        "occurred_at": f"2026-03-02T09:{minute:02d}:00Z",
        "customer_id": "c",
    }
    return orjson.dumps({**plain, **more})


def write(path: Path, *lines: bytes) -> Path:
    text = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def merged(*paths: Path, mapping: Mapping | None = None) -> MergedFiles:
    return MergedFiles(paths, VOCABULARY, mapping)


def ids(records: Sequence[Record]) -> list[str]:
    return ["?" if record.rejection else orjson.loads(record.body)["event_id"] for record in records]


def test_files_are_merged_by_event_time_and_ties_keep_the_order_of_the_files(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", event("a1", 1), event("a2", 2), event("a4", 4))
    two = write(tmp_path / "two.jsonl.gz", event("b0", 0), event("b2", 2), event("b3", 3))
    assert ids(list(merged(one, two).records())) == ["b0", "a1", "a2", "b2", "b3", "a4"]


def test_a_record_names_its_file_and_row(tmp_path: Path) -> None:
    path = write(tmp_path / "one.jsonl", event("a1", 1), event("a2", 2))
    assert [record.source for record in merged(path).records()] == ["one.jsonl:1", "one.jsonl:2"]


def test_native_lines_come_out_as_they_are(tmp_path: Path) -> None:
    raw = event("a1", 1) + b"  "
    path = write(tmp_path / "a.jsonl", raw, b"", b"junk")
    assert [record.body for record in merged(path).records()] == [raw.strip(), b"junk"]


def test_a_replay_goes_on_after_any_position(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", *(event(f"a{i}", i) for i in range(0, 50, 2)))
    two = write(tmp_path / "two.jsonl", *(event(f"b{i}", i) for i in range(0, 50, 3)))
    source = merged(one, two)
    whole = list(source.records())
    for record in whole[::7]:
        assert list(source.records(record.position)) == whole[record.position :]


def test_rows_that_go_back_in_time_stay_in_place_and_are_told(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", event("a5", 5), event("a1", 1), event("a6", 6))
    two = write(tmp_path / "two.jsonl", event("b2", 2), event("b5", 5))
    source = merged(one, two)
    assert ids(list(source.records())) == ["b2", "a5", "a1", "b5", "a6"]
    assert source.unsorted == {"one.jsonl": 2}


def test_lines_without_a_time_stay_in_place(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", event("a1", 1), b'{"event_id":"x"}', event("a3", 3))
    two = write(tmp_path / "two.jsonl", event("b2", 2))
    assert ids(list(merged(one, two).records())) == ["a1", "x", "b2", "a3"]


LOANS = """
mapping: loans
columns: [id, start, end]
shapes:
  - name: loans
    events:
      - event_type: loan.disbursed
        fields:
          event_id: {template: "s{id}"}
          occurred_at: {from: start, time: {days_from: 2026-01-01}}
          customer_id: {const: c}
          loan_id: id
      - event_type: loan.closed
        fields:
          event_id: {template: "e{id}-{_row}"}
          occurred_at: {from: end, time: {days_from: 2026-01-01}}
          customer_id: {const: c}
          loan_id: id
"""


def test_further_events_of_a_row_wait_for_their_own_time(tmp_path: Path) -> None:
    path = write(tmp_path / "loans.csv", b"id,start,end", b"1,0,5", b"2,1,2", b"3,2,2", b"4,3,99", b"5,x,1")
    source = merged(path, mapping=Mapping.from_text(LOANS, VOCABULARY))
    assert ids(list(source.records())) == ["s1", "s2", "e2-2", "s3", "e3-3", "s4", "?", "e1-1", "e4-4"]
    assert source.unsorted == {}


def test_a_row_that_cannot_be_mapped_comes_out_in_place_with_the_row_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path / "loans.csv", b"id;start;end", b"1;0;5", b"2;;9", "3;1;\xff".encode("latin-1"), b"4;1"
    )
    found = [r for r in merged(path, mapping=Mapping.from_text(LOANS, VOCABULARY)).records() if r.rejection]
    assert [record.source for record in found] == ["loans.csv:2", "loans.csv:3", "loans.csv:4"]
    assert [record.rejection.reason for record in found] == ["unmappable", "unmappable", "malformed"]
    assert orjson.loads(found[0].body) == {"id": "2", "start": None, "end": "9", "_row": 2}
    assert found[2].rejection.faults[0].problem == "has 2 cells, expected 3"


def test_a_native_csv_names_nested_fields_with_dots(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        b"event_id,event_type,occurred_at,customer_id,is_employee,completeness,geo.country,pep",
        b"e1,customer.updated,2026-03-02T09:15:00Z,c,true,0.5,CN,",
        b"e2,customer.updated,2026-03-02T09:15:00Z,c,perhaps,,,",
    )
    good, bad = [CODEC.decode(record.body) for record in merged(path).records()]
    assert not isinstance(good, Rejection)
    assert (good.data.is_employee, good.data.completeness, good.data.geo.country) == (True, 0.5, "CN")
    assert isinstance(bad, Rejection)
    assert [fault.path for fault in bad.faults] == ["is_employee"]


def test_a_native_parquet_keeps_decimals_times_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "event_id": ["e1"],
            "event_type": ["payment.transfer"],
            "occurred_at": pa.array(
                [datetime(2026, 3, 2, 9, 15, 0, 5000, UTC)], pa.timestamp("us", "Asia/Shanghai")
            ),
            "booked_date": [date(2026, 3, 2)],
            "customer_id": ["c"],
            "direction": ["in"],
            "amount": pa.array([Decimal("12.50")], pa.decimal128(10, 2)),
            "currency": ["EUR"],
            "counterparty.account": ["a"],
            "counterparty.name": pa.array([None], pa.string()),
        }
    )
    pq.write_table(table, path)
    (found,) = [CODEC.decode(record.body) for record in merged(path).records()]
    assert not isinstance(found, Rejection), found
    assert (found.time_ms % 60_000, found.data.amount, found.data.counterparty.account) == (5, 125_000, "a")


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz"])
def test_rows_are_counted_for_the_progress_bar(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, b"h", b"1", b"2")
    assert count_rows(path) == (2 if ".csv" in name else 3)


def test_the_last_line_counts_without_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n{}")
    assert merged(path).total == 2


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("gone.jsonl", None, "is not there"),
        ("a.txt", b"", "has no known suffix"),
        ("a.jsonl.gz", b"{}\n", "is no complete gzip file"),
        ("cut.jsonl.gz", gzip.compress(os.urandom(9000))[:4000], "is no complete gzip file"),
        ("a.parquet", b"PAR1 and nothing", "is no complete Parquet file"),
        ("empty.parquet", b"", "is no complete Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=f"{name}: {expected}.*\n.*hint: ."):
        list(merged(path).records())


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl"):
        path = tmp_path / name
        path.write_bytes(b"")
        assert (list(merged(path).records()), merged(path).total) == ([], 0)


# --------------------------------------------------------------------------------- real data sets

DATASETS = Path(os.environ.get("RISKMON_DATASETS", ROOT.parent / "shared" / "data"))
SETS = {
    "handbook": ("handbook", ["handbook/chargebacks.parquet", "handbook/eval_tx.parquet"]),
    "sffsd": ("sffsd", ["sffsd/sffsd.parquet"]),
    "sffsd with labels": ("sffsd_verdicts", ["sffsd/sffsd.parquet"]),
    "amlsim": (
        "amlsim",
        [f"amlsim/20K_fanin200cycle200_{name}.parquet" for name in ("transactions", "accounts")],
    ),
    "berka": (
        "berka",
        [f"berka/{name}.parquet" for name in ("trans", "loan", "card", "order", "account", "client", "disp")],
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_the_beginning_of_a_data_set_maps_without_a_rejection(name: str) -> None:
    mapping, files = SETS[name]
    paths = [DATASETS / file for file in files]
    if not all(path.exists() for path in paths):
        pytest.skip(f"data sets not found in {DATASETS} (set RISKMON_DATASETS)")
    source = merged(
        *paths, mapping=Mapping.load(ROOT / "config" / "mappings" / f"{mapping}.yaml", VOCABULARY)
    )
    found = [record.rejection or CODEC.decode(record.body) for record in islice(source.records(), 25_000)]
    assert [one for one in found if isinstance(one, Rejection)] == []
    times = [one.time_ms for one in found if not isinstance(one, Rejection)]
    assert times == sorted(times)
    assert source.unsorted == {}
