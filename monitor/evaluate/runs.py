"""Replays of public data, and what the journal says of each event afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

import monitor
from monitor.app import DATABASE
from monitor.core.features import NAMES
from monitor.core.seen import read
from streams.stores.sqlite import read_only

MAPPINGS = Path(monitor.__file__).resolve().parents[1] / "config" / "mappings"


@dataclass(frozen=True, slots=True)
class Scored:
    """Scored payments in the order of the journal."""

    names: list[str]
    """Event ids."""
    customers: list[str]
    times: list[str]
    scores: npt.NDArray[np.float64]
    features: npt.NDArray[np.float32]


class _Head(msgspec.Struct):
    event_id: str
    occurred_at: str
    customer_id: str = ""


def replay(files: Sequence[Path], mapping: str, folder: Path) -> dict[str, Any]:
    """Replay files into a folder, or go on where it stopped; return its report."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.json"
    command = [str(Path(sys.executable).parent / "riskmon"), "replay", *map(str, files)]
    command += ["--map", str(MAPPINGS / f"{mapping}.yaml"), "--data", str(folder), "--report", str(report)]
    if not report.is_file():
        subprocess.run(command, check=True)  # noqa: S603  our own command
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found


def scored(folder: Path) -> Scored:
    """Return what a replay said of every payment."""
    names, customers, times, scores, vectors = [], [], [], [], []
    for head, answer in _answers(folder):
        if len(answer) > 3:
            names.append(head.event_id)
            customers.append(head.customer_id)
            times.append(head.occurred_at)
            scores.append(answer[0])
            vectors.append(read(answer[3]).vector)
    features = np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), len(NAMES))
    return Scored(names, customers, times, np.array(scores), features)


def _answers(folder: Path) -> Iterator[tuple[_Head, list[Any]]]:
    head = msgspec.json.Decoder(_Head).decode
    with closing(read_only(folder / DATABASE)) as db:
        rows = db.execute("SELECT body, answer FROM journal WHERE answer IS NOT NULL ORDER BY seq")
        for body, answer in rows:
            yield head(body), msgspec.msgpack.decode(answer)
