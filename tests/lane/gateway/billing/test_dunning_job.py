"""The turn of dunning in an open gateway: a suspension is an order for credit, its end another one, each once."""

from datetime import date

import msgspec
import pytest
from sqlalchemy import select, update
from support.sims_context_fixture import card, serve_plans, settings_of

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import Caller
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.balance.topups import Payment
from gateway.billing import dunning_job
from gateway.billing.closing import BeginClose, WriteBills
from gateway.billing.content import Content, Moved, write_content
from gateway.billing.payments import PayBill
from gateway.billing.reading import Draft
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.store.engine import open_writer
from gateway.store.tables import bill_accounts, bill_events, notices, orders, sims, subscribers, wallets

DAY = 86_400_000_000
OWED = 3_000_000
ROW = Enrolment("447700900101", "234150000000101", "8944234150000000101", "payg-gb", "", 0)


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    serve_plans(context, **{"payg-gb": "lab"})
    context.line = context.lane.run(Enrol(ROW, "GBP")).subscriber_id
    told = ACTIONS["sim.import"].perform(context, {"rows": [card(1)]}, Caller("t", "admin"))
    assert told.results[0].outcome == "created"
    content = Content(moved=[Moved("charge", "usage", 1, -OWED)])
    close = context.lane.run(BeginClose("2020-01", 1, "ann"))
    context.lane.run(WriteBills(close.id, 0, [Draft(context.line, "GBP", -OWED, 0, 0, write_content(content))], 1))
    context.writer = open_writer(context.settings.store.connect_url)
    now = context.clock()
    write(
        context,
        update(sims).values(
            state="active", subscriber_id=context.line, host="lab", plan="payg-gb", msisdn="447700900101"
        ),
        update(wallets).values(balance=-OWED, bundle=b'{"credit_limit":50000000}'),
        update(bill_accounts).values(due_at=now - 15 * DAY, state="overdue", state_at=now - 15 * DAY, next_at=now - 1),
    )
    yield context
    context.writer.dispose()
    context.close()


def write(context, *statements):
    with context.writer.begin() as connection:
        for statement in statements:
            connection.execute(statement)


def read(context, column):
    return context.read(lambda connection: connection.scalars(select(column)).all())


def end_orders(context):
    """The host has done what was ordered."""
    write(
        context,
        update(orders).values(state="done", open=0),
        update(sims).values(state="suspended", suspended_for="credit", order_id=None),
    )


def test_a_line_of_a_state_that_nobody_knows_is_named_and_the_others_go_on(context):
    other = msgspec.structs.replace(ROW, msisdn="447700900102", imsi="234150000000102", iccid="8944234150000000102")
    line = context.lane.run(Enrol(other, "GBP")).subscriber_id
    (close,) = read(context, bill_accounts.c.close_id)
    content = write_content(Content(moved=[Moved("charge", "usage", 1, -OWED)]))
    context.lane.run(WriteBills(close, context.line, [Draft(line, "GBP", -OWED, 0, 0, content)], 1))
    write(
        context,
        update(bill_accounts).where(bill_accounts.c.subscriber_id == context.line).values(state="angry"),
        update(bill_accounts).where(bill_accounts.c.subscriber_id == line).values(next_at=context.clock() - 1),
    )
    done = dunning_job.turn(context)
    (refused,) = done.refused
    assert refused.startswith(
        f"row {context.line} of bill_accounts has State 'angry', which this version of the gateway does"
    )
    assert read(context, bill_accounts.c.next_at.is_(None)) == [False, True]
    assert read(context, bill_accounts.c.state) == ["angry", "open"]


def test_a_card_in_a_state_that_nobody_knows_keeps_its_line_where_it_is(context):
    write(context, update(sims).values(suspended_for="mood"))
    done = dunning_job.turn(context)
    assert "of sims has" in done.refused[0]
    assert "'mood'" in done.refused[0]
    assert read(context, bill_accounts.c.state) == ["overdue"]
    assert dunning_job.turn(context).looked == 0, "it is tried again after a day"


def test_a_line_is_suspended_by_one_order_and_resumed_by_another_once_it_has_paid(context):
    done = dunning_job.turn(context)
    assert (done.steps, done.refused) == ({"suspended": 1}, [])
    assert dunning_job.turn(context).looked == 0
    assert read(context, orders.c.kind) == ["suspend"]
    assert read(context, bill_accounts.c.state) == ["suspended"]
    end_orders(context)
    payment = Payment("bank", "b-1", OWED, "GBP")
    context.lane.run(PayBill(payment, context.clock(), "E2E", "ann", context.line))
    assert dunning_job.turn(context).steps == {"open": 1}
    assert read(context, orders.c.kind) == ["suspend", "resume"]
    assert read(context, bill_events.c.event) == ["suspended", "payment", "open"]
    assert read(context, notices.c.kind) == [], "this gateway has no link"


def test_a_line_whose_card_is_unknown_stays_overdue_and_is_told_of(context):
    write(context, update(sims).values(subscriber_id=None, state="in_stock"))
    done = dunning_job.turn(context)
    assert (done.steps, len(done.refused)) == ({}, 1)
    assert read(context, bill_accounts.c.state) == ["overdue"]
    assert dunning_job.turn(context).looked == 0, "it is tried again after a day"


def test_dunning_that_has_begun_goes_on_where_a_line_is_taken_off_its_monthly_terms(context):
    write(context, update(wallets).values(bundle=None))
    assert dunning_job.turn(context).steps == {"suspended": 1}


def test_the_debt_of_a_line_that_has_ended_is_written_off_in_its_time_with_nothing_to_suspend(context):
    write(context, update(sims).values(state="terminated"), update(subscribers).values(status="terminated"))
    done = dunning_job.turn(context)
    assert (done.steps, done.refused) == ({"suspended": 1}, [])
    write(context, update(bill_accounts).values(next_at=1, state_at=1))
    assert dunning_job.turn(context).steps == {"written_off": 1}
    assert (read(context, wallets.c.balance), read(context, orders.c.kind)) == ([0], [])


def test_a_bill_that_was_due_is_told_by_a_statutory_notice_with_the_day_of_the_measure(context):
    from gateway.billing.dunning import DUNNING, State
    from gateway.messaging.keywords.amounts import Money
    from gateway.notices.kinds import KINDS, NoticeClass
    from gateway.notices.wording import WORDS, Day, fill_in

    kind = DUNNING[State.OPEN].notice
    assert KINDS[kind].notice_class is NoticeClass.STATUTORY
    day = Day(date(2026, 12, 15))
    values = {"amount": Money(OWED, "GBP"), "date": day, "reference": "RF2771", "operator": "TPO", "care": ""}
    said = {"en": "15 December 2026", "fr": "15 décembre 2026", "es": "15 de diciembre de 2026"}
    for language, words in WORDS.items():
        text = fill_in(words[kind], values, language)
        assert all(each in text for each in ("£3.00", said[language], "RF2771"))
