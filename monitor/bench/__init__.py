"""Benchmarks: what an event costs, in units of one `orjson.loads` of the standard transfer event.

Ratios against that unit, taken in the same run, hold across machines; absolute times do not.
"""

from monitor.bench.figure import Figure
from monitor.bench.report import Report, run, run_cluster

__all__ = ["Figure", "Report", "run", "run_cluster"]
