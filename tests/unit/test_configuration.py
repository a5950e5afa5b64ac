"""What decides an assessment survives its archive: same hash, same functions, same ratings."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from monitor.cli.failure import Failure
from monitor.cli.output import failures
from monitor.configuration import (
    Configuration,
    build_engine,
    compiled,
    read_configuration,
)
from monitor.core.rating_config import RatingConfig
from monitor.folders import ConfigurationError, config_folder, pack_folders
from monitor.settings import Settings
from monitor.testing import configuration

SHIPPED = configuration()


def test_an_archive_gives_the_same_configuration_again():
    again = Configuration.of_archive(SHIPPED.archive)
    assert again.hash == SHIPPED.hash
    assert Configuration.of_archive(again.archive).archive == SHIPPED.archive
    one, other = compiled(SHIPPED), compiled(again)
    assert other.source == one.source
    assert other.hash == one.hash
    assert [(rule.id, rule.version, rule.status) for rule in other.rules] == [
        (rule.id, rule.version, rule.status) for rule in one.rules
    ]
    assert [plan.signatures() for plan in other.plans.values()] == [
        plan.signatures() for plan in one.plans.values()
    ]


def test_an_archive_rates_by_the_same_parameters():
    again = Configuration.of_archive(SHIPPED.archive)
    assert RatingConfig.from_plain(again.plain["rating"]) == RatingConfig.from_plain(SHIPPED.plain["rating"])


def test_an_engine_is_named_by_its_configuration():
    small = configuration("flow")
    assert build_engine(small).rulebook_hash == small.hash != SHIPPED.hash


def test_whatever_decides_changes_the_hash():
    for name, value in (("zone", "UTC"), ("base_currency", "EUR"), ("grace_ms", 1), ("rules", [])):
        assert Configuration({**SHIPPED.plain, name: value}).hash != SHIPPED.hash


def test_every_shipped_pack_goes_by_its_name():
    names = {folder.name for folder in pack_folders(["all"])}
    assert {"flow", "structuring", "fraud"} <= names
    assert pack_folders(["all", "flow"]) == pack_folders(["all"])


def test_all_leaves_out_the_law_of_other_countries():
    statutory = {
        place: {folder.name for folder in pack_folders(["all"], place)} for place in ("CN", "DE", "US")
    }
    assert {name for name in statutory["CN"] if name.startswith("statutory")} == {"statutory_cn"}
    assert "statutory_eu" in statutory["DE"] - statutory["CN"]
    assert "statutory_cn" not in statutory["US"]
    assert {folder.name for folder in pack_folders(["statutory_eu"], "CN")} == {"statutory_eu"}


def test_an_unknown_pack_is_told_with_a_near_one():
    with pytest.raises(ConfigurationError, match=r"no pack 'structurring'[\s\S]*structuring"):
        pack_folders(["structurring"])


def test_settings_without_rating_beside_them_take_the_next_folder(tmp_path: Path):
    (tmp_path / "rating.yaml").write_text("{}")
    assert config_folder(tmp_path / "monitor.yaml") == tmp_path
    assert (config_folder(tmp_path / "other" / "monitor.yaml") / "rating.yaml").is_file()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("rating.yaml", b"a: [b"),
        ("rating.yaml", b"- a list"),
        ("lists/fx_rates.yaml", None),
        ("lists/fx_rates.yaml", b"- a list"),
        ("lists/fx_rates.yaml", b"a: [b"),
        ("lists/fx_rates.yaml", b"\xff\xfe"),
        ("lists/fatf_grey.yaml", b"a: [b"),
        ("lists/fatf_grey.yaml", b"\xff\xfe"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, repository: Path, file: str, content: bytes | None):
    folder = copytree(repository / "config", tmp_path / "config")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(Failure, match=Path(file).name), failures():
        build_engine(read_configuration(Settings(), folder, ["flow"]))
