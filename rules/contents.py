"""The hash that names a rulebook by its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from rules.lists import list_to_plain
from rules.model import ListData, Rule
from rules.nodes import Node
from rules.parameters import overrides_text

MEMORY = 32
"""Lists whose text is kept: the tests of rules compile with the same ones for every rule."""


def content_hash(
    rules: Sequence[Rule], lists: Mapping[str, ListData], base_currency: str, predicates: Mapping[str, Node]
) -> str:
    """Return SHA-256 over rules with their statuses, lists, shared expressions and the base currency."""
    digest = sha256(base_currency.encode())
    for rule in rules:
        digest.update(f"\n{rule.id} {rule.version} {rule.status}{overrides_text(rule)}".encode())
    for name, data in sorted(lists.items()):
        digest.update(f"\n{name} {_list_text(data)}".encode())
    for name, node in sorted(predicates.items()):
        digest.update(f"\n{name} = {node.text()}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=MEMORY)
def _list_text(data: ListData) -> str:
    # Lists hold texts and whole numbers alone: equal ones have the same text.
    return repr(list_to_plain(data))
