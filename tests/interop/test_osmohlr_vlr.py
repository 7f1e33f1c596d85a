"""What a phone's network hears: a VLR and an SGSN, played by the tests, are attached to a real osmo-hlr that we provision."""

import shutil

import pytest
from support.gsup_vlr import DELETE_DATA, INSERT_DATA, PS, Vlr
from support.host_conformance import BARRED, NUMBER, OPEN, OTHER_NUMBER, SILENT, brought, line
from support.osmo_hlr import osmo_hlr
from support.patience import PATIENCE

from provisioning.hosts.interface import ABSENT, Access, Condition
from provisioning.hosts.osmohlr import OsmoHlr

pytestmark = pytest.mark.skipif(not shutil.which("osmo-hlr"), reason="needs Debian's osmo-hlr")

IMSI = line().imsi


@pytest.fixture
def hlr(tmp_path):
    with osmo_hlr(tmp_path) as process:
        yield process


@pytest.fixture
async def host(hlr):
    adapter = OsmoHlr("home", hlr.ctrl, hlr.vty, timeout=PATIENCE)
    yield adapter
    await adapter.close()


@pytest.fixture
async def vlr(hlr):
    async with Vlr(hlr.gsup) as network:
        yield network


@pytest.fixture
async def attached(host, vlr):
    """A phone that is attached to the VLR, which has been told its number."""
    await brought(host, line(), OPEN)
    phone = await vlr.attach(IMSI)
    assert (phone.accepted, phone.msisdn) == (True, NUMBER)
    assert await vlr.pushes(IMSI) == [(INSERT_DATA, NUMBER)]
    return vlr


def kinds(pushes):
    return {kind for kind, _ in pushes}


@pytest.mark.parametrize("wanted", [BARRED, SILENT, ABSENT])
async def test_an_attached_phone_is_cut_off_and_not_let_in_again(host, attached, wanted):
    await brought(host, line(), wanted)
    assert kinds(await attached.pushes(IMSI)) == {DELETE_DATA}
    assert not (await attached.attach(IMSI)).accepted


async def test_a_phone_with_data_alone_is_cut_off_as_well(hlr, host):
    await brought(host, line(), OPEN)
    async with Vlr(hlr.gsup, "sgsn-of-the-tests", PS) as sgsn:
        assert (await sgsn.attach(IMSI)).accepted
        await sgsn.pushes(IMSI)
        await brought(host, line(), BARRED)
        assert kinds(await sgsn.pushes(IMSI)) == {DELETE_DATA}


async def test_a_resumed_phone_is_let_in_again_with_the_number_it_has_now(host, attached):
    await brought(host, line(), BARRED)
    await brought(host, line(), Condition(Access.OPEN, OTHER_NUMBER))
    await attached.pushes(IMSI)
    phone = await attached.attach(IMSI)
    assert (phone.accepted, phone.msisdn) == (True, OTHER_NUMBER)


async def test_an_attached_phone_s_network_learns_the_new_number(host, attached):
    await brought(host, line(), Condition(Access.OPEN, OTHER_NUMBER))
    assert await attached.pushes(IMSI) == [(INSERT_DATA, OTHER_NUMBER)]


async def test_a_barred_phone_s_network_is_told_nothing_of_numbers(host, attached):
    await brought(host, line(), BARRED)
    await attached.pushes(IMSI)
    await brought(host, line(), Condition(Access.BARRED, OTHER_NUMBER))
    assert await attached.pushes(IMSI) == []


@pytest.mark.parametrize("wanted", [OPEN, BARRED, SILENT, ABSENT])
async def test_bringing_twice_tells_the_network_nothing_the_second_time(host, attached, wanted):
    await brought(host, line(), wanted)
    await attached.pushes(IMSI)
    await brought(host, line(), wanted)
    assert await attached.pushes(IMSI) == []


async def test_an_unknown_phone_is_let_in_once_it_is_activated(host, vlr):
    assert not (await vlr.attach(IMSI)).accepted
    await brought(host, line(), OPEN)
    assert (await vlr.attach(IMSI)).accepted
