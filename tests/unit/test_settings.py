"""Settings: defaults that agree everywhere, and every mistake named where it stands."""

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.deadlines import WITHIN_DAYS, WITHIN_MS
from alerts.inbox.access import ROLES
from monitor.settings import Settings, Sla, User
from monitor.settings_file import SettingsError, load_settings, setting_names, variable

TOKEN = sha256(b"a token").hexdigest()


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "monitor.yaml"
    file.write_text(text)
    return file


def problems(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """Every mistake as `line:column: what / hint`."""
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text), environ)
    return [
        f"{problem.where.removeprefix(f'{tmp_path}/monitor.yaml:')}: {problem.what} / {problem.hint}"
        for problem in caught.value.problems
    ]


def leaves(node, path=()):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def test_the_shipped_file_states_exactly_the_defaults_in_code(repository):
    assert load_settings(repository / "config/monitor.yaml") == Settings()


def test_the_shipped_file_states_every_setting(repository):
    import yaml

    stated = set(leaves(yaml.safe_load((repository / "config/monitor.yaml").read_text())))
    assert stated == {path for path, _ in setting_names()}


def test_without_a_file_the_defaults_in_code_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_settings() == Settings()


def test_a_file_in_the_working_directory_is_found(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/monitor.yaml").write_text("http: {port: 9000}\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().http.port == 9000


def test_what_a_file_leaves_out_keeps_its_default(tmp_path):
    settings = load_settings(write(tmp_path, "alerts:\n  sla:\n    high: 90m\nengine:\n"))
    assert settings.alerts.sla == Sla(high="90m")
    assert settings.engine == Settings().engine


def test_the_desk_and_the_settings_have_the_same_deadlines_by_default():
    assert Sla().within_ms == dict(WITHIN_MS)
    assert Sla().within_days == dict(WITHIN_DAYS)


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert load_settings(write(tmp_path, "# nothing\n")) == Settings()


def test_every_mistake_of_a_file_is_named_at_once_with_its_place(tmp_path):
    text = """\
institution:
  base_currency: yuan
  zone: Asia/Shangri-La
engine:
  grace: three days
  batch_evnts: 100
  batch_ms: "20"
http:
  port: 70000
  port: 8600
alerts:
  four_eyes: [high, fatal]
queue: embedded
rules:
  packs: starter
colour: red
"""
    assert problems(tmp_path, text) == [
        (
            "2:18: institution.base_currency: expected an ISO 4217 code such as CNY, was 'yuan' "
            "/ the default is CNY"
        ),
        (
            "3:9: institution.zone: expected an IANA time zone such as Asia/Shanghai, was 'Asia/Shangri-La' "
            "/ the default is Asia/Shanghai"
        ),
        "5:10: engine.grace: expected a duration, was 'three days' / write 500ms, 30s, 20m, 72h or 3d",
        "6:3: unknown setting 'engine.batch_evnts' / did you mean 'batch_events'?",
        "7:13: engine.batch_ms: expected a whole number, was '20' / digits only, without quotes",
        "9:9: http.port: expected 0 to 65535, was 70000 / the default is 8600",
        "10:3: http.port is set twice / keep one of the two lines",
        (
            "12:14: alerts.four_eyes: expected any of info, low, medium, high, critical"
            ", was ['high', 'fatal'] "
            "/ the default is [high, critical]"
        ),
        "13:8: queue: expected a section, was 'embedded' / write `name: value` lines",
        "15:10: rules.packs: expected a list, was 'starter' / write [a, b], or one `- ` line each",
        (
            "16:1: unknown setting 'colour' "
            "/ known here: institution, engine, http, data, storage, kafka, metrics, "
            "rules, queue, webhooks, alerts"
        ),
    ]


def test_broken_yaml_is_named_where_it_breaks(tmp_path):
    assert problems(tmp_path, "http:\n  port: [8600\n") == [
        "3:1: this is not YAML: expected ',' or ']', but got '<stream end>' / mind indentation and quotes"
    ]


@pytest.mark.parametrize("text", ["- a\n", "42\n", "just text\n"])
def test_a_file_that_is_no_section_is_refused(tmp_path, text):
    assert "expected a section" in problems(tmp_path, text)[0]


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="nowhere.yaml: cannot be read"):
        load_settings(tmp_path / "nowhere.yaml")


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("settings") / "monitor.yaml"
    file.write_bytes(content)
    try:
        load_settings(file)
    except SettingsError:
        return


def test_the_environment_overrides_the_file(tmp_path):
    settings = load_settings(
        write(tmp_path, "http: {port: 9000}\n"),
        {
            "RISKMON_HTTP_PORT": "9001",
            "RISKMON_ENGINE_GRACE": "1h",
            "RISKMON_RULES_PACKS": "[all, ./own]",
            "RISKMON_QUEUE_KIND": "redis",
            "RISKMON_QUEUE_REDIS_URL": "redis://:p#ss@127.0.0.1:6379/0",
        },
    )
    assert settings.http.port == 9001
    assert settings.engine.grace_ms == 3_600_000
    assert settings.rules.packs == ("all", "./own")
    assert settings.queue.redis_url == "redis://:p#ss@127.0.0.1:6379/0"


def test_users_may_come_from_the_environment(tmp_path):
    users = f"[{{name: ada, roles: [auditor, approver], token_sha256: {TOKEN}}}]"
    settings = load_settings(write(tmp_path, ""), {"RISKMON_HTTP_USERS": users})
    assert settings.http.users == (User(name="ada", roles=("auditor", "approver"), token_sha256=TOKEN),)


def test_mistakes_of_the_environment_name_the_variable(tmp_path):
    environ = {"RISKMON_HTTP_PORT": "eighty", "RISKMON_HTTP_PROT": "80", "RISKMON_ENGINE_BATCH_MS": "[1"}
    assert problems(tmp_path, "", environ) == [
        "RISKMON_ENGINE_BATCH_MS: engine.batch_ms: cannot be read: '[1' / the default is 2",
        "RISKMON_HTTP_PORT: http.port: expected a whole number, was 'eighty' / digits only, without quotes",
        "RISKMON_HTTP_PROT: unknown setting / did you mean 'RISKMON_HTTP_PORT'?",
    ]


def test_variables_of_others_are_left_alone(tmp_path):
    # What an orchestrator sets for a service named riskmon.
    environ = {"RISKMON_PORT": "tcp://10.0.0.1:8600", "RISKMON_SERVICE_HOST": "10.0.0.1", "PATH": "/bin"}
    assert load_settings(write(tmp_path, ""), environ) == Settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "bank.example"])
def test_binding_beyond_loopback_without_users_is_refused(tmp_path, host):
    assert problems(tmp_path, f"http:\n  host: '{host}'\n") == [
        (
            f"2:9: http.host: host {host} is reachable from other machines, and no users are configured "
            "/ add http.users with a token hash each, or bind 127.0.0.1"
        )
    ]


def test_binding_beyond_loopback_with_users_is_allowed(tmp_path):
    text = f"http:\n  host: 0.0.0.0\n  users:\n    - {{name: ada, roles: [officer], token_sha256: {TOKEN}}}\n"
    assert load_settings(write(tmp_path, text)).http.refusal is None


def test_mistakes_inside_a_list_are_named_where_they_stand(tmp_path):
    text = f"""\
http:
  users:
    - {{name: ada, roles: [boss], token_sha256: {TOKEN}}}
    - {{name: bob, token_sha256: abc}}
    - {{roles: [officer]}}
    - {{name: ada, token_sha256: {TOKEN}}}
webhooks:
  - name: cases
    url: ftp://bank.example
"""
    assert problems(tmp_path, text) == [
        (
            "3:26: http.users[0].roles: expected any of "
            "viewer, officer, approver, auditor, admin, producer, was ['boss'] / the default is [officer]"
        ),
        (
            "4:33: http.users[1].token_sha256: expected 64 lower-case hex digits, was 'abc' "
            "/ there is no default"
        ),
        "5:7: http.users[2]: name is missing / add `name: ...`",
        "5:7: http.users[2]: token_sha256 is missing / add `token_sha256: ...`",
        (
            "9:10: webhooks[0].url: expected an http or https address, was 'ftp://bank.example' "
            "/ there is no default"
        ),
        "3:5: http.users: 'ada' appears twice / give each its own name",
    ]


def test_a_secret_may_be_read_from_a_file_of_its_own(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    hook = f"webhooks:\n  - {{name: cases, url: 'https://bank.example/', secret_file: {secret}}}\n"
    queue = f"queue: {{kind: redis, redis_url_file: {secret}}}\n"
    secret.write_text("redis://:pw@127.0.0.1/0\n")
    settings = load_settings(write(tmp_path, hook + queue))
    assert settings.webhooks[0].secret == settings.queue.redis_url == "redis://:pw@127.0.0.1/0"


def test_a_secret_and_its_file_together_are_refused(tmp_path):
    text = "webhooks:\n  - {name: a, url: 'https://b.example', secret: x, secret_file: y}\n"
    assert problems(tmp_path, text) == [
        "2:65: webhooks[0]: secret and secret_file are both set / keep at most one of secret and secret_file"
    ]


def test_a_secret_file_that_cannot_be_read_is_refused(tmp_path):
    assert (
        "queue.redis_url_file: cannot be read" in problems(tmp_path, "queue: {redis_url_file: nowhere}\n")[0]
    )


def test_secrets_are_not_shown(tmp_path):
    text = "queue: {kind: redis, redis_url: 'redis://:hush@127.0.0.1/0'}\n"
    assert "hush" not in repr(load_settings(write(tmp_path, text)))


def test_secrets_are_not_repeated_in_messages(tmp_path):
    assert problems(tmp_path, "queue: {redis_url: 'htp://:hush@127.0.0.1/0'}\n") == [
        '1:20: queue.redis_url: expected redis://HOST:PORT/DB, was something else / the default is ""'
    ]


def test_redis_without_an_address_is_refused(tmp_path):
    assert problems(tmp_path, "queue: {kind: redis}\n")[0].startswith(
        "1:15: queue.kind: redis needs an address"
    )


CLUSTER = "storage: {kind: postgres, postgres_url: 'postgresql://u:hush@db/riskmon'}\n"


def test_postgres_without_an_address_is_refused(tmp_path):
    assert problems(tmp_path, "storage: {kind: postgres}\n") == [
        (
            "1:17: storage.kind: postgres needs an address / add storage.postgres_url: "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or postgres_url_file"
        )
    ]


def test_an_address_that_is_not_of_postgres_is_refused_without_repeating_it(tmp_path):
    secret = tmp_path / "url"
    secret.write_text("mysql://u:hush@db/riskmon")
    found = problems(tmp_path, "storage: {postgres_url: 'mysql://u:hush@db', kind: embedded}\n")
    found += problems(tmp_path, f"storage: {{postgres_url_file: {secret}}}\n")
    assert [problem.split(": ", 1)[1] for problem in found] == [
        (
            "storage.postgres_url: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            'was something else / the default is ""'
        ),
        (
            "storage.postgres_url_file: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
            "in the file / keep only the secret in it"
        ),
    ]


def test_a_log_in_at_the_broker_needs_a_user_and_a_password(tmp_path):
    assert problems(tmp_path, "kafka: {security: sasl_ssl}\n") == [
        "1:19: kafka.security: sasl_ssl needs sasl_username / add kafka.sasl_username",
        (
            "1:19: kafka.security: sasl_ssl needs sasl_password "
            "/ add kafka.sasl_password, or sasl_password_file"
        ),
    ]


def test_a_log_in_without_a_connection_that_carries_it_is_refused(tmp_path):
    assert problems(tmp_path, "kafka:\n  security: ssl\n  sasl_username: ada\n") == [
        (
            "3:18: kafka.sasl_username: a log-in needs kafka.security sasl_ssl or sasl_plaintext, was ssl "
            "/ write security: sasl_ssl, or take the log-in out"
        )
    ]


def test_certificates_must_be_there_be_used_and_have_their_key(tmp_path):
    pem = tmp_path / "ca.pem"
    pem.touch()
    assert problems(tmp_path, f"kafka:\n  ca_file: {pem}\n") == [
        (
            "2:12: kafka.ca_file: certificates need kafka.security ssl or sasl_ssl, was plaintext "
            "/ write security: ssl or sasl_ssl, or take the file out"
        )
    ]
    text = f"kafka:\n  security: ssl\n  ca_file: nowhere.pem\n  cert_file: {pem}\n"
    assert problems(tmp_path, text) == [
        "3:12: kafka.ca_file: there is no file 'nowhere.pem' / name a PEM file",
        "4:14: kafka.cert_file: cert_file needs key_file / add kafka.key_file",
    ]


@pytest.mark.parametrize("brokers", ["kafka", "kafka:", "a:1,", "a:1 b:2", "http://a:1"])
def test_brokers_need_a_host_and_a_port_each(tmp_path, brokers):
    assert problems(tmp_path, f"kafka:\n  bootstrap: '{brokers}'\n") == [
        (
            f"2:14: kafka.bootstrap: expected HOST:PORT, more after a comma, was '{brokers}' "
            "/ the default is 127.0.0.1:9092"
        )
    ]


def test_secrets_of_the_cluster_are_not_shown(tmp_path):
    log_in = "kafka: {security: sasl_plaintext, sasl_username: ada, sasl_password: hush}\n"
    settings = load_settings(write(tmp_path, CLUSTER + log_in))
    assert settings.kafka.sasl_password == "hush"
    assert "hush" not in repr(settings)


def test_a_variable_with_a_secret_replaces_the_file_of_the_secret_and_the_reverse(tmp_path):
    secret = tmp_path / "url"
    secret.write_text("postgresql://file/db\n")
    named = write(tmp_path, "storage: {kind: postgres, postgres_url_file: /nowhere}\n")
    given = load_settings(named, {"RISKMON_STORAGE_POSTGRES_URL": "postgresql://variable/db"})
    assert given.storage.postgres_url == "postgresql://variable/db"
    given = load_settings(write(tmp_path, CLUSTER), {"RISKMON_STORAGE_POSTGRES_URL_FILE": str(secret)})
    assert given.storage.postgres_url == "postgresql://file/db"


def test_two_variables_for_one_secret_are_refused(tmp_path):
    environ = {"RISKMON_QUEUE_REDIS_URL": "redis://a/0", "RISKMON_QUEUE_REDIS_URL_FILE": "/nowhere"}
    assert "are both set" in problems(tmp_path, "", environ)[0]


@pytest.mark.parametrize("name", ["cluster", "cluster-tls"])
def test_every_profile_is_a_cluster_once_its_secrets_are_there(tmp_path, repository, name):
    text = (repository / f"config/profiles/{name}.yaml").read_text()
    for file, content in {
        "postgres_url": "postgresql://u:p@db/riskmon",
        "redis_url": "rediss://:p@redis/0",
        "kafka_password": "p",
        "ca.pem": "",
    }.items():
        (tmp_path / file).write_text(content)
    settings = load_settings(write(tmp_path, text.replace("/run/secrets", str(tmp_path))))
    assert (settings.storage.kind, settings.queue.kind) == ("postgres", "redis")
    assert settings.kafka.security == ("sasl_ssl" if name == "cluster-tls" else "plaintext")


def test_settings_cannot_be_changed_but_copied():
    settings = replace(Settings(), rules=replace(Settings().rules, packs=("own",)))
    assert settings.rules.packs == ("own",)
    with pytest.raises(AttributeError):
        settings.rules = Settings().rules


def test_every_setting_is_documented_with_its_variable_and_default(repository):
    rows = (repository / "docs/settings.md").read_text().splitlines()
    for path, default in setting_names():
        start = f"| `{'.'.join(path)}` | `{default}` | `{variable(path)}` | "
        assert any(row.startswith(start) for row in rows), f"docs/settings.md has no row {start}"


def test_every_documented_setting_exists(repository):
    rows = (repository / "docs/settings.md").read_text().splitlines()
    named = {row.split("`")[1] for row in rows if row.startswith("| `") and "RISKMON_" in row}
    assert named == {".".join(path) for path, _ in setting_names()}


def test_every_role_is_documented(repository):
    rows = (repository / "docs/settings.md").read_text().splitlines()
    explained = {row.split("`")[1] for row in rows if row.startswith("| `") and "RISKMON_" not in row}
    assert explained == set(ROLES)


def test_the_environment_of_this_process_has_no_part_unless_given(monkeypatch, tmp_path):
    monkeypatch.setitem(os.environ, "RISKMON_HTTP_PORT", "1")
    assert load_settings(write(tmp_path, "")).http.port == 8600
