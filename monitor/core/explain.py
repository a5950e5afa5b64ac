"""Ratings in words: full arithmetic for officers and auditors, plain text for the customer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from monitor.core.rating_shown import Ahead, Limit, Rating
from monitor.core.rating_state import Proposal, Suppression
from monitor.core.scoring import DimensionScore

AUDIENCES = ("officer", "auditor", "customer")


def explain_rating(rating: Rating, audience: str) -> str:
    """Return the explanation of a rating, one statement a line.

    Parameters
    ----------
    audience
        `officer`: the parts, which add up to the score, and what happens next. `auditor`: every
        figure and version besides. `customer`: the institution's own words, the same for everybody:
        points, rules or dates would help evasion, and could tell what is confidential.

    Raises
    ------
    ValueError
        For any other audience.

    Examples
    --------
    A pass-through pattern two days ago, a large payment from a new device today:

    >>> from pathlib import Path
    >>> from yaml import safe_load
    >>> from monitor.core.rating import Rater, RatingState
    >>> from monitor.core.rating_config import DAY_MS, RatingConfig
    >>> from monitor.core.scoring import Contribution
    >>> from monitor.core.show import show_rating
    >>> today_ms = 20_000 * DAY_MS
    >>> old_ms = today_ms - 2 * DAY_MS
    >>> state = RatingState(
    ...     contributions=[
    ...         Contribution("A-121", "5e1f", "compliance", 25, old_ms, old_ms, "e-1"),
    ...         Contribution("F-308", "90bc", "fraud", 20, today_ms, today_ms, "e-2"),
    ...     ],
    ...     items={"public_function": 3},       # makes the inherent score 44
    ...     grade=13,
    ...     graded_ms=old_ms,
    ... )
    >>> rater = Rater(RatingConfig.from_plain(safe_load(Path("config/rating.yaml").read_text())))
    >>> rating = show_rating(rater, state, today_ms)
    >>> print(explain_rating(rating, "officer"))
    rating 13 (medium-low), score 20.93 of 100, first rating
      20.93  compliance: A-121
    = 20.93  0.85 x compliance 24.62, more than the weighted sum 16.63
    without A-121 the score would be 17.00, grade 14
    next review due 2027-10-02
    >>> for line in explain_rating(rating, "auditor").splitlines()[12:]:
    ...     print(line)
    fraud 20.00 from rules, weight 0.16: behaviour 20.00, model 0.00
      F-308 90bc e-2 2024-10-04: 20 points, decayed 20.00, x 1, share 100.0%
    compliance 24.62 from rules, weight 0.18: behaviour 24.62, model 0.00
      A-121 5e1f e-1 2024-10-02: 25 points, decayed 24.62, x 1, share 100.0%
    weighted sum 16.63, peak 20.93
    """
    if audience not in AUDIENCES:
        raise ValueError(f"audience: expected {' or '.join(AUDIENCES)}, was {audience!r}")
    return "\n".join(_AUDIENCES[audience](rating))


def _officer(rating: Rating) -> list[str]:
    lines = [_headline(rating)]
    lines += [
        f"{part['points']:7.2f}  {_part(part['dimension'], part['name'], part['kind'])}"
        for part in rating.parts
    ]
    lines.append(f"= {rating.score:5.2f}  {_term(rating)}")
    lines += [_limit(limit) for limit in rating.limits]
    lines += [_suppression(one) for one in rating.suppressions]
    lines += [_proposal(one) for one in rating.proposals]
    lines += _without(rating)
    return lines + _next(rating)


def _auditor(rating: Rating) -> list[str]:
    inherent = f"inherent score {rating.inherent:.2f}, rescaled {rating.inherent_rescaled:.2f}"
    who = f"segment {rating.segment or '-'}, stage {rating.stage or '-'}"
    lines = [
        *_officer(rating),
        f"parameters {rating.config_version}, mode {rating.mode}, {who}",
        f"{inherent}, weight {rating.inherent_weight:g}",
    ]
    for item in rating.items:
        given = "" if item.is_given else " (not given: default)"
        lines.append(f"  {item.factor}, {item.name}: {item.score:g} x {item.weight:g}{given}")
    for dimension in rating.composite.dimensions:
        lines += _dimension(dimension)
    lines.append(f"weighted sum {rating.composite.weighted:.2f}, peak {rating.composite.peak:.2f}")
    return lines


def _customer(rating: Rating) -> list[str]:
    # The same for everybody: a word that depended on the rating could tell of a report or an inquiry.
    return list(rating.notice)


_AUDIENCES: dict[str, Callable[[Rating], list[str]]] = {
    "officer": _officer,
    "auditor": _auditor,
    "customer": _customer,
}


def _headline(rating: Rating) -> str:
    first = ", first rating" if rating.is_first else ""
    line = f"rating {rating.grade} ({rating.grade_name}), score {rating.score:.2f} of 100{first}"
    if rating.override is None:
        return line
    own = rating.override
    people = _people(own.author, own.approver)
    until = _date(own.until_ms)
    return f"{line}; set{people} until {until}: {own.reason}; automatic: {rating.automatic_grade}"


def _people(author: str, approver: str) -> str:
    """Return who decided, with a space before; empty where it was no person."""
    second = f", approved by {approver}" if approver else ""
    return f" by {author}{second}" if author else ""


def _part(dimension: str | None, name: str, kind: str) -> str:
    if kind == "inherent":
        return "inherent: profile of the customer"
    what = f"{kind} {name}" if kind in ("floor", "ceiling") else name
    return f"{dimension}: {what}" if dimension else what


def _term(rating: Rating) -> str:
    total = rating.composite
    if total.term == "weighted":
        return f"weighted sum, at least the peak {total.peak:.2f}"
    if total.term == "peak":
        top = next(d for d in total.dimensions if d.name == total.peak_dimension)
        share = total.peak / top.score
        return f"{share:g} x {top.name} {top.score:.2f}, more than the weighted sum {total.weighted:.2f}"
    return f"floor {total.term}"


def _limit(limit: Limit) -> str:
    where = f" of {limit.dimension}" if limit.dimension else ""
    until = f" until {_date(limit.until_ms)}" if limit.until_ms is not None else ""
    why = f": {limit.reason}" if limit.reason else ""
    source = _people(limit.author, limit.approver)
    by = "" if limit.by == "person" else f", by {'the' if limit.by == 'profile' else 'rule'} {limit.by}"
    return f"{limit.kind} {limit.name} {limit.score:g}{where} in force{until}{by}{source}{why}"


def _suppression(one: Suppression) -> str:
    return f"rule {one.rule} gives no points until {_date(one.until_ms)}{_people(one.author, one.approver)}"


def _proposal(one: Proposal) -> str:
    what = one.kind.removeprefix("rating.").replace("_", " ")
    value = "" if one.value is None else f" {one.value}"
    return f"waits for a second person: {what}{value}, proposed by {one.actor}: {one.reason}"


def _without(rating: Rating) -> list[str]:
    """Return what would change the score, the strongest first; what leaves it as it is is left out."""
    lines = []
    for one in sorted(rating.without, key=lambda one: (one.score, one.kind, one.name)):
        what = one.name if one.kind in ("rule", "floor", "ceiling") else f"the {one.kind} {one.name}"
        if one.kind == "override":
            lines.append(f"without the grade set by hand: {one.grade}")
        elif one.score != rating.score:
            lines.append(f"without {what} the score would be {one.score:.2f}, grade {one.grade}")
    return lines


def _dimension(dimension: DimensionScore) -> list[str]:
    head = f"{dimension.name} {dimension.score:.2f} from {dimension.term}, weight {dimension.weight:g}"
    cut = f", cut by ceiling {dimension.ceiling}" if dimension.ceiling else ""
    lines = [f"{head}: behaviour {dimension.behaviour:.2f}, model {dimension.model:.2f}{cut}"]
    for share in dimension.shares:
        hit = share.contribution
        confirmed = ", confirmed" if hit.is_confirmed else ""
        held = f", kept from decaying since {_date(hit.held_ms)}" if hit.held_ms is not None else ""
        lines.append(
            f"  {hit.rule} {hit.version} {hit.event_id} {_date(hit.time_ms)}: {hit.points:g} points, "
            f"decayed {share.decayed:.2f}, x {share.weight:g}, share {share.ratio:.1%}{confirmed}{held}"
        )
    return lines


def _next(rating: Rating) -> list[str]:
    lines = []
    if rating.score_grade > rating.automatic_grade:
        lines.append(f"the score alone would be grade {rating.score_grade}; grades fall more slowly")
    if rating.review_ms is not None:
        overdue = "overdue since" if rating.review_ms < rating.time_ms else "due"
        lines.append(f"next review {overdue} {_date(rating.review_ms)}")
    lines += [f"{text} if nothing happens" for text in _changes(rating.grade, rating.ahead)]
    alerts = [what for what in rating.held_by if what != "review"]
    if alerts:
        lines.append(f"cannot fall while alerts are open: {', '.join(alerts)}")
    if "review" in rating.held_by:
        lines.append("cannot fall until a review is approved")
    lines += [f"{text} if that is settled now" for text in _changes(rating.grade, rating.ahead_if_freed)]
    return lines


def _changes(before: int, ahead: Sequence[Ahead]) -> Iterator[str]:
    for change in ahead:
        yield f"{'falls' if change.grade > before else 'rises'} to {change.grade} on {_date(change.time_ms)}"
        before = change.grade


def _date(time_ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).date().isoformat()
