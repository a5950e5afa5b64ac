"""TLS and log-in at a real broker: who may come in does, others do not, and a whole cluster runs so."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from servers import SCRIPTS, PostgresServer, RedisServer, Server, steady_port
from sites import Site, until

from streams.ports import Record
from streams.runners.kafka.connection import Broker, BrokerAwayError, reach
from streams.runners.kafka.producer import EventProducer

pytestmark = [pytest.mark.kafka]

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=INNER://127.0.0.1:{inner},MUTUAL://127.0.0.1:{mutual},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=INNER://127.0.0.1:{inner},MUTUAL://127.0.0.1:{mutual},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=INNER:PLAINTEXT,MUTUAL:SSL,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INNER
log.dirs={folder}/data
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_riskmon="hush";
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
"""  # noqa: E501  a property is a line


def script() -> Any:
    """The module of `scripts/kafka`."""
    loader = SourceFileLoader("kafka_script", str(SCRIPTS / "kafka"))
    module = module_from_spec(spec_from_loader("kafka_script", loader))
    loader.exec_module(module)
    return module


class Authority:
    """Who signs certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._certificate(self._name, self._key.public_key(), is_authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write a certificate for 127.0.0.1 and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate, secret = folder / f"{name}.crt", folder / f"{name}.key"
        issued = self._certificate(subject, key.public_key(), is_authority=False)
        certificate.write_bytes(issued.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, secret

    def _certificate(self, subject: x509.Name, key: Any, *, is_authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = builder.add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=None), critical=True
        )
        return builder.add_extension(address, critical=False).sign(self._key, hashes.SHA256())


class SecureKafka(Server):
    """A broker that lets in by certificate at one port, by TLS and password at another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.mutual, self.secure = steady_port(), steady_port()
        self.authority = Authority(folder, "ca")
        certificate, key = self.authority.issue(folder, "broker")
        (folder / "broker.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        self._kafka, self._properties = script(), folder / "server.properties"
        self._properties.write_text(
            PROPERTIES.format(
                folder=folder,
                inner=self.port,
                mutual=self.mutual,
                secure=self.secure,
                controller=steady_port(),
            )
        )
        user = ["--add-scram", "SCRAM-SHA-512=[name=riskmon,password=hush]"]
        options = ["format", "-t", self._kafka.CLUSTER, "-c", str(self._properties), *user]
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *options), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def command(self) -> list[str]:
        return self._java("kafka.Kafka", str(self._properties))

    def answers(self) -> bool:
        return bool(self._kafka.answers(self.port))

    def _java(self, main: str, *arguments: str) -> list[str]:
        command: list[str] = self._kafka.java(self._kafka.fetch(), main, *arguments)
        return command


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    server = SecureKafka(tmp_path_factory.mktemp("tls"))
    server.start()
    yield server
    server.stop()


def by_password(kafka: SecureKafka, **changes: str) -> Broker:
    facts = {
        "bootstrap": f"127.0.0.1:{kafka.secure}",
        "security": "sasl_ssl",
        "sasl_username": "riskmon",
        "sasl_password": "hush",
        "ca_file": str(kafka.authority.file),
    }
    return Broker(**facts | changes)


def by_certificate(kafka: SecureKafka, authority: Authority) -> Broker:
    certificate, key = authority.issue(kafka.folder, "client")
    return Broker(
        bootstrap=f"127.0.0.1:{kafka.mutual}",
        security="ssl",
        ca_file=str(kafka.authority.file),
        cert_file=str(certificate),
        key_file=str(key),
    )


def send_to_new_topic(broker: Broker, topic: str) -> None:
    """Make a topic and send a record; returns once it is acknowledged."""

    async def make() -> None:
        admin = AIOKafkaAdminClient(**broker.options)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, 1, 1)])
        finally:
            await admin.close()

    asyncio.run(make())
    producer = EventProducer(broker, topic)
    producer.start()
    try:
        producer.submit([Record(b"{}", "test", 1)]).result(60)
    finally:
        producer.stop()


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-512"])
def test_records_are_sent_over_tls_after_a_log_in(kafka, mechanism):
    send_to_new_topic(by_password(kafka, sasl_mechanism=mechanism), f"by-{mechanism}")


def test_records_are_sent_by_who_shows_a_certificate(kafka):
    send_to_new_topic(by_certificate(kafka, kafka.authority), "by-certificate")


def refusal(broker: Broker) -> str:
    """Return why the broker lets nobody in.

    Of a connection that ends in the middle of shaking hands asyncio leaves the socket to the collector:
    it is taken here, lest a later test be blamed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(BrokerAwayError) as told:
            asyncio.run(reach(broker))
        why = str(told.value)
        del told
        gc.collect()
    return why


def test_a_wrong_password_is_told(kafka):
    wrong = by_password(kafka, sasl_mechanism="plain", sasl_password="wrong")
    assert "Invalid username or password" in refusal(wrong)


def test_a_broker_whose_certificate_nobody_believes_is_not_talked_to(kafka, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(by_password(kafka, ca_file=str(stranger.file)))


def test_a_certificate_that_the_broker_does_not_believe_does_not_let_in(kafka, tmp_path):
    assert refusal(by_certificate(kafka, Authority(tmp_path, "stranger")))


@pytest.mark.postgres
@pytest.mark.redis
def test_a_whole_cluster_runs_on_the_profile_with_tls_and_log_in(kafka, tmp_path, repository):
    postgres, redis = PostgresServer(), RedisServer(tmp_path)
    site = None
    try:
        postgres.start()
        redis.start()
        postgres.create("web")
        for name, secret in {
            "postgres_url": postgres.database("web"),
            "redis_url": redis.url,
            "kafka_password": "hush",
            "ca.pem": kafka.authority.file.read_text(),
        }.items():
            (tmp_path / name).write_text(secret)
        profile = tmp_path / "cluster-tls.yaml"
        text = (repository / "config/profiles/cluster-tls.yaml").read_text()
        profile.write_text(text.replace("/run/secrets", str(tmp_path)))
        port, secure = steady_port(), {"RISKMON_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka.secure}"}
        site = Site(tmp_path, kafka, postgres, redis, f"http://127.0.0.1:{port}", profile, secure)
        site.start("desk")
        site.start("worker")
        site.start("web", "--port", str(port))
        until(lambda: site.is_ready, "the web role is ready")
        assert site.raise_alert("C-tls")["rule"] == "A-101"
    finally:
        if site is not None:
            site.kill()
        redis.stop()
        postgres.stop()
        postgres.remove()
