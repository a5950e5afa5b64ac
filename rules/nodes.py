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

    `kind` is the language's type: number, text, bool, duration, money, events or business_days;
    `value` an exact `Fraction` for number, money (in `unit`, the currency), an `int` of
    milliseconds for duration, a count for events and business days.
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
    """One step of a sequence and how soon after the one before it must come."""

    event: Filtered
    within_ms: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """`seq(A -> B within 24h -> C within 2h without D)`."""

    at: int
    steps: tuple[Step, ...]
    without: Filtered | None

    def text(self) -> str:
        """Render canonically."""
        steps = [self.steps[0].event.text()]
        steps += [f"{step.event.text()} within {step.within_ms}ms" for step in self.steps[1:]]
        tail = f" without {self.without.text()}" if self.without else ""
        return f"seq({' -> '.join(steps)}{tail})"


Node = Literal | Name | Filtered | Unary | Binary | Group | Call | Sequence
