"""Which configuration is meant: the one in force, an archived one by its hash, or files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from monitor.app import CONFIGURATION, archive
from monitor.configuration import PARAMETERS, Configuration
from monitor.core.features import NAMES
from monitor.core.models.config import ModelsConfig
from monitor.core.rating_config import RatingConfig
from monitor.database import Database
from monitor.folders import ConfigurationError, pack_folders
from rules.lists import list_to_plain, load_lists
from rules.loader import load_packs, load_predicates
from rules.parameters import load_parameters, parameters_plain
from rules.vocabulary import load_vocabulary
from streams.progress import progress_of

IN_FORCE: Final = "in-force"
_HASH: Final = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class Known:
    """Configurations a database knows.

    Parameters
    ----------
    db
        A reader's connection; None where no database is meant, and `in_force` is from files.
    in_force
        What everything that files do not say is taken from.
    """

    db: Database | None
    in_force: Configuration

    @classmethod
    def of(cls, db: Database) -> Known:
        """Return what a database knows; in force is what its last event was assessed by.

        Raises
        ------
        ConfigurationError
            It holds no event yet.
        """
        rulebooks = progress_of(db).rulebooks
        if not rulebooks:
            raise ConfigurationError(
                "the database holds no configuration yet\n  hint: replay or run some events first"
            )
        return cls(db, Configuration.of_archive(archive(db, rulebooks[-1][1])))

    def chosen(self, names: Sequence[str]) -> Configuration:
        """Return the configuration that is named.

        One name is `in-force`, or a hash of which the first six digits are enough. Anything else is
        packs by name and folders of rules: together they are the rulebook. A folder that holds
        `rating.yaml`, `models.yaml` or `lists/` is one of a configuration, and its rules, if any, lie
        in its folder `rules/`. What the folders do not say is as in force.

        Raises
        ------
        ConfigurationError, RuleError, RatingConfigError, ModelsConfigError
            With every mistake of what was named.
        """
        if len(names) == 1 and names[0] == IN_FORCE:
            return self.in_force
        if len(names) == 1 and _HASH.fullmatch(names[0]) and not Path(names[0]).exists():
            return self._archived(names[0])
        return with_folders(self.in_force, pack_folders(names))

    def _archived(self, prefix: str) -> Configuration:
        query = "SELECT hash FROM artifacts WHERE kind = ? ORDER BY hash"
        found = [row[0] for row in self.db.execute(query, (CONFIGURATION,))] if self.db else []
        matching = [digest for digest in found if digest.startswith(prefix)]
        if len(matching) != 1 or self.db is None:
            known = ", ".join(digest[:12] for digest in matching or found) or "none"
            said = "several configurations are" if matching else "no archived configuration is"
            raise ConfigurationError(f"{prefix}: {said} named so\n  hint: there are {known}")
        return Configuration.of_archive(archive(self.db, matching[0]))


def with_folders(base: Configuration, folders: Sequence[Path]) -> Configuration:
    """Return a configuration by folders: their rules in place of `base`'s, everything else as in `base`."""
    rule_folders = _rule_folders(folders)
    return _with(base, folders, [] if rule_folders else list(base.plain["rules"]))


def overlaid(base: Configuration, folders: Sequence[Path]) -> Configuration:
    """Return a configuration with the folders' rules added to those of `base`, or in their place by id."""
    return _with(base, folders, list(base.plain["rules"]))


def without(base: Configuration, ids: Sequence[str]) -> Configuration:
    """Return a configuration without some rules.

    Raises
    ------
    ConfigurationError
        Where one of them is not there.
    """
    there = {entry["content"]["id"] for entry in base.plain["rules"]}
    for name in ids:
        if name not in there:
            raise ConfigurationError(f"{name}: no such rule\n  hint: `riskmon rules list` names them")
    kept = [entry for entry in base.plain["rules"] if entry["content"]["id"] not in ids]
    return Configuration({**base.plain, "rules": kept})


def _with(base: Configuration, folders: Sequence[Path], others: Sequence[Mapping[str, Any]]) -> Configuration:
    rule_folders = _rule_folders(folders)
    rules, predicates = load_packs(rule_folders), load_predicates(rule_folders)
    read = {rule.id for rule in rules}
    kept = [entry for entry in others if entry["content"]["id"] not in read]
    # A rule put in place of another stays in that one's pack, wherever its file lies.
    packs = {entry["content"]["id"]: entry["pack"] for entry in others}
    ours = [
        {
            "pack": packs.get(rule.id, rule.pack),
            "file": Path(rule.file).name,
            "content": dict(rule.plain),
        }
        for rule in rules
    ]
    named = {name: expression.text for name, expression in predicates.items()}
    plain: dict[str, Any] = {**base.plain}
    # In the order of ids, as files are read: the layout of states depends on it.
    plain["rules"] = sorted([*kept, *ours], key=lambda entry: str(entry["content"]["id"]))
    plain["predicates"] = {**(base.plain["predicates"] if kept else {}), **named}
    for folder in folders:
        plain |= _beside(folder, plain)
    return Configuration(orjson.loads(Configuration(plain).archive))


def _is_configuration(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("rating.yaml", "models.yaml", PARAMETERS, "lists"))


def _rule_folders(folders: Sequence[Path]) -> list[Path]:
    found = [folder / "rules" if _is_configuration(folder) else folder for folder in folders]
    return [folder for folder in found if folder.is_dir()]


def _beside(folder: Path, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rating, models and lists that lie in a folder of a configuration."""
    found: dict[str, Any] = {}
    if (file := folder / "rating.yaml").is_file():
        found["rating"] = _read(file)
        RatingConfig.from_plain(found["rating"], str(file), load_vocabulary())
    if (file := folder / "models.yaml").is_file():
        found["models"] = _read(file)
        ModelsConfig.from_plain(found["models"], NAMES, str(file))
    if (file := folder / PARAMETERS).is_file():
        load_parameters(file)
        found["parameters"] = parameters_plain(file)
    if lists := load_lists(folder / "lists"):
        found["lists"] = {**plain["lists"], **{name: list_to_plain(data) for name, data in lists.items()}}
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise ConfigurationError(f"{file}: cannot be read: {told}\n  hint: write YAML as UTF-8") from None
    if not isinstance(found, dict):
        was = type(found).__name__
        raise ConfigurationError(f"{file}: expected names with values, was {was}\n  hint: write name: value")
    return found
