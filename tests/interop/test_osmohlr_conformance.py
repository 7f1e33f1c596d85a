"""The adapter for OsmoHLR against a real osmo-hlr: what every host adapter does, and what this one minds besides."""

import asyncio
import shutil
from types import SimpleNamespace

import pytest
from support.host_conformance import BARRED, KI, NUMBER, OPC, OPEN, OTHER_NUMBER, HostConformance, brought, line
from support.osmo_hlr import osmo_hlr
from support.patience import PATIENCE

from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import ABSENT, UNSETTLED, Access, Condition
from provisioning.hosts.osmohlr import OsmoHlr

pytestmark = pytest.mark.skipif(not shutil.which("osmo-hlr"), reason="needs Debian's osmo-hlr")

OTHER_KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")


@pytest.fixture
def hlr(tmp_path):
    with osmo_hlr(tmp_path) as process:
        yield process


@pytest.fixture
async def host(hlr):
    adapter = OsmoHlr("home", hlr.ctrl, hlr.vty, timeout=PATIENCE)
    yield adapter
    await adapter.close()


class TestOsmoHlr(HostConformance):
    @pytest.fixture
    async def host_under_test(self, hlr, host):
        def hold():
            access = {(1, 1): Access.OPEN, (0, 0): Access.BARRED}
            rows = hlr.subscribers()
            return {imsi: Condition(access[r["nam_cs"], r["nam_ps"]], r["msisdn"]) for imsi, r in rows.items()}

        async def break_connection():
            hlr.kill()
            assert hlr.start()

        return SimpleNamespace(host=host, hold=hold, break_connection=break_connection)


async def test_the_hlr_holds_the_keys_of_the_card(hlr, host):
    assert (await brought(host, line(), OPEN)).keys_match
    row = hlr.subscribers()[line().imsi]
    assert (row["k"], row["opc"], row["op"]) == (KI.hex(), OPC.hex(), None)


async def test_keys_that_are_there_are_not_written_again(hlr, host):
    await brought(host, line(), OPEN)
    hlr.write("UPDATE auc_3g SET sqn = 4711")
    for wanted in (OPEN, BARRED, Condition(Access.OPEN, OTHER_NUMBER)):
        await brought(host, line(), wanted)
    assert hlr.subscribers()[line().imsi]["sqn"] == 4711


@pytest.mark.parametrize("other", [line(ki=OTHER_KEY), line(opc=OTHER_KEY)])
async def test_other_keys_are_told_and_replaced(hlr, host, other):
    await brought(host, other, OPEN)
    reading = await host.read(line())
    assert (reading.condition, reading.keys_match, reading.shows(OPEN)) == (OPEN, False, False)
    assert (await brought(host, line(), OPEN)).keys_match
    assert hlr.subscribers()[line().imsi]["k"] == KI.hex()


async def test_an_op_is_never_taken_for_an_opc(hlr, host):
    await brought(host, line(), OPEN)
    hlr.write("UPDATE auc_3g SET op = opc, opc = NULL")
    assert (await host.read(line())).keys_match is False
    assert (await brought(host, line(), OPEN)).keys_match


async def test_a_line_without_keys_is_not_compared(hlr, host):
    keyless = type(line())(line().iccid, line().imsi, "mobile-line")
    assert (await brought(host, keyless, OPEN)).keys_match is None
    assert hlr.subscribers()[line().imsi]["k"] is None


async def test_the_next_subscriber_does_not_inherit_the_keys_of_a_deleted_one(hlr, host):
    await brought(host, line(), OPEN)
    first = hlr.subscribers()[line().imsi]["id"]
    await brought(host, line(), ABSENT)
    await host.bring("call-3", type(line())("", line(2).imsi, ""), OPEN)
    row = hlr.subscribers()[line(2).imsi]
    assert (row["id"], row["k"]) == (first, None)


@pytest.mark.parametrize("half", ["nam_cs", "nam_ps"])
@pytest.mark.parametrize("wanted", [OPEN, BARRED, ABSENT])
async def test_a_half_open_line_shows_nothing_that_can_be_wanted_and_is_brought_on(hlr, host, half, wanted):
    await brought(host, line(), OPEN)
    hlr.write(f"UPDATE subscriber SET {half} = 0")
    reading = await host.read(line())
    assert reading.condition == UNSETTLED
    assert not any(reading.shows(each) for each in (OPEN, BARRED, ABSENT, Condition(Access.OPEN)))
    await brought(host, line(), wanted)


async def test_a_refused_number_leaves_no_trace(hlr, host):
    await brought(host, line(), OPEN)
    with pytest.raises(HostRefused, match="home holds the number for another IMSI"):
        await host.bring("call-2", line(2), OPEN)
    assert list(hlr.subscribers()) == [line().imsi]


async def test_two_lines_that_race_for_one_number_get_it_once(hlr, host):
    lines = [line(n) for n in range(8)]
    ends = await asyncio.gather(*(host.bring(f"c{n}", k, OPEN) for n, k in enumerate(lines)), return_exceptions=True)
    assert sorted(str(end) for end in ends) == ["None"] + ["home holds the number for another IMSI"] * 7
    assert sum(row["msisdn"] == NUMBER for row in hlr.subscribers().values()) == 1


@pytest.mark.parametrize(
    "imsi", ["2341500", "234150000000001\n", "23415000000000a", "234150000000001 update", "٢" * 15]
)
async def test_nothing_but_an_imsi_comes_into_a_command(hlr, host, imsi):
    wrong = type(line())(line().iccid, imsi, "mobile-line")
    for call in (host.bring("call-1", wrong, OPEN), host.read(wrong)):
        with pytest.raises(HostRefused, match="IMSI has 14 or 15 digits"):
            await call
    assert hlr.subscribers() == {}


@pytest.mark.parametrize("msisdn", ["", "07700900123", "+447700900001", "447700900001\nenable", "none", "4" * 16])
async def test_nothing_but_an_msisdn_comes_into_a_command(hlr, host, msisdn):
    with pytest.raises(HostRefused, match="MSISDN has 5 to 15 digits"):
        await host.bring("call-1", line(), Condition(Access.OPEN, msisdn))
    assert hlr.subscribers() == {}


async def test_an_hlr_that_is_down_is_unavailable_and_found_again_when_it_is_back(hlr, host):
    await brought(host, line(), OPEN)
    hlr.kill()
    for call in (host.bring("call-2", line(), BARRED), host.read(line())):
        with pytest.raises(HostUnavailable) as unavailable:
            await call
        assert line().imsi not in str(unavailable.value)
    assert hlr.start()
    await brought(host, line(), BARRED)
    assert hlr.subscribers()[line().imsi]["nam_cs"] == 0


async def test_a_closed_adapter_serves_again_when_it_is_asked(host):
    await brought(host, line(), OPEN)
    await host.close()
    assert (await host.read(line())).condition == OPEN
