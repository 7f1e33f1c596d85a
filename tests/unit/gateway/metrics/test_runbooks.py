"""Each alert has a page that says what to do; what the pages name is there."""

import re
from functools import cache

import pytest
from support.monitoring import RUNBOOKS, alerts

from gateway.cli import groups
from gateway.concerns import CONCERNS, FROM_EVENTS, SEEN_FROM_OUTSIDE, Onsets, concern, from_events, sorted_concerns
from gateway.logs.catalogue import EVENTS
from gateway.metrics.catalogue import FAMILIES

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


def test_no_page_is_without_its_alert_or_concern():
    of_alerts = {rule["annotations"]["runbook"] for rule in alerts().values()}
    of_concerns = {f"docs/runbooks/{kind.runbook}.md" for kind in CONCERNS.values()}
    assert {f"docs/runbooks/{page.name}" for page in PAGES} == of_alerts | of_concerns


@pytest.mark.parametrize("name", CONCERNS)
def test_each_concern_has_a_page_and_one_without_an_alert_is_named_there_or_shares_an_alerts_page(name):
    kind = CONCERNS[name]
    text = (RUNBOOKS / f"{kind.runbook}.md").read_text()
    assert f"Concern `{name}`." in text or "Alert `" in text
    for alert in kind.alerts:
        assert alerts()[alert]["annotations"]["runbook"] == f"docs/runbooks/{kind.runbook}.md"
        assert alerts()[alert]["labels"]["severity"] == kind.severity


def test_each_alert_is_about_one_concern_or_about_what_a_gateway_cannot_say_of_itself():
    named = [alert for kind in CONCERNS.values() for alert in kind.alerts]
    assert sorted([*named, *SEEN_FROM_OUTSIDE]) == sorted(alerts())


def test_what_is_derived_from_events_names_events_and_concerns_that_there_are():
    for each in FROM_EVENTS:
        assert each.id in CONCERNS
        assert all(EVENTS[event].level != "info" for event in each.events)


def test_a_concern_is_there_since_it_was_first_seen_and_begins_anew_after_it_went_away():
    onsets, one, other = Onsets(), concern("link.down", "a", "smsc-1"), concern("link.down", "b", "smsc-2")
    second = 1_000_000

    def since(*found, now):
        return [each.since for each in onsets.dated(found, now * second)]

    assert since(one, now=0) == ["1970-01-01T00:00:00Z"]
    worse = concern("link.down", "worse", "smsc-1")
    assert since(worse, other, now=1) == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]
    assert since(other, now=2) == ["1970-01-01T00:00:01Z"]
    assert since(one, other, now=3) == ["1970-01-01T00:00:03Z", "1970-01-01T00:00:01Z"]
    assert (one.concern, one.id, one.subject) == ("link.down", "link.down", "smsc-1")


def test_a_concern_lasts_as_long_as_its_events_are_recent():
    times = {"order.failed": [100_000_000], "diameter.peer.down": [3_000_000_000] * 3}

    def count_since(event, moment):
        return sum(at >= moment for at in times.get(event, ()))

    assert {each.id for each in from_events(count_since, 3_000_000_000)} == {"orders.failed", "peer.unstable"}
    assert from_events(count_since, 9_000_000_000) == []
    found = [concern("texts.doubtful", "a"), concern("link.down", "b"), concern("link.down", "b")]
    assert [each.id for each in sorted_concerns(found)] == ["link.down", "texts.doubtful"]


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
            r"(daemon|config|diameter|smpp|charging|order|host|store|api|process)\.[a-z_.]+", words
        ) and words not in (
            "diameter.peers",
            "store.url",
            "charging.deadline",
            "smpp.links",
            "smpp.routes",
            "api.tokens",
            "api.listen",
            "store.takeover",
            "diameter.identity",
        ):
            assert words in EVENTS or words in CONCERNS, words
        elif words.startswith("tpo "):
            asked = tuple(words.split()[1:])
            assert any(asked[: len(known)] == known for known in commands()), words
