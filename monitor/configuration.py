"""What decides how events are assessed: read from files, archived by its hash, built into an engine.

The archive is what makes an old decision recomputable: it holds the rules as they were written,
the lists, the rating's parameters, the exchange rates and the institution's calendar.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from monitor.core.engine import Engine
from monitor.core.features import NAMES
from monitor.core.models.config import ModelsConfig
from monitor.core.periods import Periods
from monitor.core.rating import Rater
from monitor.core.rating_config import RatingConfig
from monitor.folders import ConfigurationError, pack_folders
from monitor.settings import Settings
from rules.compile import Rulebook, compile_rulebook
from rules.errors import Mistake, RuleError
from rules.grammar import parse
from rules.lists import list_from_plain, list_to_plain, load_lists
from rules.loader import load_packs, load_predicates, read_rule
from rules.model import Expression, Rule
from rules.parameters import load_parameters, overridden, parameters_of, parameters_plain
from rules.vocabulary import load_vocabulary
from streams.codec import Codec
from streams.rates import Exchange, Rates

RATES = "fx_rates"
PARAMETERS = "parameters.yaml"
REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What decides an assessment, as plain data.

    Attributes
    ----------
    plain
        `rules` (each with `pack`, `file` and its content), `predicates`, `lists`, `rating`, `models`,
        `rates`, `base_currency`, `zone`, `grace_ms`, `desk` (waits and four eyes), `parameters` where the
        institution sets any, `approval` where
        the next one needs it.
    """

    plain: Mapping[str, Any]
    rules: tuple[Rule, ...] | None = None
    """The rules as read from files, so that mistakes are told with their lines; None from an archive."""

    @property
    def archive(self) -> bytes:
        """Return the JSON that is kept: in the order of the files, on which the layout of states depends."""
        return orjson.dumps(self.plain, option=orjson.OPT_NON_STR_KEYS)

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the archive, hex digits: the name of this configuration everywhere."""
        return hashlib.sha256(self.archive).hexdigest()

    @classmethod
    def of_archive(cls, archive: bytes) -> Configuration:
        """Return the configuration an archive holds."""
        return cls(orjson.loads(archive))


def read_configuration(settings: Settings, folder: Path, packs: Sequence[str] = ()) -> Configuration:
    """Read everything that decides an assessment.

    Raises
    ------
    RuleError
        With every mistake of the rules.
    RatingConfigError, ModelsConfigError
        With every mistake of the rating or of the models.
    ConfigurationError
        Where a file or a pack is missing.
    """
    folders = pack_folders(packs or settings.rules.packs, settings.institution.jurisdiction)
    overrides = load_parameters(folder / PARAMETERS)
    rules = overridden(load_packs(folders), overrides, are_all=not packs)
    rates = _mapping(folder / "lists" / f"{RATES}.yaml")
    lists = load_lists(folder / "lists")
    rating = _mapping(folder / "rating.yaml")
    RatingConfig.from_plain(rating, str(folder / "rating.yaml"), load_vocabulary())
    models = _mapping(folder / "models.yaml")
    ModelsConfig.from_plain(models, NAMES, str(folder / "models.yaml"))
    plain = {
        "rules": [
            {"pack": rule.pack, "file": Path(rule.file).name, "content": dict(rule.plain)} for rule in rules
        ],
        "predicates": {name: expression.text for name, expression in load_predicates(folders).items()},
        "lists": {name: list_to_plain(data) for name, data in lists.items()},
        "rating": rating,
        "models": models,
        "rates": {**rates, "rates": {str(day): row for day, row in (rates.get("rates") or {}).items()}},
        "base_currency": settings.institution.base_currency,
        "zone": settings.institution.zone,
        "grace_ms": settings.engine.grace_ms,
        "desk": _desk(settings),
        **({"parameters": parameters_plain(folder / PARAMETERS)} if overrides else {}),
        **_approval(settings),
    }
    # As the archive says it: names that are numbers in a file are texts there.
    return Configuration(orjson.loads(Configuration(plain).archive), tuple(rules))


def _mapping(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "copy the shipped one there, or name another folder by --config"
        raise ConfigurationError(f"{file}: not found\n  hint: {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}\n  hint: save it as UTF-8 text") from None
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise ConfigurationError(
            f"{file}: is no YAML: {told}\n  hint: compare with the shipped one"
        ) from None
    if not isinstance(found, dict):
        was = type(found).__name__
        raise ConfigurationError(f"{file}: expected names with values, was {was}\n  hint: write name: value")
    return found


def _desk(settings: Settings) -> dict[str, Any]:
    """Return what decides alerts' due times and closing.

    Four eyes need two people: while no users are configured, everybody is the officer `local`, and
    one person closes an alert alone.
    """
    sla = settings.alerts.sla
    four_eyes = sorted(settings.alerts.four_eyes) if settings.http.users else []
    return {"four_eyes": four_eyes, "within_ms": sla.within_ms, "within_days": sla.within_days}


def _approval(settings: Settings) -> dict[str, str]:
    """Return whether what follows takes a second person's approval: by itself once there are users."""
    said = settings.rules.approval
    is_required = said == REQUIRED or (said == "auto" and bool(settings.http.users))
    return {"approval": REQUIRED} if is_required else {}


def needs_approval(configuration: Configuration) -> bool:
    """Return whether another configuration follows this one only after another person's approval.

    The one in force says so of the next, not the settings: a person who may edit those alone
    cannot do away with the second.
    """
    return configuration.plain.get("approval") == REQUIRED


def read_rules(configuration: Configuration) -> Sequence[Rule]:
    """Return the rules of a configuration.

    Raises
    ------
    RuleError
        With every mistake.
    """
    if configuration.rules is not None:
        return configuration.rules
    rules, mistakes = list[Rule](), list[Mistake]()
    for entry in configuration.plain["rules"]:
        text = yaml.safe_dump(entry["content"], allow_unicode=True, sort_keys=False)
        try:
            rules.append(read_rule(Path(entry["file"]), text, entry["pack"]))
        except RuleError as error:
            mistakes.extend(error.mistakes)
    if mistakes:
        raise RuleError(mistakes)
    parameters = yaml.safe_dump(configuration.plain.get("parameters", {}), allow_unicode=True)
    return overridden(rules, parameters_of(parameters, PARAMETERS), are_all=False)


def compiled(configuration: Configuration) -> Rulebook:
    """Return the rulebook of a configuration, checked and compiled.

    Raises
    ------
    RuleError
        With every mistake.
    """
    plain = configuration.plain
    lists = {name: list_from_plain(name, data) for name, data in plain["lists"].items()}
    return compile_rulebook(
        read_rules(configuration),
        load_vocabulary(),
        lists,
        base_currency=plain["base_currency"],
        grace_ms=plain["grace_ms"],
        predicates=read_predicates(configuration),
    )


def read_predicates(configuration: Configuration) -> dict[str, Expression]:
    """Return the shared expressions of a configuration by name."""
    return {
        name: Expression(text, parse(text), f"predicate {name}", ((1, 1),))
        for name, text in configuration.plain["predicates"].items()
    }


def build_engine(configuration: Configuration) -> Engine:
    """Return an engine that assesses by a configuration."""
    plain = configuration.plain
    rates = Rates.from_plain(plain["rates"])
    engine = Engine(
        compiled(configuration),
        load_vocabulary(),
        Rater(RatingConfig.from_plain(plain["rating"])),
        Periods(plain["zone"]),
        Exchange(plain["base_currency"], rates).units,
        base_currency=plain["base_currency"],
        grace_ms=plain["grace_ms"],
        # An archive of a day before there were populations has none.
        models=ModelsConfig.from_plain(plain["models"], NAMES) if "models" in plain else None,
    )
    engine.rulebook_hash = configuration.hash
    return engine


def build_codec(configuration: Configuration) -> Codec:
    """Return the codec of a configuration's currency and rates."""
    return Codec(
        load_vocabulary(),
        configuration.plain["base_currency"],
        Rates.from_plain(configuration.plain["rates"]),
    )
