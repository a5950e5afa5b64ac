"""The benchmark's rows, what each should reach, and how they are told."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from monitor.bench import cluster, core, durable, models
from monitor.bench.figure import Figure
from monitor.bench.standard import quantile, transfers, unit_us
from monitor.configuration import Configuration
from monitor.settings import Settings
from monitor.simulate import Simulation
from streams.memory import prepare_memory

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """All rows of a run."""

    unit_us: float
    machine: dict[str, Any]
    figures: tuple[Figure, ...]

    def plain(self) -> dict[str, Any]:
        """Return the report as plain data."""
        rows = [{**asdict(figure), "is_reached": figure.is_reached} for figure in self.figures]
        return {"unit_us": round(self.unit_us, 4), "machine": self.machine, "figures": rows}


def run(
    settings: Settings, configuration: Configuration, *, quick: bool = False, tell: Tell = lambda _: None
) -> Report:
    """Measure every row. `quick` takes a tenth of the events: for a look, not for a claim."""
    bench = _Bench(settings, configuration, 10 if quick else 1, tell)
    figures = [*bench.core(), *bench.durable(), *bench.growth(), *bench.state()]
    return Report(bench.unit, durable.machine(), tuple(figures))


def run_cluster(
    settings: Settings, config: Path, *, quick: bool = False, tell: Tell = lambda _: None
) -> Report:
    """Measure a cluster on the servers of the settings; they must be empty, and are of no use after."""
    tell("making a simulated bank")
    count = 6_000 if quick else 60_000
    records = list(islice(Simulation(customers=2_000, days=None, seed=5).records(), count))
    figures = tuple(cluster.figures(settings, config, records, tell))
    return Report(unit_us(), durable.machine(), figures)


class _Bench:
    def __init__(self, settings: Settings, configuration: Configuration, divisor: int, tell: Tell) -> None:
        self.settings, self.configuration, self.divisor, self.tell = settings, configuration, divisor, tell
        prepare_memory()
        self.unit = unit_us()
        self.rules = sum(rule.status == "live" for rule in configuration.rules or ())
        tell("making a simulated bank")
        simulation = Simulation(customers=2_000, days=None, seed=5)
        self.bank = list(islice(simulation.records(), self.count(160_000)))

    def count(self, events: int) -> int:
        return max(4_096, events // self.divisor)

    def units(self, name: str, us: float, reach: float | None, note: str = "") -> Figure:
        # Taken again beside every row: the machine may have become slower or faster since the last.
        unit = unit_us()
        self.unit = min(self.unit, unit)
        return Figure(name, round(us / unit, 2), "U", reach, note=note or f"{us:.1f} us an event")

    def core(self) -> list[Figure]:
        self.tell("core")
        standard = list(transfers(self.count(40_000), 2_000))
        few, every = core.starter(self.configuration), self.configuration
        return [
            self.units("decode the standard event", core.decode_us(every, standard), 3.0),
            *self.scored(),
            self.assessed("core, 30 starter rules, simulated bank", few, self.bank, 20.0),
            self.assessed(f"core, all {self.rules} live rules, simulated bank", every, self.bank),
            self.assessed("core, 30 starter rules, transfers alone", few, standard),
            self.assessed(f"core, all {self.rules} live rules, transfers alone", every, standard),
        ]

    def scored(self) -> list[Figure]:
        populations, trees = models.scoring_us(self.configuration)
        return [
            self.units("score with the default ensemble", populations, 10.0),
            self.units("score with the classifier's trees", trees, None),
        ]

    def assessed(
        self, name: str, configuration: Configuration, records: Sequence[bytes], reach: float | None = None
    ) -> Figure:
        us = core.assess_us(core.Bank(configuration), records, len(records) // 4)
        return self.units(name, us, reach)

    def durable(self) -> list[Figure]:
        figures, rate = [], 0.0
        for name, configuration, reach in (
            ("30 starter rules", core.starter(self.configuration), 60.0),
            (f"all {self.rules} live rules", self.configuration, None),
        ):
            self.tell(f"embedded, durable, {name}")
            with tempfile.TemporaryDirectory() as folder:
                us, _ = durable.replay_us(Path(folder), self.settings, configuration, self.bank)
            rate = 1e6 / us
            figures.append(self.units(f"embedded, durable, everything on, {name}", us, reach))
            figures.append(
                Figure(f"embedded, durable, {name}", round(rate), "events/s", 10_000, more_is_better=True)
            )
        self.tell("latency")
        with tempfile.TemporaryDirectory() as folder:
            records = self.bank[: self.count(60_000)]
            waits = durable.latencies_ms(Path(folder), self.settings, self.configuration, records, rate / 2)
        for share, name, wait in ((0.5, "p50", None), (0.99, "p99", 50.0), (0.999, "p99.9", 250.0)):
            value = round(quantile(waits, share), 2)
            figures.append(Figure(f"accepted to committed at half the top rate, {name}", value, "ms", wait))
        return figures

    def growth(self) -> list[Figure]:
        self.tell("10k to 1M customers")
        many = 1_000_000 // self.divisor
        starter = core.starter(self.configuration)
        small, large, peak_mb = core.by_customers(starter, 10_000, many, self.count(80_000))
        figures = [
            Figure(
                f"10,000 to {many:,} customers",
                round(large / small, 2),
                "x",
                1.5,
                note=f"{small:.1f} to {large:.1f} us",
            ),
            Figure(f"memory with {many:,} customers in it", round(peak_mb), "MB", 4_096),
        ]
        self.tell("20 to 200 rules")
        records = list(transfers(self.count(40_000), 2_000, seed=2))
        few, lots, known = core.by_rules(self.configuration, 20, 200, records)
        note = f"{few:.1f} to {lots:.1f} us; {known} different, the others repeated"
        figures.append(Figure("20 to 200 rules", round(lots / few, 2), "x", 3.0, note=note))
        self.tell("windows of 1 h to 365 d")
        dense = list(transfers(self.count(80_000), 20, gap_ms=60_000, seed=4))
        short, long = core.by_window(self.configuration, "1h", "365d", dense)
        figures.append(
            Figure(
                "window of 1 h to 365 d",
                round(long / short, 2),
                "x",
                1.2,
                note=f"{short:.1f} to {long:.1f} us",
            )
        )
        return figures

    def state(self) -> list[Figure]:
        self.tell("state")
        size = core.state_bytes(self.configuration)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return [
            Figure("a customer's state after 30 days of card payments", round(size), "bytes", 4_096),
            Figure("peak memory of the whole run", round(peak), "MB"),
        ]
