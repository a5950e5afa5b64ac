"""Public data sets through their mappings: nothing is lost, sums stay, chargebacks find their payments."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from monitor.cli import build_app

ROOT = Path(__file__).resolve().parents[2]
MAPPINGS = ROOT / "config" / "mappings"
DATASETS = Path(os.environ.get("RISKMON_DATASETS", ROOT.parent / "shared" / "data"))
APP = build_app()


def folder_of(name: str) -> Path:
    """Return the folder of a data set, or skip where it is not here."""
    folder = DATASETS / name
    if not folder.is_dir():
        pytest.skip(f"no data set {name!r}: RISKMON_DATASETS names no folder that holds it")
    return folder


def replayed(folder: Path, files: list[Path], mapping: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Replay files as the command does; return the report and the journalled events."""
    report = folder / "report.json"
    arguments = ["replay", *map(str, files), "--map", str(MAPPINGS / f"{mapping}.yaml")]
    arguments += ["--data", str(folder / "data"), "--report", str(report)]
    result = CliRunner().invoke(APP, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with closing(sqlite3.connect(folder / "data" / "riskmon.db")) as db:
        bodies = [orjson.loads(body) for (body,) in db.execute("SELECT body FROM journal ORDER BY seq")]
    return json.loads(report.read_text()), [body for body in bodies if body["event_type"] != "tick"]


def head(source: Path, rows: int, folder: Path) -> Path:
    """Write the first rows of a Parquet file to a file of the same name."""
    path = folder / source.name
    pq.write_table(pq.read_table(source).slice(0, rows), path)
    return path


def cents(events: list[dict[str, Any]], kinds: set[str], direction: str | None = None) -> Counter[str]:
    """Return the sums of money by customer, in hundredths."""
    sums: Counter[str] = Counter()
    for event in events:
        if event["event_type"] in kinds and direction in (None, event.get("direction")):
            sums[event["customer_id"]] += round(float(event["amount"]) * 100)
    return sums


def expected(table: pa.Table, customer: str, amount: str, prefix: str, scale: int = 100) -> Counter[str]:
    """Return the same sums from the source."""
    whole = pc.cast(pc.round(pc.multiply(table[amount].cast(pa.float64()), scale)), pa.int64())
    grouped = pa.table({"who": table[customer], "cents": whole}).group_by("who").aggregate([("cents", "sum")])
    return Counter({f"{prefix}{row['who']}": row["cents_sum"] for row in grouped.to_pylist()})


def test_handbook_payments_keep_their_sums_and_chargebacks_find_them(tmp_path):
    source = folder_of("handbook")
    payments = pq.read_table(source / "dev_tx.parquet").slice(0, 20_000)
    late = pq.read_table(source / "chargebacks.parquet")
    late = late.filter(pc.is_in(late["tx_id"], payments["tx_id"]))
    files = [tmp_path / "dev_tx.parquet", tmp_path / "chargebacks.parquet"]
    for table, path in zip((payments, late), files, strict=True):
        pq.write_table(table, path)
    report, events = replayed(tmp_path, files, "handbook")
    assert report["events"] == len(events) == payments.num_rows + late.num_rows
    assert report["rejected"] == report["duplicates"] == 0
    assert cents(events, {"card.authorization"}) == expected(payments, "customer", "amount", "C", 1)
    owners = {event["event_id"]: event["customer_id"] for event in events}
    disputes = [event for event in events if event["event_type"] == "card.chargeback"]
    assert disputes
    for dispute in disputes:
        assert dispute["event_id"] == dispute["of_event"].replace("tx-", "cb-")
        assert owners[dispute["of_event"]] == dispute["customer_id"]


def test_berka_is_taken_whole(tmp_path):
    source = folder_of("berka")
    report, events = replayed(tmp_path, sorted(source.glob("*.parquet")), "berka")
    rows = {path.stem: pq.read_metadata(path).num_rows for path in source.glob("*.parquet")}
    # An account is a customer made and an account opened; clients, dispositions and districts tell nothing.
    told = rows["trans"] + 2 * rows["account"] + rows["card"] + rows["loan"] * 2 + rows["order"]
    loans = sum(event["event_type"].startswith("loan.") for event in events)
    assert loans == 2 * rows["loan"]
    assert report["events"] == len(events) == told
    assert report["rejected"] == report["duplicates"] == 0
    moved = {"cash.deposit", "cash.withdrawal", "payment.transfer"}
    assert cents(events, moved) == expected(
        pq.read_table(source / "trans.parquet"), "account_id", "amount", "B"
    )


def test_amlsim_transfers_leave_one_customer_and_reach_another(tmp_path):
    source = folder_of("amlsim")
    [path] = source.glob("*transactions.parquet")
    short = head(path, 3_000, tmp_path)
    report, events = replayed(tmp_path, [short], "amlsim")
    table = pq.read_table(short)
    assert report["events"] == len(events) == 2 * table.num_rows
    assert report["rejected"] == report["duplicates"] == 0
    transfer = {"payment.transfer"}
    assert cents(events, transfer, "out") == expected(table, "sourceNodeId", "value", "C")
    assert cents(events, transfer, "in") == expected(table, "targetNodeId", "value", "C")


def test_sffsd_payments_keep_their_sums_and_verdicts_find_them(tmp_path):
    short = head(folder_of("sffsd") / "sffsd.parquet", 5_000, tmp_path)
    report, events = replayed(tmp_path, [short], "sffsd")
    table = pq.read_table(short)
    assert report["events"] == len(events) == table.num_rows
    assert report["rejected"] == report["duplicates"] == 0
    assert cents(events, {"card.authorization"}) == expected(table, "Source", "Amount", "")
    assert not any("Labels" in event for event in events)
    told, verdicts = replayed(tmp_path, [short], "sffsd_verdicts")
    labelled = pc.sum(pc.not_equal(table["Labels"], 2)).as_py()
    verdicts = [event for event in verdicts if event["event_type"] == "verdict"]
    assert len(verdicts) == labelled
    assert told["events"] == len(events) + labelled
    assert {event["of_event"] for event in verdicts} <= {event["event_id"] for event in events}
