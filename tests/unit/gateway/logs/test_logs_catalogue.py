"""Every event that the code logs is in the catalogue, at its level, and the page is current."""

import ast
import gc
import re
from pathlib import Path

import pytest

from gateway.logs.catalogue import EVENTS, page
from gateway.logs.pipeline import LEVELS

ROOT = Path(__file__).parents[4]
METHODS = {**{level: level for level in LEVELS}, "exception": "error"}
LOGGERS = {"log", "_log", "logger", "_logger", "LOG"}


# What has the form of an event's name. In the API and its commands the names of actions have it, too.
NAME = re.compile(r"(daemon|charging|diameter|events|store|ledger|charity)\.[a-z]+\.[a-z_]+")
PARTS = sorted(each.name for each in (ROOT / "gateway").iterdir() if each.name not in {"api", "cli", "__pycache__"})


def trees(*places):
    for place in places:
        root = ROOT / place
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root] * root.exists():
            yield path.relative_to(ROOT), parsed(path.read_text())


def parsed(text):
    """CPython 3.11's ast.parse fails at random when a collection runs finalizers of coroutines in the middle of it."""
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        gc.enable()


def logged():
    """Find each `log.info("a.b.c", ...)`: its place, the method's level and the event."""
    for path, tree in trees("gateway", "provisioning", "simulators"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                owner = node.func.value
                name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                if name in LOGGERS and node.args and isinstance(node.args[0], ast.Constant):
                    yield f"{path}:{node.lineno}", METHODS[node.func.attr], node.args[0].value


def test_each_logged_event_is_in_the_catalogue_at_its_level():
    found = list(logged())
    assert "daemon.crashed" in [event for _, _, event in found]
    assert [(place, event) for place, _, event in found if event not in EVENTS] == []
    assert [(place, event) for place, level, event in found if EVENTS[event].level != level] == []


def test_each_event_that_is_handed_on_as_a_constant_is_in_the_catalogue():
    unknown = [
        f"{path}:{node.lineno}: {node.value}"
        for path, tree in trees(*(f"gateway/{name}" for name in PARTS))
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if NAME.fullmatch(node.value) and node.value not in EVENTS
    ]
    assert unknown == []


@pytest.mark.parametrize("name", EVENTS)
def test_each_entry_is_a_dotted_name_with_two_sentences(name):
    event = EVENTS[name]
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", name)
    assert event.level in LEVELS
    assert event.meaning.endswith(".")
    assert event.action.endswith(".")
    assert "|" not in event.meaning + event.action


def test_the_page_is_current():
    assert (ROOT / "docs/log-events.md").read_text() == page(), "run python -m gateway.logs.catalogue"
