"""A deterministic bank: habits, segments and labelled risk stories, as a stream of events."""

from monitor.simulate.generator import START, WARM_UP, ZONE, Simulation
from monitor.simulate.stories import STORIES
from monitor.simulate.stories.episode import Label

__all__ = ["START", "STORIES", "WARM_UP", "ZONE", "Label", "Simulation"]
