"""Every store that a released program wrote is upgraded on both databases, its books are right, and it is worked on."""

import itertools
import json

import pytest
from sqlalchemy import select
from support import charging_fixture as charging
from support.books import check
from support.lane_fixture import EVIDENCE_KEY
from support.old_stores import KEYS, RELEASED, described, everything, restored

from gateway.charity.policies import recompute
from gateway.store import schema
from gateway.store.engine import open_reader, open_writer
from gateway.store.tables import lines, nodes, sessions, transfers

NUMBERS = itertools.count()
NUMBER = "447700900101"
"""A line that every dump has; ten pounds were paid in for it by the reference shop-1."""
TEN_POUNDS = 10_000_000
NEVER_ALONE = {
    "0007",
    "0010",
    "0011",
    "0013",
    "0014",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
    "0022",
    "0023",
    "0024",
    "0025",
    "0026",
    "0027",
    "0028",
}
"""Versions that no program was released with: a later step came in the same release."""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """What the tables of a new store are like."""
    writer = open_writer(f"sqlite:///{tmp_path_factory.mktemp('fresh')}/t.db")
    schema.prepare(writer)
    return described(writer)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/t.db"
    return request.getfixturevalue("database")(f"released_{next(NUMBERS)}", empty=True)


def check_books(reader):
    with reader.connect() as connection:
        report = check(connection, recompute, EVIDENCE_KEY)
    assert not report.findings
    return report


def left_of(found):
    """What is left of each wallet's bundles, in whichever form a program wrote them."""
    held = [(row[0], json.loads(row[4])) for row in found["wallets"] if row[4]]
    rows = [(owner, each.get("allowances", [each]) if isinstance(each, dict) else each) for owner, each in held]
    return [(owner, [(each["ends_at"], each["left"]) for each in every]) for owner, every in rows if every]


def end_what_is_open(place):
    """The network ends every session that was open when the dump was written; gives how many."""
    open_now = place.read(
        select(sessions.c.session_id, lines.c.value)
        .join_from(sessions, lines, lines.c.subscriber_id == sessions.c.subscriber_id)
        .where(sessions.c.closed_at.is_(None), lines.c.kind == "imsi")
    )
    for session, imsi in open_now:
        answer = place.ask(charging.ccr(charging.TERMINATION, 99, session=session, imsi=imsi))
        assert answer.result_code == 2001, session
    assert not place.read(select(sessions).where((sessions.c.closed_at.is_(None)) | (sessions.c.reserved != 0)))
    return len(open_now)


@pytest.mark.parametrize("dump", RELEASED, ids=lambda dump: dump.stem)
def test_the_upgraded_store_has_the_tables_of_a_new_one_right_books_and_goes_on(dump, url, fresh):
    writer, reader = restored(url, dump), open_reader(url)
    before = everything(reader)
    assert schema.upgrade(writer, KEYS) == (dump.stem, schema.head())
    assert described(reader) == fresh
    after = everything(reader)
    for table in ("transfers", "lines", "subscribers", "answers", "outbox"):
        assert after[table] == before[table], table
    assert [row[:4] for row in after["wallets"]] == [row[:4] for row in before["wallets"]]
    assert left_of(after) == left_of(before)
    entries = check_books(reader).entries
    (node,) = after["nodes"]
    later = max(row[1] for row in before["transfers"]) + 1_000_000
    with charging.charging_place(url, node=node[1], now=later) as place:
        assert place.node.origin_state_id == node[3]
        assert place.top_up(NUMBER, TEN_POUNDS, "shop-1").repeated
        assert not place.top_up(NUMBER, TEN_POUNDS, "shop-2").repeated
        assert end_what_is_open(place) > 0
        used = charging.service(10, [5_000_000])
        assert place.ask(charging.ccr(charging.TERMINATION, 0, used, imsi=None, msisdn=NUMBER)).result_code == 2001
        assert min(place.read(select(transfers.c.id).order_by(transfers.c.id.desc()).limit(1))[0]) > node[2]
        assert place.read(select(nodes.c.id)) == [(1,)]
    assert check_books(reader).entries >= entries + 3
    reader.dispose()
    writer.dispose()


def test_every_version_that_was_released_has_a_dump():
    *before, _now = schema._revisions()
    missing = set(before) - {dump.stem for dump in RELEASED}
    assert missing <= NEVER_ALONE, "whoever adds a step adds the dump of the version before it"
