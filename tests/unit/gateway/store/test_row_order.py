"""The order of row sets: every kind has one place of its own, and each name in the list is some kind's."""

import importlib
import pkgutil

import pytest

import gateway
from gateway.store.batch import RowSet
from gateway.store.row_order import ROW_SETS, RowOrder


def kinds(kind=RowSet):
    return [kind, *(below for direct in kind.__subclasses__() for below in kinds(direct))]


@pytest.fixture(scope="module", autouse=True)
def whole_gateway():
    """Import every module, so that every kind of row set is defined."""
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if ".migrations." not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_every_kind_of_row_set_stands_in_the_order_once_and_nothing_else_does():
    ours = [kind for kind in kinds()[1:] if kind.__module__.startswith("gateway.")]
    assert sorted(kind.__name__ for kind in ours) == sorted(ROW_SETS)
    assert [kind.__name__ for kind in sorted(ours, key=lambda kind: kind.rank)] == list(ROW_SETS)
    assert sorted(kind.rank for kind in ours) == list(range(len(ROW_SETS)))


def test_a_kind_without_a_place_is_refused_where_it_is_defined():
    with pytest.raises(TypeError, match=r"NewRows has no place in the order of row sets: add NewRows to .*ROW_SETS"):
        type("NewRows", (RowSet,), {})


def test_two_kinds_cannot_share_a_place():
    with pytest.raises(TypeError, match=r"WalletRows is named like gateway\.balance\.wallets\.WalletRows"):
        type("WalletRows", (RowSet,), {})


def test_a_name_cannot_stand_in_the_order_twice():
    with pytest.raises(ValueError, match="twice in the order of row sets: TextRows"):
        RowOrder(("TextRows", "WalletRows", "TextRows"))
