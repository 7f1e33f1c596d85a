"""Who may look into what the gateway writes, when it is started by a shell that keeps nobody out."""

import os
import stat

import pytest
from support.gateways import Gateway, subscribers
from support.sms_gateway import SmsGateway

from gateway.store.engine import open_writer


@pytest.fixture(params=[0o022, 0o000], ids=["umask 022", "umask 000"])
def careless(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder):
    """Path within the folder -> its permissions."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


def test_nothing_that_the_gateway_writes_is_open_to_others(tmp_path, careless):
    gateway = SmsGateway(tmp_path / "gw")
    gateway.new_store = None
    with gateway:
        gateway.enrol(subscribers(3))
        gateway.tpo("db", "backup", str(tmp_path / "gw" / "var" / "copy.db"))
        gateway.tpo("trace", "start", "--msisdn", "447700900001", "--pcap", str(tmp_path / "gw" / "var" / "t.pcap"))
        running = modes(tmp_path / "gw" / "var")
    stopped = modes(tmp_path / "gw" / "var")
    files = {"tpo.db", "tpo.db-wal", "tpo.db-shm", "tpo.key", "copy.db", "t.pcap"}
    assert {name: running[name] for name in files} == dict.fromkeys(files, 0o600)
    assert (running["tpo.db.lock"], running["tpo.sock"]) == (0o640, 0o660)
    assert files | {"tpo.db.lock", "tpo.sock"} == set(running)
    assert {name: mode for name, mode in stopped.items() if mode & 0o027} == {}
    assert stat.S_IMODE((tmp_path / "gw" / "var").stat().st_mode) == 0o750


def test_commands_of_a_stopped_gateway_and_the_results_of_a_bulk_are_private_too(tmp_path, careless):
    gateway = Gateway(tmp_path / "gw")
    gateway.enrol(subscribers(3))
    bulk, results = tmp_path / "bulk.csv", tmp_path / "results.csv"
    bulk.write_text("action,iccid,reason\nsuspend,8944100000000002006,lost\n")
    gateway.tpo("sim", "bulk", str(bulk), "--results", str(results), ok=(1, 69, 75))
    found = modes(tmp_path / "gw" / "var")
    assert {name: mode for name, mode in found.items() if mode & 0o027} == {}
    assert found["tpo.db"] == found["tpo.key"] == 0o600
    assert results.exists()
    assert stat.S_IMODE(results.stat().st_mode) == 0o600


def test_a_store_that_others_could_read_is_closed_to_them_when_it_is_opened(tmp_path):
    path = tmp_path / "t.db"
    engine = open_writer(f"sqlite:///{path}")
    with engine.connect():
        for name in ("t.db", "t.db-wal", "t.db-shm"):
            (tmp_path / name).touch()
            (tmp_path / name).chmod(0o664)
        open_writer(f"sqlite:///{path}").dispose()
        assert set(modes(tmp_path).values()) == {0o600}
    engine.dispose()


def test_a_store_that_cannot_be_made_is_left_to_the_driver_to_complain_of(tmp_path):
    engine = open_writer(f"sqlite:///{tmp_path}/absent/t.db")
    with pytest.raises(Exception, match="unable to open database file"):
        engine.connect()
