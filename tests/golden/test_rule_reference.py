"""The generated parts of docs/rule-language.md say what the code says.

`pytest --update-golden` rewrites them.
"""

from __future__ import annotations

import re

import pytest

from rules.aggregates import AGGREGATES, EXAMPLES
from rules.functions import FUNCTIONS
from rules.keys import KEYS
from rules.loader import OPTIONAL, REQUIRED
from rules.period_functions import PERIOD_EXAMPLES, PERIOD_WORDS
from rules.streaks import PERIODICAL
from rules.vocabulary import load_vocabulary


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def parts() -> dict[str, str]:
    words = load_vocabulary()
    functions = [
        [code(f"{one.name}({', '.join(one.parameters)})"), one.result, one.about, code(one.example)]
        for one in FUNCTIONS.values()
    ]
    keys = [[code(name), "yes" if name in REQUIRED else "", KEYS[name]] for name in (*REQUIRED, *OPTIONAL)]
    profile = [[code(f"profile.{name}"), field.type, field.about] for name, field in words.profile.items()]
    account = [[code(f"account.{name}"), field.type, field.about] for name, field in words.account.items()]
    subjects = [
        [code(one.name), code(one.field), one.about] for one in words.subjects.values() if not one.within
    ]
    return {
        "keys": table(["key", "required", "says"], keys),
        "profile": table(["name", "type", "is"], profile + account),
        "aggregates": table(
            ["aggregate", "example"],
            [[code(name), code(EXAMPLES[name])] for name in (*AGGREGATES, *PERIODICAL)],
        ),
        "periods": table(
            ["over the values of periods", "is"],
            [[code(example), PERIOD_WORDS[name]] for name, example in PERIOD_EXAMPLES.items()],
        ),
        "functions": table(["function", "gives", "is", "example"], functions),
        "subjects": table(["subject", "named by", "is"], subjects),
    }


@pytest.mark.parametrize("name", ["keys", "profile", "aggregates", "periods", "functions", "subjects"])
def test_reference_says_what_the_code_says(name, request, repository):
    path = repository / "docs" / "rule-language.md"
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- generated: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    written = pattern.search(text)
    assert written is not None
    if request.config.getoption("--update-golden"):
        path.write_text(
            pattern.sub(lambda match: match[1] + parts()[name] + match[3], text), encoding="utf-8"
        )
        return
    assert written[2] == parts()[name]


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in found]


def test_the_first_rule_of_the_guide_passes_its_own_test(repository, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from monitor.cli.rules import app

    pack, rule, test = blocks((repository / "docs" / "rule-language.md").read_text(encoding="utf-8"), "yaml")[
        :3
    ]
    (tmp_path / "pack.yaml").write_text(pack, encoding="utf-8")
    (tmp_path / "X-1.yaml").write_text(rule, encoding="utf-8")
    (tmp_path / "X-1.test.yaml").write_text(test, encoding="utf-8")
    monkeypatch.chdir(repository)
    checked = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert (checked.exit_code, checked.output.count("hint")) == (0, 0), checked.output
    tested = CliRunner().invoke(app, ["test", str(tmp_path)])
    assert (tested.exit_code, tested.output) == (0, "3 of 3 cases of 1 rules passed\n")
    explained = CliRunner().invoke(app, ["explain", "x-1", "--packs", str(tmp_path)])
    assert "Large payment to a new payee" in explained.output
