"""A place for cards and orders, as fixtures: whose folder's conftest imports them has them."""

import shutil

import pytest

from support.session_play import blank_store
from support.sims_fixture import sim_place


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """A store with its tables and nothing in them: to copy it is quicker than to make it."""
    path = tmp_path_factory.mktemp("blank") / "sims.db"
    blank_store(path)
    return path


@pytest.fixture
def place(tmp_path, blank):
    """Cards and orders on a lane of their own; the books are right in the end."""
    shutil.copy(blank, tmp_path / "sims.db")
    with sim_place(f"sqlite:///{tmp_path}/sims.db") as opened:
        yield opened
        assert opened.findings() == []
