"""Circles of payments: own payments, and those that others made to the account that pays now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from monitor.core.windows import Series

MOST_SEEN = 500
"""Payments to one account that are looked at, the newest; a mule's account has few."""
MOST_PAYERS = 50
"""Payments that are told on, the newest of an amount that fits."""

Payment = list[Any]
"""Account of the payer, time, amount, reference."""
Circle = tuple[str, Payment | None, Series, int]
"""The path, the payment between others, own payments and the place of the first of the circle."""


def payers(
    s: Series | None, k: int, c: int, low_ms: int, time_ms: int, amount: int | None, share: int, of: int
) -> list[Payment] | None:
    """Return the payments to an account in `(low_ms, time_ms]` whose amount fits, newest first.

    None where there is none. Of the newest 500 payments, at most 50.
    """
    if s is None or amount is None:
        return None
    found = []
    end = s.after(time_ms)
    first = max(s.after(low_ms), end - MOST_SEEN)
    least, most = -(-amount * (of - share) // of), amount * of // (of - share)
    rows, width = s.rows, s.width
    sums = [
        s.total(k, 0, first),
        *(total - s.bases[k] for total in rows[first * width + k : end * width : width]),
    ]
    for at in range(end - 1, first - 1, -1):
        sent = sums[at - first + 1] - sums[at - first]
        if least <= sent <= most and (payer := s.items[c][at]) is not None:
            row = at * width + width
            found.append([payer, rows[row - 2], sent, rows[row - 1]])
            if len(found) == MOST_PAYERS:
                break
    return found or None


def circle(
    s: Series | None, k: int, c: int, low_ms: int, time_ms: int, other: str | None, amount: int | None,
    payments: list[Payment] | None, share: int, of: int, account: str | None, own: Collection[str],
) -> Circle | None:  # fmt: skip
    """Return how money that now comes from the account `other` went out before; None where it did not.

    Two payments rather than three; of those alike the circle that began last.

    Parameters
    ----------
    s, k, c
        Own payments, the columns of their amounts and of whom they went to.
    low_ms, time_ms
        The window of the first payment, `(low_ms, time_ms]`; the others follow it.
    payments
        Who paid `other`, see `payers`.
    share, of
        How much the amounts may differ: by `share / of` of the largest.
    account, own
        The account money comes to, and the customer's other ones: these are nobody else's.
    """
    if s is None or other is None or amount is None or other == account or other in own:
        return None
    between = [p for p in payments or () if p[0] not in (other, account) and p[0] not in own]
    first, end = s.after(low_ms), s.after(time_ms)
    to = s.items[c][first:end]
    for at in _places(to, {other}, first):
        if fits(share, of, s.total(k, at, at + 1), amount):
            return _path(account, other, account), None, s, at
    for at in _places(to, {p[0] for p in between}, first):
        sent_ms, sent = s.rows[at * s.width + s.width - 2], s.total(k, at, at + 1)
        for p in between:
            if p[0] == to[at - first] and p[1] >= sent_ms and fits(share, of, sent, p[2], amount):
                return _path(account, p[0], other, account), p, s, at
    return None


def path_of(found: Circle | None) -> str | None:
    """Return the path of a circle as text."""
    return None if found is None else found[0]


def legs(found: Circle | None) -> tuple[Series | None, tuple[int, int]]:
    """Return the payments of a circle before the one at hand, as a series and a range: for evidence."""
    if found is None:
        return None, (0, 0)
    _, middle, s, at = found
    row = at * s.width + s.width
    series = Series()
    series.push(s.rows[row - 2], s.rows[row - 1])
    if middle is not None:
        series.push(middle[1], middle[3])
    return series, (0, len(series))


def fits(share: int, of: int, *amounts: int) -> bool:
    """Return whether amounts differ by at most `share / of` of the largest.

    Examples
    --------
    >>> fits(1, 10, 1000, 900), fits(1, 10, 1000, 950, 899)
    (True, False)
    """
    largest = max(amounts)
    return (largest - min(amounts)) * of <= share * largest


def _places(to: Sequence[str | None], wanted: set[str], first: int) -> Iterator[int]:
    """Give the places of payments to accounts, the newest first."""
    if not wanted.isdisjoint(to):
        for at in range(len(to) - 1, -1, -1):
            if to[at] in wanted:
                yield first + at


def _path(*accounts: str | None) -> str:
    return " > ".join(account or "?" for account in accounts)


CIRCLES: dict[str, Any] = {"payers": payers, "circle": circle, "path_of": path_of, "legs": legs}
"""What generated code may call of this module."""
