"""The repository keeps its own rules: nothing of a machine in the text, no clash of names, a safe image."""

import json
import re
import subprocess
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

PACKAGES = ("monitor", "rules", "streams", "alerts")
ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git working tree")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def texts() -> list[tuple[Path, str]]:
    found = []
    for file in tracked():
        try:
            found.append((file.relative_to(ROOT), file.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def modules() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), comments left out and continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    whole = instructions()
    start = max(n for n, (word, _) in enumerate(whole) if word == "FROM")
    return whole[start:]


# -- text


def test_no_file_names_a_path_of_somebodys_machine():
    # Written apart, or this file would name them too.
    folders = "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me", "t" + "mp", "Us" + "ers"])
    machine = re.compile(rf"(?<![\w.}}\])/-])/(?:{folders})/\w")
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if machine.search(line)
    ]
    assert found == []


def test_every_written_file_ends_with_one_newline():
    written = {".py", ".md", ".yaml", ".toml", ".html", ".css", ".js"}
    found = [
        str(name)
        for name, text in texts()
        if name.suffix in written and text and (not text.endswith("\n") or text.endswith("\n\n"))
    ]
    assert found == []


def test_no_file_is_larger_than_a_megabyte():
    assert [str(file) for file in tracked() if file.stat().st_size > 1_000_000] == []


# -- names and sizes


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_brings_a_package_of_our_name(package):
    assert set(packages_distributions().get(package, ["riskmon"])) == {"riskmon"}


@pytest.mark.parametrize("folder", ["config", "tests"])
def test_data_and_tests_are_never_importable(folder):
    assert list((ROOT / folder).rglob("__init__.py")) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_code_is_a_package(package):
    folders = {file.parent for file in (ROOT / package).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_names_of_test_files_are_unique():
    names = Counter(file.name for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_module_is_a_drawer_for_everything():
    found = [str(file) for file in modules() if file.stem in {"utils", "util", "helpers", "common", "misc"}]
    assert found == []


def test_no_module_is_longer_than_400_lines():
    lengths = {str(file.relative_to(ROOT)): file.read_text().count("\n") for file in modules()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


# -- commands


def test_every_make_target_is_explained():
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)[1].split()
    explained = re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE)
    assert sorted(phony) == sorted(explained)


@pytest.mark.parametrize("script", [".ci/run", "scripts/install_services", "scripts/try_wheel"])
def test_scripts_can_be_run_and_parsed(script):
    assert (ROOT / script).stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", ROOT / script], check=False).returncode == 0


def test_a_python_that_is_too_old_or_missing_is_refused_clearly(tmp_path):
    old = tmp_path / "python-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    tried = subprocess.run(
        [ROOT / "scripts/find_python"],
        env={"PYTHON": str(old), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 1
    assert "no Python 3.11 or later with venv found" in tried.stderr
    assert "hint:" in tried.stderr


def test_commit_hooks_are_commands_of_the_working_tree():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/") for repo in hooks for hook in repo["hooks"])


# -- the image


def test_the_image_does_not_run_as_root():
    users = [rest for word, rest in last_stage() if word == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}


def test_the_image_checks_its_own_health():
    (check,) = [rest for word, rest in last_stage() if word == "HEALTHCHECK"]
    command = json.loads(check[check.index("[") :])
    assert "/healthz" in command[-1]
    compile(command[-1], "HEALTHCHECK", "exec")


def test_the_image_starts_the_service_with_the_settings_it_ships():
    rest = dict(last_stage())
    assert json.loads(rest["ENTRYPOINT"]) == ["riskmon"]
    assert json.loads(rest["CMD"]) == ["run", "--config", "/etc/riskmon/monitor.yaml"]
    assert ("COPY", "config /etc/riskmon") in last_stage()
    assert (ROOT / "config/monitor.yaml").is_file()


def test_data_lives_on_the_volume():
    (volume,) = [rest for word, rest in last_stage() if word == "VOLUME"]
    assert f"RISKMON_DATA_DIR={volume}" in dict(last_stage())["ENV"]


def test_no_secret_is_baked_into_the_image():
    secret = re.compile(r"secret|password|token|private.?key|\.env\b", re.IGNORECASE)
    assert [line for line in instructions() if secret.search(" ".join(line))] == []


def test_the_image_copies_named_folders_only():
    copied = [rest.split() for word, rest in instructions() if word in {"COPY", "ADD"}]
    assert all(source not in {".", "./", "/"} for sources in copied for source in sources[:-1])


def test_everything_the_image_copies_passes_the_ignore_file():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == allowed
