"""What every host adapter has to do, whatever is behind it: one suite, run against each adapter's real or simulated host.

A test module gives a fixture `host_under_test` with three things, and inherits the tests:

    host                 the adapter (provisioning.hosts.interface.Host)
    hold()               {imsi: Condition} of all lines that the host really holds, read by other means than the adapter
    break_connection()   a coroutine: whatever connects the adapter with its host is cut; the host itself lives on

    class TestMyHost(HostConformance):
        @pytest.fixture
        async def host_under_test(self): ...
"""

import asyncio

import pytest

from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import ABSENT, Access, Condition, HostLine
from provisioning.keys import Keys
from support.patience import PATIENCE

NUMBER, OTHER_NUMBER = "447700900001", "447700900002"
OPEN, BARRED, SILENT = Condition(Access.OPEN, NUMBER), Condition(Access.BARRED, NUMBER), Condition(Access.BARRED)
KI, OPC = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")


def line(number=1, *, ki=KI, opc=OPC):
    return HostLine(f"894411{number:013}", f"23415{number:010}", "mobile-line", Keys(ki, opc))


async def brought(host, wanted_line, wanted, call_id="call-1"):
    """Bring a line, wait where the host works on it, and read it back until it shows what was wanted."""
    pending = await host.bring(call_id, wanted_line, wanted)
    reading = await host.read(wanted_line)
    if pending is not None:
        async with asyncio.timeout(PATIENCE):
            while not reading.shows(wanted):
                await asyncio.sleep(min(pending.after, 0.05))
                reading = await host.read(wanted_line)
    assert reading.shows(wanted), reading
    return reading


class HostConformance:
    async def test_a_line_that_nobody_brought_is_absent(self, host_under_test):
        assert (await host_under_test.host.read(line())).condition == ABSENT
        assert host_under_test.hold() == {}

    @pytest.mark.parametrize("wanted", [OPEN, BARRED, SILENT])
    async def test_a_new_line_is_created_as_wanted(self, host_under_test, wanted):
        await brought(host_under_test.host, line(), wanted)
        assert host_under_test.hold() == {line().imsi: wanted}

    async def test_a_line_lives_through_activation_suspension_resumption_and_termination(self, host_under_test):
        held = []
        for step, wanted in enumerate((OPEN, BARRED, OPEN, SILENT, ABSENT)):
            await brought(host_under_test.host, line(), wanted, f"call-{step}")
            held.append(host_under_test.hold().get(line().imsi, ABSENT))
        assert held == [OPEN, BARRED, OPEN, SILENT, ABSENT]

    @pytest.mark.parametrize("wanted", [OPEN, BARRED, SILENT, ABSENT])
    async def test_bringing_twice_changes_nothing_the_second_time(self, host_under_test, wanted):
        await brought(host_under_test.host, line(2), Condition(Access.OPEN, OTHER_NUMBER))
        await brought(host_under_test.host, line(), wanted, "call-2")
        before = host_under_test.hold()
        for call_id in ("call-2", "call-3"):
            await brought(host_under_test.host, line(), wanted, call_id)
        assert host_under_test.hold() == before

    async def test_a_line_gets_another_number(self, host_under_test):
        await brought(host_under_test.host, line(), OPEN)
        wanted = Condition(Access.OPEN, OTHER_NUMBER)
        await brought(host_under_test.host, line(), wanted, "call-2")
        assert host_under_test.hold() == {line().imsi: wanted}

    async def test_a_number_moves_from_the_old_card_to_the_new_one(self, host_under_test):
        host, old, new = host_under_test.host, line(), line(2)
        await brought(host, old, OPEN)
        await brought(host, new, SILENT, "call-2")
        await brought(host, old, SILENT, "call-3")
        await brought(host, new, OPEN, "call-4")
        assert host_under_test.hold() == {old.imsi: SILENT, new.imsi: OPEN}

    async def test_a_number_that_another_line_has_is_refused_without_telling_it(self, host_under_test):
        await brought(host_under_test.host, line(), OPEN)
        with pytest.raises(HostRefused) as refused:
            await brought(host_under_test.host, line(2), OPEN, "call-2")
        said = str(refused.value)
        assert not any(number in said for number in (NUMBER, line().imsi, line(2).imsi, line().iccid, line(2).iccid))
        assert host_under_test.hold()[line().imsi] == OPEN
        assert host_under_test.hold().get(line(2).imsi, ABSENT) != OPEN

    async def test_a_refused_line_can_be_made_absent_and_brought_again(self, host_under_test):
        host = host_under_test.host
        await brought(host, line(), OPEN)
        with pytest.raises(HostRefused):
            await brought(host, line(2), OPEN, "call-2")
        await brought(host, line(2), ABSENT, "call-3")
        await brought(host, line(), ABSENT, "call-4")
        await brought(host, line(2), OPEN, "call-5")
        assert host_under_test.hold() == {line(2).imsi: OPEN}

    async def test_many_lines_are_brought_at_once(self, host_under_test):
        wanted = {line(n): Condition(Access.OPEN, f"4477009001{n:02}") for n in range(40)}
        await asyncio.gather(*(brought(host_under_test.host, k, w, f"call-{k.iccid}") for k, w in wanted.items()))
        assert host_under_test.hold() == {k.imsi: w for k, w in wanted.items()}

    async def test_a_cut_connection_is_made_anew(self, host_under_test):
        host = host_under_test.host
        await brought(host, line(), OPEN)
        await host_under_test.break_connection()
        try:
            await host.read(line())
        except HostUnavailable:
            assert (await host.read(line())).condition == OPEN
        await brought(host, line(), BARRED, "call-2")
        assert host_under_test.hold() == {line().imsi: BARRED}

    async def test_a_closed_adapter_leaves_the_line_as_it_is(self, host_under_test):
        await brought(host_under_test.host, line(), OPEN)
        await host_under_test.host.close()
        assert host_under_test.hold() == {line().imsi: OPEN}

    @pytest.mark.parametrize("body", [b"", b"\xff\x00", b"{}", b"[[[[", b"null", b'{"event": {"service": 7}}'])
    async def test_a_callback_of_garbage_hints_at_nothing(self, host_under_test, body):
        assert host_under_test.host.hinted(body) == []

    async def test_keys_come_out_in_no_message_reading_or_log(self, host_under_test, caplog):
        caplog.set_level(0)
        host, said = host_under_test.host, []
        said.append(repr(await brought(host, line(), OPEN)))
        with pytest.raises(HostRefused) as refused:
            await brought(host, line(2), OPEN, "call-2")
        said += [str(refused.value), repr(refused.value), repr(vars(host)), caplog.text]
        assert not any(key.hex() in text.lower() or repr(key) in text for key in (KI, OPC) for text in said)
