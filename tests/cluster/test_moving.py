"""Moving an embedded monitor into a cluster in the middle of a stream changes nothing of what it decides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bankstream import BankStream
from cluster import Cluster
from reference import Reference, cluster_results, differences

from monitor.cli.output import configured
from monitor.moving import MoveError, export_state, import_state
from monitor.settings_file import load_settings
from streams.runners.kafka.moving import NotEmptyError

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def cluster(tmp_path, kafka_bootstrap, kafka_prefix, postgres_url, redis_url):
    own = f"{redis_url.rsplit('/', 1)[0]}/9"
    cluster = Cluster(
        tmp_path / "cluster",
        kafka=kafka_bootstrap,
        prefix=kafka_prefix,
        postgres=postgres_url,
        redis_url=own,
        partitions=3,
    )
    yield cluster
    cluster.kill()


def riskmon(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("riskmon"), *arguments], capture_output=True, text=True, check=False
    )


def test_windows_ratings_alerts_and_chains_go_on_in_the_cluster(tmp_path, cluster):
    settings, configuration = configured(None)
    whole = Reference(tmp_path / "whole", settings, configuration)
    half = Reference(tmp_path / "half", settings, configuration)
    bank = BankStream(whole)
    for _ in range(4):
        records = bank.next(400)
        whole.feed(records)
        half.feed(records)
    half.close()

    file, config = tmp_path / "moved.db", cluster.folder / "desk.yaml"
    exported = riskmon("export-state", "--data", str(tmp_path / "half"), "--out", str(file))
    assert exported.returncode == 0, exported.stderr
    imported = riskmon("import-state", str(file), "--config", str(config))
    assert imported.returncode == 0, imported.stderr
    assert "head" in imported.stdout

    cluster.start(workers=1)
    for _ in range(3):
        records = bank.next(400)
        whole.feed(records)
        cluster.write(records)
    cluster.wait_until_settled()
    assert differences(whole.results(), cluster_results(cluster.postgres, cluster.delivered())) == []
    whole.close()


def test_neither_a_full_database_nor_an_unfinished_file_is_taken(tmp_path, cluster):
    settings, configuration = configured(None)
    half = Reference(tmp_path / "half", settings, configuration)
    half.feed(BankStream(half).next(200))
    target = load_settings(cluster.folder / "desk.yaml", {})
    with pytest.raises(MoveError, match="states that are not written\n  hint: make it with"):
        import_state(tmp_path / "half" / "riskmon.db", target)
    half.close()
    file = tmp_path / "moved.db"
    first = export_state(tmp_path / "half", file, settings)
    with pytest.raises(MoveError, match="exists already"):
        export_state(tmp_path / "half", file, settings)
    assert import_state(file, target) == first
    with pytest.raises(MoveError, match="the database is not empty"):
        import_state(file, target)


def test_an_import_that_was_interrupted_may_be_repeated(tmp_path, cluster):
    settings, configuration = configured(None)
    half = Reference(tmp_path / "half", settings, configuration)
    half.feed(BankStream(half).next(200))
    half.close()
    file, target = tmp_path / "moved.db", load_settings(cluster.folder / "desk.yaml", {})
    moved = export_state(tmp_path / "half", file, settings)

    def interrupt(name: str, done: int, total: int) -> None:
        if name == "ledger":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_state(file, target, interrupt)
    assert import_state(file, target) == moved


def test_topics_that_fed_workers_before_are_not_filled(tmp_path, cluster, postgres_server):
    settings, configuration = configured(None)
    half = Reference(tmp_path / "half", settings, configuration)
    half.feed(BankStream(half).next(100))
    half.close()
    file = tmp_path / "moved.db"
    export_state(tmp_path / "half", file, settings)
    cluster.start(workers=1)
    cluster.wait_until_started()
    cluster.kill()
    postgres_server.create("other")
    target = load_settings(
        cluster.folder / "desk.yaml", {"RISKMON_STORAGE_POSTGRES_URL": postgres_server.database("other")}
    )
    with pytest.raises(NotEmptyError, match="expected an empty topic"):
        import_state(file, target)
    postgres_server.drop("other")
