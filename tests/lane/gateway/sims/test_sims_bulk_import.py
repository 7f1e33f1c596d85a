"""Cards taken into the inventory: each row by itself, keys sealed from the first moment, live lines adopted."""

import msgspec
import pytest
from sqlalchemy import select
from support.sims_fixture import KI, NUMBER, OPC, card

from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.privacy.sealing import SealBroken, Sealer
from gateway.sims.bulk_import import Reader
from gateway.sims.queries import history, list_sims, show_sim
from gateway.store import tables
from provisioning.errors import IdentifierInvalid
from provisioning.keys import Keys
from provisioning.sim_lifecycle import SimState

EID = "89049032123451234512345678901235"
WARNING = "the ICCID's check digit is wrong, or left out"


def bring(place, row):
    told = place.lane.run(place.unit_of(row))
    return told.outcome, told.message


def test_a_new_card_is_in_stock_with_its_keys_sealed(place):
    assert bring(place, card(1)) == ("created", "")
    sim = place.sim(card(1)["iccid"])
    assert (sim.imsi, sim.state, sim.msisdn, sim.observed) == (card(1)["imsi"], SimState.IN_STOCK, None, "unknown")
    assert Keys.unpack(place.sealer.open(sim.keys, sim.iccid)) == Keys(
        *map(bytes.fromhex, (KI.format(1), OPC.format(1)))
    )
    assert place.history(sim.iccid) == []


def test_a_card_without_keys_of_ours_is_taken_as_well(place):
    assert bring(place, card(1, keys=False)) == ("created", "")
    assert place.sim(card(1)["iccid"]).keys is None


def test_the_same_row_again_changes_nothing_though_its_seal_is_another(place):
    bring(place, card(1, eid=EID))
    before = place.sim(card(1)["iccid"])
    assert bring(place, card(1, eid=EID)) == ("unchanged", "")
    assert place.sim(card(1)["iccid"]) == before


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"imsi": "234150000000009"}, "imsi"),
        ({"eid": EID}, "eid"),
        ({"ki": KI.format(9)}, "keys"),
        ({"opc": OPC.format(9)}, "keys"),
        ({"ki": "", "opc": ""}, "keys"),
        ({"imsi": "234150000000009", "opc": OPC.format(9)}, "imsi, keys"),
    ],
)
def test_a_row_that_differs_is_told_and_changes_nothing(place, changes, name):
    bring(place, card(1))
    before = place.sim(card(1)["iccid"])
    assert bring(place, card(1, **changes)) == ("differs", f"{name}: not as first imported; nothing was changed")
    assert place.sim(card(1)["iccid"]) == before


def test_keys_that_a_card_had_not_are_a_difference(place):
    bring(place, card(1, keys=False))
    assert bring(place, card(1)) == ("differs", "keys: not as first imported; nothing was changed")


def test_an_imsi_of_another_card_is_refused(place):
    bring(place, card(1))
    assert bring(place, card(2, imsi=card(1)["imsi"])) == ("refused", "imsi: another card has it already")
    assert place.read(select(tables.sims.c.iccid)) == [(card(1)["iccid"],)]


def test_an_imsi_of_another_card_in_the_same_batch_is_refused(place):
    rows = card(1), card(2, imsi=card(1)["imsi"]), card(3)
    told = place.together(*map(place.unit_of, rows))
    assert [each.outcome for each in told] == ["created", "refused", "created"]


def test_the_same_row_twice_in_one_batch_is_created_once(place):
    told = place.together(place.unit_of(card(1)), place.unit_of(card(1)))
    assert [each.outcome for each in told] == ["created", "unchanged"]


def test_a_wrong_check_digit_is_warned_of_and_taken(place):
    row = card(1)
    wrong = row["iccid"][:-1] + str((int(row["iccid"][-1]) + 1) % 10)
    assert bring(place, row | {"iccid": wrong}) == ("created", WARNING)
    assert bring(place, row | {"iccid": wrong}) == ("unchanged", WARNING)


# Keys


def test_keys_stand_nowhere_in_the_store(place, tmp_path):
    bring(place, card(0x5A))
    bring(place, card(0x5A, ki=KI.format(0x5B)))
    secrets = [KI.format(0x5A), KI.format(0x5B), OPC.format(0x5A)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(card(0x5A)["iccid"].encode() in path.read_bytes() for path in files)  # what is in clear is found
    for path in files:
        content = path.read_bytes()
        for secret in secrets:
            assert bytes.fromhex(secret) not in content
            assert secret.encode() not in content.lower()


def test_keys_open_for_their_own_card_and_by_our_own_key_alone(place):
    bring(place, card(1))
    sealed = place.sim(card(1)["iccid"]).keys
    with pytest.raises(SealBroken):
        place.sealer.open(sealed, card(2)["iccid"])
    with pytest.raises(SealBroken):
        Sealer(b"another key, which is long enough too").open(sealed, card(1)["iccid"])


def test_what_is_told_of_a_card_has_no_key(place):
    bring(place, card(0x5A))
    with place.reader.connect() as connection:
        shown = msgspec.to_builtins([show_sim(connection, card(0x5A)["iccid"]), list_sims(connection, "", 9)])
        told = repr([*shown, place.unit_of(card(0x5A))])
        told += repr(history(connection, card(0x5A)["iccid"]))
    assert "'keys': True" in told
    assert KI.format(0x5A) not in told.lower()
    assert OPC.format(0x5A) not in told.lower()


def test_an_op_given_as_opc_is_found_by_the_second_row(place):
    reader = Reader(place.sealer)
    reader.read(2, card(1))
    with pytest.raises(IdentifierInvalid, match="OPc of row 3 is that of row 2") as refused:
        reader.read(3, card(2, opc=OPC.format(1)))
    assert refused.value.code == "identifier.opc"
    assert OPC.format(1) not in str(refused.value)


@pytest.mark.parametrize("row", [card(1, op=OPC.format(1)), card(1, opc=f"OP:{OPC.format(1)}")])
def test_a_column_with_an_op_is_refused(place, row):
    with pytest.raises(IdentifierInvalid, match="OP is the operator's") as refused:
        Reader(place.sealer).read(2, row)
    assert OPC.format(1) not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iccid": ""}, "identifier.iccid"),
        ({"imsi": "2341"}, "identifier.imsi"),
        ({"eid": "89"}, "identifier.eid"),
        ({"ki": "00"}, "identifier.key"),
        ({"opc": ""}, "identifier.key"),
    ],
)
def test_a_row_at_fault_is_refused_before_the_store_sees_it(place, changes, code):
    with pytest.raises(IdentifierInvalid) as refused:
        Reader(place.sealer).read(2, card(1, **changes))
    assert refused.value.code == code
    assert KI.format(1) not in str(refused.value)


# Lines that are live already


def enrol(place, n=1, msisdn=NUMBER, plan="payg-gb"):
    row = Enrolment(msisdn, card(n)["imsi"], card(n)["iccid"], plan, "wwf", 5_000_000)
    return place.lane.run(Enrol(row, "GBP")).subscriber_id


def test_a_card_that_a_customer_has_is_adopted_with_number_plan_and_host(place):
    owner = enrol(place)
    assert bring(place, card(1)) == ("created", "")
    sim = place.sim(card(1)["iccid"])
    assert (sim.state, sim.subscriber_id, sim.msisdn, sim.plan, sim.host) == (
        SimState.ACTIVE,
        owner,
        NUMBER,
        "payg-gb",
        "lab",
    )
    assert place.history(sim.iccid) == [("adopt", "", None)]
    assert bring(place, card(1)) == ("unchanged", "")


def test_an_adopted_line_lives_on_as_any_other(place):
    owner = enrol(place)
    bring(place, card(1))
    iccid = card(1)["iccid"]
    place.carry_out("suspend", iccid, reason="lost")
    place.carry_out("resume", iccid, reason="lost")
    place.carry_out("terminate", iccid)
    assert place.sim(iccid).state is SimState.QUARANTINED
    assert place.wallet(owner) == (0, 0, "terminated")


def test_a_plan_without_a_host_adopts_the_line_all_the_same(place):
    row = Enrolment(NUMBER, card(1)["imsi"], card(1)["iccid"], "no-host", "", 0)
    place.lane.run(Enrol(row, "GBP"))
    assert bring(place, card(1)) == ("created", "")
    assert (place.sim(card(1)["iccid"]).state, place.sim(card(1)["iccid"]).host) == (SimState.ACTIVE, "")


@pytest.mark.parametrize("column", ["iccid", "imsi"])
def test_a_card_of_which_a_customer_has_only_half_is_refused(place, column):
    enrol(place)
    row = card(2) | {column: card(1)[column]}
    assert bring(place, row) == ("refused", "iccid and imsi: they belong to different customers' lines")
    assert place.read(select(tables.sims)) == []


def test_a_card_of_two_customers_is_refused(place):
    enrol(place, 1)
    enrol(place, 2, "447700900102")
    row = card(1, imsi=card(2)["imsi"])
    assert bring(place, row) == ("refused", "iccid and imsi: they belong to different customers' lines")
