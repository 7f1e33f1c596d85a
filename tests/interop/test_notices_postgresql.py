"""Notices, limits and fraud cases on a real PostgreSQL."""

import pytest
from support import postgres
from support.charging_fixture import INITIAL, PENNY, UPDATE, ccr, service
from support.notice_fixture import POUND, watched_place

from gateway.fraud.cases import CaseCleared, ClearCase, open_cases
from gateway.fraud.cases import read as read_cases
from gateway.fraud.limits import FraudKind, FraudLimits, FraudRules
from gateway.fraud.line_signs import LineSigns
from gateway.messaging.queue.open_texts import waiting_notices
from gateway.notices.kinds import NoticeKind
from gateway.notices.queries import read as read_notices

pytestmark = [pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed")]
MEGABYTE = 1_000_000
RULES = FraudRules(FraudLimits(spend=PENNY, bar=frozenset({FraudKind.SPEND})))


def test_on_a_server_a_limit_holds_its_notices_wait_for_a_link_and_a_case_is_cleared_once():
    with (
        postgres.server() as make,
        watched_place(
            make("lines"), more=lambda _: LineSigns(RULES, "/tpo/test", lambda number: f"p{number[-4:]}")
        ) as place,
    ):
        sub = place.enrol(5 * POUND)
        place.limit(3 * PENNY)
        place.ask(ccr(INITIAL, 0, service(ask=0)))
        place.ask(ccr(UPDATE, 1, service(used=(8 * MEGABYTE,), ask=0)))
        assert [amount for amount, _ in place.booked("absorbed")] == [5 * PENNY]
        with place.reader.connect() as connection:
            texts, last = waiting_notices(connection, place.node.id, 0)
            assert [text.always for text in texts] == [1, 1]
            assert waiting_notices(connection, place.node.id, last) == ([], last)
            told = read_notices(connection, after=0, limit=9, subscriber_id=sub, kind=NoticeKind.BILL_LIMIT_REACHED)
            (case,) = read_cases(connection, after=0, limit=9, cleared=False)
        assert [(row.kind, row.state) for row in told] == [("bill_limit_reached", "queued")]
        assert place.agree().agreed
        assert place.lane.run(ClearCase(int(case.id), "desk", "confirmed")) == CaseCleared(sub, still_barred=False)
        with place.reader.connect() as connection:
            assert open_cases(connection, 0).count == 0
        assert place.books_are_right()
