"""Which values a comparison lets through: ranges of numbers, sets of texts, and what a name can be at all."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf

from rules.nodes import Binary, Call, Group, Literal, Name, Node, Unary
from rules.vocabulary import Field, Vocabulary

ORDER = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
"""Each comparison as it reads from the other side."""
OPPOSITE = {
    "<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==", "in": "not in", "not in": "in",
}  # fmt: skip
WHOLE = frozenset({"count", "distinct", "streak", "hour", "weekday", "years", "floor"})
"""Functions that give whole numbers."""
AT_LEAST_ZERO = frozenset({"count", "distinct", "streak", "stddev", "seen_for", "quiet_for", "abs"})
LIMITS = {"hour": (0, 23), "weekday": (1, 7), "share": (0, 1), "match": (0, 100)}
VALUE_OF = frozenset({"avg", "min", "max", "first", "last", "quantile", "median"})
"""Aggregates that lie within the bounds of what they read."""
Bound = Fraction | float


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`.

    Examples
    --------
    >>> at_least_five, below_five = Range(low=5), Range(high=5, is_high_open=True)
    >>> at_least_five.both(below_five).is_empty, Range(1, 2).within(Range(low=0))
    (True, True)
    """

    low: Bound = -inf
    high: Bound = inf
    is_low_open: bool = False
    is_high_open: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no number is in it."""
        return self.low > self.high or (self.low == self.high and (self.is_low_open or self.is_high_open))

    def both(self, other: Range) -> Range:
        """Return the numbers in both."""
        low, is_low_open = max((self.low, self.is_low_open), (other.low, other.is_low_open))
        high, is_closed = min((self.high, not self.is_high_open), (other.high, not other.is_high_open))
        return Range(low, high, is_low_open, not is_closed)

    def within(self, other: Range) -> bool:
        """Return whether every number of this is in the other."""
        return self.is_empty or self.both(other) == self

    def of_whole(self) -> Range:
        """Return it with the nearest whole numbers inside as bounds.

        Examples
        --------
        >>> Range(4, 5, is_low_open=True, is_high_open=True).of_whole().is_empty
        True
        """
        low, high = self.low, self.high
        if low != -inf:
            low = ceil(low) + (self.is_low_open and low % 1 == 0)
        if high != inf:
            high = floor(high) - (self.is_high_open and high % 1 == 0)
        return Range(low, high)


@dataclass(frozen=True, slots=True)
class Texts:
    """Some texts, or all but some.

    Examples
    --------
    >>> Texts(frozenset({"in"})).both(Texts(frozenset({"in"}), is_without=True)).is_empty
    True
    """

    values: frozenset[str]
    is_without: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no text is in it."""
        return not self.values and not self.is_without

    def both(self, other: Texts) -> Texts:
        """Return the texts in both."""
        if self.is_without and other.is_without:
            return Texts(self.values | other.values, is_without=True)
        if self.is_without:
            return Texts(other.values - self.values)
        return Texts(self.values - other.values if other.is_without else self.values & other.values)

    def within(self, other: Texts) -> bool:
        """Return whether every text of this is in the other."""
        return self.both(other) == self


Values = Range | Texts


def both(one: Values, other: Values) -> Values:
    """Return the values in both; those of the first where one is of numbers and one of texts."""
    if isinstance(one, Range) and isinstance(other, Range):
        return one.both(other)
    return one.both(other) if isinstance(one, Texts) and isinstance(other, Texts) else one


@dataclass(frozen=True, slots=True)
class Bounded:
    """What one comparison says: the values it lets a subject of speech have."""

    key: str
    """Canonical text of what is compared, with its unit."""
    subject: Node
    values: Values
    text: str


def bounded(node: Node, vocabulary: Vocabulary, *, is_negated: bool = False) -> Bounded | None:
    """Return what a comparison with something written out says, or None where it is no such comparison.

    A negated one is read as its opposite: what it says of a value that is there.
    """
    if not isinstance(node, Binary) or node.operator not in OPPOSITE:
        return None
    subject, operator, other = node.left, node.operator, node.right
    if operator in ORDER and _constant(subject) is not None:
        subject, operator, other = other, ORDER[operator], subject
    operator = OPPOSITE[operator] if is_negated else operator
    texts = _texts(other)
    if texts is not None and operator in ("==", "!=", "in", "not in"):
        is_without = operator in ("!=", "not in")
        return Bounded(subject.text(), subject, Texts(texts, is_without), node.text())
    constant = _constant(other)
    if constant is None or operator not in ORDER or operator == "!=":
        return None
    value, unit = constant
    found = _range(operator, value)
    if _is_whole(subject, vocabulary):
        found = found.of_whole()
    return Bounded(f"{subject.text()} {unit}", subject, found, node.text())


def possible(node: Node, vocabulary: Vocabulary) -> Values | None:
    """Return the values an expression can have at all, or None where nothing is known of it."""
    if isinstance(node, Name):
        field = _field(node.name, vocabulary)
        return _of_field(field) if field is not None else None
    if not isinstance(node, Call):
        return None
    if node.function in LIMITS:
        low, high = LIMITS[node.function]
        return Range(low, high)
    window = node.arguments[-1] if node.arguments else None
    if node.function in ("count", "distinct") and isinstance(window, Literal) and window.kind == "events":
        return Range(0, Fraction(int(window.value)))
    if node.function in AT_LEAST_ZERO:
        return Range(low=0)
    inner = possible(node.arguments[0], vocabulary) if node.arguments else None
    if node.function in VALUE_OF:
        return inner
    return Range(low=0) if node.function == "sum" and isinstance(inner, Range) and inner.low >= 0 else None


def _range(operator: str, value: Fraction) -> Range:
    match operator:
        case "<" | "<=":
            return Range(high=value, is_high_open=operator == "<")
        case ">" | ">=":
            return Range(low=value, is_low_open=operator == ">")
        case _:
            return Range(value, value)


def _constant(node: Node) -> tuple[Fraction, str] | None:
    """Return a number, money or duration that is written out, and its unit."""
    if isinstance(node, Unary) and node.operator == "-":
        inner = _constant(node.operand)
        return (-inner[0], inner[1]) if inner else None
    if isinstance(node, Literal) and node.kind in ("number", "money", "duration"):
        return Fraction(node.value), node.unit
    return None


def _texts(node: Node) -> frozenset[str] | None:
    """Return the texts that are written out."""
    items = node.items if isinstance(node, Group) else (node,)
    found = [item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str)]
    return frozenset(found) if len(found) == len(items) else None


def _is_whole(node: Node, vocabulary: Vocabulary) -> bool:
    if isinstance(node, Call):
        return node.function in WHOLE
    field = _field(node.name, vocabulary) if isinstance(node, Name) else None
    return field is not None and field.type == "count"


def _field(name: str, vocabulary: Vocabulary) -> Field | None:
    head, _, tail = name.partition(".")
    if head == "profile":
        return vocabulary.profile.get(tail)
    return vocabulary.account.get(tail) if head == "account" else vocabulary.fields.get(name)


def _of_field(field: Field) -> Values | None:
    if field.type == "enum" and field.values:
        return Texts(frozenset(field.values))
    if field.type not in ("number", "count", "money"):
        return None
    if field.type == "money":
        # Its bounds are in its own currency; zero is zero in every one.
        return Range(low=0) if field.min is not None and field.min >= 0 else None
    low = Fraction(field.min) if field.min is not None else Fraction(0) if field.type == "count" else -inf
    return Range(low, Fraction(field.max) if field.max is not None else inf)
