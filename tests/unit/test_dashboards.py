"""The dashboards for Grafana: complete, laid out without overlaps, and about metrics that exist."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

CONFIG = Path(__file__).parents[2] / "config"
FILES = sorted((CONFIG / "grafana" / "dashboards").glob("*.json"))
FUNCTIONS = {"riskmon_process_resident_memory_bytes", "riskmon_process_cpu_seconds_total"}


def load(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def panels(file: Path) -> Iterator[dict[str, Any]]:
    return (panel for panel in load(file)["panels"] if panel["type"] != "row")


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Names of metrics and of recording rules."""
    text = (CONFIG.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(riskmon_\w+)`", text))
    groups = yaml.safe_load((CONFIG / "prometheus" / "rules" / "recording.yml").read_text())["groups"]
    return names | {rule["record"] for group in groups for rule in group["rules"]} | FUNCTIONS


def test_there_is_a_dashboard_for_everybody():
    assert [file.stem for file in FILES] == ["audit", "desk", "models", "overview", "pipeline", "rules"]
    assert len({load(file)["uid"] for file in FILES}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dashboard_is_written_as_grafana_exports_it(file):
    assert file.read_text(encoding="utf-8") == json.dumps(load(file), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_dashboards_lead_to_each_other_and_leave_the_data_source_open(file):
    board = load(file)
    assert [link["tags"] for link in board["links"]] == [["riskmon"]]
    assert board["tags"] == ["riskmon"]
    assert board["templating"]["list"][0]["type"] == "datasource"
    for panel in panels(file):
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${datasource}"}, panel["title"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_says_what_it_shows_in_which_unit(file):
    board = load(file)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels(file):
        assert panel["title"]
        assert len(panel["description"]) > 10, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_panel_lies_on_another(file):
    places = [(panel["title"], panel["gridPos"]) for panel in load(file)["panels"]]
    assert all(place["x"] + place["w"] <= 24 for _, place in places)
    for (one, a), (other, b) in combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart |= a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart, f"{one} lies on {other}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_queries_ask_for_metrics_that_exist(file, known):
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", name) if name not in known else name
        for panel in panels(file)
        for target in panel["targets"]
        for name in re.findall(r"\briskmon[_:][\w:]+", target["expr"])
    }
    assert asked <= known


def test_grafana_finds_data_source_and_dashboards_where_they_are_mounted():
    provisioning = CONFIG / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "riskmon.yaml").read_text())["providers"]
    assert source["type"] == "prometheus"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
