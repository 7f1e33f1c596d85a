"""Tenths are computed again by the rule that the store has recorded, whatever a later program makes of its name."""

import pytest
from sqlalchemy import text
from support.books import check
from support.charging_fixture import INITIAL, TERMINATION, ccr, charging_place, service

from gateway.charity.policies import recompute
from gateway.rating.prices import half_even
from gateway.store import versions
from gateway.store.versions import PLAN, POLICY, Content, canonical

WHOLE = 10_000


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as opened:
        with opened.writer.begin() as connection:
            plans = [Content(PLAN, each.name, each.content or "") for each in versions.read(connection, PLAN)]
            rule = Content(POLICY, "2026-1", canonical({"id": "2026-1", "base": "gross", "rate": 1000}))
            versions.record(connection, [*plans, rule], 1)
        opened.enrol(9_000_000)
        opened.ask(ccr(INITIAL, 0, service(ask=0)))
        opened.ask(ccr(TERMINATION, 1, service(used=[3_000_000])))
        yield opened


def found(place, by):
    with place.reader.connect() as connection:
        return [(finding.check, finding.detail) for finding in check(connection, by).findings]


def test_a_program_that_knows_the_rule_or_does_not_finds_the_books_right(place):
    assert found(place, recompute) == []
    assert found(place, lambda _policy, _base, _share: None) == []


def test_a_program_in_which_the_rule_was_changed_is_told_so_and_the_accruals_are_right_all_the_same(place):
    def changed(_policy, base, share):
        return half_even(base * 500 * share, WHOLE * WHOLE)

    assert found(place, changed) == [
        ("policy", "policy 2026-1 was recorded with 1000 basis points, this program has 500")
    ]


@pytest.mark.parametrize("content", ["{", "[]", '{"rate": "all"}', "{}"])
def test_a_recorded_rule_of_which_nothing_can_be_read_is_named_and_the_check_goes_on(place, content):
    with place.writer.begin() as connection:
        changed = (
            "UPDATE contents SET content = :content WHERE hash = (SELECT hash FROM versions WHERE kind = 'policy')"
        )
        connection.execute(text(changed), {"content": content})
    number = max(place.read(text("SELECT id FROM versions WHERE kind = 'policy'")))[0]
    assert found(place, recompute) == [
        ("version", f"version {number} of policy 2026-1 has a content that is not the one that was recorded")
    ]
