"""Lists give the rows that are asked for: of a line, of an account, of a time, so many of them and no cause."""

import json

import msgspec
import pytest
from sqlalchemy import insert, select
from support.lane_fixture import unguard
from support.sims_context_fixture import card, settings_of

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, VIEWER, Caller
from gateway.api.problems import Problem
from gateway.context import GatewayContext
from gateway.ledger import balances as ledger_balances
from gateway.messaging.queries import latest
from gateway.policies import make_policies
from gateway.privacy.access import CAUSES
from gateway.store.tables import accounts, lines, metadata, texts, transfers, usage

COLUMNS = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")
ROWS = [(f"44770090000{n}", f"23415000000000{n}", card(n)["iccid"], "payg-gb", "wwf", f"{n}.00") for n in range(1, 6)]
ROOT, AUDITOR, VIEW = Caller("root", ADMIN), Caller("audit", VIEWER, frozenset({CAUSES})), Caller("v", VIEWER)
HOUR = 3_600_000_000


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    results = ask(context, "subscriber.import", ROOT, rows=rows)["results"]
    with context._writer.begin() as connection:
        unguard(connection)  # entries are written here without what they would be booked with
    context.ids = [int(result["subscriber_id"]) for result in results]
    yield context
    context.close()


def ask(context, name, caller=ROOT, **params):
    return msgspec.to_builtins(ACTIONS[name].perform(context, params, caller))


def write(context, table, *rows):
    every = {column.name: 0 for column in metadata.tables[table.name].columns if not column.nullable}
    with context._writer.begin() as connection:
        connection.execute(insert(table), [every | row for row in rows])


def used(context, *events):
    """Usage of (subscriber, time)."""
    base = (1 << 41) + 1000
    rows = [
        {
            "id": base + n,
            "event_at": at,
            "subscriber_id": owner,
            "service": "data",
            "currency": "GBP",
            "plan": "payg-gb",
        }
        for n, (owner, at) in enumerate(events)
    ]
    write(context, usage, *rows)
    return [str(row["id"]) for row in rows]


def exported(context, **params):
    return [row["record_id"] for row in ask(context, "usage.export", **params)["rows"]]


@pytest.mark.parametrize("form", ["+447700900001", "00447700900001", "07700900001", " 447700900001 "])
def test_a_line_is_found_by_its_number_however_that_is_written(context, form):
    records = used(context, (context.ids[0], HOUR), (context.ids[1], HOUR))
    assert exported(context, number=form) == records[:1]
    for action in ("ledger.journal", "ledger.balances", "order.list"):
        assert ask(context, action, number=form) == ask(context, action, number="447700900001")
    assert ask(context, "ledger.balances", number=form)["rows"]
    assert ask(context, "subscriber.show", number=form)["subscriber_id"] == str(context.ids[0])
    assert ask(context, "subscriber.history", number=form)["rows"] == []
    with pytest.raises(Problem, match="has the plan 'payg-gb' already"):
        ask(context, "subscriber.plan", number=form, plan="payg-gb", reason="x")
    ask(context, "subscriber.number", number=form, msisdn="07700900009", reason="asked for")
    assert ask(context, "subscriber.show", number="447700900009")["subscriber_id"] == str(context.ids[0])


def test_usage_of_one_line_of_a_time_and_so_many_records(context):
    one, two = context.ids[:2]
    records = used(context, (one, HOUR), (two, HOUR), (one, 2 * HOUR), (one, 3 * HOUR))
    assert exported(context, number=ROWS[0][0]) == [records[0], records[2], records[3]]
    assert exported(context, number="+" + ROWS[0][0], start=2 * HOUR, end=3 * HOUR) == [records[2]]
    assert exported(context, number=ROWS[0][1], limit=1) == [records[0]]
    assert exported(context, number=ROWS[0][1], limit=1, after=int(records[0])) == [records[2]]
    assert len(exported(context)) == 4


def test_usage_of_a_number_is_that_of_whoever_had_it_at_the_time(context):
    one, two = context.ids[:2]
    now = context.clock()
    number, later = "447700955555", {"kind": "msisdn", "valid_to": None}
    with context._writer.begin() as connection:
        connection.execute(lines.update().where(lines.c.value == ROWS[0][0]).values(valid_from=HOUR, valid_to=5 * HOUR))
        connection.execute(lines.update().where(lines.c.value == ROWS[1][0]).values(valid_from=HOUR, valid_to=7 * HOUR))
    write(
        context,
        lines,
        later | {"id": 1, "value": number, "subscriber_id": one, "valid_from": 5 * HOUR},
        later | {"id": 2, "value": ROWS[0][0], "subscriber_id": two, "valid_from": 7 * HOUR},
    )
    records = used(context, (one, 2 * HOUR), (one, 6 * HOUR), (two, 2 * HOUR), (two, 8 * HOUR), (one, now))
    for wanted in (ROWS[0][0], ROWS[1][0], number):
        shown = [row["record_id"] for row in ask(context, "usage.export")["rows"] if row["msisdn"] == wanted]
        assert exported(context, number=wanted) == shown
    assert exported(context, number=ROWS[0][0]) == [records[0], records[3]]


@pytest.mark.parametrize("action", ["usage.export", "ledger.journal", "ledger.balances", "order.list", "bill.list"])
def test_a_list_of_what_is_nobody_s_is_refused_and_not_empty(context, action):
    assert ask(context, action, number=ROWS[4][0])
    for number in ("447700999999", "07700 900999", "234159999999999", "nobody"):
        with pytest.raises(Problem, match="has or had this number") as refused:
            ask(context, action, number=number)
        assert (refused.value.status, refused.value.code) == (404, "subscriber.unknown")


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        ({"decision": "agreed", "period": "2027-01"}, "limit.period"),
        ({"decision": "agreed", "amount": "5.00"}, "limit.invalid"),
        ({"decision": "removed", "amount": "5.00"}, "limit.invalid"),
    ],
)
def test_a_decision_about_a_limit_says_nothing_that_it_does_not_mean(context, decision, code):
    params = {"number": ROWS[0][0], "channel": "call", "wording": "1"} | decision
    with pytest.raises(Problem) as refused:
        ask(context, "subscriber.bill-limit", **params)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert ask(context, "subscriber.bill-limits", number=ROWS[0][0])["decisions"] == []


def test_orders_of_a_card_in_stock_are_none_and_no_mistake(context):
    ask(context, "sim.import", rows=[{name: card(9).get(name) for name in ("iccid", "imsi", "ki", "opc")}])
    for number in (card(9)["iccid"], card(9)["imsi"]):
        assert ask(context, "order.list", number=number)["rows"] == []


def journal(context, caller=ROOT, **params):
    return ask(context, "ledger.journal", caller, **params)["rows"]


def test_the_journal_of_an_account_of_a_line_and_of_a_time(context):
    every = journal(context)
    assert len(every) == 5
    wallet = f"wallet:{context.ids[2]}"
    assert [row["credit"] for row in journal(context, account=wallet)] == [wallet]
    assert journal(context, number=ROWS[2][0]) == journal(context, account=wallet)
    assert journal(context, number=ROWS[2][0], account="opening") == []
    assert len(journal(context, account="opening")) == 5
    assert journal(context, until=1) == []
    assert len(journal(context, since=1, limit=2)) == 2
    for name in ("nobody", "wallet:1", "wallet:x", f"wallet:{1 << 62}"):
        with pytest.raises(Problem, match="no account"):
            journal(context, account=name)


def test_an_account_of_a_cause_has_no_name_for_who_does_not_ask_for_causes(context):
    cause = context.accounts["cause:wwf"]
    entry = {"id": 1 << 42, "kind": "accrual", "debit": context.accounts["giving"], "credit": cause, "currency": "GBP"}
    write(context, transfers, entry | {"amount": 7})
    for ask_for in (
        lambda: journal(context, account="cause:wwf"),
        lambda: balances(context, VIEW, account="cause:wwf"),
    ):
        with pytest.raises(Problem, match="no account is shown under this name"):
            ask_for()
    assert [row["credit"] for row in journal(context, account="causes")] == ["causes"]
    assert [row["account"] for row in balances(context, AUDITOR, account="cause:wwf")] == ["cause:wwf"]
    for limit in (1, 2, 3):
        assert [row["account"] for row in paged(context, VIEW, limit) if "cause" in row["account"]] == ["causes"]
    for after in (cause, cause - 1, 1):
        rows = balances(context, VIEW, after=after, limit=1)
        assert [row["account"] for row in rows if "cause" in row["account"]] == ["causes"]


def balances(context, caller=ROOT, **params):
    return ask(context, "ledger.balances", caller, **params)["rows"]


def paged(context, caller, limit):
    found, after = [], 0
    while after is not None:
        page = ask(context, "ledger.balances", caller, after=after, limit=limit)
        assert len([row for row in page["rows"] if row["account"].startswith("wallet:")]) <= limit
        found, after = found + page["rows"], page["next"]
    return found


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 1000])
def test_balances_come_in_pages_and_add_up_to_all(context, limit):
    assert paged(context, ROOT, limit) == balances(context)
    assert [row["balance"] for row in balances(context) if row["account"].startswith("wallet:")] == [
        row[5] for row in ROWS
    ]


def test_balances_of_an_account_of_a_line_and_of_a_time(context):
    wallet = {"account": f"wallet:{context.ids[1]}", "currency": "GBP", "balance": "2.00"}
    assert balances(context, account=wallet["account"]) == balances(context, number=ROWS[1][0]) == [wallet]
    assert balances(context, until=1) == []
    assert balances(context, since=1) == balances(context)


def test_an_account_without_a_name_is_listed_as_such(context):
    entry = {"id": 1 << 42, "kind": "charge", "debit": 999, "credit": context.accounts["revenue"], "currency": "GBP"}
    write(context, transfers, entry | {"amount": 1_000_000})
    assert 999 not in dict(context.read(lambda c: c.execute(select(accounts.c.id, accounts.c.name)).all()))
    assert "unnamed:999" in [row["account"] for row in balances(context)]
    assert journal(context, account="revenue")[-1]["debit"] == "unnamed:999"
    report = ask(context, "ledger.check")
    assert any("without a name" in finding["detail"] for finding in report["findings"])


def test_subscribers_are_listed_in_pages_masked_and_found_by_a_tail_and_no_cause_is_told(context):
    first = ask(context, "subscriber.list", VIEW, limit=2)
    rest = ask(context, "subscriber.list", VIEW, limit=1000, after=first["next"])
    rows = first["rows"] + rest["rows"]
    assert [int(row["subscriber_id"]) for row in rows] == context.ids
    assert [(row["msisdn"], row["plan"], row["balance"]) for row in rows][:1] == [("44********01", "payg-gb", "1.00")]
    assert rest["next"] is None
    for number in ROWS[3][:3]:
        [found] = ask(context, "subscriber.find", tail=number[-6:])["rows"]
        assert (found["msisdn"], found["iccid"], found["status"]) == (ROWS[3][0], ROWS[3][2], "active")
    assert ask(context, "subscriber.find", tail="999999")["rows"] == []
    assert "wwf" not in json.dumps([rows, found])
    for tail in ("", "12", "%%%", "1" * 21):
        with pytest.raises(Problem, match="3 to 20 digits"):
            ask(context, "subscriber.find", tail=tail)
    with pytest.raises(Problem, match="role operator"):
        ask(context, "subscriber.find", VIEW, tail="0001")


def test_texts_of_a_number_and_of_a_time(context):
    def row(n, source, destination):
        return {"id": n, "source": source, "destination": destination, "state": "sent", "created_at": n * HOUR}

    write(context, texts, *(row(*each) | {"state": "queued", "link": "", "parts": b"\x90"} for each in (
        (1, "70070", "447700900001"), (2, "447700900001", "447700900002"), (3, "70070", "447700900002"),
    )))  # fmt: skip

    def found(**wanted):
        return context.read(lambda connection: [text.id for text in latest(connection, 10, **wanted)])

    assert found(number="447700900001") == ["2", "1"]
    assert found(number="70070", since=2 * HOUR) == ["3"]
    assert found(until=2 * HOUR) == ["1"]
    assert found() == ["3", "2", "1"]


def test_a_page_of_balances_holds_no_more_than_its_wallets(context):
    page = context.read(lambda connection: ledger_balances.balances(connection, after=0, limit=2))
    assert len([row for row in page.rows if row.account.startswith("wallet:")]) == 2


def test_what_causes_got_in_some_time_is_told_only_where_it_is_asked_for_by_who_may(context):
    entry = {
        "id": 1 << 42,
        "kind": "accrual",
        "debit": context.accounts["giving"],
        "currency": "GBP",
        "amount": 7,
        "at": 9,
    }
    write(context, transfers, entry | {"credit": context.accounts["cause:wwf"]})

    def named(caller, **params):
        return [row["account"] for row in balances(context, caller, **params) if "cause" in row["account"]]

    assert named(AUDITOR) == named(AUDITOR, since=9, until=10, causes=True) == ["cause:wwf"]
    assert named(AUDITOR, since=9, until=10) == named(VIEW, since=9) == named(VIEW) == ["causes"]
    with pytest.raises(Problem, match="needs the right causes"):
        named(VIEW, causes=True)


@pytest.mark.parametrize(
    ("amount", "currency", "why"),
    [
        ("10.005", "GBP", "GBP has at most 2 decimals"),
        ("500.5", "JPY", "JPY has no decimals"),
        ("1.2345", "KWD", "at most 3"),
    ],
)
def test_a_payment_has_no_more_digits_than_its_currency(context, amount, currency, why):
    with pytest.raises(Problem, match=why):
        ask(context, "subscriber.topup", number=ROWS[0][0], amount=amount, currency=currency, reference="r")
    assert ask(context, "subscriber.topup", number=ROWS[0][0], amount="1.000", currency="GBP", reference="r")
