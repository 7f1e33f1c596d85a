"""What a TMF640 host held before an order came is not the order's: every kind of order, every change failing in every way."""

import copy
import itertools
import os
import re

import pytest
from support.host_orders import EARLIER, order_rig

from provisioning.hosts.tmf640 import Tmf640
from simulators.host_api import HostApi, Mode
from simulators.host_faults import Fault

KINDS = tuple(EARLIER)
THEIRS, THEIR_IMSI = "447700999999", "234159999999999"
FAULTS = (
    Fault.CONFLICT, Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.DROPPED,
    Fault.WORK_FAILS,
)  # fmt: skip
THEIR_ORDERS = itertools.count(1)
CHANGES = ("create", "change", "delete")


@pytest.fixture(params=[Mode.SYNC, Mode.ASYNC])
async def place(request, tmp_path, monkeypatch):
    async with HostApi(mode=request.param) as host:

        def adapter():
            return Tmf640("home", host.url, timeout=0.3, poll=0.01)

        add(host, "8944109999999999990", "447700999990", "active")
        async with order_rig(tmp_path, adapter, monkeypatch) as rig:
            rig.host = host
            yield rig


def add(host, iccid, msisdn, state, *, imsi=THEIR_IMSI, ordered=True):
    """Have the host hold a Service of somebody else's; gives its id."""
    told = {"iccid": iccid, "imsi": imsi, "msisdn": msisdn, "segment": "gold"}
    return host.inventory.create(
        {
            "state": state,
            "serviceSpecification": {"id": "their-plan"},
            "serviceCharacteristic": [{"name": name, "value": value} for name, value in told.items() if value],
            "supportingResource": [{"id": iccid}],
            "serviceOrderItem": [{"serviceOrderId": f"their-{next(THEIR_ORDERS)}", "itemAction": "add"}]
            if ordered
            else [],
            "note": [{"text": "theirs"}],
        }
    )["id"]


def held_of(host, card):
    return [name for name, service in host.services.items() if service["supportingResource"][0]["id"] == card.iccid]


def drop(host, card):
    for name in held_of(host, card):
        host.inventory.delete(name)


def foreign(state, imsi=None, *, ordered=True):
    def put(host, card):
        drop(host, card)
        add(host, card.iccid, THEIRS, state, imsi=card.imsi if imsi is None else imsi, ordered=ordered)

    return put


def foreign_number(host, card):
    """Our Service has lost its number, and another one has it."""
    for name in held_of(host, card):
        told = host.services[name]["serviceCharacteristic"]
        host.inventory.change(name, {"serviceCharacteristic": [item for item in told if item["name"] != "msisdn"]})
    add(host, "8944109999999999991", card.msisdn, "active")


FOREIGN = {
    "an active Service": foreign("active"),
    "an inactive Service": foreign("inactive"),
    "a reserved Service": foreign("reserved"),
    "a Service of nobody's order": foreign("inactive", ordered=False),
    "a Service with another IMSI": foreign("inactive", imsi=THEIR_IMSI),
}
OURS = {"nothing": drop, "what we put there": lambda _host, _card: None}
BEFOREHAND = [(mode, held) for mode in (Mode.SYNC, Mode.ASYNC) for held in OURS]
"""How the host answers, and what it holds; but in a soak (TPO_KILLS) each of either once: they do not know each other."""


def faults_of(host, place):
    """Every second fault, by turns; but in a soak each: what the other half does is seen at the next place in a list."""
    return FAULTS if os.environ.get("TPO_KILLS") else FAULTS[(place + (host.mode is Mode.ASYNC)) % 2 :: 2]


def changes(host):
    return sum(host.calls[kind] for kind in CHANGES)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_somebody_elses_stays_as_it_is(place, kind):
    for held, put in FOREIGN.items():
        card, new = await place.ready_for(kind)
        put(place.host, card)
        before, calls = copy.deepcopy(place.host.services), changes(place.host)
        order = await place.carry_out(kind, card, new)
        assert order.state in ("compensated", "failed"), (held, order)
        assert place.host.services == before, held
        if kind != "swap":  # whose new card is created and removed again
            assert changes(place.host) == calls, held
        said = next(log.error for log in order.steps if log.error)
        assert "as 44********99" in said
        assert not re.search(r"\d{5}", said)
        drop(place.host, card)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_number_of_another_service_stays_with_it(place, kind):
    for fault in (None, *faults_of(place.host, KINDS.index(kind))):
        card, new = await place.ready_for(kind)
        foreign_number(place.host, card)
        before, ours = copy.deepcopy(place.host.services), next(iter(held_of(place.host, card)), "")
        if fault is not None:
            place.host.faults.next_changes(fault)
        order = await place.carry_out(kind, card, new)
        place.host.faults._changes.clear()
        after = place.host.services
        others = [name for name in before if name != ours]
        assert {name: after.get(name) for name in others} == {name: before[name] for name in others}, fault
        if order.state == "compensated":
            assert not ours or states(after, ours) == states(before, ours)
            assert held_of(place.host, new) == []
        place.host.inventory.delete(next(reversed(before)))


def states(services, name):
    """All of a Service that an order changes, but the host's list of our orders."""
    service = {**services[name], "serviceOrderItem": None}
    return service | {"serviceCharacteristic": sorted(service["serviceCharacteristic"], key=lambda item: item["name"])}


@pytest.mark.parametrize("state", ["active", "inactive"])
async def test_a_swap_leaves_a_new_card_alone_that_somebody_else_has(place, state):
    card, new = await place.ready_for("swap")
    add(place.host, new.iccid, THEIRS, state, imsi=new.imsi)
    before = copy.deepcopy(place.host.services)
    order = await place.carry_out("swap", card, new)
    assert (order.state, place.host.services) == ("compensated", before)


async def with_a_fault(place, kind, held, fault, at):
    """Carry out an order whose change number `at` meets with a fault, and check the host; tells whether it came so far."""
    card, new = await place.ready_for(kind)
    OURS[held](place.host, card)
    before = copy.deepcopy(place.host.services)
    others = set(before) - set(held_of(place.host, card))
    place.host.faults.next_changes(*[None] * at, fault)
    order = await place.carry_out(kind, card, new)
    fell = not place.host.faults._changes
    place.host.faults._changes.clear()
    after = place.host.services
    assert {name: after.get(name) for name in others} == {name: before[name] for name in others}
    if order.state == "compensated":
        assert {name: states(after, name) for name in after} == {name: states(before, name) for name in before}
    elif order.state == "failed":
        assert fault in (Fault.CONFLICT, Fault.WORK_FAILS), (at, order)
    else:
        assert order.state == "done", (fault, at, order)
    assert fell or order.state == "done", order
    return fell


@pytest.mark.parametrize(
    ("place", "held"), BEFOREHAND if os.environ.get("TPO_KILLS") else BEFOREHAND[::3], indirect=["place"]
)
@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_change_fails_an_order_ends_whole_or_gives_back_what_was_there(place, kind, held):
    for fault in FAULTS:
        at = 0
        while await with_a_fault(place, kind, held, fault, at):
            at += 1
        assert at > 0 or (kind == "retire" and held == "nothing")


@pytest.mark.parametrize("held", FOREIGN)
async def test_an_order_that_adopts_takes_the_service_over_or_gives_it_back(place, held):
    for fault, at in itertools.product(faults_of(place.host, [*FOREIGN].index(held)), (0, 1)):
        card, _ = await place.ready_for("activate")
        FOREIGN[held](place.host, card)
        [name] = held_of(place.host, card)
        before = copy.deepcopy(place.host.services)
        place.host.faults.next_changes(*[None] * at, fault)
        order = await place.carry_out("activate", card, adopt=True)
        place.host.faults._changes.clear()
        assert "as 44********99" in order.steps[0].found
        after = place.host.services
        assert (held_of(place.host, card), after[name]["note"]) == ([name], [{"text": "theirs"}])
        if order.state == "compensated":
            assert states(after, name) == states(before, name), fault
        else:
            assert order.state == "done", order
            told = {item["name"]: item["value"] for item in after[name]["serviceCharacteristic"]}
            assert (after[name]["state"], told["msisdn"], told["imsi"]) == ("active", card.msisdn, card.imsi)
            assert [(each["reason"], each["actor"]) for each in place.history(card)] == [("adopt", "alice")] * 3
        place.host.inventory.delete(name)


async def test_the_service_that_a_refused_change_was_for_is_neither_deleted_nor_changed(place):
    card, _ = await place.ready_for("activate")
    FOREIGN["an inactive Service"](place.host, card)
    before = copy.deepcopy(place.host.services)
    place.host.faults.next_changes(*[Fault.CONFLICT] * 5)
    order = await place.carry_out("activate", card, adopt=True)
    assert (order.state, place.host.services, place.host.calls["delete"]) == ("compensated", before, 0)


async def test_our_own_service_that_our_books_lost_needs_to_be_adopted(place):
    card, _ = await place.ready_for("activate")
    add(place.host, card.iccid, card.msisdn, "active", imsi=card.imsi)
    before = copy.deepcopy(place.host.services)
    refused = await place.carry_out("activate", card)
    assert (refused.state, place.host.services) == ("compensated", before)
    assert "--adopt" in refused.steps[0].error
    assert (await place.carry_out("activate", card, adopt=True)).state == "done"


@pytest.mark.parametrize("state", ["active", "inactive"])
async def test_a_service_that_appears_after_the_card_was_read_is_not_taken_for_ours(place, state):
    card, _ = await place.ready_for("activate")
    place.host.faults.next_changes(Fault.ERROR_BEFORE)
    order_id = await place.place("activate", card)
    while not place.order(order_id).steps[0].error:
        await place.executor.retire_due()  # anything that lets the conductor work
    add(place.host, card.iccid, THEIRS, state, imsi=card.imsi)
    before = copy.deepcopy(place.host.services)
    order = await place.ended(order_id)
    assert (order.state, place.host.services) == ("compensated", before)


async def test_a_repair_leaves_a_service_under_another_number(place):
    card, _ = await place.ready_for("suspend")
    FOREIGN["an inactive Service"](place.host, card)
    before = copy.deepcopy(place.host.services)
    (difference,) = (await place.executor.reconcile(None, repair=True)).rows
    assert (difference.repaired, place.host.services) == (False, before)


async def test_work_that_failed_at_the_host_for_a_reason_that_may_pass_is_tried_again(place):
    card, _ = await place.ready_for("activate")
    place.host.faults.next_changes(Fault.WORK_FAILS, Fault.WORK_FAILS)
    order = await place.carry_out("activate", card)
    assert (order.state, len(held_of(place.host, card))) == ("done", 1)
