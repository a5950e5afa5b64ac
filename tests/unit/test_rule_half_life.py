"""A rule's own half-life: its points halve by it, those of other rules by their dimension's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from monitor.core.answers import HIT
from monitor.core.assessment import Hit
from monitor.core.decline import settled_ms
from monitor.core.gathering import Gathering
from monitor.core.rating import Rater
from monitor.core.rating_config import RatingConfig
from monitor.core.rating_state import RatingState
from rules.errors import RuleError
from rules.loader import read_rule

DAY_MS = 86_400_000
HIT_1 = Hit(
    rule="X-1", version="1", subject="customer", subject_id="c", event_id="e", ref=1, time_ms=0,
    late=False, status="live", title="t", dimension="fraud", severity="high", points=40, alert=True,
    cooldown_ms=0, say="", saw={},
)  # fmt: skip


@pytest.fixture
def config():
    folder = Path(__file__).parents[2] / "config"
    return RatingConfig.from_plain(yaml.safe_load((folder / "rating.yaml").read_text(encoding="utf-8")))


def behaviour(config, hit, time_ms):
    rs = RatingState()
    Gathering(config).add(rs, hit)
    rs = RatingState.restore(rs.snapshot())
    return Rater(config).score(rs, time_ms).score, settled_ms(config, rs, 0)


def test_points_halve_by_the_rules_own_half_life(config):
    usual_ms = config.half_life_ms["fraud"]
    own = replace(HIT_1, half_life_ms=usual_ms // 2)
    assert behaviour(config, own, usual_ms // 2)[0] == behaviour(config, HIT_1, usual_ms)[0]
    assert behaviour(config, own, usual_ms)[0] < behaviour(config, HIT_1, usual_ms)[0]
    assert behaviour(config, own, 0)[1] * 2 == behaviour(config, HIT_1, 0)[1]


def test_an_answer_kept_before_there_were_half_lives_has_none():
    assert HIT[-1] == "half_life_ms"
    assert HIT_1.half_life_ms is None


def test_a_rule_says_it_as_a_duration():
    text = (
        "id: X-1\ntitle: t\ndimension: fraud\non: payment.transfer\nwhen: amount > 1 CNY\nseverity: low\n"
        "status: live\nsay: s\nwhy: w\nsource: s\ntriage: [t]\nowner: o\nhalf_life: "
    )
    assert read_rule(Path("<text>"), f"{text}10d\n", "p").half_life_ms == 10 * DAY_MS
    with pytest.raises(RuleError, match="half_life: expected a duration, was 'soon'"):
        read_rule(Path("<text>"), f"{text}soon\n", "p")
