"""Benchmarks: what an event costs, in units of one `orjson.loads` of the standard transfer event.

Ratios against that unit, taken in the same run, hold across machines; absolute times do not.
"""

from monitor.bench.report import Figure, Report, run

__all__ = ["Figure", "Report", "run"]
