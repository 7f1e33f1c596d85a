"""The daemon as its operators meet it: it starts once, says why it does not start, answers, and ends in order."""

import asyncio
import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from support.diameter_rig import RawPeer, ccr, dpa
from support.gateways import Gateway, subscribers
from support.lateness import Lateness
from support.patience import PATIENCE

from gateway.store import schema
from gateway.store.engine import open_writer
from protocols.diameter.codec import encode_avp
from protocols.diameter.messages import MultipleServicesCreditControl, RequestedServiceUnit, SubscriptionId

SUCCESS, TOO_BUSY = (encode_avp(268, code.to_bytes(4, "big")) for code in (2001, 3004))
CREDIT_CONTROL, DISCONNECT = 272, 282
ROWS = subscribers(3)


def request(number, session, subscriber=ROWS[0]):
    """A CCR-I that asks for quota."""
    return ccr(
        number,
        session_id=session,
        subscription_id=(SubscriptionId(1, subscriber[1]),),
        multiple_services_credit_control=(
            MultipleServicesCreditControl(requested_service_unit=RequestedServiceUnit(), rating_group=10),
        ),
    )


def at_version(gateway, version):
    """Write a version into the gateway's store."""
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    engine.dispose()


async def test_sigterm_says_goodbye_answers_what_is_owed_and_ends_with_0(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        gateway.enrol(ROWS)
        peer = await RawPeer.open(gateway.diameter_port)
        sent = 600
        peer.send(b"".join(request(number, b"s;%d" % number) for number in range(sent)))
        header, frame = await peer.receive()
        gateway.process.send_signal(signal.SIGTERM)
        answers = {header.hop_by_hop: frame}
        goodbye = None
        while len(answers) < sent or goodbye is None:
            header, frame = await peer.receive()
            if header.command_code == DISCONNECT:
                goodbye = header
                status, body = await asyncio.to_thread(gateway.get, "/readyz")
                assert (status, json.loads(body)["checks"]["not_draining"]) == (503, False)
                assert gateway.process.poll() is None
            else:
                assert header.command_code == CREDIT_CONTROL
                answers[header.hop_by_hop] = frame
        peer.send(dpa(goodbye))
        assert await peer.rest() == b""
        assert await asyncio.to_thread(gateway.process.wait, PATIENCE) == 0
        await peer.leave()
    served = [number for number, frame in answers.items() if SUCCESS in frame]
    assert len(served) > 1
    assert all(SUCCESS in frame or TOO_BUSY in frame for frame in answers.values())
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT session_id FROM sessions")).scalars().all()
    engine.dispose()
    assert set(kept) == {f"s;{number}" for number in served}
    events = [json.loads(line)["event"] for line in gateway.log.read_text().splitlines()]
    assert events[-1] == "daemon.stopped"
    assert not (tmp_path / "gw" / "var" / "tpo.sock").exists()


def test_a_second_daemon_is_refused_before_it_binds_anything(tmp_path):
    with Gateway(tmp_path / "gw") as first:
        refused = first.tpo("run", ok=(1,))
        told = refused.stdout + refused.stderr
        assert f"process {first.process.pid} has this store open" in told
        assert "Traceback" not in told
        assert first.json("status")["state"] == "running"  # its socket was not taken away


@pytest.mark.parametrize("face", ["diameter_port", "http_port"])
def test_a_port_that_is_taken_is_named(tmp_path, face):
    gateway = Gateway(tmp_path / "gw")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", getattr(gateway, face)))
        other.listen()
        refused = gateway.tpo("run", ok=(1,))
    told = refused.stdout + refused.stderr
    assert "the gateway cannot start" in refused.stderr
    assert str(getattr(gateway, face)) in refused.stderr
    assert "Traceback" not in told
    with gateway:
        assert gateway.json("status")["state"] == "running"


def test_a_broken_configuration_is_told_and_ends_with_78(tmp_path):
    gateway = Gateway(tmp_path / "gw", extra="retenton: {answers: 48h}")
    refused = gateway.tpo("run", ok=(78,))
    assert "retenton" in refused.stdout + refused.stderr
    assert "retention" in refused.stdout + refused.stderr
    assert not (tmp_path / "gw" / "var").exists()


def test_a_store_of_another_version_ends_with_78_and_names_the_remedy(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    gateway.enrol(ROWS)
    at_version(gateway, "0000")
    for words in (("run",), ("subscriber", "show", ROWS[0][0]), ("ledger", "check")):
        refused = gateway.tpo(*words, ok=(78,))
        assert "tpo db upgrade" in refused.stderr
        assert "Traceback" not in refused.stderr
    refused = gateway.tpo("db", "upgrade", ok=(78,))
    assert "at version 0000, which this program does not know" in refused.stderr
    assert "Traceback" not in refused.stderr
    at_version(gateway, schema.head())
    assert gateway.json("subscriber", "show", ROWS[0][0])["imsi"] == ROWS[0][1]


def test_an_older_store_is_upgraded_on_request_and_then_serves(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    (tmp_path / "gw" / "var").mkdir()
    engine = open_writer(f"sqlite:///{tmp_path}/gw/var/tpo.db")
    with engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    assert gateway.json("db", "upgrade") == {"before": "0001", "after": schema.head()}
    with gateway:
        refused = gateway.tpo("db", "upgrade", ok=(1,))
        assert str(gateway.process.pid) in refused.stderr
        assert gateway.enrol(ROWS)["created"] == len(ROWS)


def test_health_and_metrics_answer(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        for path in ("/livez", "/readyz"):
            status, body = gateway.get(path)
            assert status == 200
            assert json.loads(body)["ok"] is True
        status, metrics = gateway.get("/metrics")
        assert status == 200
        assert 'tpo_diameter_peer_up{peer="pgw.host.example"} 0.0' in metrics
        for name in (
            "tpo_build_info",
            "tpo_store_queue_depth",
            "tpo_store_batches_total",
            "tpo_event_loop_lag_seconds",
        ):
            assert f"\n{name}" in metrics
        assert gateway.get("/nothing")[0] == 404
        assert json.loads(gateway.get("/nothing")[1])["code"] == "http.404"


def test_commands_work_on_the_store_while_the_gateway_is_down_and_by_its_socket_while_it_is_up(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    refused = gateway.tpo("status", ok=(69,))
    assert "not running" in refused.stderr

    def work(reference, balance):
        found = gateway.json("subscriber", "topup", ROWS[0][0], "1.50", "--reference", reference)
        assert found["repeated"] is False
        assert gateway.json("subscriber", "topup", ROWS[0][0], "1.50", "--reference", reference)["repeated"] is True
        shown = gateway.json("subscriber", "show", ROWS[0][1])
        assert (shown["msisdn"], shown["balance"], shown["plan"]) == (ROWS[0][0], balance, "payg-gb")
        gateway.check()
        return shown["subscriber_id"]

    assert gateway.enrol(ROWS)["created"] == len(ROWS)
    subscriber_id = work("down-1", "11.50")
    with gateway:
        listener = tmp_path / "gw" / "var" / "tpo.sock"
        assert stat.S_IMODE(listener.stat().st_mode) == 0o660
        assert gateway.enrol(ROWS)["unchanged"] == len(ROWS)
        assert work("up-1", "13.00") == subscriber_id
        gateway.kill()
        assert listener.exists()  # nobody is behind it: commands see that
        assert gateway.tpo("status", ok=(69,)).returncode == 69
        assert work("killed-1", "14.50") == subscriber_id


async def test_a_thousand_half_open_connections_and_garbage_harm_nobody_else(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        gateway.enrol(ROWS)
        peer = await RawPeer.open(gateway.diameter_port)
        slowest, served = 0.0, 0

        async def serve(prefix, count):
            nonlocal slowest, served
            clock = asyncio.get_running_loop().time
            for number in range(count):
                began = clock()
                header, frame = await peer.ask(request(number, b"%s;%d" % (prefix, number)))
                assert (header.hop_by_hop, SUCCESS in frame) == (number, True)
                slowest, served = max(slowest, clock() - began), served + 1

        await serve(b"before", 100)
        before = resident(gateway)
        crowd, late = [], Lateness()
        work = asyncio.create_task(serve(b"meanwhile", 400))
        noise = os.urandom(4096)
        for number in range(1000):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.diameter_port)
            if number % 3 == 0:
                writer.write(noise)
            elif number % 3 == 1:
                writer.write(b"\x01\x00\xff\xfc\x80\x00\x01\x01")  # the head of a large CER, and no more of it
            crowd.append((reader, writer))
        await work
        after = resident(gateway)
        await serve(b"after", 100)
        metrics = gateway.get("/metrics")[1]
        for _, writer in crowd:
            writer.close()
        await peer.leave()
        assert served == 600
        assert slowest < 2.0 + 3 * late.end()  # a machine that others use keeps each process waiting
        assert after - before < 24 * 1024 * 1024, f"{(after - before) >> 20} MiB more"
        assert 'tpo_diameter_peer_up{peer="pgw.host.example"} 1.0' in metrics


def resident(gateway):
    """Octets of memory that the process has."""
    figures = Path(f"/proc/{gateway.process.pid}/statm").read_text()
    return int(figures.split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_backup_is_taken_while_the_gateway_runs_and_opens_as_its_store(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        gateway.enrol(subscribers(3))
        copy = tmp_path / "copy.db"
        assert gateway.json("db", "backup", str(copy))["octets"] == copy.stat().st_size
        assert "there already" in gateway.tpo("db", "backup", str(copy), ok=(1,)).stderr
        balances = gateway.balances()
        gateway.stop()
        gateway.config.write_text(gateway.config.read_text().replace("var/tpo.db", str(copy)))
        assert gateway.balances() == balances
        gateway.check()
    other = Gateway(tmp_path / "pg", store="postgresql://nobody@127.0.0.1/none")
    assert "pg_dump" in other.tpo("db", "backup", str(tmp_path / "x.db"), ok=(1,)).stderr
