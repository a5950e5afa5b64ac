"""What lives long is put into huge pages where the kernel offers them, and where it is used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams import memory

PROGRAM = """
import sys, threading
from pathlib import Path
from streams.memory import is_offered, use_huge_pages

lives_long = [str(number) * 3 for number in range(800_000)]
reserved = threading.Thread(target=threading.Event().wait, daemon=True)
reserved.start()
use_huge_pages()
use_huge_pages()
assert lives_long[-1] == "799999" * 3
sys.stdout.write(Path("/proc/self/smaps").read_text())
"""
MAPPING = re.compile(
    r"^[0-9a-f]+-[0-9a-f]+ rw.p \S+ 00:00 0.*\n(?:(?!VmFlags).*\n)*VmFlags:.*\n", re.MULTILINE
)


def figure(name: str, mapping: str) -> int:
    return int(re.search(rf"^{name}: +(\d+) kB", mapping, re.MULTILINE)[1])


@pytest.mark.skipif(not memory.is_offered(), reason="this kernel offers no huge pages")
def test_what_is_used_is_in_huge_pages_and_what_is_reserved_is_not():
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    asked = {True: 0, False: 0}
    for mapping in MAPPING.findall(told):
        is_used = 2 * figure("Rss", mapping) > figure("Size", mapping)
        is_asked = " hg" in mapping.rpartition("VmFlags:")[2]
        if figure("Size", mapping) >= 4096 and "[stack]" not in mapping:
            assert is_asked == is_used, mapping
            asked[is_used] += figure("Size", mapping)
    assert asked[True] > 20 * 1024
    assert asked[False] >= 4096


@pytest.mark.parametrize(
    ("setting", "offered"),
    [("[always] madvise never", True), ("always [madvise] never", True), ("always madvise [never]", False)],
)
def test_the_setting_of_the_machine_is_respected(tmp_path, monkeypatch, setting, offered):
    (tmp_path / "enabled").write_text(setting + "\n")
    monkeypatch.setattr(memory, "_OFFERED", tmp_path / "enabled")
    assert memory.is_offered() is offered


def test_a_machine_without_the_setting_offers_none(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_OFFERED", Path(tmp_path / "no such file"))
    assert not memory.is_offered()
