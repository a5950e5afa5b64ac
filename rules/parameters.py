"""Parameters: the figures of rules that an institution sets."""

from __future__ import annotations

from collections.abc import Mapping

from rules.errors import nearest
from rules.model import SEGMENTS, Parameter
from rules.reader import Node, Reader


def read_params(reader: Reader, keys: Mapping[str, tuple[Node, Node]]) -> dict[str, Parameter]:
    """Return the parameters of a rule file: each with a default and values for segments."""
    if "params" not in keys:
        return {}
    found = {}
    for name, (key, node) in reader.mapping(keys["params"][1], "params").items():
        choices = reader.mapping(node, name) if node.id == "mapping" else {"default": (key, node)}
        values = {
            choice: reader.expression(value, f"params.{name}") for choice, (_, value) in choices.items()
        }
        for choice, (choice_key, _) in choices.items():
            if choice != "default" and choice not in SEGMENTS:
                hint = nearest(choice, SEGMENTS) or f"segments: {', '.join(SEGMENTS)}"
                reader.wrong(choice_key, f"params.{name}: unknown segment {choice!r}", hint)
        default = values.pop("default", None)
        if default is None:
            reader.wrong(
                key, f"params.{name}: the default is missing or cannot be read", "write `default: 50000 CNY`"
            )
            continue
        by_segment = {choice: value.node for choice, value in values.items() if value is not None}
        found[name] = Parameter(name, default.node, by_segment, default)
    return found
