"""How processes that hold states keep them in memory."""

from __future__ import annotations

import ctypes
import gc
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

# How often what is new is put into huge pages.
_EVERY_S = 15.0
_OFFERED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MAPS = Path("/proc/self/smaps")
_MAPPING = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) rw.p \S+ 00:00 0 *(?:\[heap\])?\n(?:\w+: .*\n)*?Rss: +(\d+) kB\n"
    r"(?:\w+: .*\n)*?AnonHugePages: +(\d+) kB\n",
    re.MULTILINE,
)
_HUGE = 2 << 20
_PAUSE_S = 0.01
# From Linux's <asm-generic/mman-common.h>; collapsing came with 6.1, older kernels do it in time.
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25


def prepare_memory() -> None:
    """Prepare this process for states: they are many, live long, hold no cycles and are read all over.

    The garbage collector looks at what is young alone: to look at all states holds everything up, for a
    second with 5,000 customers in memory. What requests leave behind is found while it is young. And
    where Linux offers huge pages (`never` is respected) they are used, by a thread of its own: with
    pages of 4 KB every look at a state is one at a table of pages, too. Again changes nothing.
    """
    gc.set_threshold(10_000, 5, 1_000_000_000)
    if is_offered():
        _start()


def is_offered() -> bool:
    """Return whether the kernel gives huge pages to those that ask."""
    try:
        return "[never]" not in _OFFERED.read_text(encoding="ascii")
    except OSError:
        return False


def use_huge_pages() -> None:
    """Have what this process has of its own memory by now put into huge pages, where most of it is used.

    Python takes memory in pieces smaller than a huge page, so it is asked for afterwards. A place
    that has meanwhile become something else takes no harm: the kernel refuses, or ignores it.
    """
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int
    for begin, end, used, huge in _own_memory():
        # Stacks of threads are reserved large and hardly used: they would only grow.
        if 2 * used > end - begin and used - huge >= _HUGE:
            madvise(begin, end - begin, _MADV_HUGEPAGE)
            for place in range(-(-begin // _HUGE) * _HUGE, end - _HUGE + 1, _HUGE):
                began = time.perf_counter()
                madvise(place, _HUGE, _MADV_COLLAPSE)
                # Who asks for memory meanwhile waits: never for long.
                if time.perf_counter() - began > _PAUSE_S / 100:
                    time.sleep(_PAUSE_S)


def _own_memory() -> Iterator[tuple[int, int, int, int]]:
    """Give first address, end, bytes used and bytes in huge pages of memory that is no file's."""
    for found in _MAPPING.finditer(_MAPS.read_text(encoding="utf-8", errors="replace")):
        begin, end, used, huge = found.groups()
        yield int(begin, 16), int(end, 16), int(used) << 10, int(huge) << 10


@cache
def _start() -> None:
    threading.Thread(target=_keep_on, name="huge pages", daemon=True).start()


def _keep_on() -> None:
    with suppress(OSError):  # a container that hides /proc: then without
        while True:
            time.sleep(_EVERY_S)
            use_huge_pages()
