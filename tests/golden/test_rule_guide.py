"""The guide to a first rule leads through its whole life: what it tells to run is run, what it shows comes.

Only the shipped packs are left out, so that it is quick.
"""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from monitor.cli import build_app

GUIDE = re.compile(r"^## Your first rule in ten minutes\n(.*?)^## ", re.DOTALL | re.MULTILINE)


@pytest.fixture
def guide(repository):
    (found,) = GUIDE.findall((repository / "docs" / "rule-language.md").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def folder(guide, repository, tmp_path, monkeypatch):
    """A folder as the guide tells to make it."""
    pack, rule, tests, settings = (
        re.sub(r"^   ", "", block, flags=re.MULTILINE)
        for block in re.findall(r"^ *```yaml\n(.*?)^ *```", guide, re.DOTALL | re.MULTILINE)
    )
    (tmp_path / "my_pack").mkdir()
    for name, text in (("pack", pack), ("X-1", rule), ("X-1.test", tests)):
        (tmp_path / "my_pack" / f"{name}.yaml").write_text(text, encoding="utf-8")
    assert "all, " in settings
    (tmp_path / "own.yaml").write_text(settings.replace("all, ", ""), encoding="utf-8")
    (tmp_path / "config").symlink_to(repository / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(text):
    return " ".join(text.split())


@pytest.fixture
def run(guide, folder):
    """Run the guide's command that begins so, with the hash that is meant."""

    def ran(beginning, digest="", status=0, old="", new=""):
        (line,) = [
            one for one in re.findall(r"^   riskmon (.*)$", guide, re.MULTILINE) if one.startswith(beginning)
        ]
        line = line.replace("HASH", digest).replace(old, new) if old else line.replace("HASH", digest)
        arguments = [one.strip('"') for one in re.findall(r'"[^"]*"|\S+', line)]
        found = CliRunner().invoke(build_app(), arguments)
        assert found.exit_code == status, found.output
        return found.output

    return ran


def write_status(folder, old, new):
    path = folder / "my_pack" / "X-1.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(f"status: {old}", f"status: {new}"), "utf-8")


def test_a_rule_goes_its_whole_way_as_the_guide_tells(run, folder, guide):
    run("simulate")
    run("replay")
    write_status(folder, "draft", "live")
    shown = [words(line) for line in guide.splitlines()]
    told = [words(line) for line in run("rules diff").splitlines()]
    assert {words("X-1 Large payment to a new payee (live, my_pack)")} <= {*told} & {*shown}
    assert any(line.startswith("status: draft -> live") for line in {*told} & {*shown})
    (row,) = [line for line in shown if line.startswith("X-1 Large payment") and "+23" in line]
    assert any(words(line).startswith(row) for line in run("rules backtest").splitlines())
    assert (folder / "backtest.html").is_file()
    write_status(folder, "live", "shadow")
    digest = re.search(r"proposed ([0-9a-f]{12})", run("rules propose"))[1]
    run("rules approve", digest, status=1, old="bert", new="anna")
    run("rules approve", digest)
    run("rules activate", digest)
    said = run("rules status")
    assert f"in force   {digest}" in said
    assert "proposed by anna, approved by bert" in said
    assert "in force again" in run("rules rollback")
    assert "the beginning" in run("rules history")
    assert "proven" in run("audit verify")
