"""What to write instead of what cannot be read: expressions and YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import normalize

AMOUNT = "write the currency after the amount: 20000 CNY"
HINTS = {
    "&": 'write "and"', "|": 'write "or"', "!": 'write "not"', "$": "write the name without $",
    "“": 'write straight quotes: "text"', "”": 'write straight quotes: "text"',
    "‘": 'write straight quotes: "text"', "’": 'write straight quotes: "text"',
    "'": "close the quotes", '"': "close the quotes",
    ";": "one expression a line", "`": 'write text in "double quotes"',
    "≥": 'write ">="', "≤": 'write "<="', "≠": 'write "!="', "×": 'write "*"', "÷": 'write "/"',
    "、": 'write ","', ":": 'write "=": count(1h, where=direction == "out")',
    "。": "leave the full stop out", "且": 'write "and"', "或": 'write "or"', "非": 'write "not"',
    "¥": AMOUNT, "￥": AMOUNT, "€": AMOUNT, "[": 'write a set in braces: {"a", "b"}',
    "#": "write it without #",
}  # fmt: skip
"""Of single characters."""

WORDS = {
    "between": "write two comparisons: amount >= 1000 CNY and amount < 5000 CNY",
    "is": "write == to compare, missing(x) where nothing was sent",
    "like": 'write matches(x, "pattern")',
    "contains": 'write matches(x, "pattern")',
    "then": "write if(condition, then, otherwise)", "else": "write if(condition, then, otherwise)",
}  # fmt: skip
"""Of words that other languages have."""

_UNIT = re.compile(r"(?=second|minute|hour|day|week|year)([smhdwy])[a-z]+\b")
_BRACE = re.compile(r"\s*say: *\{")
_CAPITALS = re.compile(r"(and|or|not|in|true|false|if)\b", re.IGNORECASE)


def hint_of(text: str, at: int, word: str) -> str:
    """Return what to write instead of the word that cannot be read, empty where nothing is known.

    Parameters
    ----------
    text
        The whole expression.
    at
        Offset of the word.

    Examples
    --------
    >>> hint_of("amount ≥ 5", 7, "≥")
    'write ">="'
    >>> hint_of("count（1h）", 5, "（")
    'write "("'
    >>> hint_of("a AND b", 2, "A")
    'write "and"'
    >>> hint_of("amount > 20,000 CNY", 11, ",")
    'write large numbers without commas: 20000, or 20_000'
    """
    before, after = text[:at], text[at:]
    if re.match(r"[A-Z]{3} ?\d", after):
        return AMOUNT
    if (capital := _CAPITALS.match(after)) and word.isupper():
        return f'write "{capital[0].lower()}"'
    if word in {"=", ">"} and before[-1:] and before[-1] in "=<>!":
        return 'write "!="' if word == ">" else "one sign less"
    if word == "=":
        return _of_equals(before, after)
    if re.search(r"\d%\s*(and|or)?\s*$", before):
        return "% is the rest of a division; a share is written as a number: 0.9 for 90 %"
    known = _of_number(before, after) or HINTS.get(word, "") or WORDS.get(word, "") or _narrow(word)
    return known or ("write names in small letters" if word.isupper() else "")


def _of_equals(before: str, after: str) -> str:
    if after[1:2] in {">", "<"}:
        return f'write "{after[1]}="'
    return 'write "!="' if re.search(r"\bnot\s*$", before) else 'write "==" to compare'


def _of_number(before: str, after: str) -> str:
    """Return what to write where a number stands before."""
    number = re.search(r"(\d[\d_]*(?:\.\d+)?)\s*$", before)
    if number is None:
        return ""
    if re.match(r",\d{3}\b", after):
        return "write large numbers without commas: 20000, or 20_000"
    unit = re.match(r"(ms|bd|[smhdwySMHDWY])\b", after)
    if unit is not None:
        whole = "." not in number[1]
        return (
            f"write {number[1]}{unit[1].lower()}" if whole else "write whole numbers of a unit: 90m for 1.5h"
        )
    if written := _UNIT.match(after):
        return f"write {number[1]}{written[1]}"
    if re.match(r"[smhd]\d", after):
        return "write one unit: 90m for 1h30m"
    return "write all digits: 50000" if after[:1] in {"万", "千", "亿", "k", "K"} else ""


def _narrow(word: str) -> str:
    """Return the same in the narrow form that is meant where a wide one, or another space, was typed."""
    narrow = normalize("NFKC", word)
    if narrow == word:
        return ""
    return "write an ordinary space" if narrow.isspace() else f'write "{narrow}"'


def yaml_hint(lines: Sequence[str], number: int) -> str:
    """Return what to look at where a file is no YAML.

    Parameters
    ----------
    lines
        Of the whole file.
    number
        The line at which reading ended, from 1; what is wrong may stand just above it.

    Examples
    --------
    >>> yaml_hint(["id: X-1", "points:20", "status: live"], 3)
    'line 2: write a space after the colon'
    """
    for at in (number - 1, number - 2):
        line = lines[at] if 0 <= at < len(lines) else ""
        if hint := _of_line(line):
            return hint if at + 1 == number else f"line {at + 1}: {hint}"
    return "check indentation, colons and quotes"


def _of_line(line: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with a tab"
    if re.match(r"\s*\w+\s*：", line):
        return 'write ":" and a space in place of "："'
    if re.match(r"\s*\w+:[^\s:]+\s*$", line):
        return "write a space after the colon"
    if "{" in line and "，" in line:
        return 'write "," in place of "，"'
    plain = re.match(r"\s*(?:- )?[\w.]+: +([^\s\"'\[{|>].*)", line)
    if plain and re.search(r": |:$", plain[1]):
        return "put quotes around what holds a colon"
    return "put quotes around what begins with \"{\": '{amount} was sent'" if _BRACE.match(line) else ""
