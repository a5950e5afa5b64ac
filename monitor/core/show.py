"""A rating at one moment, laid open: its arithmetic, and what would change it, by computing it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from monitor.core.rating import Rater
from monitor.core.rating_shown import Ahead, Limit, Rating, Without
from monitor.core.rating_state import Ground, RatingState

REVIEW = "review"
"""What keeps the highest grade from being left until there was one."""
PROFILE = "profile"
PERSON = "person"


def show_rating(rater: Rater, rs: RatingState, now_ms: int) -> Rating:
    """Return the rating at `now_ms`, at or after the last change, with all its arithmetic.

    Raises
    ------
    ValueError
        There is no first rating yet.
    """
    grading, config = rater.grading, rater.config
    shown = grading.shown(rs, now_ms)
    if rs.grade is None or shown is None:
        raise ValueError("rating: not rated yet, expected a first rating before it is shown")
    total = rater.score(rs, now_ms)
    return Rating(
        time_ms=now_ms,
        grade=shown,
        grade_name=grading.names[shown],
        automatic_grade=rs.grade,
        is_first=rs.is_first,
        segment=rs.segment,
        stage=rs.stage,
        mode=config.mode,
        config_version=config.version,
        inherent=rater.form.score(rs.items),
        inherent_rescaled=rater.form.rescaled(rs.items),
        inherent_weight=config.segment(rs.segment).weights["inherent"],
        items=rater.form.lines(rs.items),
        composite=total,
        parts=rater.parts(rs, total),
        limits=tuple(_limits(rater, rs, now_ms)),
        override=rs.override if rs.override and now_ms < rs.override.until_ms else None,
        suppressions=tuple(one for one in rs.suppressions if now_ms < one.until_ms),
        proposals=tuple(rs.proposals),
        review_ms=grading.review_ms(rs),
        downgrade_ms=grading.downgrade_ms(rs),
        ahead=tuple(_ahead(rater, rs, now_ms)),
        without=tuple(_without(rater, rs, now_ms)),
        held_by=(held := tuple(_held_by(rater, rs))),
        ahead_if_freed=tuple(_ahead(rater, _freed(rs, held, now_ms), now_ms)) if held else (),
        score_grade=grading.grade_of(total.hundredths),
        notice=config.notice,
    )


def _ahead(rater: Rater, rs: RatingState, now_ms: int) -> Iterator[Ahead]:
    """Give the changes that time alone brings: found by letting it pass for a copy."""
    copy = _copy(rs)
    while (due_ms := rater.due_ms(copy)) is not None:
        for change in rater.tick(copy, max(due_ms, now_ms), customer_id=""):
            yield Ahead(change.time_ms, change.grade, change.score)
        if rater.due_ms(copy) == due_ms:
            raise RuntimeError(f"rating: what falls due at {due_ms} does not end")


def _without(rater: Rater, rs: RatingState, now_ms: int) -> Iterator[Without]:
    """Give what the rating would be without each thing: found by taking it out of a copy."""
    rules = {c.rule for c in rs.contributions if not c.is_refuted}
    rules |= {ground.by for ground in rs.grounds if ground.by}
    things = [("rule", rule) for rule in sorted(rules)] + [("model", one) for one in sorted(rs.models)]
    things += [
        ("floor" if name in rater.config.floors else "ceiling", name) for name in rater.limits(rs, now_ms)
    ]
    if rs.override is not None and now_ms < rs.override.until_ms:
        things.append(("override", str(rs.override.grade)))
    for kind, name in things:
        copy = _copy(rs)
        _DROP[kind](copy, name)
        total = rater.score(copy, now_ms)
        if kind != "override":
            # As a first rating gives it: waiting times are about what was, not about what would be.
            copy.grade = rater.grading.grade_of(total.hundredths)
        grade = rater.grading.shown(copy, now_ms)
        assert grade is not None
        yield Without(name=name, kind=kind, score=total.score, grade=grade)


def _drop_rule(copy: RatingState, rule: str) -> None:
    copy.contributions = [c for c in copy.contributions if c.rule != rule]
    copy.grounds = [ground for ground in copy.grounds if ground.by != rule]


def _drop_model(copy: RatingState, dimension: str) -> None:
    del copy.models[dimension]


def _drop_limit(copy: RatingState, name: str) -> None:
    copy.grounds = [ground for ground in copy.grounds if ground.name != name]
    copy.profile_floors = [one for one in copy.profile_floors if one != name]
    copy.profile_ceilings = [one for one in copy.profile_ceilings if one != name]


def _drop_override(copy: RatingState, grade: str) -> None:
    copy.override = None


_DROP: dict[str, Callable[[RatingState, str], None]] = {
    "rule": _drop_rule,
    "model": _drop_model,
    "floor": _drop_limit,
    "ceiling": _drop_limit,
    "override": _drop_override,
}


def _held_by(rater: Rater, rs: RatingState) -> Iterator[str]:
    if rs.grade is None or rs.grade == rater.config.grades[-1].code:
        return
    yield from sorted(rs.open_alerts)
    if rs.grade == rater.config.grades[0].code and not rater.grading.is_reviewed(rs):
        yield REVIEW


def _freed(rs: RatingState, held: tuple[str, ...], now_ms: int) -> RatingState:
    copy = _copy(rs)
    copy.open_alerts, copy.free_ms = [], now_ms
    if REVIEW in held:
        copy.reviewed_ms = now_ms
    return copy


def _limits(rater: Rater, rs: RatingState, now_ms: int) -> Iterator[Limit]:
    for name in rater.limits(rs, now_ms):
        if name in (*rs.profile_floors, *rs.profile_ceilings):
            yield _limit(rater, Ground(name, PROFILE, 0, None), None)
        for ground in rs.grounds:
            if ground.name == name and (ground.until_ms is None or now_ms < ground.until_ms):
                yield _limit(rater, ground, ground.since_ms)


def _limit(rater: Rater, ground: Ground, since_ms: int | None) -> Limit:
    floor = rater.config.floors.get(ground.name)
    found = floor or rater.config.ceilings[ground.name]
    return Limit(
        name=ground.name,
        kind="floor" if floor else "ceiling",
        score=found.score,
        dimension=found.dimension,
        by=ground.by or PERSON,
        since_ms=since_ms,
        until_ms=ground.until_ms,
        author=ground.author,
        approver=ground.approver,
        reason=ground.reason,
    )


def _copy(rs: RatingState) -> RatingState:
    return RatingState.restore(rs.snapshot())
