"""Putting a card's import right: what may be amended in which state, who did it, and cards that are scrapped."""

import pytest
from support.sims_fixture import KI, NUMBER, OPC, card

from gateway.sims.amendments import Amended, AmendmentRefused, AmendSim, ScrapSim
from gateway.sims.bulk_import import Reader
from provisioning.keys import Keys
from provisioning.sim_lifecycle import SimState

EID = "89049032123451234512345678901235"


def amend(place, iccid, **columns):
    """Amend a card; `keys` is the number of the card whose keys these are."""
    n = columns.pop("keys", None)
    if n is not None:
        keys = Keys(bytes.fromhex(KI.format(n)), bytes.fromhex(OPC.format(n)))
        columns["sealed"] = place.sealer.seal(keys.pack(), iccid)
    return place.lane.run(AmendSim(iccid, "alice", "mixed up", **columns))


def told(place, iccid):
    return [(row[0], row[1]) for row in place.history(iccid)]


def test_a_card_in_stock_gets_other_keys_eid_and_imsi_and_history_says_who_why_and_which(place):
    iccid = place.take_in(1)
    assert amend(place, iccid, keys=9, imsi="234150000000099", eid=EID) == Amended(("imsi", "eid", "keys"))
    sim = place.sim(iccid)
    assert (sim.imsi, sim.eid, sim.state) == ("234150000000099", EID, SimState.IN_STOCK)
    assert Keys.unpack(place.sealer.open(sim.keys, iccid)).ki == bytes.fromhex(KI.format(9))
    assert told(place, iccid) == [("amend", "mixed up")]
    rows = place.lane.run(place.unit_of(card(1, imsi="234150000000099", ki=KI.format(9), opc=OPC.format(9), eid=EID)))
    assert rows.outcome == "unchanged"


def test_a_card_without_keys_gets_some(place):
    iccid = place.take_in(1, keys=False)
    assert amend(place, iccid, keys=1) == Amended(("keys",))


def test_what_is_so_already_is_no_amendment_and_leaves_no_history(place):
    iccid = place.take_in(1)
    assert amend(place, iccid, keys=1, imsi=card(1)["imsi"]) == Amended(())
    assert told(place, iccid) == []


def test_the_keys_of_a_line_in_service_are_put_right_in_the_inventory(place):
    iccid, _ = place.live()
    assert amend(place, iccid, keys=9) == Amended(("keys",))
    place.carry_out("suspend", iccid, reason="lost")
    assert amend(place, iccid, eid=EID) == Amended(("eid",))
    assert place.sim(iccid).state is SimState.SUSPENDED


def test_an_imsi_is_not_changed_under_a_line_nor_taken_from_another_card(place):
    live, _ = place.live(1)
    stock = place.take_in(2)
    refused = [amend(place, live, imsi="234150000000099"), amend(place, stock, imsi=place.sim(live).imsi)]
    assert [each.code for each in refused] == ["sim.state", "sim.imsi"]
    assert (place.sim(live).imsi, place.sim(stock).imsi) == (card(1)["imsi"], card(2)["imsi"])


def test_two_amendments_to_one_imsi_in_one_batch_do_not_both_get_it(place):
    one, two = place.take_in(1), place.take_in(2)
    outcomes = place.together(*(AmendSim(iccid, "alice", "r", "234150000000099") for iccid in (one, two)))
    assert [isinstance(each, Amended) for each in outcomes] == [True, False]


def test_an_imsi_that_was_amended_away_is_free_in_the_same_batch(place):
    one, two = place.take_in(1), place.take_in(2)
    units = (AmendSim(one, "alice", "r", "234150000000099"), AmendSim(two, "alice", "r", card(1)["imsi"]))
    assert [type(each) for each in place.together(*units)] == [Amended, Amended]
    assert [place.sim(iccid).imsi for iccid in (one, two)] == ["234150000000099", card(1)["imsi"]]


@pytest.mark.parametrize("unit", [AmendSim, ScrapSim])
def test_an_unknown_card_and_one_that_an_order_works_on_are_refused(place, unit):
    iccid = place.take_in(1)
    more = {"eid": EID} if unit is AmendSim else {}
    assert place.lane.run(unit(card(9)["iccid"], "alice", "r", **more)).code == "sim.unknown"
    place.accept("activate", iccid, msisdn=NUMBER, plan="payg-gb")
    assert place.lane.run(unit(iccid, "alice", "r", **more)).code == "order.busy"


def test_a_destroyed_card_is_not_amended(place):
    iccid = place.take_in(1)
    place.lane.run(ScrapSim(iccid, "alice", "broken"))
    assert amend(place, iccid, eid=EID).code == "sim.state"


def test_a_scrapped_card_is_destroyed_without_keys_and_its_imsi_may_be_anothers(place):
    iccid = place.take_in(1)
    assert place.lane.run(ScrapSim(iccid, "alice", "wrong ICCID")) == Amended(())
    sim = place.sim(iccid)
    assert (sim.state, sim.keys) == (SimState.DESTROYED, None)
    assert told(place, iccid) == [("retire", "wrong ICCID")]
    right = card(1) | {"iccid": card(2)["iccid"]}
    assert place.lane.run(place.unit_of(right, Reader(place.sealer))).outcome == "created"
    assert place.lane.run(place.unit_of(card(3, imsi=right["imsi"]))).outcome == "refused"


def test_a_line_is_not_scrapped(place):
    iccid, _ = place.live()
    refused = place.lane.run(ScrapSim(iccid, "alice", "r"))
    assert isinstance(refused, AmendmentRefused)
    assert "tpo sim terminate" in str(refused)
