"""Whose a card is at a host: what a step may find, and what it may go on with."""

import re

import pytest

from provisioning.errors import HostRefused
from provisioning.hosts.interface import ABSENT, NOTHING, Access, Condition, Holding, KeysHeld
from provisioning.hosts.ownership import FOREIGN, Claim, check_claim, check_unchanged, is_ours

OURS, THEIRS = "447700900001", "447700900999"
OPEN, SILENT = Condition(Access.OPEN, OURS), Condition(Access.BARRED)


def held(msisdn=OURS, keys=KeysHeld.OURS, **more):
    said = f"open as {msisdn}"
    record = repr((msisdn, keys, sorted(more.items()))).encode()
    return Holding(Condition(Access.OPEN, msisdn), said, msisdn, keys, record=record, **more)


FOUND = {
    "nothing": NOTHING,
    "ours": held(),
    "ours, with other keys": held(keys=KeysHeld.OTHER),
    "silent": held(None),
    "silent, without keys": held(None, KeysHeld.NONE),
    "silent, with other keys": held(None, KeysHeld.OTHER),
    "under another number": held(THEIRS),
    "with another IMSI": held(other_card=True),
}
MAY_FIND = {
    Claim.NEW: {"nothing"},
    Claim.LINE: {
        "nothing", "ours", "ours, with other keys", "silent", "silent, without keys", "silent, with other keys",
    },
    Claim.LEFT: {"nothing", "silent", "silent, without keys"},
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("claim", Claim)
def test_a_step_finds_what_it_may_find_or_is_refused(claim, name):
    if name in MAY_FIND[claim]:
        check_claim(claim, FOUND[name], OURS)
        return
    with pytest.raises(HostRefused, match="nothing was changed") as refused:
        check_claim(claim, FOUND[name], OURS)
    assert refused.value.code == FOREIGN
    assert FOUND[name].words in str(refused.value)


@pytest.mark.parametrize("claim", Claim)
@pytest.mark.parametrize("adopt", [False, True])
def test_a_number_of_another_imsi_is_never_taken(claim, adopt):
    with pytest.raises(HostRefused, match=re.escape("the host has the number 44********01 on another IMSI")):
        check_claim(claim, Holding(number_elsewhere=True), OURS, adopt=adopt)


@pytest.mark.parametrize("name", FOUND)
def test_an_order_that_adopts_may_find_anything_that_can_be_given_back(name):
    check_claim(Claim.NEW, FOUND[name], OURS, adopt=True)
    with pytest.raises(HostRefused, match="cannot be taken over, for its keys are strange"):
        check_claim(Claim.NEW, held(fixed="its keys are strange"), OURS, adopt=True)


@pytest.mark.parametrize(
    ("now", "before", "wanted", "ours"),
    [
        (NOTHING, NOTHING, OPEN, True),
        (held(None, KeysHeld.NONE), NOTHING, OPEN, True),  # created, and no more
        (held(None), NOTHING, OPEN, True),
        (held(), NOTHING, OPEN, True),
        (held(THEIRS), NOTHING, OPEN, False),
        (held(keys=KeysHeld.OTHER), NOTHING, OPEN, False),
        (held(other_card=True), NOTHING, OPEN, False),
        (held(), NOTHING, SILENT, False),
        (held(THEIRS, KeysHeld.OTHER), held(THEIRS, KeysHeld.OTHER), OPEN, True),  # adopted, and not begun
        (held(OURS, KeysHeld.OTHER), held(THEIRS, KeysHeld.OTHER), OPEN, True),
        (held(), held(THEIRS, KeysHeld.OTHER), OPEN, True),
        (held(THEIRS, KeysHeld.OTHER), held(), SILENT, False),
        (NOTHING, held(), OPEN, False),  # somebody has deleted it
        (NOTHING, held(None), ABSENT, True),
    ],
)
def test_what_the_step_can_have_made_of_what_was_there_is_ours(now, before, wanted, ours):
    assert is_ours(now, before, wanted) is ours
    if ours:
        check_unchanged(now, before, wanted)
    else:
        with pytest.raises(HostRefused, match="it is left as it is") as refused:
            check_unchanged(now, before, wanted)
        assert refused.value.code == FOREIGN


def test_a_holding_prints_no_record():
    assert repr(Holding(words="open", record=b"a key")) == "Holding(open)"
    assert repr(NOTHING) == "Holding(nothing)"
