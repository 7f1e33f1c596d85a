"""Causes beside customers are sealed for their row, and opened by the charity package alone."""

import ast
from pathlib import Path

import pytest
from sqlalchemy import select
from support.charging_fixture import charging_place
from support.lane_fixture import CAUSE_SEALS

from gateway.balance.changes import ChooseCauses
from gateway.charity.choices import Share
from gateway.charity.sealed_causes import CauseSeals, Consent, choice_owner, read_all
from gateway.privacy.sealing import SealBroken
from gateway.store.tables import choices

GATEWAY = Path(__file__).parents[4] / "gateway"
MAY_NAME_THE_TABLE = {
    "charity/sealed_causes.py",
    "charity/closed_causes.py",
    "store/evidence.py",
    "store/tables/__init__.py",
    "store/tables/subscribers.py",
    "balance/profiles.py",
}
MAY_NAME_THE_TABLE |= {"store/releases.py", "ledger/checks/evidence.py"}
"""Who seals and opens it, who proves its rows, and who says that memory of it is stale
when it is written to, and who deletes it."""


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as opened:
        opened.owner = opened.enrol(5_000_000)
        yield opened


def test_a_sealed_cause_opens_for_its_row_and_key_alone():
    sealed = CAUSE_SEALS.seal("wwf", choice_owner(7, 9))
    assert CAUSE_SEALS.open(sealed, choice_owner(7, 9)) == "wwf"
    for seals, owner in ((CAUSE_SEALS, choice_owner(8, 9)), (CAUSE_SEALS, choice_owner(7, 8)),
                         (CauseSeals(b"another key, long enough"), choice_owner(7, 9))):  # fmt: skip
        with pytest.raises(SealBroken):
            seals.open(sealed, owner)


def test_its_length_and_octets_tell_nothing_of_which_cause_it_is():
    one, other = (CAUSE_SEALS.seal(cause, "choice/7/9") for cause in ("w", "a" * 64))
    assert len(one) == len(other)
    assert CAUSE_SEALS.seal("wwf", "choice/7/9") != CAUSE_SEALS.seal("wwf", "choice/7/10")


def test_a_choice_says_when_by_which_channel_and_to_which_words_the_customer_agreed(place):
    place.lane.run(ChooseCauses("msisdn", "447700900001", (Share("wwf", 10_000),), Consent("app", "2026-12/en")))
    told = place.read(select(choices.c.consent_channel, choices.c.consent_wording).order_by(choices.c.id))
    assert told == [("import", ""), ("app", "2026-12/en")]
    at = place.read(select(choices.c.consent_at, choices.c.valid_from).order_by(choices.c.id.desc()).limit(1))[0]
    assert at[0] == at[1]


def test_a_row_that_does_not_open_is_told_by_its_number_and_hides_no_other(place):
    place.unguard()
    place.lane.run(ChooseCauses("msisdn", "447700900001", (Share("wwf", 4_000), Share("wateraid", 6_000))))
    with place.writer.begin() as connection:
        first = connection.execute(select(choices.c.id).order_by(choices.c.id)).scalar()
        connection.execute(choices.update().where(choices.c.id == first).values(cause=b"\x01" + bytes(92)))
    with place.reader.connect() as connection:
        assert [(each.id == first, each.cause) for each in read_all(connection, CAUSE_SEALS)] == [
            (True, None), (False, "wwf"), (False, "wateraid"),
        ]  # fmt: skip


def test_no_module_but_the_charity_s_reads_the_table_of_choices():
    naming = set()
    for module in GATEWAY.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            imported = isinstance(node, ast.ImportFrom) and node.module == "gateway.store.tables"
            if imported and any(name.name == "choices" for name in node.names):
                naming.add(str(module.relative_to(GATEWAY)))
            if isinstance(node, ast.Attribute) and node.attr == "choices" and ast.unparse(node.value) == "tables":
                naming.add(str(module.relative_to(GATEWAY)))
    assert naming <= MAY_NAME_THE_TABLE
