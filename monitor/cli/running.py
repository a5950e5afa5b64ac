"""The service that runs on a data directory, as other commands find it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx

from monitor.app import SERVICE
from monitor.cli.failure import Failure


def running_service(data: Path) -> str | None:
    """Return the address of the service that runs on a data directory; None where none does.

    Raises
    ------
    Failure
        Nobody can say: the file that tells of it is unreadable, or its process lives and does not answer.
    """
    file = data / SERVICE
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        url, pid = f"http://127.0.0.1:{int(told['port'])}", int(told["pid"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{file}: expected port and pid, was unreadable ({error})\n  hint: remove it") from None
    try:
        httpx.get(f"{url}/healthz", timeout=5.0)
    except httpx.HTTPError:
        if not _is_alive(pid):
            return None  # the file of a service that was killed
        raise Failure(
            f"{url}: the service (process {pid}) does not answer\n"
            f"  hint: try again; if that process is something else, remove {file}"
        ) from None
    return url


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
