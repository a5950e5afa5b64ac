"""Labelled risk stories played over the bank's ordinary life, and when they are played."""

from __future__ import annotations

from collections.abc import Callable

from monitor.simulate.stories.distress import (
    complaint_burst,
    concentrated_redemption,
    credit_deterioration,
    portfolio_drawdown,
)
from monitor.simulate.stories.episode import Episode
from monitor.simulate.stories.fraud import account_takeover, card_testing, staff_snooping
from monitor.simulate.stories.laundering import dormant_woken, pass_through_mule, sanctions_hit, structuring

Story = Callable[[Episode], None]

STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        structuring,
        pass_through_mule,
        account_takeover,
        card_testing,
        dormant_woken,
        concentrated_redemption,
        credit_deterioration,
        portfolio_drawdown,
        complaint_burst,
        staff_snooping,
        sanctions_hit,
    )
}
"""Every story by name; each plans one episode. A new one is a function here and nothing else."""
