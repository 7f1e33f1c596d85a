"""Keys of cards and numbers of customers must not be seen: cards live, hosts fail, and everything told is searched."""

import asyncio
import itertools

from support.sim_gateway import card, phone, sim_desk

from simulators.host_api import HostApi, Mode
from simulators.host_faults import Fault, Faults

KI, OPC = "c0ffee15600ddeadbeefca11ab1e5afe", "5eedfacade0ddba11c0de5caffedeaf0"
CARD, SPARE = {**card(7), "ki": KI, "opc": OPC}, card(8)
NUMBER = "447700987654"
PLAN = "payg-gb"
KEYS = (KI, OPC, KI.upper(), OPC.upper())
NUMBERS = (NUMBER, CARD["imsi"])


def raw(key):
    """A key as octets, too."""
    return [key.encode(), bytes.fromhex(key)]


async def live(desk):
    """A life with everything in it that can be told; gives what the interfaces said."""
    said = []
    for kind, params in (
        ("activate", {"msisdn": NUMBER, "plan": PLAN, "cause": "wwf"}),
        ("suspend", {"reason": "fraud"}),
        ("resume", {"reason": "fraud"}),
        ("swap", {"new_iccid": SPARE["iccid"]}),
    ):
        said.append(await desk.order(kind, CARD["iccid"], **params))
    said.append(await desk.order("terminate", SPARE["iccid"]))
    for action, params in (
        ("sim.activate", {"iccid": CARD["iccid"], "msisdn": NUMBER, "plan": PLAN}),
        ("sim.suspend", {"iccid": CARD["iccid"], "reason": "lost"}),
        (
            "sim.import",
            {
                "rows": [
                    {**CARD, "imsi": "234159999999999"},
                    {**SPARE, "ki": KI + "0"},
                    {**SPARE, "opc": "", "op": OPC},
                ],
                "accept_checksum": True,
            },
        ),
        ("sim.reconcile", {}),
        ("sim.show", {"iccid": CARD["iccid"]}),
        ("sim.history", {"iccid": CARD["iccid"]}),
        ("sim.list", {}),
        ("order.list", {}),
    ):
        said.append((await desk.act(action, **params))[1])
    return said


async def test_keys_are_nowhere_in_clear_and_numbers_in_nothing_that_is_told(tmp_path):
    faults = Faults({Fault.ERROR_AFTER: 0.15, Fault.ERROR_BEFORE: 0.1}, seed=11)
    async with HostApi(mode=Mode.ASYNC, work_seconds=0.01, faults=faults) as host:
        hosts = [f"{{name: home, adapter: tmf640, plans: [{PLAN}], url: '{host.url}', poll: 1s}}"]
        async with sim_desk(tmp_path, hosts=hosts, provisioning="swap_notice: 1s") as (desk, _):
            await desk.import_cards([CARD, SPARE])
            said = await live(desk)
            metrics = (await asyncio.to_thread(desk.get, "/metrics"))[1]
            events = await desk.run("events", "--limit", "500")
        told = repr([order for order in said if isinstance(order, dict)]).encode()
        store = b"".join(file.read_bytes() for file in sorted((tmp_path / "var").glob("tpo.db*")))
        log = desk.log.read_bytes()
    assert host.happened, "the host never failed: the test shows too little"
    for key, place in itertools.product(KEYS, (told, store, log, metrics.encode(), repr(events).encode())):
        assert not any(form in place for form in raw(key))
    assert not any(key in repr(host.services) for key in KEYS)
    for number, place in itertools.product(NUMBERS, (log, metrics.encode(), repr(events).encode())):
        assert number.encode() not in place
    assert phone(7) not in metrics
