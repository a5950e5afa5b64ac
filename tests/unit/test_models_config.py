"""The parameters of models are checked, all mistakes at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.core.features import NAMES
from monitor.core.models.config import ModelsConfig, ModelsConfigError

SHIPPED = yaml.safe_load(Path("config/models.yaml").read_text(encoding="utf-8"))


def test_the_shipped_file_is_right():
    config = ModelsConfig.from_plain(SHIPPED, NAMES)
    values, places = config.populations
    assert (values.name, values.detector, values.publish_ms) == ("rare_values", "densities", 86_400_000)
    assert (values.parameters["bins"], places.parameters["trees"]) == (40, 25)
    assert values.bounds == places.bounds


def test_parameters_left_out_have_their_usual_values():
    plain = SHIPPED | {
        "populations": {"trees": {"detector": "half_space_trees", "warm_up": 500, "publish_hours": 1}}
    }
    (trees,) = ModelsConfig.from_plain(plain).populations
    assert trees.parameters == {"trees": 25, "height": 8, "window": 1000}
    assert (trees.weight, trees.seed, trees.features) == (1.0, 0, ())


def test_every_mistake_is_told_at_once():
    plain = {
        "version": "1",
        "populations": {
            "unusual": {
                "detector": "half_space_trees",
                "parameters": {"trees": 2.5, "hight": 8},
                "features": ["amount", "amuont", "amount"],
                "bounds": {"amount": [5, 1], "cuont": [0, 1]},
                "warm_up": 5,
                "publish_hours": 24,
            }
        },
        "thresholds": {"alerts_a_day": "many", "memory_days": 14},
        "drift": {"psi_alarm": 0.25},
    }
    with pytest.raises(ModelsConfigError) as caught:
        ModelsConfig.from_plain(plain, features=("amount", "count"))
    assert str(caught.value) == (
        "models.yaml: populations.unusual.parameters.trees: expected a whole number, was 2.5\n"
        "  hint: write 2\n"
        "models.yaml: populations.unusual.parameters.hight: unknown key\n"
        "  hint: expected one of height, trees, window\n"
        "models.yaml: populations.unusual.features: 'amount' appears twice\n"
        "  hint: keep one of them\n"
        "models.yaml: populations.unusual.features: unknown name 'amuont'\n"
        "  hint: expected one of amount, count\n"
        "models.yaml: populations.unusual.bounds.amount: expected two rising numbers, was [5, 1]\n"
        "  hint: write [0, 10]\n"
        "models.yaml: populations.unusual.bounds.cuont: unknown feature\n"
        "  hint: expected one of amount, count\n"
        "models.yaml: populations.unusual.warm_up: expected a number from 100 to 1e+07, was 5\n"
        "  hint: write a number\n"
        "models.yaml: thresholds.alerts_a_day: expected a number from 0.01 to 1e+06, was 'many'\n"
        "  hint: write a number\n"
        "models.yaml: drift.delta: missing\n"
        "  hint: write a number from 1e-12 to 0.5"
    )
