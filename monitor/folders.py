"""Which folders are meant: of packs by name, of the configuration by where it lies.

Commands that read rules and ask no engine need no more than this.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import monitor
from rules.errors import nearest
from rules.loader import PACKS, applies_in

ALL_PACKS = "all"


class ConfigurationError(Exception):
    """Something the monitor needs to start is missing or wrong; the message says what to do."""


def config_folder(config: Path | None) -> Path:
    """Return where rating, lists and mappings lie: beside the settings, in `./config`, or beside the source.

    Raises
    ------
    ConfigurationError
        Where none of them is there.
    """
    beside = Path(monitor.__file__).resolve().parents[1] / "config"
    for folder in (config.parent if config else None, Path("config"), Path("/etc/riskmon"), beside):
        if folder is not None and (folder / "rating.yaml").is_file():
            return folder
    raise ConfigurationError(
        "rating.yaml: not found beside the settings, in ./config or in /etc/riskmon\n"
        "  hint: give --config FILE, with rating.yaml and lists/ beside it"
    )


def pack_folders(names: Iterable[str], jurisdiction: str = "") -> list[Path]:
    """Return the folders of packs: shipped ones by name, others by path.

    Parameters
    ----------
    names
        `all` stands for every shipped pack, but statutory ones of other countries.
    jurisdiction
        ISO 3166-1 alpha-2; without it `all` is every shipped pack.

    Raises
    ------
    ConfigurationError
        For a name that is neither.
    """
    shipped = {
        path.name: path for path in sorted(PACKS.iterdir()) if path.is_dir() and any(path.glob("*.yaml"))
    }
    folders: list[Path] = []
    for name in names:
        if name == ALL_PACKS:
            folders += (path for path in shipped.values() if applies_in(path, jurisdiction))
        elif name in shipped:
            folders.append(shipped[name])
        elif Path(name).is_dir():
            folders.append(Path(name))
        else:
            hint = nearest(name, [*shipped, ALL_PACKS]) or f"shipped packs: {', '.join(shipped)}"
            raise ConfigurationError(f"rules: no pack {name!r}, and no folder of that name\n  hint: {hint}")
    return list(dict.fromkeys(folders))
