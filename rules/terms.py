"""Terms: checked expressions, and the scope they are checked in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from zlib import crc32

from rules.model import ListData, Rule
from rules.nodes import Binary, Call, Filtered, Group, Name, Node, Unary
from rules.plan import StagePlan
from rules.vocabulary import Vocabulary

SCALE = 10_000
"""Money is whole ten-thousandths of the base currency."""
FIELD_TYPES = {
    "id": "text",
    "text": "text",
    "enum": "text",
    "currency": "text",
    "country": "text",
    "bool": "bool",
    "count": "number",
    "number": "number",
    "money": "money",
    "time": "time",
    "date": "time",
    "duration": "duration",
    "list_of_text": "set",
}
WORDS = {
    "count": "a count",
    "number": "a number",
    "money": "money",
    "duration": "a duration",
    "time": "a time",
    "text": "a text",
    "bool": "true or false",
    "set": "a set",
}
EXAMPLES = {
    "money": "write it with its currency, e.g. 5000 CNY",
    "duration": "write it with its unit, e.g. 24h",
    "text": 'write it in quotes, e.g. "out"',
    "number": "write a plain number",
    "bool": "compare it with something, e.g. amount >= 1000 CNY",
}


@dataclass(frozen=True, slots=True)
class Term:
    """A checked expression: its type and the code that computes it."""

    type: str
    code: str
    nullable: bool = False
    cost: float = 0.1
    values: tuple[str, ...] = ()
    """What an enumeration may be."""
    spans: tuple[str, ...] = ()
    """Code of the index ranges of the events it rests on."""

    def __bool__(self) -> bool:
        """Return whether the expression could be checked."""
        return self.type != "wrong"


WRONG = Term("wrong", "None", nullable=True)
"""What a wrong expression gives, so that one mistake is told once."""


@dataclass(slots=True)
class Scope:
    """Everything an expression is checked against."""

    vocabulary: Vocabulary
    plans: dict[str, StagePlan]
    lists: Mapping[str, ListData]
    base_currency: str
    grace_ms: int
    rule: Rule
    stage: str
    kind: str | None
    """The event kind; None for timers, where no event is at hand."""
    wrong: Callable[[int, str, str], None]
    """Called with offset, problem and hint for each mistake."""
    predicates: Mapping[str, Node] = field(default_factory=dict)
    """Named conditions that rules share."""
    lets: dict[str, Node] = field(default_factory=dict)
    is_where: bool = False
    """Inside the condition of a window: only the event itself may be read."""
    period_ms: int = 0
    """Inside a value of each of several periods: how long its events are kept; 0 elsewhere."""
    seen: dict[str, Term] = field(default_factory=dict)
    """Lets and params read so far: what a hit shows."""

    @property
    def plan(self) -> StagePlan:
        """The plan of the stage."""
        return self.plans.setdefault(self.stage, StagePlan(self.stage))

    def inline(self, node: Node) -> Node:
        """Return the node with parameters and predicates written out.

        Slots are shared by their text, so a text must mean the same in every rule.
        """
        if isinstance(node, Name):
            head, _, tail = node.name.partition(".")
            if head == "param" and tail in self.rule.params and not self.rule.params[tail].differs:
                return self.rule.params[tail].default
            return self.inline(self.predicates[node.name]) if node.name in self.predicates else node
        if isinstance(node, Binary):
            left, right = self.inline(node.left), self.inline(node.right)
            is_same = left is node.left and right is node.right
            return node if is_same else replace(node, left=left, right=right)
        if isinstance(node, Unary):
            return replace(node, operand=self.inline(node.operand))
        if isinstance(node, Group):
            return replace(node, items=tuple(self.inline(item) for item in node.items))
        if isinstance(node, Call):
            named = tuple((name, self.inline(value)) for name, value in node.named)
            return replace(node, arguments=tuple(self.inline(x) for x in node.arguments), named=named)
        if isinstance(node, Filtered) and node.condition is not None:
            return replace(node, condition=self.inline(node.condition))
        return node

    def inside(self, kind: str) -> Scope:
        """Return the scope of a window's condition or value for a kind of event."""
        return replace(self, kind=kind, is_where=True, seen={})

    def fail(self, at: int, problem: str, hint: str = "") -> Term:
        """Note a mistake; return the wrong term."""
        self.wrong(at, problem, hint)
        return WRONG

    def check(self, node: Node, expected: str | None = None) -> Term:
        """Return the term of a node; `expected` is the type it must have."""
        term = CHECKS[type(node)](self, node)
        if term and expected is not None and term.type != expected:
            return self.fail(
                node.at, f"expected {WORDS[expected]}, was {WORDS[term.type]}", EXAMPLES.get(expected, "")
            )
        return term


def allowed(scope: Scope, at: int, name: str) -> bool:
    """Return whether the rule may read a field; tells why not."""
    if scope.vocabulary.fields[name].purpose != "fraud_only" or scope.rule.dimension == "fraud":
        return True
    problem = f"{name!r} is for fraud rules alone (this rule's dimension: {scope.rule.dimension})"
    scope.fail(
        at,
        problem,
        "device data kept for fraud may serve fraud rules alone: set `dimension: fraud` or do without",
    )
    return False


def number_code(value: Fraction) -> str:
    """Return the code of a number: whole ones stay exact, others are rounded once.

    Examples
    --------
    >>> number_code(Fraction(3)), number_code(Fraction("0.9"))
    ('3', '0.9')
    """
    return str(value.numerator) if value.denominator == 1 else repr(value.numerator / value.denominator)


def conjuncts(node: Node, operator: str = "and") -> list[Node]:
    """Return the parts of a chain of `and` (or of `or`)."""
    if isinstance(node, Binary) and node.operator == operator:
        return conjuncts(node.left, operator) + conjuncts(node.right, operator)
    return [node]


def nullsafe(guard: str, code: str, *terms: Term) -> str:
    """Return code that looks at nullable terms before it uses them.

    `guard` is repeated for each nullable term; a term that is more than a name is computed once,
    into a variable named after its code.
    """
    names, guards = [], ""
    for term in terms:
        if not term.nullable or term.code.replace(".", "").replace("_", "").isalnum():
            names.append(term.code)
            guards += guard.format(term.code) if term.nullable else ""
        else:
            name = f"x{crc32(term.code.encode()):08x}"
            names.append(name)
            guards += guard.format(f"({name} := {term.code})")
    return f"({guards}{code.format(*names)})"


def shared(code: str) -> str:
    """Mark code that is worth computing once where several rules ask for it."""
    return f"\x01{code}\x02"


CHECKS: dict[type, Callable[[Scope, Node], Term]] = {}
"""How each type of node is checked; filled by `rules.check`."""
