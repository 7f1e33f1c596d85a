from pathlib import Path

import pytest

from gateway.ledger.account_names import HIGHEST_SYSTEM, SYSTEM
from gateway.ledger.postings import PAGE, POSTINGS, AccountClass, Evidence, account_class, page, violation

ROOT = Path(__file__).resolve().parents[4]
NAMES = dict(enumerate((*SYSTEM, "cause:wwf", "gifts:wwf", "somebody's")))


def test_the_page_is_current():
    assert (ROOT / PAGE).read_text() == page(), "run python -m gateway.ledger.postings"


def test_every_account_has_its_class():
    classes = {name: account_class(number, NAMES) for number, name in NAMES.items()}
    assert {name for name, found in classes.items() if found is AccountClass.UNKNOWN} == {"somebody's"}
    assert (classes["unassigned"], classes["cause:wwf"], classes["gifts:wwf"]) == ("cause:<cause>, unassigned",) * 2 + (
        "gifts:<cause>",
    )
    assert account_class(HIGHEST_SYSTEM, NAMES) is AccountClass.WALLET
    assert account_class(77, NAMES) is AccountClass.UNKNOWN


@pytest.mark.parametrize("row", POSTINGS, ids=lambda row: f"{row.kind} {row.credit}")
def test_what_the_table_says_may_be_booked_and_the_other_way_round_not(row):
    carried = {*row.evidence, *row.any_of[:1]}
    assert violation(row.kind, row.debit, row.credit, carried) is None
    if row.debit is not row.credit:
        assert "debits" in violation(row.kind, row.credit, row.debit, carried)
    for evidence in carried:
        assert str(evidence) in violation(row.kind, row.debit, row.credit, carried - {evidence})


def test_a_kind_that_nobody_knows_is_named():
    assert "rebate" in violation("rebate", AccountClass.WALLET, AccountClass.REVENUE, set(Evidence))
