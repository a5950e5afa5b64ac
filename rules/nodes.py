"""What an expression is made of: the nodes the grammar builds and the checker reads.

Every node knows `at`, its offset in the expression's text, so that a mistake found anywhere can be
shown at its place. `text()` renders a node in one canonical way: equal meaning written with other
spaces gives equal text, which is how the compiler finds aggregates that rules share.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the rule.

    `kind` is the language's type: number, text, bool, duration, money, events, business_days or
    periods;
    `value` an exact `Fraction` for number, money (in `unit`, the currency), an `int` of
    milliseconds for duration, a count for events, business days and periods (in `unit`, e.g. month).
    """

    at: int
    kind: str
    value: Fraction | str | bool | int
    unit: str = ""

    def text(self) -> str:
        """Render canonically."""
        if self.kind == "text":
            return '"' + str(self.value).replace("\\", "\\\\").replace('"', '\\"') + '"'
        if self.kind == "bool":
            return "true" if self.value else "false"
        if self.kind == "duration":
            return f"{self.value}ms"
        if self.kind == "events":
            return f"{self.value} events"
        if self.kind == "business_days":
            return f"{self.value}bd"
        if self.kind == "periods":
            return f"{self.value} {self.unit}s"
        return f"{self.value} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name: a field, a let, `param.x`, `profile.x`, `list.x`, an event kind."""

    at: int
    name: str

    def text(self) -> str:
        """Render canonically."""
        return self.name


@dataclass(frozen=True, slots=True)
class Filtered:
    """An event kind with a condition: `payment.transfer[direction == "out"]`."""

    at: int
    kind: str
    condition: Node | None

    def text(self) -> str:
        """Render canonically."""
        return self.kind if self.condition is None else f"{self.kind}[{self.condition.text()}]"


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` or `-x`."""

    at: int
    operator: str
    operand: Node

    def text(self) -> str:
        """Render canonically."""
        return f"({self.operator} {self.operand.text()})"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and an operator: logic, comparison, membership, arithmetic."""

    at: int
    operator: str
    left: Node
    right: Node

    def text(self) -> str:
        """Render canonically."""
        return f"({self.left.text()} {self.operator} {self.right.text()})"


@dataclass(frozen=True, slots=True)
class Group:
    """Several values: a set `{"a", "b"}` or kinds `(cash.deposit, cash.withdrawal)`."""

    at: int
    items: tuple[Node, ...]

    def text(self) -> str:
        """Render canonically; the order of a group carries no meaning."""
        return "{" + ", ".join(sorted(item.text() for item in self.items)) + "}"


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an aggregate with its arguments."""

    at: int
    function: str
    arguments: tuple[Node, ...]
    named: tuple[tuple[str, Node], ...] = ()

    def text(self) -> str:
        """Render canonically, named arguments by name."""
        parts = [argument.text() for argument in self.arguments]
        parts += [f"{name}={value.text()}" for name, value in sorted(self.named)]
        return f"{self.function}({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sequence: an event of one of some patterns, and how soon after the step before."""

    events: tuple[Filtered, ...]
    within_ms: int

    def text(self) -> str:
        """Render canonically, without the limit."""
        return " or ".join(event.text() for event in self.events)


@dataclass(frozen=True, slots=True)
class Sequence:
    """`seq(A -> B or C within 24h -> D within 2h without E, same=card_token)`, or `skipped(...)`."""

    at: int
    steps: tuple[Step, ...]
    without: Filtered | None
    same: tuple[str, ...] = ()
    """Fields that have one value in all steps."""
    least: int = 0
    """How many of the steps, in their order; 0: all of them."""
    is_skipped: bool = False
    """True of the last step where the others did not come before it."""

    def text(self) -> str:
        """Render canonically."""
        steps = [self.steps[0].text()]
        steps += [f"{step.text()} within {step.within_ms}ms" for step in self.steps[1:]]
        tail = f" without {self.without.text()}" if self.without else ""
        least = f"{self.least} of " if self.least else ""
        word = "skipped" if self.is_skipped else "seq"
        return f"{word}({least}{' -> '.join(steps)}{tail}{_same(self.same)})"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`any(2 of A, B, C within 24h, same=card_token)`: in any order."""

    at: int
    least: int
    events: tuple[Filtered, ...]
    within_ms: int
    same: tuple[str, ...] = ()

    def text(self) -> str:
        """Render canonically."""
        events = ", ".join(event.text() for event in self.events)
        return f"any({self.least} of {events} within {self.within_ms}ms{_same(self.same)})"


def _same(fields: tuple[str, ...]) -> str:
    return f", same=({', '.join(fields)})" if fields else ""


Node = Literal | Name | Filtered | Unary | Binary | Group | Call | Sequence | AnyOf
