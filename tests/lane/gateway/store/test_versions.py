"""Versions in the store: what differs is recorded, what is the same is not, and what was is never changed."""

import pytest
from sqlalchemy import select
from support.lane_fixture import Workplace

from gateway.store import versions
from gateway.store.tables import contents
from gateway.store.tables import versions as rows
from gateway.store.versions import CAUSE, GONE, PLAN, BeginVersions, Content, PrepareVersions

CHEAP, DEAR, OTHER = (
    Content(PLAN, "payg", '{"p":1}'),
    Content(PLAN, "payg", '{"p":2}'),
    Content(CAUSE, "wwf", '{"c":1}'),
)


@pytest.fixture
def place(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db")
    place.lane.start()
    yield place
    place.close()


def record(place, *wanted, now=100):
    with place.writer.begin() as connection:
        return versions.record(connection, wanted, now)


def known(place, kind=PLAN, **options):
    with place.reader.connect() as connection:
        return [(each.id, each.content, each.valid_from) for each in versions.read(connection, kind, **options)]


def test_what_is_as_it_was_makes_no_version_and_what_changed_leaves_the_old_one_readable(place):
    assert record(place, CHEAP, OTHER) == [1, 2]
    assert record(place, OTHER, CHEAP, now=150) == []
    assert record(place, DEAR, OTHER, now=200) == [3]
    assert known(place) == [(1, CHEAP.content, 100), (3, DEAR.content, 200)]


def test_a_content_that_comes_back_is_a_version_of_its_own_and_stands_there_once(place):
    for now, each in enumerate((CHEAP, DEAR, CHEAP)):
        record(place, each, now=now)
    assert [content for _, content, _ in known(place)] == [CHEAP.content, DEAR.content, CHEAP.content]
    assert len(place.read(select(contents))) == 2


def test_a_name_that_is_in_no_file_any_more_is_said_to_be_gone_once(place):
    record(place, CHEAP)
    assert (record(place, now=200), record(place, now=300)) == ([2], [])
    assert known(place) == [(1, CHEAP.content, 100), (2, GONE, 200)]
    with place.reader.connect() as connection:
        assert versions.known_names(connection, PLAN) == {}


def test_what_a_reload_prepared_counts_from_when_it_takes_it_over_and_not_at_all_where_it_does_not(place):
    record(place, CHEAP)
    refused = place.lane.run(PrepareVersions([DEAR]))
    assert known(place) == [(1, CHEAP.content, 100)]
    taken = place.lane.run(PrepareVersions([DEAR]))
    assert known(place, prepared=dict.fromkeys(taken, 200))[1:] == [(3, DEAR.content, 200)]
    place.lane.run(BeginVersions(taken, 200))
    place.lane.run(BeginVersions(taken, 300))  # what is in force stays as it is
    assert known(place) == [(1, CHEAP.content, 100), (3, DEAR.content, 200)]
    assert place.read(select(rows.c.valid_from).where(rows.c.id.in_(refused))) == [(None,)]


def test_a_version_of_before_they_were_kept_is_known_by_name_alone(place):
    with place.writer.begin() as connection:
        connection.execute(rows.insert().values(id=1, kind=PLAN, name="payg", hash=None, valid_from=0))
    assert known(place) == [(1, None, 0)]
    assert record(place, CHEAP) == [2]
