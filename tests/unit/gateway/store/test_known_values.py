"""A row with a word that no gateway of this version writes is named, whatever it is read for."""

import pytest

from gateway.balance.gifts import GiftState
from gateway.billing.accounts import BillAccount
from gateway.billing.dunning import Waits
from gateway.messaging.receipts import Early
from gateway.messaging.texts import TextState
from gateway.sims import cards, orders
from gateway.store.errors import RowUnknown, UnitPoisoned
from gateway.store.known_values import member_of
from gateway.store.unit_codec import error_of, failure
from provisioning.orders import Kind
from provisioning.sim_lifecycle import SimState


def test_a_known_word_is_its_member():
    assert member_of(GiftState, "held", "gifts", 7) is GiftState.HELD
    assert member_of(TextState, "queued", "texts", 7) is TextState.QUEUED


def test_another_word_is_told_with_its_row_and_what_to_do():
    with pytest.raises(
        RowUnknown, match=r"row 7 of gifts has GiftState 'lent', which .* use the version that wrote it"
    ):
        member_of(GiftState, "lent", "gifts", 7)


def test_it_refuses_one_unit_alone_and_comes_through_between_processes():
    told = error_of(failure(RowUnknown("row 7")))
    assert (type(told), str(told)) == (RowUnknown, "row 7")
    assert isinstance(told, UnitPoisoned)


@pytest.mark.parametrize(
    ("state", "reasons", "what"), [("lost", "", "SimState 'lost'"), (SimState.ACTIVE, "mood", "'mood'")]
)
def test_a_card_with_another_state_or_reason_is_named(state, reasons, what):
    row = ["8944", "234150000000001", None, None, "", "payg", None, None, state, reasons]
    with pytest.raises(RowUnknown, match=f"row 8944 of sims has .*{what}"):
        cards.from_row(tuple(row))


@pytest.mark.parametrize(
    ("kind", "state", "what"), [("paint", "done", "Kind 'paint'"), (Kind.ACTIVATE, "mad", "'mad'")]
)
def test_an_order_of_another_kind_or_state_is_named(kind, state, what):
    row = ("o-1", 0, kind, "8944", "", state, "ann", b"", b"", 0, 0, 0, 0, b"")
    with pytest.raises(RowUnknown, match=f"row o-1 of orders has .*{what}"):
        orders.from_row(row)


def test_a_line_of_another_state_of_dunning_and_an_early_receipt_of_another_step_are_named():
    account = BillAccount(7, 1, 2, "GBP", -9, 9, 0, 100, None, "angry", 5, 100)
    with pytest.raises(RowUnknown, match=r"row 7 of bill_accounts has State 'angry'"):
        Waits(1, 1).end_of(account)
    with pytest.raises(RowUnknown, match=r"row a1 of early_receipts has Step 'lost'"):
        assert Early("host-1", "a1", "447700900101", "lost", "").reached
