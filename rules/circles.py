"""Circles of payments: `cycle(amount, 7d)`, money that comes back over at most two others.

The customer's stage knows what the customer paid and got. Who paid the account that pays now, the
counterparty's stage knows, and attaches to the event. So a circle of three payments is seen where
the one in the middle was made by a customer of this institution. A stage of its own for the graph of
all payments would find longer circles, but every payment would have to pass through one place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b

from rules.asked import Asked
from rules.flows import flow
from rules.nodes import Literal, Name, Node
from rules.terms import WORDS, WRONG, Scope, Term, shared
from rules.windowed import EXAMPLES, needed, series, through, value_of
from rules.windows import Window

OTHER, OWN = "counterparty.account", "account_id"
WITHIN, LONGEST = Fraction(1, 10), Fraction(3)
EXAMPLE = f"e.g. {EXAMPLES['cycle']}"


@dataclass(frozen=True, slots=True)
class _Circle:
    """A circle that the payment at hand may close."""

    asked: Asked
    kind: str
    value: Node
    guard: str
    left: Node
    is_in: str
    """Code of whether the payment at hand comes in."""
    here: str
    """Code of its amount."""
    low: str
    """Code of the time the window begins after: by the closing payment, not by stream time."""
    window: Window
    share: str


def cycle(scope: Scope, asked: Asked) -> Term:
    """Return the term of the path money took back to the customer; missing where there is none."""
    if scope.stage != "customer" or scope.kind is None:
        return scope.fail(asked.node.at, "cycle is about a customer's payment", "set `subject: customer`")
    if not {OTHER, OWN} <= set(scope.vocabulary.kinds[scope.kind].fields):
        return scope.fail(asked.node.at, f"{scope.kind} does not name both accounts", "on: payment.transfer")
    circle = _taken_apart(scope, asked, scope.kind)
    length = _number(scope, asked, "length", LONGEST)
    if circle is None:
        return WRONG
    if length not in (2, 3):
        return scope.fail(asked.node.at, "cycle takes a `length` of 2 or 3 payments", EXAMPLE)
    s, k, c = _payments(scope, circle, OTHER)
    payers = f"F.get({_payers(scope, circle)!r})" if length == LONGEST else "None"
    mine = f"d.{OWN}, st.accounts"
    code = (
        f"circle({s}, {k}, {c}, {circle.low}, t, d.{OTHER}, {circle.here}, {payers}, {circle.share}, {mine})"
    )
    found = shared(f"({code} if {circle.is_in} else None)")
    return Term("text", f"path_of({found})", nullable=True, cost=15, spans=(f"legs({found})",))


def _taken_apart(scope: Scope, asked: Asked, kind: str) -> _Circle | None:
    need = needed(scope, asked, 1)
    window = through(scope, need[1], asked) if need else None
    value = value_of(scope, asked, need[0][0]) if need else WRONG
    came, left = flow(scope, asked, "in"), flow(scope, asked, "out")
    within = _number(scope, asked, "within", WITHIN)
    if need is None or window is None or not value or came is None or left is None:
        return None
    length = need[1]
    if value.type != "money":
        scope.fail(need[0][0].at, f"expected money, was {WORDS[value.type]}", EXAMPLE)
    elif not isinstance(length, Literal) or length.kind != "duration":
        scope.fail(asked.node.at, "cycle looks back a length of time", EXAMPLE)
    elif within is None or not 0 <= within < 1:
        scope.fail(asked.node.at, "cycle takes `within`, a share below 1", EXAMPLE)
    else:
        inside = scope.inside(kind)
        return _Circle(
            asked, kind, need[0][0], need[0][0].text() if value.nullable else "", left,
            inside.check(came, "bool").code, inside.check(need[0][0]).code, f"t - {length.value}",
            # A late payment may close a circle too: what it looks back at is kept so much longer.
            Window("", "", int(length.value) + scope.grace_ms),
            f"{within.numerator}, {within.denominator}",
        )  # fmt: skip
    return None


def _payments(scope: Scope, circle: _Circle, other: str) -> tuple[str, int, int]:
    """Return outflows of a stage: code of the series, its sum column, the column of an account."""
    slot, s = series(scope, circle.asked, circle.guard, circle.window, circle.left)
    return s, slot.column(circle.value, item=False), slot.column(Name(0, other), item=True)


def _payers(scope: Scope, circle: _Circle) -> str:
    """Have the counterparty's stage attach who paid the account that pays now; return the fact's name."""
    stage = replace(scope, stage="counterparty", seen={})
    s, k, c = _payments(stage, circle, OWN)
    code = (
        f"payers({s}, {k}, {c}, {circle.low}, t, {circle.here}, {circle.share}) if {circle.is_in} else None"
    )
    told = f"{circle.asked.kinds} {circle.left.text()} {circle.guard} {circle.value.text()} {code}"
    name = f"payers {blake2b(told.encode(), digest_size=6).hexdigest()}"
    stage.plan.exports.setdefault(circle.kind, {})[name] = code
    return name


def _number(scope: Scope, asked: Asked, name: str, default: Fraction) -> Fraction | None:
    node = dict(asked.node.named).get(name)
    node = scope.inline(node) if node is not None else None
    if node is None:
        return default
    return node.value if isinstance(node, Literal) and isinstance(node.value, Fraction) else None
