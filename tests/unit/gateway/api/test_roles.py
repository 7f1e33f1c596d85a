"""Who may do what: three roles, each above the one before it, and an auditor beside them."""

import os
import pwd

import pytest

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, AUDITOR, BOOKS, JOURNAL, OPERATOR, ROLES, VIEWER, need
from gateway.api.problems import Problem
from gateway.api.server import _is_named


def may(role, least):
    try:
        need(role, least)
    except Problem:
        return False
    return True


@pytest.mark.parametrize(
    ("least", "roles"),
    [
        (VIEWER, {VIEWER, OPERATOR, ADMIN}),
        (OPERATOR, {OPERATOR, ADMIN}),
        (ADMIN, {ADMIN}),
        (BOOKS, {VIEWER, OPERATOR, ADMIN, AUDITOR}),
        (JOURNAL, {OPERATOR, ADMIN, AUDITOR}),
    ],
)
def test_what_an_action_asks_for_these_roles_have(least, roles):
    assert {role for role in (*ROLES, AUDITOR) if may(role, least)} == roles


def test_an_auditor_reads_the_books_and_nothing_else():
    assert {name for name, action in ACTIONS.items() if may(AUDITOR, action.role)} == {
        *(f"ledger.{what}" for what in ("check", "seals", "months", "balances", "totals", "tax", "export", "journal")),
        "charity.commitment",
        "charity.audit",
    }


def test_a_user_of_this_machine_is_known_by_name():
    own = pwd.getpwuid(os.getuid()).pw_name
    assert _is_named(os.getuid(), ["somebody", own])
    assert not _is_named(os.getuid(), ["somebody"])
    assert not _is_named(4_000_000_000, [own])
