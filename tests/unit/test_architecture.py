"""The page about the architecture names only what there is, and its picture is the one that the contracts give."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text()
FOLDERS = ("", "gateway", "gateway/charging", "gateway/messaging", "gateway/sims", "provisioning", "protocols/diameter")


def test_the_picture_is_drawn_from_the_contracts():
    spec = importlib.util.spec_from_file_location("make_architecture", ROOT / "docs/make_architecture.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.PICTURE.read_text() == maker.picture(), "run python docs/make_architecture.py"


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([a-z_/]+\.(?:py|yaml))`", PAGE))))
def test_each_file_that_is_named_is_there(named):
    assert any((ROOT / folder / named).is_file() for folder in (*FOLDERS, "provisioning/hosts")), named


def test_each_decision_is_in_the_index_once_by_its_title():
    folder = ROOT / "docs/decisions"
    titles = {page.name: page.read_text().splitlines()[0].removeprefix("# ") for page in folder.glob("[0-9]*.md")}
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    wanted = sorted((title, name) for name, title in titles.items())
    assert sorted(listed) == wanted, "name it in docs/decisions/README.md, under its subject"
