"""A line's life through a real osmo-hlr and the simulated activation API, as somebody hears it who listens in."""

import shutil

import pytest
from support.host_conformance import BARRED, KI, NUMBER, OPEN, brought, line
from support.osmo_hlr import osmo_hlr
from support.patience import PATIENCE

from provisioning.hosts.interface import ABSENT
from provisioning.hosts.osmohlr import OsmoHlr
from provisioning.hosts.tmf640 import Tmf640
from simulators.host_api import HostApi


async def lead(host, heard):
    """Bring a line through its life while it is listened to."""
    host.set_tap(heard.append)
    for step, wanted in enumerate((OPEN, BARRED, ABSENT)):
        await brought(host, line(), wanted, f"call-{step}")
    host.set_tap(None)
    told = len(heard)
    await host.read(line())
    await host.close()
    assert len(heard) == told


@pytest.mark.skipif(not shutil.which("osmo-hlr"), reason="needs Debian's osmo-hlr")
async def test_each_command_to_a_real_hlr_and_each_answer_is_heard(tmp_path):
    heard = []
    with osmo_hlr(tmp_path) as hlr:
        await lead(OsmoHlr("home", hlr.ctrl, hlr.vty, timeout=PATIENCE), heard)
        assert {(each.protocol, each.remote) for each in heard} == {("ctrl", hlr.ctrl), ("vty", hlr.vty)}
    sent, came = ([each for each in heard if each.outgoing is way] for way in (True, False))
    ctrl = [each.message[4:].split(b" ")[1] for each in sent if each.protocol == "ctrl"]
    answers = [each.message[4:].split(b" ")[1] for each in came if each.protocol == "ctrl"]
    assert ctrl == answers
    assert len(ctrl) > 5
    typed = [each.message for each in sent if each.protocol == "vty"]
    assert f"subscriber imsi {line().imsi} update network-access-mode none\n".encode() in typed
    assert len([each for each in came if each.protocol == "vty"]) == len(typed) + 1  # the greeting
    assert any(KI.hex().encode() in each.message for each in sent)  # raw: to mask is the listener's work


async def test_each_request_to_the_activation_api_and_each_answer_is_heard():
    simulator, heard = HostApi(), []
    await simulator.start()
    await lead(Tmf640("lab", simulator.url, timeout=PATIENCE, poll=0.01, token="hush"), heard)
    await simulator.stop()
    assert [each.outgoing for each in heard] == [True, False] * (len(heard) // 2)
    methods = {each.message.split(b" ")[0] for each in heard}
    assert methods == {b"GET", b"POST", b"PATCH", b"DELETE", b"HTTP/1.1"}
    assert any(NUMBER.encode() in each.message for each in heard)
    assert not any(b"hush" in each.message for each in heard)
