"""How commands speak: results on stdout, one clear sentence on stderr when something is wrong."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from monitor.cli.failure import Failure
from monitor.configuration import Configuration, read_configuration
from monitor.core.models.config import ModelsConfigError
from monitor.core.rating_config import RatingConfigError
from monitor.folders import ConfigurationError, config_folder
from monitor.settings import Settings
from monitor.settings_file import SettingsError, load_settings
from rules.errors import RuleError
from streams.ports import DataInUseError
from streams.rates import RatesError


@contextmanager
def failures(data: Path | None = None) -> Iterator[None]:
    """Turn what a person can mend into a `Failure`: of the database too, where its directory is given."""
    try:
        yield
    except sqlite3.Error as error:
        if data is None:
            raise
        hint = "free the disk, restore the directory, or give another one with --data"
        raise Failure(f"{data}: the database cannot be used: {error}\n  hint: {hint}") from None
    except (
        SettingsError,
        ConfigurationError,
        RuleError,
        RatingConfigError,
        ModelsConfigError,
        RatesError,
        DataInUseError,
    ) as error:
        raise Failure(str(error)) from None


def data_folder(path: Path) -> Path:
    """Return a data directory, made where there is none yet, or fail."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"{path}: cannot hold data: {error.strerror}\n  hint: give --data a directory that is yours"
        ) from None
    return path


def configured(config: Path | None, packs: list[str] | None = None) -> tuple[Settings, Configuration]:
    """Return settings and configuration, or fail with every mistake."""
    settings = read_settings(config)
    with failures():
        return settings, read_configuration(settings, config_folder(config), packs or ())


def read_settings(config: Path | None) -> Settings:
    """Return the settings alone, or fail with every mistake."""
    with failures():
        return load_settings(config if config is not None else _default_file(), os.environ)


def _default_file() -> Path | None:
    for file in (Path("config/monitor.yaml"), Path("/etc/riskmon/monitor.yaml")):
        if file.is_file():
            return file
    return None


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n"
    )
