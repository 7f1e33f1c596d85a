"""What the service manager hears, on a real datagram socket."""

import socket

import pytest
from support.patience import PATIENCE

from gateway.runtime.systemd import Notify


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(PATIENCE)
        yield listener


def test_the_manager_hears_each_word_of_the_protocol(manager):
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()})
    notify.ready()
    notify.reloading(lambda: 12.5)
    notify.alive()
    notify.stopping()
    heard = [manager.recv(1024).decode() for _ in range(4)]
    assert heard == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=12500000", "WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_address_is_reached(tmp_path):
    name = f"tpo-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(PATIENCE)
        Notify({"NOTIFY_SOCKET": "@" + name}).ready()
        assert listener.recv(64) == b"READY=1"


def test_nobody_listening_or_nobody_named_harms_nobody(tmp_path):
    Notify({}).ready()
    unheard = Notify({"NOTIFY_SOCKET": str(tmp_path / "nothing")})
    unheard.ready()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_sign_of_life_is_due_at_a_third_of_the_managers_patience(environment, interval):
    assert Notify(environment, pid=77).interval == interval
