"""A customer who is erased: nothing names it any more, and the books are as right as before."""

import itertools
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, text
from support.books import check
from support.charging_fixture import INITIAL, TERMINATION, ccr, service
from support.lane_fixture import EVIDENCE_KEY
from support.sims_fixture import NUMBER, OTHER_NUMBER, QUARANTINE, card, sim_place

from gateway.balance.changes import ChooseCauses
from gateway.balance.families import SetPayer
from gateway.balance.gift_units import MakeGift
from gateway.balance.gifts import GiftPolicy
from gateway.charity.choices import Share
from gateway.charity.policies import recompute
from gateway.context import OpenAccounts
from gateway.sims.erasure import Erased, EraseSubscriber, ErasureRefused, ended_lines, texts_of
from gateway.store import tables
from gateway.store.engine import storing
from gateway.store.errors import StoreError
from gateway.store.tables import metadata
from provisioning.orders import OrderRefused

MEGABYTE, POUND = 1_000_000, 1_000_000
IMSI = card(1)["imsi"]
NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    on_disk = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/t.db" if on_disk else request.getfixturevalue("database")(f"erased_{next(NUMBERS)}")
    with sim_place(url) as opened:
        yield opened


def erase(place, subscriber_id, reason="request 17"):
    with place.reader.connect() as connection:
        texts = texts_of(connection, subscriber_id)
        connection.rollback()
    return place.lane.run(EraseSubscriber(subscriber_id, texts, "socket:0", reason))


def findings(place, *damage):
    with place.writer.connect() as connection:
        for statement in damage:
            assert connection.execute(text(statement)).rowcount > 0
        found = [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings if each.check != "guard"]
        connection.rollback()
    return found


def uses(place, session, megabytes, imsi=IMSI):
    place.ask(ccr(INITIAL, 0, service(ask=0), session=session, imsi=imsi))
    place.ask(ccr(TERMINATION, 1, service(used=[megabytes * MEGABYTE]), session=session, imsi=imsi))


def mentions(place, *words):
    """The tables that have any of these words in a row."""
    found = set()
    with place.reader.connect() as connection:
        for name, table in metadata.tables.items():
            for row in connection.execute(select(table)):
                said = b"\x00".join(each if isinstance(each, bytes) else str(each).encode() for each in row)
                if any(word.encode() in said for word in words):
                    found.add(name)
        connection.rollback()
    return found


def test_nothing_leads_from_a_number_to_the_books_and_these_are_right(place):
    iccid, owner = place.live(balance=9 * POUND)
    place.sent.clear()
    uses(place, "pgw;1", 8)
    assert place.lane.run(ChooseCauses("msisdn", NUMBER, (Share("wwf", 6_000), Share("wateraid", 4_000))))
    place.later(60_000_000)
    uses(place, "pgw;2", 8)
    place.decide_by(GiftPolicy({"wwf": "WWF-UK"}, "GB", ZoneInfo("Europe/London")))
    place.lane.run(OpenAccounts(["wwf"]))
    given = place.lane.run(MakeGift("msisdn", NUMBER, "wwf", POUND, "GBP", "app", f"of {NUMBER}"))
    assert given.gift.state == "given"
    with place.writer.begin() as connection:
        notice = (7, owner, "low_balance", "2026-11", 1, "en", "1")
        connection.execute(insert(tables.notices).values(notice))
        connection.execute(insert(tables.opt_outs).values((NUMBER, "70070", 1)))
    place.carry_out("terminate", iccid)
    with place.writer.begin() as connection:  # as those of them are when their time is over
        connection.execute(tables.texts.update().values(final=1, state="expired"))
    booked = place.read(select(tables.transfers)), place.read(select(tables.usage))
    assert findings(place) == []
    done = erase(place, owner)
    assert isinstance(done, Erased)
    assert (done.rows["choices"], done.rows["gifts"], done.kept) == (3, 1, {})
    assert {"sessions", "answers", "texts", "notices", "orders", "opt_outs", "sims", "lines"} <= set(done.rows)
    assert mentions(place, NUMBER) == {"lines"}
    kept = place.read(select(tables.lines))
    assert [(row.value, row.subscriber_id) for row in kept] == [(NUMBER, 0)]
    assert {row.valid_to % 86_400_000_000 for row in kept} == {0}
    assert mentions(place, iccid, IMSI) <= {"sims", "sim_history", "outbox"}
    assert place.read(select(tables.choices)) == []
    assert (place.read(select(tables.transfers)), place.read(select(tables.usage))) == booked
    assert findings(place) == []
    ((_, _, who, actor, reason),) = place.read(select(tables.erasures))
    assert (who, actor, reason) == (owner, "socket:0", "request 17")
    place.later(QUARANTINE + 86_400_000_000)
    place.carry_out("retire", iccid)
    assert findings(place) == []
    again = erase(place, owner)
    assert (type(again), again.code) == (ErasureRefused, "erasure.done")


def test_that_a_choice_may_be_missing_cannot_be_made_up_and_other_choices_are_missed(place):
    iccid, owner = place.live()
    _, other = place.live(2, OTHER_NUMBER)
    place.carry_out("terminate", iccid)
    with place.writer.begin() as connection:
        connection.execute(tables.texts.update().values(final=1, state="expired"))
    with pytest.raises(StoreError, match="choices is append-only"), storing(), place.writer.begin() as connection:
        connection.execute(tables.choices.delete())
    assert isinstance(erase(place, owner), Erased)
    with pytest.raises(StoreError, match="append-only"), storing(), place.writer.begin() as connection:
        connection.execute(tables.choices.delete())
    place.unguard()
    (choice,) = place.read(select(tables.choices.c.id).where(tables.choices.c.subscriber_id == other))
    gone, made_up = (
        f"DELETE FROM sealed_choices WHERE id = {choice[0]}",
        f"INSERT INTO releases VALUES (9, 1, 'choice', 1, {choice[0]})",
    )
    assert any(f"choice {choice[0]} is missing" in each for each in findings(place, gone))
    assert any("release 9 was not booked by a gateway" in each for each in findings(place, gone, made_up))


def test_a_payer_who_is_erased_leaves_the_tenths_of_the_family_as_they_are(place):
    iccid, payer = place.live(balance=9 * POUND, cause="wwf")
    place.live(2, OTHER_NUMBER, cause="")
    assert place.lane.run(SetPayer(OTHER_NUMBER, NUMBER, None, "a", "r")).payer_id == payer
    uses(place, "pgw;9", 8, card(2)["imsi"])
    assert findings(place) == []
    place.lane.run(SetPayer(OTHER_NUMBER, "", None, "a", "r"))
    place.carry_out("terminate", iccid)
    with place.writer.begin() as connection:
        connection.execute(tables.texts.update().values(final=1, state="expired"))
    assert isinstance(erase(place, payer), Erased)
    assert findings(place) == []


def test_who_is_still_needed_is_not_erased(place):
    iccid, owner = place.live(balance=POUND)
    assert erase(place, owner).code == "erasure.line"
    assert erase(place, 12345).code == "erasure.line"
    place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;1", imsi=IMSI))
    place.carry_out("terminate", iccid)
    assert erase(place, owner).code == "erasure.session"
    place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE]), session="pgw;1", imsi=IMSI))
    with place.writer.begin() as connection:
        connection.execute(tables.texts.update().values(final=1, state="expired"))
    assert erase(place, owner).code == "erasure.balance"


def test_a_number_stays_in_quarantine_and_belongs_to_nobody(place):
    iccid, owner = place.live()
    place.carry_out("terminate", iccid)
    with place.writer.begin() as connection:
        connection.execute(tables.texts.update().values(final=1, state="expired"))
        assert ended_lines(connection, NUMBER) == ended_lines(connection, str(owner)) == [owner]
        assert ended_lines(connection, OTHER_NUMBER) == []
    assert isinstance(erase(place, owner), Erased)
    place.take_in(2)
    wanted = place.accepting("activate", card(2)["iccid"], msisdn=NUMBER, plan="payg-gb", cause="wateraid")
    assert isinstance(refused := place.lane.run(wanted), OrderRefused), refused
    late = place.ask(ccr(TERMINATION, 9, service(used=[MEGABYTE]), session="pgw;late", imsi=IMSI))
    assert late.result_code != 2001
    with place.reader.connect() as connection:
        assert ended_lines(connection, NUMBER) == []
        connection.rollback()
