"""Notices in the language of their customer, statutory ones too; the operator's where none was asked for, or is offered."""

import msgspec
import pytest
from sqlalchemy import select
from support.charging_fixture import MSISDN, PENNY, TERMINATION, ccr, service
from support.notice_fixture import POUND, watched_place

from gateway.balance.changes import SubscriberUnknown
from gateway.balance.preferences import Preferences, SetPreferences, preferences_of
from gateway.notices.kinds import NoticeKind
from gateway.notices.line_notices import NoticeTerms
from gateway.notices.wording import WORDS, version_of
from gateway.store import tables
from gateway.subscribers.history import read


@pytest.fixture
def place(tmp_path):
    with watched_place(f"sqlite:///{tmp_path}/lines.db", terms=NoticeTerms("GBP", low_balance=POUND)) as opened:
        yield opened
        assert opened.books_are_right()


def prefer(place, language=None, itemised=None, number=MSISDN):
    return place.lane.run(SetPreferences("msisdn", number, language, itemised, "desk", "asked by phone"))


def sent(place):
    """(kind, language, wording) of each notice."""
    own = tables.notices.c
    return [tuple(row) for row in place.read(select(own.kind, own.language, own.wording).order_by(own.id))]


def test_statutory_notices_and_courtesies_are_in_the_language_that_the_customer_asked_for(place):
    place.enrol(POUND)
    prefer(place, "fr")
    place.limit(10 * PENNY)
    place.ask(ccr(TERMINATION, 0, service(used=(8_000_000,))))
    prefer(place, "")
    place.limit()
    kinds = (NoticeKind.BILL_LIMIT_SET, NoticeKind.BILL_LIMIT_LIKELY, NoticeKind.LOW_BALANCE)
    french = [(kind, "fr", version_of(WORDS["fr"][kind])) for kind in kinds]
    removed = NoticeKind.BILL_LIMIT_REMOVED
    assert sent(place) == [*french, (removed, "en", version_of(WORDS["en"][removed]))]
    assert "TPO : votre plafond est de £0.10 par mois, hors prix du forfait." in [
        words for _, words, *_ in place.notices()
    ]


def test_a_language_that_is_not_offered_any_more_is_the_operators(place):
    place.enrol(POUND)
    prefer(place, "fr")
    place.decide_by(msgspec.structs.replace(place.sender, words={"en": WORDS["en"]}))
    place.limit(POUND)
    assert [language for _, language, _ in sent(place)] == ["en"]


def test_what_a_customer_prefers_is_kept_one_by_one_with_its_history(place):
    line = place.enrol(POUND)
    assert prefer(place, "es").preferences == Preferences("es")
    assert prefer(place, itemised=False).preferences == Preferences("es", itemised=False)
    assert prefer(place, "es").preferences == Preferences("es", itemised=False)  # says nothing new
    assert isinstance(prefer(place, "es", number="447700900999"), SubscriberUnknown)
    with place.reader.connect() as connection:
        assert preferences_of(connection, line) == Preferences("es", itemised=False)
        changes = [(each.change, each.before, each.after, each.reason) for each in read(connection, line)]
    assert changes == [
        ("language", "", "es", "asked by phone"),
        ("bills", "itemised", "unitemised", "asked by phone"),
    ]
