"""The topics of a cluster: their names, and their creation before anybody uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams.runners.kafka.connection import Broker

MAX_BYTES = 8_388_608
"""Of a message between desk and workers, and of a snapshot."""
MAX_ARCHIVE_BYTES = 16_777_216
"""Of an archived configuration."""
DAY_MS = 86_400_000
_LOOKS, _LOOK_S = 50, 0.1


class TopicsError(Exception):
    """Topics are there, but not as the cluster needs them; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the topics and groups of a cluster.

    Examples
    --------
    >>> topics = Topics("riskmon", 12, ("device", "customer"))
    >>> topics.events, topics.stage("device"), topics.state("device"), topics.workers
    ('riskmon.events', 'riskmon.stage.device', 'riskmon.state.device', 'riskmon.workers')
    """

    prefix: str
    """What all names begin with."""
    partitions: int
    """Of every topic between desk and workers."""
    stages: tuple[str, ...]
    """Kinds of subjects that have a stage."""

    @property
    def events(self) -> str:
        """Raw records in the order of their arrival; one partition."""
        return f"{self.prefix}.events"

    @property
    def facts(self) -> str:
        """What events wait for in the customer stage."""
        return f"{self.prefix}.facts"

    @property
    def answers(self) -> str:
        """What the workers answer to the desk."""
        return f"{self.prefix}.answers"

    @property
    def configurations(self) -> str:
        """Archives by their hash, compacted; one partition."""
        return f"{self.prefix}.configurations"

    @property
    def workers(self) -> str:
        """The consumer group of the workers."""
        return f"{self.prefix}.workers"

    def stage(self, kind: str) -> str:
        """Items of a stage."""
        return f"{self.prefix}.stage.{kind}"

    def state(self, kind: str) -> str:
        """Snapshots of a stage by the subject's id, compacted."""
        return f"{self.prefix}.state.{kind}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it has to be."""

    name: str
    partitions: int
    config: Mapping[str, str]


def wanted(topics: Topics) -> list[Wanted]:
    """Return every topic of a cluster, as it has to be."""
    # Readers are expected to be back within a month; how long they are needed is a matter of seconds.
    passing = {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * DAY_MS),
        "max.message.bytes": str(MAX_BYTES),
    }
    # A worker that was thought dead may write an old snapshot behind a newer one. Recovery keeps the
    # newer one and writes it again; so that it is still there, nothing is compacted for ten minutes,
    # many sessions. Much longer would make recoveries long: they read what is not compacted.
    kept = {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "600000",
        "max.compaction.lag.ms": "3600000",
        "min.cleanable.dirty.ratio": "0.2",
        "segment.ms": "600000",
        "segment.bytes": "67108864",
        "max.message.bytes": str(MAX_BYTES),
    }
    archives = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_ARCHIVE_BYTES)}
    found = [Wanted(topics.events, 1, passing), Wanted(topics.configurations, 1, archives)]
    found += [Wanted(name, topics.partitions, passing) for name in (topics.facts, topics.answers)]
    for kind in topics.stages:
        found.append(Wanted(topics.stage(kind), topics.partitions, passing))
        found.append(Wanted(topics.state(kind), topics.partitions, kept))
    return found


async def create_topics(broker: Broker, topics: Topics, *, replication: int = 1) -> None:
    """Create the topics that are not there yet; those that are there are only looked at.

    Parameters
    ----------
    replication
        Copies of every topic; where there are several, two have to have what is acknowledged.

    Raises
    ------
    TopicsError
        Where topics have another number of partitions (all of them are named), or the broker
        refuses to create one.
    """
    admin = AIOKafkaAdminClient(**broker.options)
    await admin.start()
    try:
        there = await _partitions(admin)
        asked = wanted(topics)
        _compare(asked, there)
        missing = [one for one in asked if one.name not in there]
        if missing:
            await _create(admin, missing, replication)
            # Others may have created them a moment ago, differently; and who uses them must see them.
            _compare(asked, await _seen(admin, asked))
    finally:
        await admin.close()


async def _seen(admin: Any, asked: Sequence[Wanted]) -> dict[str, int]:
    for _ in range(_LOOKS):
        there = await _partitions(admin)
        if all(one.name in there for one in asked):
            break
        await asyncio.sleep(_LOOK_S)
    return there


async def _partitions(admin: Any) -> dict[str, int]:
    names = await admin.list_topics()
    found = await admin.describe_topics(names) if names else []
    return {topic["topic"]: len(topic["partitions"]) for topic in found}


def _compare(asked: Iterable[Wanted], there: Mapping[str, int]) -> None:
    others = [one for one in asked if there.get(one.name, one.partitions) != one.partitions]
    if others:
        told = [
            f"topic {one.name}: expected {one.partitions} partitions, was {there[one.name]}" for one in others
        ]
        hint = "  hint: set kafka.partitions to what is there, or take another kafka.prefix"
        raise TopicsError("\n".join([*told, hint]))


async def _create(admin: Any, missing: Sequence[Wanted], replication: int) -> None:
    # Nothing is acknowledged that a single broker could lose.
    safe = {"min.insync.replicas": str(min(2, replication))}
    made = [
        NewTopic(one.name, one.partitions, replication, topic_configs={**one.config, **safe})
        for one in missing
    ]
    response = await admin.create_topics(made)
    problems = []
    for name, code, *message in response.topic_errors:
        # Roles start together: another one may have been quicker.
        if code not in (0, TopicAlreadyExistsError.errno):
            problems.append(f"topic {name}: {for_code(code).__name__}: {' '.join(map(str, message))}")
    if problems:
        hint = "  hint: kafka.replication must not be above the number of brokers"
        raise TopicsError("\n".join([*problems, hint]))
