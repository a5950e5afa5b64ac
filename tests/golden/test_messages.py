"""Messages for mistakes in rules: the text is the interface.

Each file of `messages/` is a rule, `---`, and what its author must be told. `pytest --update-golden`
rewrites what follows the line; the reviewer reads the difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.compile import compile_rulebook, every_mistake
from rules.errors import RuleError
from rules.loader import read_rule
from rules.model import ListData
from rules.vocabulary import load_vocabulary

MESSAGES = Path(__file__).parent / "messages"
LISTS = {"fatf_black": ListData("fatf_black", "1", frozenset({"KP"}))}


def told(text: str) -> str:
    """Return every message for a rule's text."""
    try:
        rule = read_rule(Path("rule.yaml"), text, "pack")
        compile_rulebook([rule], load_vocabulary(), LISTS)
    except RuleError as error:
        return str(every_mistake(error, load_vocabulary(), LISTS)) + "\n"
    return "no mistake\n"


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("*.txt")), ids=lambda path: path.stem)
def test_mistake_is_told_as_written_down(path, request):
    text, _, expected = path.read_text(encoding="utf-8").partition("---\n")
    actual = told(text)
    if request.config.getoption("--update-golden"):
        path.write_text(f"{text}---\n{actual}", encoding="utf-8")
        return
    assert actual == expected


def test_every_message_names_a_place_and_is_a_mistake():
    for path in MESSAGES.glob("*.txt"):
        message = path.read_text(encoding="utf-8").partition("---\n")[2]
        assert message.startswith("rule.yaml:"), path.stem
        assert "Traceback" not in message
