"""Who sees who gives to whom: nobody by a role alone, and each look of those who may is written down first."""

import json
import re
from datetime import UTC, datetime

import msgspec
import pytest
from sqlalchemy import insert, select
from support.lane_fixture import CAUSE_SEALS
from support.sims_context_fixture import card, settings_of
from support.sims_fixture import NUMBER, sim_place

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, OPERATOR, ROLES, Caller
from gateway.api.problems import Problem
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.privacy.access import CAUSES
from gateway.store.errors import LaneClosed
from gateway.store.tables import access_log, metadata, orders, transfers, usage

ROWS = [
    (f"4477009{n:05d}", f"23415{n:010d}", f"894410{n:013d}", "payg-gb", cause, "10.00")
    for n, cause in enumerate(("wwf", "wateraid", "wwf", ""))
]
COLUMNS = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")
CAUSE_IDS = re.compile(r"wwf|wateraid|unassigned")
AUDITOR = Caller("audit", ADMIN, frozenset({CAUSES}))


@pytest.fixture
def context(tmp_path):
    logged = []
    context = GatewayContext(
        settings_of(tmp_path), make_policies, log=lambda event, fields: logged.append((event, fields))
    )
    context.logged = logged
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    results = act(context, Caller("setup", ADMIN), "subscriber.import", rows=rows, accept_checksum=True)["results"]
    context.ids = [int(result["subscriber_id"]) for result in results]
    use(context)
    yield context
    context.close()


def act(context, caller, name, **params):
    return msgspec.to_builtins(ACTIONS[name].perform(context, params, caller))


def use(context):
    """Each line uses something, is charged for it, and makes a gift."""
    account, number = context.accounts, context.node.next_id + 100_000
    with context._writer.begin() as connection:
        for owner, (*_, cause, _) in zip(context.ids, ROWS, strict=True):
            number += 10
            at = context.clock()
            record = {"id": number, "event_at": at, "subscriber_id": owner, "session": 1, "service": "data"}
            record |= {"octets": 5, "seconds": 0, "units": 0, "price": 1_000_000, "currency": "GBP", "plan": "payg-gb"}
            connection.execute(insert(usage).values(record))
            for entry, kind, debit, credit, amount, usage_id in (
                (number + 1, "charge", owner, account["revenue"], 1_000_000, number),
                (
                    number + 2,
                    "accrual",
                    account["giving"],
                    account[f"cause:{cause}" if cause else "unassigned"],
                    100_000,
                    number,
                ),
                (number + 3, "gift", owner, account[f"gifts:{cause or 'wwf'}"], 500_000, None),
            ):
                row = {"id": entry, "at": at, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
                row |= {"currency": "GBP", "event_at": at, "usage_id": usage_id, "reference": f"gift:{entry}"}
                row |= {"base": 1, "policy": "2026-1", "share": 10_000}
                connection.execute(insert(transfers).values(row))


def looks(context):
    found = context.read(lambda connection: connection.execute(select(access_log).order_by(access_log.c.id)).all())
    return [(row.actor, row.action, row.subscriber_id) for row in found]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("number", ROWS[0][:3])
def test_no_role_alone_is_shown_a_customers_causes(context, role, number):
    told = act(context, Caller("token", role), "subscriber.show", number=number)
    assert (told["msisdn"], told["balance"], told["causes"]) == (ROWS[0][0], "10.00", None)
    assert looks(context) == []


def test_the_right_shows_them_and_each_look_is_noted_without_the_number(context):
    for _ in range(2):
        told = act(context, Caller("care", "viewer", frozenset({CAUSES})), "subscriber.show", number=ROWS[0][0])
        assert told["causes"] == [{"cause": "wwf", "percent": 100}]
    assert looks(context) == [("care", "subscriber.show", context.ids[0])] * 2
    (event, fields), again = context.logged
    assert (event, fields["by"], fields["action"]) == ("charity.causes.seen", "care", "subscriber.show")
    assert (event, fields) == again
    words = json.dumps(fields)
    for hidden in (*ROWS[0][:3], str(context.ids[0]), "wwf"):
        assert hidden not in words


def test_a_look_that_cannot_be_noted_is_not_given(context):
    context.lane.close()
    with pytest.raises(LaneClosed):
        act(context, AUDITOR, "subscriber.show", number=ROWS[0][0])
    assert act(context, Caller("t", "viewer"), "subscriber.show", number=ROWS[0][0])["causes"] is None


def test_somebody_who_is_nobody_is_no_look(context):
    with pytest.raises(Problem, match="no subscriber"):
        act(context, AUDITOR, "subscriber.show", number="447700999999")
    assert looks(context) == []


@pytest.mark.parametrize("caller", [Caller("group", OPERATOR), Caller("root", ADMIN), AUDITOR])
def test_usage_and_journal_joined_by_record_time_amount_or_neighbour_give_no_number_and_cause(context, caller):
    """Whoever may see causes does not see them here either, unless he says that he wants to."""
    exported = act(context, caller, "usage.export")["rows"]
    journal = act(context, caller, "ledger.journal", limit=1000)["rows"]
    records = {row["record_id"]: row["msisdn"] for row in exported}
    joined = [row for row in journal if str(row["record_id"]) in records]
    assert len(joined) == 2 * len(ROWS)
    assert not CAUSE_IDS.search(json.dumps([exported, journal]))
    assert {row["credit"] for row in journal if row["kind"] == "accrual"} == {"causes"}
    assert {row["credit"] for row in journal if row["kind"] == "gift"} == {"gifts"}
    assert looks(context) == []


def test_a_viewer_reads_no_journal_and_no_usage_at_all(context):
    for name in ("ledger.journal", "ledger.export", "usage.export"):
        with pytest.raises(Problem, match="needs the role operator"):
            act(context, Caller("page", "viewer"), name, **({"format": "hledger"} if name == "ledger.export" else {}))


def test_the_journal_with_causes_needs_the_right_and_is_noted(context):
    for role in ROLES[1:]:
        with pytest.raises(Problem, match="needs the right causes"):
            act(context, Caller("t", role), "ledger.journal", causes=True)
    assert looks(context) == []
    journal = act(context, AUDITOR, "ledger.journal", causes=True)["rows"]
    assert {row["credit"] for row in journal if row["kind"] == "accrual"} == {
        "cause:wwf",
        "cause:wateraid",
        "unassigned",
    }
    assert looks(context) == [("audit", "ledger.journal", None)]


def test_balances_of_causes_are_one_for_who_may_not_see_them_apart_and_exact_for_who_may(context):
    """The difference of two exact balances is one customer's tenth."""

    def told(caller):
        rows = act(context, caller, "ledger.balances")["rows"]
        return {row["account"]: row["balance"] for row in rows if not row["account"].startswith("wallet:")}

    hidden, exact = told(Caller("group", OPERATOR)), told(AUDITOR)
    assert (hidden["causes"], hidden["gifts"], hidden["revenue"]) == ("0.40", "2.00", "4.00")
    assert not any(CAUSE_IDS.search(account) for account in hidden)
    assert (exact["cause:wwf"], exact["cause:wateraid"], exact["unassigned"]) == ("0.20", "0.10", "0.10")
    assert (exact["gifts:wwf"], exact["gifts:wateraid"]) == ("1.50", "0.50")
    assert looks(context) == [("audit", "ledger.balances", None)]


def test_nothing_that_can_be_asked_for_without_the_right_names_a_cause_beside_anything(context):
    caller = Caller("root", ADMIN)
    act(context, caller, "sim.import", rows=[card(77)])
    asked = {
        "subscriber.show": {"number": ROWS[0][0]}, "subscriber.history": {"number": ROWS[0][0]}, "sim.list": {},
        "sim.show": {"iccid": card(77)["iccid"]},
        "sim.history": {"iccid": card(77)["iccid"]}, "order.list": {}, "order.states": {"ids": []},
        "sim.check": {"rows": [{"kind": "activate", "iccid": card(77)["iccid"], "msisdn": "447700900177",
                                "plan": "payg-gb", "cause": "wwf"}]},
        "subscriber.list": {}, "subscriber.find": {"tail": ROWS[0][0][-4:]},
        "usage.export": {}, "usage.review.list": {"all": True},
        "ledger.check": {}, "ledger.months": {}, "ledger.balances": {}, "ledger.journal": {"limit": 5000}, "events.list": {},
        "ledger.export": {"format": "beancount"}, "ledger.totals": {"period": "2026-11"}, "ledger.tax": {"period": "2026-11"},
        "ledger.seals": {},
        "plan.versions": {"plan": "payg-gb"}, "plan.version": {"plan": "payg-gb", "version": 1},
        "node.list": {}, "subscriber.allowances": {"number": ROWS[0][0]}, "fraud.list": {"all": True},
        "subscriber.bill-limits": {"number": ROWS[0][0]}, "notice.list": {}, "subscriber.gifts": {"number": ROWS[0][0]},
        "bill.preview": {"period": "2999-12"}, "bill.closes": {}, "bill.list": {}, "bill.overdue": {},
        "charity.gift-aid.list": {"number": ROWS[0][0]}, "subscriber.preferences": {"number": ROWS[0][0]},
    }  # fmt: skip
    writes = {"subscriber.import", "subscriber.topup", "subscriber.cause", "sim.import", "order.show"}
    writes |= {"usage.review.book", "usage.review.drop", "usage.rerate", "sim.amend", "sim.scrap", "usage.refund"}
    writes |= {"subscriber.renewal", "subscriber.limit", "subscriber.family", "subscriber.add-on", "subscriber.credit"}
    writes |= {"subscriber.bill-limit", "fraud.clear", "subscriber.gift", "subscriber.gift-withdraw"}
    writes |= {"charity.gift-aid.declare", "charity.gift-aid.cancel", "charity.gift-aid.export", "charity.audit"}
    writes |= {"subscriber.tax-area", "subscriber.agree", "subscriber.erase", "subscriber.prefer"}
    writes |= {"subscriber.plan", "subscriber.number", "node.adopt", "node.retire"}
    writes |= {"bill.close", "bill.reopen", "bill.paid", "bill.pay"}
    writes |= {"bill.show", "bill.note"}  # of a month that is over: tests/session/test_bills_by_command.py
    of_causes = set(NEED_THE_RIGHT) | NEED_NONE  # they tell of no customer; below
    assert set(asked) == set(ACTIONS) - writes - of_causes, "a new action: does it tell who gives to whom?"
    for name, params in asked.items():
        assert not CAUSE_IDS.search(json.dumps(act(context, caller, name, **params))), name


SHA256, FILE = {"sha256": "0" * 64}, {"file": "AAAA"}
NEED_THE_RIGHT = {
    "charity.confirm": {"period": "2026-10"},
    "charity.payout": {"period": "2026-10", "day": "2026-12-01"},
    "charity.payout.approve": SHA256,
    "charity.payout.show": SHA256,
    "charity.paid": FILE,
    "charity.bank": {"cause": "wwf", "currency": "GBP", "account": "{}"},
    "charity.bank.approve": {"details": 1},
    "charity.bank.show": {"details": 1},
    "charity.bank.list": {},
    "charity.remittance": {"period": "2026-10"},
    "charity.cover": {"day": "2026-10-31"},
    "charity.matched": {},
    "charity.match-paid": {"campaign": "winter-2026", "amount": "1.00", "reference": "r"},
    "charity.report.document": {"period": "2026-10", "reader": "cause:wwf"},
    "charity.evidence": {"bill": 1},
    "charity.commitment": {"period": "2026-10"},
    "charity.audit": {"period": "2026-10", "seed": "s"},
    "charity.profit-share": {"period": "2026-10", "amount": "1.00"},
    "charity.report": {"period": "2026-10"},
}
NEED_NONE = {"charity.causes", "charity.register", "charity.transfer"}
"""They have no sums of causes: what causes.yaml says, what is public in registers, what the company moved for all of them."""


def test_what_single_causes_are_owed_and_paid_needs_the_right_and_each_look_is_noted(context):
    of_givers = {name for name in ACTIONS if name.startswith("charity.gift-aid.")}
    assert set(NEED_THE_RIGHT) | NEED_NONE == {name for name in ACTIONS if name.startswith("charity.")} - of_givers
    for name, params in NEED_THE_RIGHT.items():
        with pytest.raises(Problem, match="needs the right causes"):
            act(context, Caller("root", ADMIN), name, **params)
    assert act(context, Caller("t", "viewer"), "charity.report", period="2026-10", public=True)["published"] == []
    assert looks(context) == []
    for name in ("charity.remittance", "charity.cover"):
        act(context, AUDITOR, name, **NEED_THE_RIGHT[name])
    assert looks(context) == [("audit", "charity.remittance", None), ("audit", "charity.cover", None)]


AID = {"number": ROWS[0][0], "cause": "wateraid", "first_name": "Ada", "last_name": "King", "house": "12"}
AID |= {"postcode": "S19 2BD", "channel": "form", "wording": "hmrc-2026"}


def test_gifts_and_declarations_say_to_whom_under_the_right_alone_and_each_look_is_noted(context):
    asked = {"cause": "wateraid", "amount": "5.00", "currency": "GBP", "reference": "r"}
    made = act(context, Caller("shop", OPERATOR), "subscriber.gift", number=ROWS[0][0], **asked)
    assert (made["gift"]["state"], made["gift"]["fee"], made["gift"]["cause"]) == ("held", "0.00", "wateraid")
    declared = act(context, Caller("shop", OPERATOR), "charity.gift-aid.declare", **AID)
    assert (declared["cause"], declared["name"]) == (None, None)
    for caller, causes in ((Caller("root", ADMIN), {None}), (AUDITOR, {"wateraid"})):
        for name in ("subscriber.gifts", "charity.gift-aid.list"):
            assert {row["cause"] for row in act(context, caller, name, number=ROWS[0][0])["rows"]} == causes
    assert looks(context) == [("audit", name, context.ids[0]) for name in ("subscriber.gifts", "charity.gift-aid.list")]


def test_a_schedule_of_gift_aid_needs_the_right_beside_the_role_and_is_noted(context):
    wanted = {"cause": "wateraid", "period": "2026-11"}
    for caller in (Caller("root", ADMIN), Caller("care", OPERATOR, frozenset({CAUSES}))):
        with pytest.raises(Problem, match="this needs the r"):
            act(context, caller, "charity.gift-aid.export", **wanted)
    found = act(context, AUDITOR, "charity.gift-aid.export", **wanted)
    assert (found["columns"][0], found["rows"]) == ("Title", [])
    assert looks(context) == [("audit", "charity.gift-aid.export", None)]


def test_evidence_is_of_months_that_are_closed_and_of_bills_that_are_there(context):
    with pytest.raises(Problem, match="2026-10 is not closed"):
        act(context, AUDITOR, "charity.audit", period="2026-10", seed="s")
    with pytest.raises(Problem, match="2026-10 is not closed"):
        act(context, AUDITOR, "charity.commitment", period="2026-10")
    with pytest.raises(Problem, match="there is no bill 7"):
        act(context, AUDITOR, "charity.evidence", bill=7)
    assert [action for _, action, _ in looks(context)] == ["charity.audit", "charity.commitment", "charity.evidence"]


def test_a_report_is_another_one_for_the_company_a_cause_and_the_public(context):
    def document(caller, **params):
        return act(context, caller, "charity.report.document", period="2026-10", **params)

    public = document(Caller("t", "viewer"), reader="public", format="text")
    assert "Nothing was published of this month" in public["text"]
    assert looks(context) == []
    assert document(AUDITOR, reader="cause:wwf", format="json")["rows"] == []
    assert document(AUDITOR, reader="company", format="pdf")["pdf"]
    assert looks(context) == [("audit", "charity.report", None)] * 2
    runs = datetime.fromtimestamp(context.clock() / 1_000_000, UTC).strftime("%Y-%m")
    for told in ({"reader": "cause:wwf"}, {"reader": "cause:wwf", "format": "pdf"}):
        with pytest.raises(Problem, match=f"a cause is told of {runs} when that is over"):
            act(context, AUDITOR, "charity.report.document", period=runs, **told)
    with pytest.raises(Problem, match="when that is over"):
        act(context, AUDITOR, "charity.remittance", period=runs, cause="wwf")
    assert act(context, AUDITOR, "charity.remittance", period=runs)["rows"]  # the company's own view
    assert "WWF" in act(context, AUDITOR, "charity.remittance", period="2026-10", cause="wwf", language="es")["advice"]
    with pytest.raises(Problem, match="there is no cause:wf"):
        document(AUDITOR, reader="cause:wf")


ACCOUNT = json.dumps({"name": "WWF", "sort_code": "200000", "account": "12345678"})


@pytest.mark.parametrize(
    ("name", "params", "why"),
    [
        ("charity.remittance", {"period": "2199-01"}, "2199-01 has not begun"),
        ("charity.report", {"period": "2199-01"}, "2199-01 has not begun"),
        ("charity.report.document", {"period": "2199-01"}, "2199-01 has not begun"),
        ("charity.remittance", {"period": "2026-10", "cause": "wf"}, "there is none of this id"),
        (
            "charity.transfer",
            {"amount": "5", "currency": "EUR", "reference": "r"},
            "causes are paid from accounts in GBP",
        ),
        ("charity.transfer", {"amount": "1000000000.01", "currency": "GBP", "reference": "r"}, "at most a billion"),
        ("charity.register", {"regulator": "GB-CHC", "extracted_on": "2199-01-01", "rows": []}, "today or before"),
        ("charity.audit", {"period": "2026-10", "seed": "s", "samples": 5}, "samples"),
        ("charity.bank", {"cause": "wwf", "currency": "GBP", "account": ACCOUNT}, "accounts has none in GBP"),
        ("charity.report", {"period": "2026-10", "policy": {"id": "n", "base": "net", "rate": 1000}}, "says its tax"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(context, name, params, why):
    with pytest.raises(Problem, match=why):
        act(context, AUDITOR, name, **params)


# At rest


def cells(place):
    """Every row of the store, by table, as text in which binary values can be read."""
    with place.reader.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                yield table.name, " ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row)


def test_no_row_of_the_store_has_a_customer_or_number_beside_a_cause(tmp_path):
    with sim_place(f"sqlite:///{tmp_path}/t.db") as place:
        iccid, owner = place.live(1, cause="wwf")
        undone = place.accept("activate", place.take_in(2), msisdn="447700900777", plan="payg-gb", cause="wwf", key="k")
        assert any(NUMBER not in row and "447700900777" in row for name, row in cells(place) if name == "orders")
        place.refuse(undone)
        assert place.finish(undone).state == "compensated"
        place.enrol(5_000_000, imsi=card(3)["imsi"], msisdn="447700900888", cause="wwf")
        numbers = {
            NUMBER,
            "447700900777",
            "447700900888",
            iccid,
            *(card(n)[name] for n in (1, 2, 3) for name in ("imsi", "iccid")),
        }
        seen = [(name, row) for name, row in cells(place) if "wwf" in row]
        assert {name for name, _ in seen} == {"accounts"}
        assert not [row for _, row in seen if any(number in row for number in numbers)]
        assert not any(str(owner) in row for _, row in seen)


def test_an_activation_keeps_its_cause_until_it_has_ended(tmp_path):
    with sim_place(f"sqlite:///{tmp_path}/t.db") as place:
        order_id = place.accept("activate", place.take_in(), msisdn=NUMBER, plan="payg-gb", cause="wwf")
        kept = place.order(order_id).request.cause
        assert "wwf" not in kept
        assert CAUSE_SEALS.open_text(kept, f"order/{order_id}") == "wwf"
        place.finish(order_id)
        assert place.order(order_id).request == msgspec.structs.replace(
            place.order(order_id).request, cause="", msisdn=NUMBER
        )
        assert place.read(select(orders.c.open)) == [(0,)]
