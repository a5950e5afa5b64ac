"""The configuration of Prometheus: valid, tested by promtool, and every alert explained."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "config" / "prometheus"
RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
TESTS = sorted(FOLDER.glob("*.test.yml"))


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def alerts() -> dict[str, Any]:
    groups = load(FOLDER / "rules" / "alerts.yml")["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.prometheus
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-embedded.yml"])
def test_promtool_accepts_the_configuration_and_its_rules(name):
    checked = promtool("check", "config", FOLDER / name)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.prometheus
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_rules_do_what_their_tests_say(file):
    tested = promtool("test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_tested_firing_and_silent():
    cases: dict[str, set[bool]] = {name: set() for name in alerts()}
    for file in TESTS:
        for test in load(file)["tests"]:
            for case in test.get("alert_rule_test", ()):
                cases[case["alertname"]].add(bool(case["exp_alerts"]))
    assert {name for name, seen in cases.items() if seen != {True, False}} == set()


def test_every_alert_has_words_and_a_section_in_the_runbook():
    sections = set(re.findall(r"^## (\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE))
    assert sections == set(alerts())
    for name, rule in alerts().items():
        said = rule["annotations"]
        assert set(said) == {"summary", "description", "runbook_url"}, name
        assert said["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert rule["labels"]["urgency"] in {"page", "ticket"}


def test_no_alert_hides_a_label_of_what_it_is_about():
    # A label `severity` of the rule would replace that of the series: all severities would be one alert.
    assert {label for rule in alerts().values() for label in rule["labels"]} == {"urgency"}
