"""What an assessment leaves in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from monitor.core.assessment import Assessment, Hit, RatingChange

_HIT = tuple(f.name for f in fields(Hit) if f.name != "time_ms")
_RATING = tuple(f.name for f in fields(RatingChange) if f.name != "time_ms")


def entries(assessment: Assessment) -> Iterator[tuple[int, str, str, Mapping[str, Any]]]:
    """Give (time_ms, kind, subject, payload) of each entry: hits, then rating changes, then lateness.

    Examples
    --------
    >>> late = Assessment(event_id="tx-1", ref=7, kind="payment.transfer", subject="customer",
    ...                   subject_id="C-1", time_ms=5, too_late=True)
    >>> list(entries(late))
    [(5, 'late', 'customer:C-1', {'event_id': 'tx-1', 'kind': 'payment.transfer', 'ref': 7})]
    """
    for hit in assessment.hits:
        yield hit.time_ms, "hit", f"{hit.subject}:{hit.subject_id}", {name: getattr(hit, name) for name in _HIT}
    for change in assessment.rating:
        payload = {name: getattr(change, name) for name in _RATING}
        yield change.time_ms, "rating", f"customer:{change.customer_id}", payload
    if assessment.too_late:
        subject = f"{assessment.subject}:{assessment.subject_id}"
        payload = {"event_id": assessment.event_id, "kind": assessment.kind, "ref": assessment.ref}
        yield assessment.time_ms, "late", subject, payload
