"""The cluster of docker-compose.yml fits the image, the settings and the files beside it."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from monitor.cli import build_app
from monitor.settings_file import load_settings, setting_names, variable

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
ROLES = ("desk", "worker", "web")
USERS = f"[{{name: ada, roles: [officer], token_sha256: {'ab' * 32}}}]"


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    return [tuple(volume.split(":")[:2]) for volume in service.get("volumes", ())]


def in_image(path: str) -> Path:
    """Where the image takes a file of its configuration from."""
    assert path.startswith("/etc/riskmon/")
    return ROOT / "config" / path.removeprefix("/etc/riskmon/")


def environment(role: str) -> dict[str, str]:
    """What the role of that name finds: the image's variables and the service's."""
    image = dict(re.findall(r"(RISKMON_\w+)=(\S+)", (ROOT / "Dockerfile").read_text().split("ENV PATH")[1]))
    given = SERVICES[role]["environment"]
    return {
        **image,
        **{name: re.sub(r"\$\{RISKMON_HTTP_USERS:\?.*\}", USERS, v) for name, v in given.items()},
    }


@pytest.mark.parametrize("role", ROLES)
def test_the_command_of_a_role_exists_with_its_options(role):
    command = typer.main.get_command(build_app())
    name, *arguments = SERVICES[role]["command"]
    assert name == role
    context = command.commands[name].make_context(name, arguments)
    assert in_image(str(context.params["config"])).is_file()


def test_an_unknown_command_or_option_would_be_noticed():
    command = typer.main.get_command(build_app())
    with pytest.raises(Exception, match="No such option"):
        command.commands["web"].make_context("web", ["--konfig", "x"])


@pytest.mark.parametrize("role", ROLES)
def test_the_settings_of_a_role_are_whole(role, tmp_path):
    (tmp_path / "postgres_url").write_text("postgresql://riskmon:p@postgres:5432/riskmon")
    profile = tmp_path / "cluster.yaml"
    profile.write_text(
        (ROOT / "config/profiles/cluster.yaml").read_text().replace("/run/secrets", str(tmp_path))
    )
    settings = load_settings(profile, environment(role))
    assert (settings.storage.kind, settings.queue.kind) == ("postgres", "redis")
    assert settings.kafka.bootstrap == SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"][12:]
    assert settings.queue.redis_url.startswith("redis://redis:")
    assert settings.http.users[0].name == "ada"


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_of_a_role_is_a_setting(role):
    known = {variable(path) for path, _ in setting_names()}
    assert set(SERVICES[role]["environment"]) <= known


def test_every_folder_that_is_mounted_is_here():
    bound = [source for service in SERVICES.values() for source, _ in mounts(service) if source[0] in "./"]
    assert bound
    assert [source for source in bound if not (ROOT / source).is_dir()] == []


def test_every_volume_that_is_mounted_is_declared_and_the_reverse():
    named = {
        source for service in SERVICES.values() for source, _ in mounts(service) if source[0] not in "./"
    }
    assert named == set(COMPOSE["volumes"])


def test_every_service_that_is_awaited_is_here_and_says_when_it_is_healthy():
    for service in SERVICES.values():
        for name in service.get("depends_on", ()):
            is_awaited = isinstance(service["depends_on"], dict)
            assert not is_awaited or "healthcheck" in SERVICES[name]


def test_ports_are_those_of_the_settings():
    image = (ROOT / "Dockerfile").read_text()
    assert SERVICES["web"]["ports"][0].endswith(":8600")
    assert "EXPOSE 8600" in image
    assert "127.0.0.1:8601/healthz" in SERVICES["desk"]["healthcheck"]["test"][-1]
    profile = yaml.safe_load((ROOT / "config/profiles/cluster.yaml").read_text())
    assert profile["metrics"] == {"host": "0.0.0.0", "port": 8601}


def test_nothing_is_open_beyond_this_machine():
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_health_checks_in_python_are_python():
    for role in ("desk", "worker"):
        compile(SERVICES[role]["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_secrets_come_from_files_that_are_never_committed():
    assert {secret["file"].split("/")[1] for secret in COMPOSE["secrets"].values()} == {"secrets"}
    assert {"secrets/", ".env"} <= set((ROOT / ".gitignore").read_text().splitlines())
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    values = [
        str(value) for service in SERVICES.values() for value in service.get("environment", {}).values()
    ]
    assert [value for value in values if re.search(r"://[^/@\s]+:[^/@\s]+@", value)] == []


def test_every_image_has_a_version():
    images = [service["image"] for service in SERVICES.values() if service["image"] != "riskmon"]
    assert [image for image in images if not re.search(r":v?\d", image)] == []
