"""Each alert has a page that says what to do; what the pages name is there."""

import re
from functools import cache

import pytest
from support.monitoring import RUNBOOKS, alerts

from gateway.cli import groups
from gateway.logs.catalogue import EVENTS
from gateway.metrics.catalogue import FAMILIES
from gateway.status_page.text_concerns import WITHOUT_ALERT

PAGES = sorted(RUNBOOKS.glob("*.md"))


@cache
def commands():
    """Every `tpo` command of ours, as its words."""
    root = groups.LazyGroup(name="tpo")
    found = set()
    for name in groups.OWN:
        command = root.get_command(None, name)
        found |= {(name, inner) for inner in getattr(command, "commands", ())} or {(name,)}
    return found


def words_of(page):
    """What stands in backticks, on one line."""
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", page.read_text())]


@pytest.mark.parametrize("name", alerts())
def test_each_alert_has_a_page_a_severity_and_a_summary(name):
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    file = RUNBOOKS.parents[1] / rule["annotations"]["runbook"]
    assert f"Alert `{name}`." in file.read_text()


def test_no_page_is_without_its_alert_or_its_concern_on_the_status_page():
    of_alerts = {rule["annotations"]["runbook"] for rule in alerts().values()}
    of_concerns = {f"docs/runbooks/{name}.md" for name in WITHOUT_ALERT}
    assert {f"docs/runbooks/{page.name}" for page in PAGES} == of_alerts | of_concerns
    assert not of_alerts & of_concerns


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_has_its_parts_and_names_only_what_there_is(page):
    text = page.read_text()
    assert re.findall(r"^#+ .*", text, re.MULTILINE)[1:] == ["## Look", "## Do"]
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link).exists(), link
    for words in words_of(page):
        if re.fullmatch(r"tpo_[a-z_]+", words):
            assert words in FAMILIES, words
        elif re.fullmatch(
            r"(daemon|config|diameter|smpp|charging|order|host|store)\.[a-z_.]+", words
        ) and words not in (
            "diameter.peers",
            "smpp.links",
            "smpp.routes",
            "store.url",
            "charging.deadline",
        ):
            assert words in EVENTS, words
        elif words.startswith("tpo "):
            asked = tuple(words.split()[1:])
            assert any(asked[: len(known)] == known for known in commands()), words
