"""The README does what it says: its files are read, its commands are run, its names exist."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import typer

from monitor.cli import build_app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NEEDS_A_SERVICE = ("make ", "curl ", "riskmon run ", "tail --no-follow", "C-4711")


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(README) if name == language]


def one(language: str, holding: str) -> str:
    (found,) = [text for text in blocks(language) if holding in text]
    return found


def shell(text: str, folder: Path) -> str:
    """Run a block as a person would, with the commands of this environment on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = subprocess.run(
        ["/bin/sh", "-ec", text],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files the README tells to write."""
    made = tmp_path_factory.mktemp("readme")
    (made / "own").mkdir()
    (made / "own" / "OWN-1.yaml").write_text(one("yaml", "id: OWN-1"))
    (made / "own" / "OWN-1.test.yaml").write_text(one("yaml", "cases:"))
    (made / "payments.csv").write_text(one("csv", "booking"))
    (made / "payments.yaml").write_text(one("yaml", "mapping: payments"))
    return made


def test_the_first_rule_passes_check_and_tests(folder):
    said = shell(one("sh", "rules check own"), folder)
    assert "4 of 4 cases of 1 rules passed" in said
    assert "remark" not in said


def test_the_worked_example_of_time_holds(tmp_path):
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "time.md").read_text(), re.M | re.S)
    (tmp_path / "OWN-1.yaml").write_text(one("yaml", "id: OWN-1"))
    (tmp_path / "OWN-1.test.yaml").write_text(example)
    assert "1 of 1 cases" in shell("riskmon rules test .", tmp_path)


def test_own_data_raises_the_alert_of_the_own_rule(folder):
    said = shell(one("sh", "replay payments.csv"), folder)
    report = orjson.loads((folder / "report.json").read_bytes())
    assert (report["events"], report["alerts"], report["rejected"]) == (3, 1, 1)
    assert "Three transfers to one payee within an hour" in said
    assert "payments.csv:4  unmappable: amount: 'five'" in said
    assert "proven" in said


def test_a_bank_is_made_and_replayed(folder):
    shell(one("sh", "riskmon simulate"), folder)
    assert (folder / "labels.csv").is_file()


def test_every_shell_block_is_run_here_or_needs_a_service():
    run_here = ("rules check own", "replay payments.csv", "riskmon simulate")
    others = [text for text in blocks("sh") if not any(part in text for part in run_here)]
    assert all(any(part in text for part in NEEDS_A_SERVICE) for text in others)


def commands() -> Iterator[str]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        yield from re.findall(r"`(riskmon [^`\n]+)`", text)
        yield from re.findall(
            r"^(riskmon .*)$", "".join(part for _, part in BLOCK.findall(text)), re.MULTILINE
        )


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_and_option_named_exists(line):
    command = typer.main.get_command(build_app())
    for word in line.partition("|")[0].replace("...", "").split()[1:]:
        if word.startswith("--"):
            known = {
                name for parameter in command.params for name in parameter.opts + parameter.secondary_opts
            }
            assert word.partition("=")[0] in known | {"--help"}
        elif hasattr(command, "commands"):
            assert word in command.commands
            command = command.commands[word]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []
